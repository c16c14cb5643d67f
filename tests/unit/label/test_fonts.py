from __future__ import annotations

import pytest

from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label import fonts


def test_a_font_that_lacks_a_character_is_not_taken(latin_font: str) -> None:
    with pytest.raises(VideoLabelError, match=r"latin\.ttf lacks 成生\. Install a font"):
        fonts.find("AI生成", latin_font, 20)


def test_a_font_that_has_all_characters_is_found(chinese_font: str) -> None:
    assert fonts.find("AI生成", chinese_font, 20).size == 20


def test_the_first_font_of_the_machine_that_has_all_characters_is_taken(
    latin_font: str, chinese_font: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "KNOWN", ("none.ttf", latin_font, chinese_font))
    assert fonts.find("AI生成", None, 20).path == chinese_font


def test_a_font_that_is_not_there_is_told_by_its_name() -> None:
    with pytest.raises(VideoLabelError, match=r"The font nowhere\.ttf cannot be read"):
        fonts.find("AI", "nowhere.ttf", 20)


def test_a_machine_without_fonts_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "KNOWN", ("none.ttf",))
    with pytest.raises(VideoLabelError, match="No font was found here"):
        fonts.find("AI", None, 20)


def test_a_file_that_is_no_truetype_font_is_told(monkeypatch: pytest.MonkeyPatch, latin_font: str) -> None:
    from fontTools import ttLib

    def broken(*args: object, **kwargs: object) -> None:
        raise ttLib.TTLibError("Not a TrueType or OpenType font")

    monkeypatch.setattr(ttLib, "TTFont", broken)
    with pytest.raises(VideoLabelError, match="cannot be read"):
        fonts.find("A", latin_font, 20)
