"""The page of the connection has each field with its default, and its examples are read as it says."""

from __future__ import annotations

import json
import re
from typing import Any

from airflow.sdk import Connection

from airflow_provider_siliconflow.client.prices import PRICES
from airflow_provider_siliconflow.hooks.base_url import DEFAULT_BASE_URL
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.provider_info import get_provider_info
from tests.unit.docs.pages import by_name, shown, table, text_of

PAGE = "connection.md"
#: Standard fields of a connection, by what the settings call them.
STANDARD = {"api_key": "password", "base_url": "host"}


def form_fields() -> dict[str, Any]:
    (connection,) = get_provider_info()["connection-types"]
    fields: dict[str, Any] = connection["conn-fields"]
    return fields


def whole(value: object) -> object:
    """Return a number of seconds or bytes as people write it."""
    return int(value) if isinstance(value, float) else value


def test_fields_are_on_the_page_with_their_defaults_and_no_other() -> None:
    defaults = {STANDARD.get(name, name): field.default for name, field in Settings.__dataclass_fields__.items()}
    expected = {name: shown(whole(default)) for name, default in defaults.items()}
    expected |= {"password": "required", "host": shown(DEFAULT_BASE_URL), "allow_http": shown(False)}
    del expected["price"]
    rows = by_name(table(PAGE, "Fields"))
    prices = rows.pop("price").default
    assert {name: row.default for name, row in rows.items()} == expected
    for (host, _), price in PRICES.items():
        words = (host, f"{price.amount:.2f} {price.currency}", price.source, price.as_of)
        assert all(word and word in prices for word in words)


def test_fields_of_the_form_are_on_the_page() -> None:
    assert set(form_fields()) | {"password", "host"} == set(by_name(table(PAGE, "Fields")))


def test_defaults_in_the_form_are_those_of_the_settings() -> None:
    for name, field in form_fields().items():
        told = re.search(r"\(default ([^;)]+)", field["description"])
        default = Settings.__dataclass_fields__[name].default if name in Settings.__dataclass_fields__ else False
        assert not told or told[1] == json.dumps(whole(default)), name


def test_every_way_of_writing_a_connection_says_the_same() -> None:
    page = text_of(PAGE)
    written = re.findall(r"AIRFLOW_CONN_SILICONFLOW_DEFAULT='([^']+)'", page)
    key = "sk-sandbox"
    connections = [
        Connection.from_json(text) if text.startswith("{") else Connection.from_uri(text, conn_id="siliconflow_default")
        for text in (text.replace("sk-…", key) for text in written)
    ]
    assert len(connections) == 2
    (from_json, from_uri) = (Settings.from_connection(connection) for connection in connections)
    assert from_json == from_uri
    assert (from_json.timeout, from_json.base_url, from_json.api_key) == (30.0, DEFAULT_BASE_URL, key)
