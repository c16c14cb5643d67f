from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label import VideoLabel, VisibleLabel, credentials, implicit
from airflow_provider_siliconflow.label.apply import Labeller, describe_label, has_c2pa
from airflow_provider_siliconflow.label.credentials import SigningKey

LABEL = VideoLabel(content_producer="Studio")


def _apply(labeller: Labeller, source: Path, target: Path) -> dict[str, Any]:
    target.touch()
    return labeller.apply(source, target, request_id="req-1", model="Wan")


def test_the_implicit_label_is_added(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.mp4"
    facts = _apply(Labeller(LABEL), clip, target)
    assert facts == {"found": None, "added": LABEL.implicit("req-1"), "visible": None, "c2pa_found": False}
    assert implicit.read(target) == LABEL.implicit("req-1")


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"found": None, "added": {}}, "AIGC metadata"),
        ({"found": {"Label": "1"}, "visible": None}, "AIGC metadata of the service, kept"),
        ({"found": {}, "visible": None}, "AIGC metadata of the service, kept"),
        (
            {"found": None, "visible": {"text": "AI生成"}, "c2pa": {"state": "Valid"}},
            "AIGC metadata, visible text AI生成, content credentials Valid",
        ),
    ],
)
def test_the_labels_are_told_to_people(facts: dict[str, Any], told: str) -> None:
    assert describe_label(facts) == told


def test_a_label_that_is_there_is_kept(clip: Path, tmp_path: Path) -> None:
    of_vendor, target = tmp_path / "vendor.mp4", tmp_path / "target.mp4"
    implicit.write(clip, of_vendor, {"Label": "1", "ContentProducer": "vendor"})
    facts = _apply(Labeller(LABEL), of_vendor, target)
    assert facts["found"] == {"Label": "1", "ContentProducer": "vendor"}
    assert facts["added"] is None
    assert target.read_bytes() == of_vendor.read_bytes()


def test_a_label_that_is_there_is_kept_under_a_visible_one(clip: Path, tmp_path: Path, latin_font: str) -> None:
    of_vendor, target = tmp_path / "vendor.mp4", tmp_path / "target.mp4"
    implicit.write(clip, of_vendor, {"Label": "1", "ContentProducer": "vendor"})
    _apply(Labeller(LABEL.model_copy(update={"visible": VisibleLabel(text="AI", font=latin_font)})), of_vendor, target)
    assert implicit.read(target) == {"Label": "1", "ContentProducer": "vendor"}


def test_all_three_labels_and_the_signature_last(
    clip: Path, tmp_path: Path, signing_key: SigningKey, latin_font: str
) -> None:
    target = tmp_path / "target.mp4"
    label = LABEL.model_copy(update={"visible": VisibleLabel(text="AI", font=latin_font)})
    facts = _apply(Labeller(label, signing_key), clip, target)
    assert facts["c2pa"]["state"] == "Valid"
    assert credentials.read(target) == facts["c2pa"]
    assert implicit.read(target) == LABEL.implicit("req-1")
    assert facts["visible"]["text"] == "AI"


def test_credentials_that_are_there_are_never_broken(clip: Path, tmp_path: Path, signing_key: SigningKey) -> None:
    signed, target = tmp_path / "vendor.mp4", tmp_path / "target.mp4"
    credentials.sign(clip, signed, signing_key, None)
    assert has_c2pa(signed)
    with pytest.raises(VideoLabelError, match="would break"):
        _apply(Labeller(LABEL), signed, target)
    assert target.read_bytes() == b""


def test_a_signature_that_is_not_required_is_left_out(clip: Path, tmp_path: Path, signing_key: SigningKey) -> None:
    target = tmp_path / "target.mp4"
    facts = _apply(Labeller(LABEL, replace(signing_key, private_key="broken", required=False)), clip, target)
    assert facts["c2pa"]["state"] == "missing"
    assert implicit.read(target) == LABEL.implicit("req-1")


def test_a_signature_that_is_required_fails(clip: Path, tmp_path: Path, signing_key: SigningKey) -> None:
    target = tmp_path / "target.mp4"
    with pytest.raises(VideoLabelError):
        _apply(Labeller(LABEL, replace(signing_key, private_key="broken")), clip, target)
    assert target.read_bytes() == b""


