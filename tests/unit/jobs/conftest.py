"""Fixtures of the tests of images."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from airflow_provider_siliconflow.jobs.image_types import MAX_IMAGE_BYTES
from tests.unit.jobs.image_inputs import PNG


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Make a folder with a short path: messages cut a long one, and pytest's own grows with its number of processes."""
    with TemporaryDirectory(prefix="t") as folder:
        yield Path(folder).resolve()


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.txt"
    path.write_bytes(PNG)
    return path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any attempt to reach a host fail the test, in whatever code and whatever becomes of the error."""

    def forbidden(*args: Any, **_: Any) -> None:
        pytest.fail(f"reaches out to {args}")

    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    monkeypatch.setattr(socket.socket, "connect", forbidden)


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
