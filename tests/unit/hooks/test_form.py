"""The connection form of Airflow 3.0 and 3.1 has the fields that later releases read from the metadata."""

from __future__ import annotations

import sys
from unittest import mock

import pytest

from airflow_provider_siliconflow._airflow.releases import takes_form_from_hook
from airflow_provider_siliconflow.hooks.form import connection_form_widgets, ui_field_behaviour
from airflow_provider_siliconflow.provider_info import get_provider_info


def test_widgets_are_those_of_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Airflow 3.1's API server does it: with stand-ins for packages that it has not installed."""
    for name in ("flask_appbuilder", "flask_appbuilder.fieldwidgets", "flask_babel", "wtforms", "wtforms.validators"):
        monkeypatch.setitem(sys.modules, name, mock.MagicMock())
    widgets = connection_form_widgets()
    (connection,) = get_provider_info()["connection-types"]
    assert set(widgets) == set(connection["conn-fields"])


def test_behaviour_has_the_names_that_hooks_have() -> None:
    assert set(ui_field_behaviour()) == {"hidden_fields", "relabeling", "placeholders"}


@pytest.mark.parametrize(
    ("version", "is_asked"), [("1.0.6", True), ("1.1.8", True), ("1.2.2", False), ("1.4.0b2", False)]
)
def test_which_release_asks_the_hook(version: str, is_asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.__version__", version)
    assert takes_form_from_hook() is is_asked
