"""The connection form for Airflow 3.0 and 3.1, which ask a hook's class for it; later ones read ``provider_info``."""

from __future__ import annotations

from typing import Any

from airflow_provider_siliconflow.provider_info import get_provider_info


def connection_form_widgets() -> dict[str, Any]:
    """
    Return the fields of the connection form.

    :return: A field of ``wtforms`` for each; Airflow 3 puts its own classes there.
    """
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import BooleanField, IntegerField, StringField
    from wtforms.validators import Optional

    (connection,) = get_provider_info()["connection-types"]
    kinds = {"boolean": BooleanField, "integer": IntegerField}
    return {
        name: kinds.get(field["schema"]["type"][0], StringField)(
            lazy_gettext(field["label"]),
            validators=[Optional()],
            description=field["description"],
            widget=BS3TextFieldWidget(),
        )
        for name, field in connection["conn-fields"].items()
    }


def ui_field_behaviour() -> dict[str, Any]:
    """
    Return which standard fields the connection form hides and how it calls the others.

    :return: As Airflow's hooks return it.
    """
    (connection,) = get_provider_info()["connection-types"]
    return {name.replace("-", "_"): value for name, value in connection["ui-field-behaviour"].items()}
