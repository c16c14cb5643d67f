"""The connections of ``docs/stores.md``, with the emulators' addresses and credentials filled in, publish a video."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from tests.conftest import ROOT
from tests.stores.azure_kind import AzureKind
from tests.stores.each import each, prepare
from tests.stores.file_kinds import SftpKind
from tests.stores.google_kind import GoogleKind
from tests.stores.kinds import Kind
from tests.stores.s3_kinds import OssByAwsKind, OssKind, S3Kind
from tests.unit.archive.published import BYTES, put

PAGE = (ROOT / "docs/stores.md").read_text()
#: In the page's order.
DOCUMENTED = (OssKind, OssByAwsKind, AzureKind, GoogleKind, S3Kind, SftpKind)
#: Values that each user has others of; all others are used as the page has them.
OWN = {
    *("login", "password", "host", "endpoint", "endpoint_url", "region", "region_name"),
    *("access_key_id", "access_key_secret", "connection_string"),
}
#: What an emulator needs besides, and what it cannot do: Google's checks no key, S3's is not amazonaws.com.
ADDED = {"port", "no_host_key_check", "is_anonymous", "gcs.endpoint", "endpoint_url"}
DROPPED = {"project", "key_path"}


def documented(kind: Kind) -> dict[str, Any]:
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    assert len(blocks) == len(DOCUMENTED)
    found: dict[str, Any] = blocks[DOCUMENTED.index(type(kind))]
    return found


def filled(given: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Return a documented connection, or a part of one, with the values of one that works here."""
    told = {
        name: filled(value, made.get(name, {})) if isinstance(value, dict) else made[name] if name in OWN else value
        for name, value in given.items()
        if name not in DROPPED
    }
    return {name: value for name, value in made.items() if name in ADDED or isinstance(value, dict)} | told


@each(*DOCUMENTED)
def test_the_documented_connection_publishes_a_video(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = kind.uri()
    conn_id = folder.partition("@")[0].rpartition("/")[2]
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    made = json.loads(os.environ[name])
    monkeypatch.setenv(name, json.dumps(filled(documented(kind), made)))
    assert prepare(folder) is None
    put(understand(f"{folder}/clip.mp4", "abc").path)
    assert kind.read(f"{folder}/clip.mp4")[0] == BYTES
