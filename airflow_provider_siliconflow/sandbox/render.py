"""Real H.264 clips: the prompt drawn on moving images. Needs PyAV and Pillow, loaded at the first clip."""

from __future__ import annotations

import hashlib
import math
import random
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.client.models import IMAGE_SIZES

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

FRAMES_PER_SECOND = 16
HOW_TO_INSTALL = (
    "Rendering needs PyAV and Pillow: pip install 'airflow-provider-siliconflow[sandbox]' (or: pip install av pillow)"
)
#: Pillow's own font has no Chinese; these are looked for on the machine first.
_FONTS = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf", "DejaVuSans.ttf")
#: How much wider than the clip the image is that the camera moves over.
_MARGIN = 1.2


@dataclass(frozen=True)
class Scene:
    """
    What a clip shows; equal scenes give equal bytes.

    :param size: ``<width>x<height>`` in pixels.
    :param frames: How many there are, at 16 a second.
    :param image: The bytes of an image to move over, instead of a drawn one; ``None`` draws one.
    :param follow: Take the documented size that fits the image's ratio best, whatever ``size`` says.
    """

    prompt: str
    size: str
    seed: int
    frames: int = 5 * FRAMES_PER_SECOND
    image: bytes | None = None
    follow: bool = False


def require() -> None:
    """
    Check that clips can be rendered here.

    :raises RuntimeError: With the command that installs what is missing.
    """
    try:
        import av  # noqa: F401
        import PIL  # noqa: F401
    except ImportError as missing:
        raise RuntimeError(f"{HOW_TO_INSTALL}. ({missing})") from missing


def render(scene: Scene) -> bytes:
    """
    Make an MP4 that plays in a browser; the same bytes for the same scene on the same machine.

    :param scene: What it shows.
    :return: The file's bytes.
    :raises RuntimeError: If PyAV or Pillow are missing.
    """
    require()
    import av
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    image = _open(scene.image)
    width, height = _size(scene, image)
    wide, caption = _panorama(scene, image, width, height), _caption(scene, width, height)
    with tempfile.TemporaryDirectory(prefix="siliconflow-sandbox-") as folder:
        # Faststart reads its own output again, which needs a real file.
        path = Path(folder, "clip.mp4")
        with av.open(str(path), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
            stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"preset": "ultrafast", "crf": "30", "threads": "1"}
            for number in range(scene.frames):
                shown = _frame(wide, caption, width, height, number / scene.frames)
                frame = VideoFrame.from_image(shown)  # type: ignore[no-untyped-call]
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path.read_bytes()


def _open(image: bytes | None) -> Image | None:
    from PIL import Image

    if image is None:
        return None
    try:
        # An image with a palette or with alpha has no colours a video can take.
        return Image.open(BytesIO(image)).convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return None


def _size(scene: Scene, image: Image | None) -> tuple[int, int]:
    size = scene.size
    if scene.follow and image is not None:
        ratio = math.log(image.width / image.height)
        size = min(IMAGE_SIZES, key=lambda known: abs(math.log(math.prod(_ratio(known))) - ratio))
    width, height = size.split("x")
    return int(width), int(height)


def _ratio(size: str) -> tuple[float, float]:
    width, height = size.split("x")
    return float(width), 1 / float(height)


def _panorama(scene: Scene, image: Image | None, width: int, height: int) -> Image:
    """Draw the image that the camera moves over: the given one, or coloured clouds of the prompt's own."""
    from PIL import Image, ImageDraw, ImageFilter, ImageOps

    wide = (int(width * _MARGIN), int(height * _MARGIN))
    if image is not None:
        return ImageOps.fit(image, wide)
    drawn = random.Random(hashlib.sha256(f"{scene.seed} {scene.prompt}".encode("utf-8", "replace")).digest())
    small = Image.new("RGB", (80, 80), tuple(drawn.randrange(20, 90) for _ in range(3)))
    pen = ImageDraw.Draw(small)
    for _ in range(14):
        x, y, radius = drawn.randrange(80), drawn.randrange(80), drawn.randrange(6, 24)
        colour = tuple(drawn.randrange(40, 256) for _ in range(3))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return small.filter(ImageFilter.GaussianBlur(3)).resize(wide, Image.Resampling.BICUBIC)


def _caption(scene: Scene, width: int, height: int) -> Image:
    """Write the prompt on a dark band as wide as the clip."""
    from PIL import Image, ImageDraw

    letter = max(8, min(width, height) // 22)
    font = _font(letter)
    lines = _wrap(scene.prompt, font, width * 0.9)[:4]
    band = Image.new("RGB", (width, min(height, int(letter * (len(lines) + 1) * 1.3))), (16, 16, 24))
    ImageDraw.Draw(band).multiline_text((width * 0.05, letter * 0.6), "\n".join(lines), fill=(240, 240, 240), font=font)
    return band


def _font(letter: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    for name in _FONTS:
        try:
            return ImageFont.truetype(name, letter)
        except OSError:
            continue
    return ImageFont.load_default(letter)


def _wrap(text: str, font: FreeTypeFont | ImageFont, limit: float) -> list[str]:
    """Break a text into lines by measured width, also where there are no spaces."""
    lines, line = [], ""
    for letter in " ".join(text.split())[:400].encode("utf-8", "replace").decode():
        if font.getlength(line + letter) > limit:
            head, _, tail = line.rpartition(" ")
            lines.append(head or line)
            line = (tail if head else "") + letter
        else:
            line += letter
    return [*lines, line]


def _frame(wide: Image, caption: Image, width: int, height: int, moment: float) -> Image:
    """
    Draw one frame.

    :param moment: 0 is the clip's start, 1 its end.
    """
    from PIL import ImageDraw

    turn = 2 * math.pi * moment
    left = (wide.width - width) * (0.5 - 0.5 * math.cos(turn))
    top = (wide.height - height) * (0.5 - 0.5 * math.sin(turn))
    shown = wide.crop((int(left), int(top), int(left) + width, int(top) + height))
    x, y, radius = width * (0.1 + 0.8 * moment), height * (0.4 + 0.2 * math.sin(2 * turn)), min(width, height) // 16
    ImageDraw.Draw(shown).ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 244, 200))
    shown.paste(caption, (0, height - caption.height))
    return shown
