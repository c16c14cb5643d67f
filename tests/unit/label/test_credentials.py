from __future__ import annotations

import sys
from pathlib import Path

import pytest

from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label import credentials
from airflow_provider_siliconflow.label.credentials import SigningKey


def test_a_signed_video_says_that_a_model_made_it(clip: Path, tmp_path: Path, signing_key: SigningKey) -> None:
    made = credentials.sign(clip, tmp_path / "signed.mp4", signing_key, "Wan-AI/Wan2.2-T2V-A14B")
    assert made == {
        "state": "Valid",
        "issuer": "Studio",
        "algorithm": "Es256",
        "source_types": ["http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"],
    }
    assert b"Wan-AI/Wan2.2-T2V-A14B" in (tmp_path / "signed.mp4").read_bytes()


def test_a_changed_byte_makes_it_invalid(clip: Path, tmp_path: Path, signing_key: SigningKey) -> None:
    signed = tmp_path / "signed.mp4"
    credentials.sign(clip, signed, signing_key, None)
    data = bytearray(signed.read_bytes())
    data[data.find(b"mdat") + 1000] ^= 1
    signed.write_bytes(data)
    found = credentials.read(signed)
    assert found
    assert found["state"] == "Invalid"


def test_a_video_without_credentials_has_none(clip: Path) -> None:
    assert credentials.read(clip) is None


@pytest.mark.parametrize("field", ["certificate", "private_key"])
def test_a_key_that_cannot_sign_is_an_error_that_does_not_show_it(
    clip: Path, tmp_path: Path, signing_key: SigningKey, field: str
) -> None:
    parts = {"certificate": signing_key.certificate, "private_key": signing_key.private_key}
    parts[field] = "secret words"
    broken = SigningKey(parts["certificate"], parts["private_key"])
    with pytest.raises(VideoLabelError, match="cannot be written") as told:
        credentials.sign(clip, tmp_path / "signed.mp4", broken, None)
    assert "secret words" not in str(told.value)
    assert "PRIVATE KEY" not in str(told.value)


def test_a_key_shows_nothing_of_itself(signing_key: SigningKey) -> None:
    assert "BEGIN" not in repr(signing_key)


def test_a_missing_library_is_told_with_the_command(
    clip: Path, tmp_path: Path, signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(VideoLabelError, match=r"pip install 'airflow-provider-siliconflow\[c2pa\]'"):
        credentials.sign(clip, tmp_path / "signed.mp4", signing_key, None)
