from __future__ import annotations

from pathlib import Path

import av
import pytest
from PIL import Image

from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label import VisibleLabel, implicit, visible

LABEL = {"Label": "1"}


def _frames(path: Path) -> list[tuple[float, Image.Image]]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [(float(frame.time or 0), frame.to_image()) for frame in frames]  # type: ignore[no-untyped-call]


def _differs(one: Image.Image, other: Image.Image, box: tuple[int, int, int, int]) -> float:
    """Return how much two images differ in a box, as the mean of the differences of their pixels."""
    from PIL import ImageChops, ImageStat

    difference = ImageChops.difference(one.crop(box), other.crop(box)).convert("L")
    return float(ImageStat.Stat(difference).mean[0])


@pytest.mark.parametrize(
    ("corner", "box"),
    [
        ("top-left", (0, 0, 360, 640)),
        ("top-right", (360, 0, 720, 640)),
        ("bottom-left", (0, 640, 360, 1280)),
        ("bottom-right", (360, 640, 720, 1280)),
    ],
)
def test_the_text_stands_in_its_corner(corner: str, box: tuple[int, int, int, int], latin_font: str) -> None:
    label = VisibleLabel.model_validate({"text": "AI", "corner": corner, "font": latin_font})
    shown = visible.overlay(720, 1280, label).getbbox()
    assert shown
    assert box[0] < shown[0] < shown[2] < box[2]
    assert box[1] < shown[1] < shown[3] < box[3]


@pytest.mark.parametrize("size", [(720, 1280), (1280, 720), (960, 960)])
def test_the_text_is_as_high_as_the_standard_asks_for(size: tuple[int, int], latin_font: str) -> None:
    shown = visible.overlay(*size, VisibleLabel(text="AI", height=0.05, font=latin_font))
    white = shown.convert("RGB").convert("L").point(lambda value: 255 if value > 200 else 0).getbbox()
    assert white
    assert white[3] - white[1] >= 0.05 * min(size)


def test_the_text_shows_for_its_seconds_and_no_frame_is_lost(clip: Path, tmp_path: Path, latin_font: str) -> None:
    target = tmp_path / "labelled.mp4"
    visible.write(clip, target, VisibleLabel(text="AI", font=latin_font), LABEL)
    before, after = _frames(clip), _frames(target)
    assert [time for time, _ in after] == [time for time, _ in before]
    marked = [
        time
        for (time, given), (_, made) in zip(before, after, strict=True)
        if _differs(given, made, (0, 0, 120, 90)) > 12
    ]
    assert marked == [time for time, _ in before if time <= 2.0] != []
    assert max(time for time, _ in before) > 2.0
    assert all(
        _differs(given, made, (300, 300, 720, 1280)) < 12 for (_, given), (_, made) in zip(before, after, strict=True)
    )


def test_the_whole_video_can_be_marked(clip: Path, tmp_path: Path, latin_font: str) -> None:
    target = tmp_path / "labelled.mp4"
    visible.write(clip, target, VisibleLabel(text="AI", seconds=None, font=latin_font), LABEL)
    assert _differs(_frames(clip)[-1][1], _frames(target)[-1][1], (0, 0, 120, 90)) > 12


def test_sound_and_implicit_label_are_there(clip_with_sound: Path, tmp_path: Path, latin_font: str) -> None:
    target = tmp_path / "labelled.mp4"
    visible.write(clip_with_sound, target, VisibleLabel(text="AI", font=latin_font), LABEL)
    assert implicit.read(target) == LABEL
    assert implicit.packets(target)[1] == implicit.packets(clip_with_sound)[1]


def test_a_text_wider_than_the_video_is_an_error(clip: Path, tmp_path: Path, latin_font: str) -> None:
    with pytest.raises(VideoLabelError, match="wider than the video"):
        visible.write(clip, tmp_path / "labelled.mp4", VisibleLabel(text="W" * 16, font=latin_font, height=0.3), LABEL)


def test_what_is_no_video_is_an_error(tmp_path: Path, latin_font: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(VideoLabelError, match="cannot be written"):
        visible.write(path, tmp_path / "labelled.mp4", VisibleLabel(text="AI", font=latin_font), LABEL)


def test_the_seconds_begin_with_the_first_frame(clip: Path, tmp_path: Path, latin_font: str) -> None:
    late, target = tmp_path / "late.mp4", tmp_path / "labelled.mp4"
    with av.open(str(clip)) as given, av.open(str(late), "w", format="mp4") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None and packet.pts is not None and packet.time_base:
                second = round(1 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + second, packet.dts + second, stream
                made.mux(packet)
    visible.write(late, target, VisibleLabel(text="AI", font=latin_font), LABEL)
    before, after = _frames(late), _frames(target)
    assert before[0][0] == 1.0
    marked = [
        time
        for (time, given), (_, made) in zip(before, after, strict=True)
        if _differs(given, made, (0, 0, 120, 90)) > 12
    ]
    assert marked == [time for time, _ in before if time <= 3.0]
