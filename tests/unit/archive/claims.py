"""New destinations in every kind of store, and the claims on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive.claim_file import claim_path
from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.prepare import prepare_destination
from tests.unit.archive.moto_s3 import IS_INSTALLED, NEEDS_MOTO, new_bucket, s3_server
from tests.unit.archive.stores import AzureStore, S3Store, Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    InStore = Callable[[Store, str], ObjectStoragePath]
    NewDestination = Callable[[], ObjectStoragePath]


ONE, TWO = "a_dag/run 1/video/-1", "a_dag/run 2/video/-1"


MOTO = pytest.param("moto", marks=NEEDS_MOTO)


#: Stores on which two writers are kept apart by the store itself.
EXCLUSIVE = pytest.mark.parametrize("new_destination", ["local", "s3", "azure", MOTO], indirect=True)


@pytest.fixture(scope="module")
def s3_client() -> Iterator[Any]:
    with s3_server() if IS_INSTALLED else nullcontext() as fs:
        yield fs


@pytest.fixture(params=["local", "s3", "azure", "s3 without conditions", "other", MOTO])
def new_destination(
    request: pytest.FixtureRequest, tmp_path: Path, in_store: InStore, s3_client: Any
) -> NewDestination:
    """Give new destinations, one after the other, in one kind of store."""
    stores = {
        "s3": lambda: in_store(S3Store(), "s3://bucket/clip.mp4"),
        "s3 without conditions": lambda: in_store(S3Store(knows_conditions=False), "s3://bucket/clip.mp4"),
        "azure": lambda: in_store(AzureStore(), "abfs://container/clip.mp4"),
        "other": lambda: in_store(Store(), "memory://folder/clip.mp4"),
        "moto": lambda: in_store(s3_client, f"s3://{new_bucket(s3_client)}/clip.mp4"),
    }

    def make() -> ObjectStoragePath:
        number = len(list(tmp_path.iterdir()))
        folder = tmp_path / str(number)
        folder.mkdir()
        return stores.get(request.param, lambda: understand(f"{folder}/clip.mp4", None).path)()

    return make


@pytest.fixture
def path(new_destination: NewDestination) -> ObjectStoragePath:
    return new_destination()


def prepare(path: ObjectStoragePath, owner: str | None = ONE, if_exists: Any = "fail", **more: Any) -> Any:
    return prepare_destination(str(path), owner=owner, if_exists=if_exists, **more)


def age(path: ObjectStoragePath, days: float) -> None:
    """Make a claim older."""
    beside = claim_path(path)
    content = json.loads(beside.fs.cat_file(beside.path))
    content["claimed_at"] = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    beside.fs.pipe_file(beside.path, json.dumps(content).encode())


def names(path: ObjectStoragePath) -> set[str]:
    with suppress(FileNotFoundError):
        return {found["name"].rpartition("/")[2] for found in path.fs.ls(path.parent.path, detail=True)}
    return set()
