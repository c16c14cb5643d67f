from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_siliconflow.label import VideoLabel
from airflow_provider_siliconflow.label.__main__ import main
from airflow_provider_siliconflow.label.apply import Labeller
from airflow_provider_siliconflow.label.credentials import SigningKey


def test_it_prints_what_a_labelled_file_says(
    clip: Path, tmp_path: Path, signing_key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "labelled.mp4"
    label = VideoLabel(content_producer="制作者")
    Labeller(label, signing_key).apply(clip, target, request_id="req-1", model="Wan")
    assert main(["show", str(target)]) == 0
    printed = capsys.readouterr().out
    told = json.loads(printed)
    assert told["implicit"] == label.implicit("req-1")
    assert told["c2pa"]["state"] == "Valid"
    assert "制作者" in printed


def test_a_file_without_a_label_ends_with_one(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(clip)]) == 1
    assert json.loads(capsys.readouterr().out) == {"file": str(clip), "implicit": None, "c2pa": None}


def test_what_cannot_be_read_ends_with_two(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(tmp_path / "none.mp4"), str(clip)]) == 2
    printed = capsys.readouterr()
    assert "none.mp4" in printed.err
    assert json.loads(printed.out)["file"] == str(clip)


def test_a_file_that_is_no_video_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    assert main(["show", str(tmp_path / "text.mp4")]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}/text.mp4: The video cannot be read: Invalid data found when processing input.\n"
    )
