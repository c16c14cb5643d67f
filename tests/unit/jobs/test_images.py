"""An image's way into a request, also from texts that a less trusted run's conf may hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_siliconflow.exceptions import ImageUnavailableError, InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.images import image_field
from tests.unit.jobs.image_inputs import LONGEST, PNG, PNG_FIELD, rejection


def test_paths_are_taken_in_python_s_own_types(cat: Path) -> None:
    class Named:
        def __fspath__(self) -> str:
            return str(cat)

    class NamedInBytes:
        def __fspath__(self) -> bytes:
            return os.fsencode(cat)

    for image in (cat, ObjectStoragePath(str(cat)), ObjectStoragePath(f"file://{cat}"), Named(), NamedInBytes()):
        assert image_field(image) == PNG_FIELD  # type: ignore[arg-type]


def test_a_path_means_what_a_shell_means_by_it(cat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(cat.parent))
    monkeypatch.chdir(cat.parent)
    for image in ("~/cat.txt", "cat.txt", "./cat.txt", Path("cat.txt"), f"//{cat}"):
        assert image_field(image) == PNG_FIELD
    odd = cat.with_name("a::b?c#d &.png")
    odd.write_bytes(PNG)
    assert image_field(str(odd)) == PNG_FIELD


@pytest.mark.parametrize(
    "url",
    [
        "https://h/image",
        "HTTP://h/p?X=1&Y=%2F",
        "data:image/png;base64,iVBORw0KGgo=",
        "Data:image/gif;base64,R0lG",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_urls_and_data_uris_stay_as_they_are(url: str, no_network: None) -> None:
    assert image_field(url) == url


@pytest.mark.parametrize("url", [" http://h/p", "\thttps://h/p\r\n", "\u00a0hTTp://h/p", "\u3000HTTPS://h/p "])
def test_white_space_around_a_url_changes_nothing(url: str, no_network: None) -> None:
    assert image_field(url) == url.strip()


@pytest.mark.parametrize(
    ("image", "named"),
    [
        (5, "int"),
        (True, "bool"),
        (None, "NoneType"),
        (["a"], "list"),
        (object(), "object"),
        (PNG, "bytes"),
        (bytearray(PNG), "bytearray"),
        (memoryview(PNG), "memoryview"),
    ],
)
def test_what_is_no_text_is_named(image: object, named: str) -> None:
    message = rejection(image)
    assert named in message
    assert "PNG" not in message


@pytest.mark.parametrize(
    "image",
    [
        "simplecache::http://127.0.0.1/x.png", "filecache::s3://b/k.png", "blockcache::file:///etc/passwd",
        "zip://cat.png::file:///tmp/a.zip", "zip://cat.png", "tar://a::http://h/a.tar", "memory://bucket/cat.png",
        "github://org:repo@/cat.png", "ftp://h/cat.png", "sftp://h/cat.png", "ssh://h/cat.png", "smb://h/cat.png",
        "hdfs://h/cat.png", "webdav+http://h/cat.png", "hf://datasets/a/b.png", "git://a", "dbfs://a", "jar://a",
        "data://x", "reference://a", "dir::s3://b/k.png", "s3://b/k.png::http://h/x", "s3://b/simplecache::http://h",
        "ht\ntp://h/x.png", "\u200bhttp://h/x.png", "\ufeffhttps://h/x.png", "\0http://h/x.png", "http ://h/x.png",
        "https:://h/x.png", "view-source:http://h/x", "url:http://h/x", "file://host/etc/passwd", "file://cat.png",
        "://x", "s3:// ", "s3://", "s3://bucket", "s3://bucket/", "s3://aws@", "s3://aws@/key", "s3:///key",
        "s3://[::1/key.png", "s3://[/key.png",
        "javascript://x", "nowhere://bucket/cat.png",
    ],
)  # fmt: skip
def test_only_declared_stores_are_read(image: str, no_network: None) -> None:
    rejection(image)


@pytest.mark.parametrize("image", ["http:/h/x.png", "http:h", "http:\\\\h\\x.png", "//h/x.png", "http", ""])
def test_what_only_looks_like_a_url_is_a_file_that_is_not_there(image: str, no_network: None) -> None:
    rejection(image)


def test_a_chain_in_a_path_object_is_refused(no_network: None) -> None:
    from upath import UPath

    for image in (UPath("simplecache::http://h/x"), UPath("memory://b/cat.png"), UPath("http://h/x.png")):
        rejection(image)


@pytest.mark.parametrize("path", ["x" * 2_800_000, "a/" * 3000 + "cat.png", "half \ud83d an emoji.png", "nul\0.png"])
def test_no_message_is_longer_than_it_needs(path: str) -> None:
    rejection(path)
    rejection(path, ["/tmp"])


def test_no_message_shows_what_may_be_a_secret() -> None:
    for image in ("s3://AKIA:s3cr3t@bucket", "nowhere://me:s3cr3t@h/x?X-Amz-Signature=s3cr3t", "/x?token=s3cr3t"):
        assert "s3cr3t" not in rejection(image)


_PIECES = st.sampled_from(
    [
        "http", "https", "HTTP", "s3", "file", "local", "memory", "simplecache", "zip", "github", "data", "://", "::",
        ":", "/", "//", "\\", "@", "?", "#", " ", "\t", "\n", "\0", "\u200b", "\ufeff", "..", "~", "%2f", "h", "etc",
        "dev", "zero", "proc", "self", "environ", "image/png", ";base64,", "iVBORw0KGgo", "/9j/", "\ud83d", "猫",
        "a" * 300,
    ]
)  # fmt: skip


@pytest.mark.usefixtures("no_network", "bytes_read")
@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.lists(_PIECES, max_size=9).map("".join), st.text(max_size=200)))
def test_no_text_reaches_out_or_fails_in_another_way(text: str) -> None:
    try:
        field = image_field(text)
    except (InvalidVideoRequestError, ImageUnavailableError) as error:
        said = str(error)
        assert len(said) <= LONGEST
        return
    assert field == "".join(text.split()) or field == text.strip()
    assert field.lower().startswith(("http://", "https://", "data:image/"))
