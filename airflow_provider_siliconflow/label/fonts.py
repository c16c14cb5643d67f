"""Find a font that has the characters of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_siliconflow.exceptions import VideoLabelError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

#: File names that Pillow looks for in the machine's folders of fonts.
KNOWN = (
    "NotoSansCJK-Regular.ttc",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "msyh.ttc",
    "PingFang.ttc",
    "DejaVuSans.ttf",
)


def find(text: str, name: str | None, size: int) -> FreeTypeFont:
    """
    Return a font that has every character of a text.

    :param text: The text.
    :param name: Path or file name of the font; None to try those that are known to have Chinese.
    :param size: In pixels.
    :return: The font, loaded.
    :raises VideoLabelError: if there is none, or if it lacks a character.
    """
    missing: dict[str, str] = {}
    for candidate in (name,) if name else KNOWN:
        opened = _load(candidate, size)
        if opened is None:
            continue
        font, known = opened
        lacks = "".join(sorted(set(text) - known - {" "}))
        if not lacks:
            return font
        missing[candidate] = lacks
    if missing:
        told = "; ".join(f"{candidate} lacks {lacks}" for candidate, lacks in missing.items())
        raise VideoLabelError(f"No font here has every character of the visible label {text!r}: {told}. {_HINT}")
    raise VideoLabelError(f"The font {name} cannot be read." if name else f"No font was found here. {_HINT}")


_HINT = "Install a font that has them (Debian: fonts-wqy-microhei or fonts-noto-cjk), or name one by `font`."


def _load(name: str, size: int) -> tuple[FreeTypeFont, set[str]] | None:
    """Return a font and the characters that it has a glyph for; None if it cannot be read."""
    from fontTools.ttLib import TTFont
    from PIL import ImageFont

    try:
        font = ImageFont.truetype(name, size)
        with TTFont(font.path, fontNumber=0, lazy=True) as tables:
            return font, {chr(code) for code in tables.getBestCmap()}
    except Exception:  # Pillow opens more kinds of fonts than fontTools, whose errors have no common base
        return None
