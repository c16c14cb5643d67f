"""Files that are no plain files, limits, and the folders that a connection allows."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import ImageUnavailableError
from airflow_provider_siliconflow.jobs.image_types import MAX_IMAGE_BYTES
from airflow_provider_siliconflow.jobs.images import image_field
from tests.unit.jobs.image_inputs import PNG, PNG_FIELD, rejection


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
