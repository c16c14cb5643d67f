from __future__ import annotations

from pathlib import Path

import av
import pytest

from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label import implicit

LABEL = {"Label": "1", "ContentProducer": "制作者", "ProduceID": "req-1"}


def _boxes(data: bytes, start: int, end: int) -> dict[bytes, tuple[int, int]]:
    """Return the boxes of an MP4 file between two offsets: type to the range of its content."""
    found: dict[bytes, tuple[int, int]] = {}
    while start < end:
        size, kind = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8]
        found[kind] = (start + 8, start + size)
        start += size
    return found


def test_the_label_stands_in_moov_udta_meta_before_the_media(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "labelled.mp4"
    implicit.write(clip, target, LABEL)
    data = target.read_bytes()
    top = _boxes(data, 0, len(data))
    assert list(top).index(b"moov") < list(top).index(b"mdat")
    meta = _boxes(data, *_boxes(data, *top[b"moov"])[b"udta"])[b"meta"]
    assert b"AIGC" in data[slice(*meta)]
    assert "制作者".encode() in data[slice(*meta)]


def test_the_packets_stay_and_the_label_is_read_back(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "labelled.mp4"
    before = clip.read_bytes()
    implicit.write(clip, target, LABEL)
    assert implicit.read(target) == LABEL
    assert implicit.packets(target) == implicit.packets(clip)
    assert clip.read_bytes() == before


def test_a_video_without_a_label_has_none(clip: Path) -> None:
    assert implicit.read(clip) is None


def test_other_metadata_is_kept(clip: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    with av.open(str(clip)) as given, av.open(str(first), "w", format="mp4", options=implicit.MOVFLAGS) as made:
        made.metadata["comment"] = "from the vendor"
        implicit.copy_packets(given, made)
    implicit.write(first, second, LABEL)
    with av.open(str(second)) as container:
        assert container.metadata["comment"] == "from the vendor"


def test_a_label_that_is_no_json_is_returned_as_it_is(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "labelled.mp4"
    with av.open(str(clip)) as given, av.open(str(target), "w", format="mp4", options=implicit.MOVFLAGS) as made:
        made.metadata.update(implicit.with_label({}, "not JSON"))
        implicit.copy_packets(given, made)
    assert implicit.read(target) == "not JSON"


def test_another_label_read_back_is_an_error(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "labelled.mp4"
    implicit.write(clip, target, LABEL)
    with pytest.raises(VideoLabelError, match="read back"):
        implicit.check(target, {**LABEL, "ProduceID": "another"})


def test_what_is_no_mp4_is_an_error(tmp_path: Path, clip: Path) -> None:
    webm = tmp_path / "clip.webm"
    with av.open(str(webm), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=16)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(VideoLabelError, match="defined for MP4"):
        implicit.write(webm, tmp_path / "labelled.mp4", LABEL)


@pytest.mark.parametrize("content", [b"", b"no video at all"])
def test_what_is_no_video_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoLabelError, match="cannot be"):
        implicit.read(path)
    with pytest.raises(VideoLabelError, match="cannot be"):
        implicit.write(path, tmp_path / "labelled.mp4", LABEL)


def test_sound_is_kept(tmp_path: Path, clip_with_sound: Path) -> None:
    target = tmp_path / "labelled.mp4"
    implicit.write(clip_with_sound, target, LABEL)
    assert [stream[0] for stream in implicit.packets(target)] == ["video", "audio"]
    assert implicit.packets(target) == implicit.packets(clip_with_sound)
