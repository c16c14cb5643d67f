"""A picture's way into a request."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from PIL import Image

from airflow_provider_siliconflow.client.models import LARGE_IMAGE, VideoRequest
from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.images import image_field

KINDS = ("png", "jpeg", "webp", "gif")


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_known_by_its_first_bytes_not_by_its_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.txt"
    path.write_bytes(picture(kind))
    for place in (str(path), f"file://{path}"):
        field = image_field(place)
        head, _, body = field.partition(",")
        assert head == f"data:image/{kind};base64"
        assert base64.b64decode(body, validate=True) == picture(kind)
        assert VideoRequest("Wan-AI/Wan2.2-I2V-A14B", "it moves", "960x960", image=field).validate() == []


def test_both_ages_of_gif_are_known(tmp_path: Path) -> None:
    path = tmp_path / "old.gif"
    path.write_bytes(b"GIF87a...")
    assert image_field(str(path)).startswith("data:image/gif;base64,")


def test_any_object_store_will_do() -> None:
    path = ObjectStoragePath("memory://bucket/picture")
    path.write_bytes(picture("png"))
    assert image_field("memory://bucket/picture").startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    "link",
    ["https://h/picture", "HTTP://h/p?X=1&Y=%2F", "data:image/png;base64,iVBORw0KGgo=", "Data:image/gif;base64,R0lG"],
)
def test_links_and_data_uris_stay_as_they_are(link: str) -> None:
    assert image_field(link) == link


@pytest.mark.parametrize("content", [b"", b"not a picture", b"RIFF\0\0\0\0WAVE", b"\x89PNG", b"%PDF-1.7", b"<svg/>"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(content)
    with pytest.raises(InvalidVideoRequestError) as caught:
        image_field(str(path))
    for fact in (str(path), "is not a picture", repr(content[:12]), "Nothing was submitted"):
        assert fact in str(caught.value)


@pytest.mark.parametrize("place", ["absent.png", "", "nowhere://bucket/cat.png", "s3://"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, place: str) -> None:
    image = place if "://" in place else str(tmp_path / place)
    with pytest.raises(InvalidVideoRequestError, match=r"cannot be read: .+Nothing was submitted"):
        image_field(image)


@pytest.mark.parametrize("image", [5, ["a"], b"\x89PNG"])
def test_what_is_no_text_is_refused(image: object) -> None:
    with pytest.raises(InvalidVideoRequestError, match="neither a link nor the path"):
        image_field(image)  # type: ignore[arg-type]


def test_a_file_above_5_mb_is_sent_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(picture("png") + bytes(LARGE_IMAGE))
    video = VideoRequest("Wan-AI/Wan2.2-I2V-A14B", "it moves", "960x960", image=image_field(str(path)))
    assert video.validate() == []
    (doubt,) = video.warnings()
    assert "larger than 5 MB" in doubt
