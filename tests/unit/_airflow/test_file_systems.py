"""File systems are made without a lock that other ones wait for."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.threads import bounded

pytest.importorskip("ossfs")


def test_a_store_that_does_not_answer_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_siliconflow.fs import oss_file_system

    for name in ("silent", "other"):
        extra = {"access_key_id": name, "access_key_secret": "secret", "region": "cn-hangzhou"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "oss", "extra": extra}))
    entered, answered, original = threading.Event(), threading.Event(), oss_file_system.OssFileSystem

    def make(**options: Any) -> Any:
        if options["key"] == "silent":
            entered.set()
            answered.wait(60)
        return original(**options)

    monkeypatch.setattr(original, "isdir", lambda *_: False)
    monkeypatch.setattr(oss_file_system, "OssFileSystem", make)
    silent = threading.Thread(target=understand, args=("oss://silent@bucket/clip.mp4", "abc"))
    silent.start()
    try:
        assert entered.wait(30)
        path = bounded(lambda: understand("oss://other@bucket/clip.mp4", "abc").path, 10, "oss://other@bucket")
        assert str(path) == "oss://other@bucket/clip.mp4"
    finally:
        answered.set()
        silent.join(30)
