"""File systems are made without a lock that other ones wait for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.threads import bounded
from airflow_provider_siliconflow.exceptions import ImageUnavailableError
from airflow_provider_siliconflow.jobs.images import image_field

pytest.importorskip("ossfs")


def destination(conn_id: str) -> str:
    return str(understand(f"oss://{conn_id}@bucket/clip.mp4", "abc").path)


def image(conn_id: str) -> str:
    with pytest.raises(ImageUnavailableError, match="it was read") as caught:
        image_field(f"oss://{conn_id}@bucket/cat.png")
    return str(caught.value)


@pytest.mark.parametrize("use", [destination, image])
def test_a_store_that_does_not_answer_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[str], str]
) -> None:
    from airflow_provider_siliconflow.fs import oss_file_system

    # Airflow keeps the file system of each connection.
    silent_id, other_id = f"silent_{use.__name__}", f"other_{use.__name__}"
    for name in (silent_id, other_id):
        extra = {"access_key_id": name, "access_key_secret": "secret", "region": "cn-hangzhou"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "oss", "extra": extra}))
    entered, answered, original = threading.Event(), threading.Event(), oss_file_system.OssFileSystem

    def make(**options: Any) -> Any:
        if options["key"] == silent_id:
            entered.set()
            answered.wait(60)
        return original(**options)

    def read(*_: Any) -> Any:
        raise OSError("it was read")

    monkeypatch.setattr(original, "isdir", lambda *_: False)
    monkeypatch.setattr(original, "info", read)
    monkeypatch.setattr(oss_file_system, "OssFileSystem", make)
    silent = threading.Thread(target=use, args=(silent_id,))
    silent.start()
    try:
        assert entered.wait(30)
        assert "@bucket/" in bounded(lambda: use(other_id), 10, f"oss://{other_id}@bucket")
    finally:
        answered.set()
        silent.join(30)
