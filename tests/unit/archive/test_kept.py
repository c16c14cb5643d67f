"""A paid video is not lost while its store is away: the worker keeps its bytes, and a retry publishes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive.archiver import DownloadOptions, VideoFacts, archive_video
from airflow_provider_siliconflow.archive.kept import KeptVideo
from airflow_provider_siliconflow.exceptions import DestinationError
from tests.unit.archive.files import names
from tests.unit.archive.origin import BODY, Origin
from tests.unit.archive.stores import Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    InStore = Callable[[Store, str], ObjectStoragePath]


class AwayStore(Store):
    """Refuse connections, either all or those of uploads."""

    def __init__(self, calls: tuple[str, ...]) -> None:
        super().__init__()
        self.away = calls

    def __getattribute__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> None:
            raise OSError("Connection refused")

        away = object.__getattribute__(self, "__dict__").get("away", ())
        return refuse if name in away else super().__getattribute__(name)


@pytest.fixture(autouse=True)
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


async def archive(origin: Origin, path: object, request_id: str | None = "abc") -> dict[str, Any]:
    options = DownloadOptions(origin.base_url, max_backoff=0, max_attempts=1)
    return await archive_video(str(path), url=origin.url(), video=VideoFacts(request_id), options=options)


@pytest.mark.parametrize("calls", [("put_file",), ("info", "isdir")])
async def test_a_retry_publishes_what_was_kept_without_a_download(
    in_store: InStore, worker: Path, calls: tuple[str, ...]
) -> None:
    store = AwayStore(calls)
    path = in_store(store, "s3://bucket/clip.mp4")
    async with Origin() as origin:
        for _ in range(2):
            with pytest.raises(DestinationError, match=r"Connection refused.* is kept on the worker .* for 7 days"):
                await archive(origin, path)
        assert len(origin.requests) == 1
        store.away = ()
        manifest = await archive(origin, path)
        assert len(origin.requests) == 1
    assert manifest["bytes"] == len(BODY)
    assert store.cat_file("/bucket/clip.mp4") == BODY
    assert names(worker) == []


async def test_a_video_without_an_id_is_not_kept(in_store: InStore, worker: Path) -> None:
    async with Origin() as origin:
        with pytest.raises(DestinationError, match="Connection refused") as caught:
            await archive(origin, in_store(AwayStore(("put_file",)), "s3://bucket/clip.mp4"), request_id=None)
    assert "kept" not in str(caught.value)
    assert names(worker) == []


def test_bytes_that_are_not_whole_or_of_another_host_are_not_taken(worker: Path, tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    stage.write_bytes(BODY)
    kept = KeptVideo("abc", "https://api.siliconflow.cn/v1")
    assert kept.find() is None
    facts = {"size": len(BODY), "sha256": "0" * 64, "content_type": "video/mp4", "url": ""}
    from airflow_provider_siliconflow.archive.body import Downloaded

    kept.keep(stage, Downloaded(**facts))  # type: ignore[arg-type]
    assert kept.find() is None
    assert KeptVideo("abc", "https://api.siliconflow.com/v1").find() is None
    assert json.loads(next(worker.glob("*.json")).read_text()) == facts
    kept.discard()
    assert names(worker) == ["stage"]
