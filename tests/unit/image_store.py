"""A stand-in for an object store that images are read from."""

from __future__ import annotations

import io
from typing import Any

import pytest
from airflow.sdk.io import store as stores

from airflow_provider_siliconflow.jobs.image_types import MAX_IMAGE_BYTES

PNG = b"\x89PNG\r\n\x1a\n and more"
KEY = "bucket/cats/cat.png"
URI = f"s3://{KEY}"


class Store:
    """The file system of an object store, which may fail, and says what was read of it."""

    protocol = "s3"

    def __init__(self) -> None:
        self.objects = {KEY: PNG}
        self.failure: BaseException | None = None
        self.fails_at = "info"
        #: The size that it tells; -1 for the true one.
        self.size: int | None = -1
        self.bytes_read = 0

    def fail(self, where: str) -> None:
        if self.failure is not None and self.fails_at == where:
            raise self.failure

    def info(self, path: str) -> dict[str, Any]:
        self.fail("info")
        if path not in self.objects:
            if any(name.startswith(f"{path.rstrip('/')}/") for name in self.objects):
                return {"name": path, "type": "directory", "size": 0}
            raise FileNotFoundError(path)
        size = len(self.objects[path]) if self.size == -1 else self.size
        return {"name": path, "type": "file", "size": size}

    def open(self, path: str, **_: Any) -> Any:
        self.fail("open")
        return _Reader(self, self.objects[path])


class _Reader(io.BytesIO):
    def __init__(self, store: Store, content: bytes) -> None:
        super().__init__(content)
        self._store = store

    def read(self, size: int | None = -1) -> bytes:
        self._store.fail("read")
        assert size is not None
        assert 0 < size <= MAX_IMAGE_BYTES + 1, "reads without a limit"
        chunk = super().read(min(size, 70_000))
        self._store.bytes_read += len(chunk)
        return chunk


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Attach a store for ``s3://`` with and without the connection ``aws``."""
    monkeypatch.setattr(stores, "_STORE_CACHE", {})
    store = Store()
    for conn in (None, "aws"):
        stores.attach("s3", conn, fs=store)
    return store
