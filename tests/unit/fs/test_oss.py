"""``oss://``: registered with Airflow, and clear about what a connection lacks."""

from __future__ import annotations

import json

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.exceptions import DestinationRefusedError
from airflow_provider_siliconflow.fs import oss
from airflow_provider_siliconflow.provider_info import get_provider_info

pytest.importorskip("ossfs")
EXTRA = {"auth_type": "AK", "access_key_id": "id", "access_key_secret": "secret", "region": "cn-hangzhou"}


def connect(monkeypatch: pytest.MonkeyPatch, **extra: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_OSS", json.dumps({"conn_type": "oss", "extra": EXTRA | extra}))


def test_it_is_registered_for_its_scheme() -> None:
    assert get_provider_info()["filesystems"] == ["airflow_provider_siliconflow.fs.oss"]
    assert oss.schemes == ["oss"]


def test_a_path_is_shown_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)
    monkeypatch.setattr("airflow_provider_siliconflow.fs.oss_file_system.OssFileSystem.isdir", lambda *_: False)
    found = understand("oss://my_oss@bucket/clips/clip.mp4", None)
    assert (str(found.path), found.path.path) == ("oss://my_oss@bucket/clips/clip.mp4", "bucket/clips/clip.mp4")
    assert f"{found.manifest}" == "oss://my_oss@bucket/clips/clip.mp4.json"


def test_what_a_connection_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, region="")
    with pytest.raises(DestinationRefusedError, match="my_oss lacks region, endpoint"):
        oss.get_fs("my_oss")
    with pytest.raises(DestinationRefusedError, match="write oss://conn_id@bucket/key"):
        oss.get_fs(None)
