"""An image's way into a request, also from texts that a less trusted run's conf may hold."""

from __future__ import annotations

import base64
import errno
import io
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.models import LARGE_IMAGE, VideoRequest
from airflow_provider_siliconflow.exceptions import ImageUnavailableError, InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.image_types import MAX_IMAGE_BYTES
from airflow_provider_siliconflow.jobs.images import image_field

KINDS = ("png", "jpeg", "webp", "gif")
I2V = "Wan-AI/Wan2.2-I2V-A14B"
#: Characters of the longest error: our own words and 80 of the user's.
LONGEST = 400


def make_image(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, kind)
    return file.getvalue()


PNG = make_image("png")
PNG_FIELD = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.txt"
    path.write_bytes(PNG)
    return path


def rejection(image: Any, folders: list[str] | None = None) -> str:
    """Return the message with which an image is refused, after checking what holds for all of them."""
    with pytest.raises(InvalidVideoRequestError) as caught:
        image_field(image, folders)
    message = str(caught.value)
    assert message.startswith("image ")
    assert "Nothing was submitted" in message
    assert len(message) <= LONGEST
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return message


# --- what is taken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_known_by_its_first_bytes_not_by_its_name(cat: Path, kind: str) -> None:
    cat.write_bytes(make_image(kind))
    for path in (str(cat), f"file://{cat}", f"FILE://localhost{cat}", f"local://{cat}", f" {cat}\n"):
        field = image_field(path)
        head, _, body = field.partition(",")
        assert head == f"data:image/{kind};base64"
        assert base64.b64decode(body, validate=True) == make_image(kind)
        assert VideoRequest(I2V, "it moves", "960x960", image=field).validate() == []


def test_both_ages_of_gif_are_known(cat: Path) -> None:
    cat.write_bytes(b"GIF87a...")
    assert image_field(str(cat)).startswith("data:image/gif;base64,")


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


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any attempt to reach a host fail the test, in whatever code and whatever becomes of the error."""

    def forbidden(*args: Any, **_: Any) -> None:
        pytest.fail(f"reaches out to {args}")

    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    monkeypatch.setattr(socket.socket, "connect", forbidden)


@pytest.mark.parametrize("url", [" http://h/p", "\thttps://h/p\r\n", "\u00a0hTTp://h/p", "\u3000HTTPS://h/p "])
def test_white_space_around_a_url_changes_nothing(url: str, no_network: None) -> None:
    assert image_field(url) == url.strip()


def test_base64_that_a_tool_broke_into_lines_is_taken() -> None:
    lines = base64.encodebytes(PNG * 9).decode()
    assert "\n" in lines.strip()
    assert image_field(f"data:image/png;base64,{lines}") == "data:image/png;base64," + lines.replace("\n", "")


def test_a_file_above_5_mb_is_sent_with_a_warning(cat: Path) -> None:
    cat.write_bytes(PNG + bytes(LARGE_IMAGE))
    video = VideoRequest(I2V, "it moves", "960x960", image=image_field(str(cat)))
    assert video.validate() == []
    (warning,) = video.warnings()
    assert "larger than 5 MB" in warning


# --- what is refused -------------------------------------------------------------------------------------------------


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
    "content",
    [base64.b64encode(make_image(kind) * 5).decode() for kind in KINDS]
    + [base64.b64encode(bytes(range(256)) * 4096).decode(), base64.encodebytes(PNG * 9).decode()],
    ids=[*KINDS, "1 MiB of anything", "in lines"],
)
def test_base64_without_a_head_is_named(content: str) -> None:
    message = rejection(content)
    assert "base64" in message
    assert "data:image/png;base64," in message
    assert content[:20] not in message


SECRET = b"root:$6$salt$hash:19000:0:99999:7:::"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (SECRET, "unknown type"),
        (b"RIFF\0\0\0\0WAVE", "unknown type"),
        (b"\x89PNG", "unknown type"),
        (b"%PDF-1.7 " + SECRET, "PDF"),
        (b"<svg>" + SECRET, "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg">', "SVG"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b"\r\n <!DOCTYPE HTML><title>" + SECRET, "HTML"),
        (b"<HTML>", "HTML"),
        (b"BM" + SECRET, "BMP"),
        (b"II*\0" + SECRET, "TIFF"),
        (b"\0\0\0\x20ftypavif", "AVIF"),
        (b"\0\0\0\x20ftypheic", "HEIC"),
        (b"\0\0\0\x20ftypisom", "MP4"),
    ],
)
def test_what_is_no_image_is_refused_by_its_kind_alone(cat: Path, content: bytes, named: str) -> None:
    cat.write_bytes(content)
    message = rejection(str(cat))
    assert named in message
    assert "cat.txt" in message
    assert "salt" not in message
    assert "PNG" not in message


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("data:image/svg+xml;base64,PHN2Zz4=", "svg+xml"),
        ("data:image/png;base64,PHN2Zz4=", "SVG"),
        ("data:image/png;base64,PCFkb2N0eXBlIGh0bWw+", "HTML"),
        ("data:text/html;base64,PHN2Zz4=", "form"),
        ("data:image/png,%89PNG", "form"),
        ("data:image/png;charset=utf-8;base64,iVBORw0KGgo=", "form"),
        ("data:image/png;base64,", "empty"),
        ("data:image/png;base64,iVBORw0KGgo", "base64"),
        ("data:image/png;base64,iVBOR!0KGgo=", "base64"),
        ("data:image/png;base64,iVBORw0K_go=", "base64"),
        ("data:", "form"),
        ("data:image/" + "x" * 5000 + ";base64,AAAA", "xxx"),
        ("data:image/png;base64," + "A" * (MAX_IMAGE_BYTES * 4 // 3 + 8), "32 MiB"),
    ],
)
def test_data_uris_are_checked(uri: str, named: str) -> None:
    assert named in rejection(uri)


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


# --- files that are no plain files -----------------------------------------------------------------------------------


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Fail when more is read than the limit allows; tell the bytes read so far."""
    total = 0
    real = os.read

    def counting(descriptor: int, size: int) -> bytes:
        nonlocal total
        assert 0 < size <= MAX_IMAGE_BYTES + 1
        chunk = real(descriptor, size)
        total += len(chunk)
        assert total <= MAX_IMAGE_BYTES + 1
        return chunk

    monkeypatch.setattr(os, "read", counting)
    return lambda: total


