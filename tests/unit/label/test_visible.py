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
    """Return how much two pictures differ in a box, as the mean of the differences of their pixels."""
    from PIL import ImageChops, ImageStat

    difference = ImageChops.difference(one.crop(box), other.crop(box)).convert("L")
    return float(ImageStat.Stat(difference).mean[0])


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_the_text_shows_in_its_corner_for_its_seconds(clip: Path, tmp_path: Path, corner: str, latin_font: str) -> None:
    target = tmp_path / "labelled.mp4"
    visible.write(
        clip, target, VisibleLabel.model_validate({"text": "AI", "corner": corner, "font": latin_font}), LABEL
    )
    before, after = _frames(clip), _frames(target)
    assert [time for time, _ in after] == [time for time, _ in before]
    width, height = before[0][1].size
    boxes = {
        "top-left": (0, 0, 120, 90),
        "top-right": (width - 120, 0, width, 90),
        "bottom-left": (0, height - 90, 120, height),
        "bottom-right": (width - 120, height - 90, width, height),
    }
    for (time, given), (_, made) in zip(before, after, strict=True):
        marked = {name for name, box in boxes.items() if _differs(given, made, box) > 12}
        assert marked == ({corner} if time <= 2.0 else set()), time


def test_the_text_is_as_high_as_the_standard_asks_for(clip: Path, tmp_path: Path, latin_font: str) -> None:
    target = tmp_path / "labelled.mp4"
    visible.write(clip, target, VisibleLabel(text="AI", font=latin_font, height=0.05), LABEL)
    first = _frames(target)[0][1].convert("L").crop((0, 0, 200, 120))
    rows = [y for y in range(first.height) if max(first.getpixel((x, y)) for x in range(first.width)) > 235]  # type: ignore[operator,type-var]
    assert max(rows) - min(rows) + 1 >= 0.05 * 720


def test_the_whole_video_can_be_marked(clip: Path, tmp_path: Path, latin_font: str) -> None:
    target = tmp_path / "labelled.mp4"
    visible.write(clip, target, VisibleLabel(text="AI", font=latin_font, seconds=None), LABEL)
    last = zip(_frames(clip), _frames(target), strict=True)
    assert all(_differs(given, made, (0, 0, 120, 90)) > 12 for (_, given), (_, made) in last)


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
