from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.archive.stores import Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    path = tmp_path / "stage.part"
    path.touch()
    return path


@pytest.fixture
def in_store() -> Callable[[Store, str], ObjectStoragePath]:
    """Give a path in a store of its own: the store, and a URI like ``s3://bucket/key``."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io.store import attach

    def make(store: Store, uri: str) -> ObjectStoragePath:
        protocol, _, rest = uri.partition("://")
        conn_id = f"store{next(_numbers)}"
        attach(protocol, conn_id, fs=store)
        return ObjectStoragePath(f"{protocol}://{conn_id}@{rest}")

    return make