def test_a_folder_a_device_a_fifo_a_socket_and_a_broken_link(
    tmp_path: Path, cat: Path, bytes_read: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = os.open

    def noting(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(Path(os.fsdecode(path)).name)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", noting)
    fifo, listening, broken, circle = (tmp_path / name for name in ("fifo", "sock", "broken", "circle"))
    os.mkfifo(fifo)
    broken.symlink_to(tmp_path / "nowhere")
    circle.symlink_to(circle)
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)
        server.bind("sock")
        said = {
            str(path): rejection(str(path), folders)
            for folders in (None, ["/"])
            for path in (tmp_path, fifo, listening, broken, circle, "/dev/zero", "/dev/stdin", "/dev/tty", "/dev/full")
        }
    assert "folder" in said[str(tmp_path)]
    for path in (fifo, listening, "/dev/zero", "/dev/full"):
        assert "not a regular file" in said[str(path)]
    assert "No such file" in said[str(broken)]
    assert bytes_read() == 0
    # To open a device is an act of its own, so that they are not even opened.
    assert not {"zero", "full", "tty", "fifo"} & set(opened)


@pytest.mark.parametrize("folders", [None, ["/"]])
def test_a_fifo_that_takes_the_place_of_a_file_does_not_hang(
    cat: Path, folders: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def swapped(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith("cat.txt"):
            cat.unlink()
            os.mkfifo(cat)
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", swapped)
    assert "not a regular file" in rejection(str(cat), folders)


@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self/cmdline", "/proc/self/mem", "/proc/kmsg"])
def test_files_of_the_kernel_are_not_read(path: str, bytes_read: Callable[[], int]) -> None:
    rejection(path)
    assert bytes_read() == 0


def test_an_empty_file_is_named(cat: Path) -> None:
    cat.write_bytes(b"")
    assert "is empty" in rejection(str(cat))


def test_a_large_file_is_refused_before_it_is_read(cat: Path, bytes_read: Callable[[], int]) -> None:
    os.truncate(cat, 1 << 40)
    assert "32 MiB" in rejection(str(cat))
    assert bytes_read() == 0


def test_the_limit_is_the_last_size_that_is_taken(cat: Path) -> None:
    os.truncate(cat, MAX_IMAGE_BYTES)
    assert image_field(str(cat)).startswith("data:image/png;base64,")
    os.truncate(cat, MAX_IMAGE_BYTES + 1)
    rejection(str(cat))


def test_a_file_that_grows_while_it_is_read_is_refused(
    cat: Path, bytes_read: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat

    def before_it_grew(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        if os.path.samestat(status, os.stat(cat)):
            os.truncate(cat, 1 << 40)
        return status

    monkeypatch.setattr(os, "fstat", before_it_grew)
    assert "32 MiB" in rejection(str(cat))
    assert 0 < bytes_read() <= MAX_IMAGE_BYTES + 1


@pytest.mark.parametrize(
    ("number", "word"), [(errno.EACCES, "Permission denied"), (errno.ENOENT, "No such file"), (errno.ENXIO, "device")]
)
def test_a_file_that_cannot_be_opened_is_refused(
    cat: Path, number: int, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Any, *_: Any, **__: Any) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "open", failing)
    assert word in rejection(str(cat))


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.EAGAIN])
def test_a_disk_that_fails_can_be_retried(cat: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "read", failing)
    with pytest.raises(ImageUnavailableError, match="cannot be read") as caught:
        image_field(str(cat))
    assert caught.value.billing is Billing.NOT_SUBMITTED


@pytest.mark.parametrize("path", ["x" * 2_800_000, "a/" * 3000 + "cat.png", "half \ud83d an emoji.png", "nul\0.png"])
def test_no_message_is_longer_than_it_needs(path: str) -> None:
    rejection(path)
    rejection(path, ["/tmp"])


def test_no_message_shows_what_may_be_a_secret() -> None:
    for image in ("s3://AKIA:s3cr3t@bucket", "nowhere://me:s3cr3t@h/x?X-Amz-Signature=s3cr3t", "/x?token=s3cr3t"):
        assert "s3cr3t" not in rejection(image)


# --- the folders that a connection allows ----------------------------------------------------------------------------


def test_with_folders_only_files_in_them_are_read(tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "allowed-not"
    for folder in (allowed / "deep", other):
        folder.mkdir(parents=True)
        (folder / "cat.png").write_bytes(PNG)
    (allowed / "in.png").symlink_to(allowed / "deep" / "cat.png")
    (allowed / "out.png").symlink_to(other / "cat.png")
    (allowed / "out").symlink_to(other)
    (other / "back.png").symlink_to(allowed / "deep" / "cat.png")
    (tmp_path / "alias").symlink_to(allowed)
    folders = ["/nowhere", str(allowed)]
    for path in ("allowed/deep/cat.png", "allowed/in.png", "allowed-not/back.png", "alias/in.png",
                 "allowed/../allowed/in.png"):  # fmt: skip
        assert image_field(f"{tmp_path}/{path}", folders) == PNG_FIELD
        assert image_field(Path(f"{tmp_path}/{path}"), [str(tmp_path / "alias") + "/"]) == PNG_FIELD
        assert image_field(ObjectStoragePath(f"file://{tmp_path}/{path}"), folders) == PNG_FIELD
    for path in ("allowed-not/cat.png", "allowed/out.png", "allowed/out/cat.png", "allowed/../allowed-not/cat.png"):
        assert "image_folders" in rejection(f"{tmp_path}/{path}", folders)
        assert "image_folders" in rejection(f"file://{tmp_path}/{path}", folders)
        assert "image_folders" in rejection(ObjectStoragePath(f"{tmp_path}/{path}"), folders)
    assert "image_folders" in rejection(f"{tmp_path}/allowed/in.png", [])


def test_outside_of_the_folders_nothing_tells_whether_a_file_exists(tmp_path: Path, cat: Path) -> None:
    (tmp_path / "allowed").mkdir()
    folders = [str(tmp_path / "allowed")]
    there, absent = rejection(str(cat), folders), rejection(str(cat.with_name("dog.txt")), folders)
    assert there.replace("cat.txt", "") == absent.replace("dog.txt", "")


def test_folders_limit_neither_urls_nor_data_uris() -> None:
    assert image_field("https://h/x.png", []) == "https://h/x.png"
    assert image_field(PNG_FIELD, []) == PNG_FIELD


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_that_is_put_in_place_after_the_check_is_not_followed(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    for folder in (allowed / "a", secret):
        folder.mkdir(parents=True)
        (folder / "cat.png").write_bytes(PNG)
    real = os.path.realpath

    def resolve(path: Any, **kwargs: Any) -> str:
        found: str = real(path, **kwargs)
        if found.endswith("cat.png"):
            target = allowed / "a"
            target.rename(tmp_path / "away")
            if what == "folder":
                target.symlink_to(secret)
            else:
                target.mkdir()
                (target / "cat.png").symlink_to(secret / "cat.png")
        return found

    monkeypatch.setattr(os.path, "realpath", resolve)
    rejection(str(allowed / "a" / "cat.png"), [str(allowed)])


# --- whatever a conf may hold ----------------------------------------------------------------------------------------

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
