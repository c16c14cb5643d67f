"""The poster of a video, made when it is archived; nothing about it may fail an archive."""

from __future__ import annotations

import builtins
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
from airflow.sdk import ObjectStoragePath
from PIL import Image

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.poster import Poster, poster_of, write_poster
from airflow_provider_siliconflow.sandbox.render import Scene, render


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    path.write_bytes(render(Scene("a fox", "720x1280", 1, frames=8)))
    return path


def test_a_poster_is_a_small_jpeg_of_the_videos_shape(video: Path) -> None:
    poster = poster_of(video)
    assert poster.facts(ObjectStoragePath("/clip.mp4.jpg")) == {
        **{"width": 720, "height": 1280, "duration": pytest.approx(0.5, abs=0.1)},
        "poster": "/clip.mp4.jpg",
    }
    assert poster.jpeg
    with Image.open(BytesIO(poster.jpeg)) as image:
        image.load()
        assert (image.format, image.size) == ("JPEG", (270, 480))
        assert max(image.convert("L").tobytes()) > 40


def test_it_is_a_frame_of_the_first_two_seconds_for_which_a_visible_label_shows(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 160, "yuv420p"
        for number in range(40):
            # Black for three seconds, then half white.
            drawn = Image.new("RGB", (160, 160))
            if number >= 30:
                drawn.paste("white", (0, 0, 80, 160))
            container.mux(stream.encode(av.VideoFrame.from_image(drawn)))  # type: ignore[no-untyped-call]
        container.mux(stream.encode())
    poster = poster_of(path)
    assert poster.jpeg
    with Image.open(BytesIO(poster.jpeg)) as image:
        assert max(image.convert("L").tobytes()) < 40


def test_without_pyav_nothing_is_known(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "av":
            raise ImportError("no av")
        return load(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "av", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    assert poster_of(video) == Poster()


def test_bytes_that_are_no_video_give_no_poster(tmp_path: Path) -> None:
    garbage = tmp_path / "clip.mp4"
    garbage.write_bytes(b"\0" * 5000)
    assert poster_of(garbage) == Poster()


def test_a_poster_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk is full")

    monkeypatch.setattr(stores, "replace", fail)
    write_poster(ObjectStoragePath(str(tmp_path / "clip.mp4.jpg")), Poster(jpeg=b"\xff\xd8"))
    assert list(tmp_path.iterdir()) == []


def test_a_poster_replaces_the_one_of_an_earlier_video(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4.jpg"
    path.write_bytes(b"old")
    write_poster(ObjectStoragePath(str(path)), Poster(jpeg=b"\xff\xd8new"))
    assert path.read_bytes() == b"\xff\xd8new"
    write_poster(ObjectStoragePath(str(path)), Poster())
    assert path.read_bytes() == b"\xff\xd8new"
