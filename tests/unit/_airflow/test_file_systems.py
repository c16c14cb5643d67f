"""File systems are made without a lock that other ones wait for."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.threads import bounded
from airflow_provider_siliconflow.fs import oss

pytest.importorskip("ossfs")


def test_a_store_that_does_not_answer_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"access_key_id": "id", "access_key_secret": "secret", "region": "cn-hangzhou"}
    for name in ("silent", "other"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "oss", "extra": extra}))
    entered, answered, original = threading.Event(), threading.Event(), oss._options

    def options(conn_id: str, connection: Any) -> dict[str, Any]:
        if conn_id == "silent":
            entered.set()
            answered.wait(60)
        return original(conn_id, connection)

    monkeypatch.setattr(oss, "_options", options)
    monkeypatch.setattr("airflow_provider_siliconflow.fs.oss_file_system.OssFileSystem.isdir", lambda *_: False)
    silent = threading.Thread(target=understand, args=("oss://silent@bucket/clip.mp4", "abc"))
    silent.start()
    try:
        assert entered.wait(30)
        path = bounded(lambda: understand("oss://other@bucket/clip.mp4", "abc").path, 10, "oss://other@bucket")
        assert str(path) == "oss://other@bucket/clip.mp4"
    finally:
        answered.set()
        silent.join(30)
