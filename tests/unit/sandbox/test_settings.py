"""Settings that make no sense are named."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_siliconflow.sandbox.settings import Settings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min": 300}, "ascending"),
        ({"speed": 0}, "speed"),
        ({"fail_chance": 1.5}, "fail_chance"),
        ({"key": Settings.key_com}, "keys"),
        ({"slots": -1}, "slots must not be negative"),
        ({"price": -1.0}, "price must not be negative"),
        ({"url_style": "azure"}, "url_style is 'azure', not one of oss, sigv4, both"),
        ({"speed": -1, "unknown_id": "x"}, "unknown_id .*speed"),
    ],
)
def test_settings_that_make_no_sense_are_rejected(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)