def test_the_check_passes_where_everything_is_there(signing_key: SigningKey, latin_font: str) -> None:
    Labeller(LABEL.model_copy(update={"visible": VisibleLabel(text="AI", font=latin_font)}), signing_key).check()


def test_the_check_finds_a_font_that_lacks_a_character(latin_font: str) -> None:
    with pytest.raises(VideoLabelError, match="lacks 成生"):
        Labeller(LABEL.model_copy(update={"visible": VisibleLabel(font=latin_font)})).check()


def test_the_check_finds_a_font_that_is_not_there() -> None:
    with pytest.raises(VideoLabelError, match=r"none\.ttf cannot be read"):
        Labeller(LABEL.model_copy(update={"visible": VisibleLabel(font="none.ttf")})).check()


def test_the_check_finds_a_key_that_cannot_sign(signing_key: SigningKey) -> None:
    with pytest.raises(VideoLabelError, match="cannot be written"):
        Labeller(LABEL, replace(signing_key, private_key="broken")).check()


@pytest.mark.parametrize("library", ["av", "PIL", "fontTools"])
def test_a_missing_library_is_told_with_the_command(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(VideoLabelError, match=r"pip install 'airflow-provider-siliconflow\[label\]'"):
        Labeller(LABEL).check()


def test_the_box_of_credentials_is_found_across_two_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.label.apply._BLOCK", 20)
    path = tmp_path / "file"
    path.write_bytes(b"x" * 30 + bytes.fromhex("d8fec3d61b0e483c92975828877ec481"))
    assert has_c2pa(path)


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_label_is_none(blank: str, clip: Path, tmp_path: Path) -> None:
    of_vendor, target = tmp_path / "vendor.mp4", tmp_path / "target.mp4"
    with av.open(str(clip)) as given, av.open(str(of_vendor), "w", format="mp4", options=implicit.MOVFLAGS) as made:
        made.metadata["AIGC"] = blank
        implicit.copy_packets(given, made)
    assert _apply(Labeller(LABEL), of_vendor, target)["added"] == LABEL.implicit("req-1")
    assert implicit.read(target) == LABEL.implicit("req-1")


def test_credentials_that_are_there_are_not_lost_where_a_signature_is_not_required(
    clip: Path, tmp_path: Path, signing_key: SigningKey
) -> None:
    signed, target = tmp_path / "vendor.mp4", tmp_path / "target.mp4"
    credentials.sign(clip, signed, signing_key, None)
    with pytest.raises(VideoLabelError, match="cannot be written"):
        _apply(Labeller(LABEL, replace(signing_key, private_key="broken", required=False)), signed, target)
    assert target.read_bytes() == b""


def test_a_key_of_another_certificate_does_not_sign(clip: Path, tmp_path: Path, signing_key: SigningKey) -> None:
    another = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(VideoLabelError, match="content credentials"):
        _apply(Labeller(LABEL, replace(signing_key, private_key=another.decode())), clip, tmp_path / "target.mp4")


def test_a_video_without_images_has_no_visible_label(clip_with_sound: Path, tmp_path: Path, latin_font: str) -> None:
    sound, target = tmp_path / "sound_alone.mp4", tmp_path / "target.mp4"
    with av.open(str(clip_with_sound)) as given, av.open(str(sound), "w", format="mp4") as made:
        stream = made.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    label = LABEL.model_copy(update={"visible": VisibleLabel(text="AI", font=latin_font)})
    with pytest.raises(VideoLabelError, match="has no images"):
        _apply(Labeller(label), sound, target)


def test_an_error_of_a_library_is_one_of_the_label(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise NotImplementedError("a codec of tomorrow")

    monkeypatch.setattr(implicit, "write", broken)
    with pytest.raises(VideoLabelError, match="NotImplementedError: a codec of tomorrow"):
        _apply(Labeller(LABEL), clip, tmp_path / "target.mp4")
    with pytest.raises(VideoLabelError, match="NotImplementedError: a codec of tomorrow"):
        Labeller(LABEL).check()
