"""The clips, as a video reader sees them."""

from __future__ import annotations

import base64
import io
import sys

import av
import pytest
from PIL import Image

from airflow_provider_siliconflow.sandbox import render as painter
from airflow_provider_siliconflow.sandbox.render import Scene, render
from airflow_provider_siliconflow.sandbox.videos import assemble
from tests.unit.sandbox.caller import I2V
from tests.unit.sandbox.conftest import Start


def _frames(clip: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(clip), "r") as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 16
        return [frame.to_image() for frame in container.decode(video=0)]  # type: ignore[no-untyped-call]


def _image(width: int, height: int, colour: str = "red", form: str = "PNG", mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (width, height), colour if mode == "RGB" else 3).save(stream, form)
    return stream.getvalue()


def _boxes(clip: bytes) -> list[str]:
    names, offset = [], 0
    while offset < len(clip):
        size = int.from_bytes(clip[offset : offset + 4])
        if size == 1:
            size = int.from_bytes(clip[offset + 8 : offset + 16])
        names.append(clip[offset + 4 : offset + 8].decode())
        offset += size
    assert offset == len(clip)
    return names


@pytest.mark.parametrize("size", ["1280x720", "720x1280", "960x960"])
def test_a_clip_is_five_seconds_of_moving_images(size: str) -> None:
    frames = _frames(render(Scene("A cat on a wave", size, 7)))
    assert len(frames) == 80
    assert "{}x{}".format(*frames[0].size) == size
    assert frames[0].tobytes() != frames[40].tobytes() != frames[79].tobytes()


def test_the_index_comes_first_so_that_a_browser_can_play() -> None:
    boxes = _boxes(render(Scene("x", "64x64", 1, frames=4)))
    assert boxes.index("moov") < boxes.index("mdat")


def test_equal_scenes_make_equal_bytes() -> None:
    scenes = [Scene("x", "64x64", 1, frames=4), Scene("y", "64x64", 1, frames=4), Scene("x", "64x64", 2, frames=4)]
    clips = [render(scene) for scene in scenes]
    assert clips[0] == render(scenes[0])
    assert len(set(clips)) == 3


@pytest.mark.parametrize("prompt", ["一只猫在海上冲浪" * 30, "word " * 200, "x" * 900, "\ud800 \x00 \n\n", "🐈", " "])
def test_any_prompt_can_be_drawn(prompt: str) -> None:
    assert len(_frames(render(Scene(prompt, "64x64", 1, frames=2)))) == 2


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(160, 90, "1280x720"), (90, 160, "720x1280"), (100, 100, "960x960"), (500, 100, "1280x720")],
)
def test_a_clip_of_an_image_shows_it_and_follows_its_ratio(width: int, height: int, size: str) -> None:
    scene = Scene("x", "960x960", 1, frames=2, image=_image(width, height), follow=True)
    image = _frames(render(scene))[0]
    assert "{}x{}".format(*image.size) == size
    red, green, blue = image.convert("RGB").getpixel((image.width // 2, image.height // 8))  # type: ignore[misc]
    assert red > 200
    assert green < 60 > blue


@pytest.mark.parametrize(("form", "mode"), [("PNG", "P"), ("GIF", "P"), ("JPEG", "L"), ("WEBP", "RGB")])
def test_all_forms_of_images_are_taken(form: str, mode: str) -> None:
    scene = Scene("x", "64x64", 1, frames=2, image=_image(64, 64, form=form, mode=mode))
    assert len(_frames(render(scene))) == 2


def test_an_image_that_cannot_be_read_is_replaced_by_a_drawn_one() -> None:
    assert len(_frames(render(Scene("x", "64x64", 1, frames=2, image=b"\x89PNG broken", follow=True)))) == 2


def test_without_a_font_of_the_machine_pillows_own_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painter, "_FONTS", ("no such font.ttf",))
    assert len(_frames(render(Scene("一只猫 cat", "64x64", 1, frames=2)))) == 2


def test_what_is_missing_is_said_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(RuntimeError, match=r"pip install 'airflow-provider-siliconflow\[sandbox\]'"):
        render(Scene("x", "64x64", 1))


def test_padding_and_label_are_boxes_that_players_skip() -> None:
    clip = render(Scene("x", "64x64", 1, frames=4))
    padded = assemble(clip, "abcdefghijkl", 100_000)
    whole = b"".join(padded.chunks(0, padded.length))
    assert len(whole) == 100_000 == padded.length
    assert _boxes(whole)[-2:] == ["free", "free"]
    assert whole.endswith(b"abcdefghijkl")
    assert len(_frames(whole)) == 4
    assert assemble(clip, "abcdefghijkl", 10).length == len(clip) + 8 + 12


@pytest.mark.parametrize(("i2v_size", "size"), [("image", (720, 1280)), ("requested", (1280, 720))])
def test_the_service_renders_what_was_asked_for(start: Start, i2v_size: str, size: tuple[int, int]) -> None:
    caller = start(tiny=False, i2v_size=i2v_size)
    image = "data:image/png;base64," + base64.b64encode(_image(90, 160)).decode()
    _, url = caller.ready(model=I2V, image=image, seed=1)
    first = caller.download(url).content
    assert _frames(first)[0].size == size
    _, again = caller.ready(model=I2V, image=image, seed=1)
    assert caller.download(again).content[: len(first) - 12] == first[:-12], "rendered once, labelled twice"


def test_tiny_clips_are_tiny(start: Start) -> None:
    caller = start()
    frames = _frames(caller.download(caller.ready()[1]).content)
    assert (len(frames), frames[0].size) == (8, (64, 64))


def test_a_clip_that_cannot_be_rendered_is_tried_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = start()
    _, url = caller.ready()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "PIL", None)
        assert caller.download(url).status_code == 500
    assert caller.download(url).status_code == 200
