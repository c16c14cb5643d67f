from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.archive import labelling
from airflow_provider_siliconflow.archive.archiver import DownloadOptions, VideoFacts, archive_video
from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label import VideoLabel, implicit
from airflow_provider_siliconflow.label.apply import Labeller
from airflow_provider_siliconflow.sandbox.render import Scene, render
from tests.unit.archive.files import names, read
from tests.unit.archive.origin import Origin, whole

LABEL = VideoLabel(content_producer="制作者")


@pytest.fixture(scope="module")
def clip() -> bytes:
    return render(Scene("a red fox", "960x960", 1, frames=4))


async def archive(origin: Origin, destination: Path, labeller: Labeller, **changes: Any) -> dict[str, Any]:
    video = VideoFacts("abc", "Wan")
    options = DownloadOptions(origin.base_url, max_backoff=0, max_attempts=1)
    return await archive_video(
        str(destination), url=origin.url(), video=video, options=options, labeller=labeller, **changes
    )


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


async def test_a_video_is_published_with_its_label(tmp_path: Path, clip: bytes) -> None:
    async with Origin([whole(clip)]) as origin:
        manifest = await archive(origin, tmp_path / "clip.mp4", Labeller(LABEL))
    published = read(tmp_path / "clip.mp4")
    assert implicit.read(tmp_path / "clip.mp4") == LABEL.implicit("abc")
    assert manifest["label"]["added"] == LABEL.implicit("abc")
    assert manifest["labelled"] == "AIGC metadata"
    assert (manifest["bytes"], manifest["sha256"]) == (len(published), sha256(published))
    assert (manifest["vendor_bytes"], manifest["vendor_sha256"]) == (len(clip), sha256(clip))
    assert json.loads(read(tmp_path / "clip.mp4.json")) == manifest
    assert names(tmp_path) == ["clip.mp4", "clip.mp4.jpg", "clip.mp4.json"]


async def test_a_repeat_takes_the_labelled_video_as_done(tmp_path: Path, clip: bytes) -> None:
    async with Origin([whole(clip)]) as origin:
        first = await archive(origin, tmp_path / "clip.mp4", Labeller(LABEL))
        assert await archive(origin, tmp_path / "clip.mp4", Labeller(LABEL)) == first
        assert len(origin.requests) == 1


async def test_a_video_that_cannot_be_labelled_is_kept_beside_its_name(tmp_path: Path) -> None:
    async with Origin() as origin:
        with pytest.raises(VideoLabelError, match=r"is not published.*kept unlabelled as .*clip\.mp4\.unlabelled\.$"):
            await archive(origin, tmp_path / "clip.mp4", Labeller(LABEL))
        body = (await archive(origin, tmp_path / "plain.mp4", None))["bytes"]  # type: ignore[arg-type]
    assert len(read(tmp_path / "clip.mp4.unlabelled")) == body
    assert names(tmp_path) == ["clip.mp4.unlabelled", "plain.mp4", "plain.mp4.json"]


async def test_a_store_that_does_not_take_it_either_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("airflow_provider_siliconflow.archive.stores.replace", broken)
    async with Origin() as origin:
        with pytest.raises(VideoLabelError, match=r"could not be kept unlabelled .*disk full"):
            await archive(origin, tmp_path / "clip.mp4", Labeller(LABEL))


async def test_what_a_library_quotes_is_masked(tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    quoted = "no answer of https://user:secret@tsa.example/?key=secret"

    def fails(*args: Any, **kwargs: Any) -> None:
        raise VideoLabelError(quoted)

    def unsigned(self: Labeller, source: Path, target: Path, **kwargs: Any) -> dict[str, Any]:
        target.write_bytes(clip)
        return {"c2pa": {"state": "missing", "reason": quoted}}

    async with Origin([whole(clip)]) as origin:
        monkeypatch.setattr(Labeller, "apply", fails)
        with pytest.raises(VideoLabelError, match="no answer of https") as caught:
            await archive(origin, tmp_path / "clip.mp4", Labeller(LABEL))
        monkeypatch.setattr(Labeller, "apply", unsigned)
        manifest = await archive(origin, tmp_path / "other.mp4", Labeller(LABEL))
    assert "secret" not in str(caught.value) + json.dumps(manifest)


async def test_labels_that_take_for_ever_are_given_up(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "LABEL_TIMEOUT", 0.0)
    async with Origin([whole(clip)]) as origin:
        with pytest.raises(VideoLabelError, match="not written within 0 s"):
            await archive(origin, tmp_path / "clip.mp4", Labeller(LABEL))
    assert read(tmp_path / "clip.mp4.unlabelled") == clip
