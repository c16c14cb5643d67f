"""Images in object stores: an outage is no bad request, and what a store answers is bounded."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import store as stores

from airflow_provider_siliconflow._airflow.names import AirflowFailException, AirflowNotFoundException
from airflow_provider_siliconflow.exceptions import ImageUnavailableError, InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.image_types import MAX_IMAGE_BYTES
from airflow_provider_siliconflow.jobs.images import image_field
from tests.releases import GET_FS
from tests.unit.image_store import KEY, PNG, URI, Store, store

__all__ = ["store"]

PNG_FIELD = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.mark.parametrize("uri", [URI, "S3://bucket/cats/cat.png", "s3://aws@bucket/cats/cat.png", f" {URI}\n"])
def test_an_object_is_read(store: Store, uri: str) -> None:
    assert image_field(uri) == PNG_FIELD
    # Folders limit local files alone.
    assert image_field(uri, []) == PNG_FIELD


def test_keys_may_hold_what_other_parts_of_a_uri_have(store: Store) -> None:
    for key in ("a@b.png", "a/c@d/e.png", "a b.png", "猫.png", "a:b.png", "a//b.png"):
        store.objects[f"bucket/{key}"] = PNG
        assert image_field(f"s3://bucket/{key}") == PNG_FIELD
        assert image_field(f"s3://aws@bucket/{key}") == PNG_FIELD


def test_a_path_object_is_read_with_its_own_connection(store: Store) -> None:
    for path in (ObjectStoragePath(URI), ObjectStoragePath(URI, conn_id="aws")):
        assert image_field(path) == PNG_FIELD


class EndpointConnectionError(Exception):
    """What botocore raises, which is no OSError."""


OUTAGES = [
    ConnectionRefusedError(111, "Connection refused"),
    TimeoutError("timed out"),
    OSError(5, "Input/output error"),
    EndpointConnectionError('Could not connect to "https://bucket.s3.example/cats/cat.png?X-Amz-Signature=s3cr3t"'),
    PermissionError("The AWS Access Key Id you provided does not exist in our records."),
    RuntimeError("503 Slow Down"),
    RuntimeError("x" * 100_000),
    RuntimeError(),
    ValueError("Invalid endpoint"),
]


@pytest.mark.parametrize("where", ["info", "open", "read"])
@pytest.mark.parametrize("outage", OUTAGES, ids=lambda error: f"{type(error).__name__} {str(error)[:9]}")
def test_an_outage_of_the_store_can_be_retried(store: Store, outage: Exception, where: str) -> None:
    store.failure, store.fails_at = outage, where
    with pytest.raises(ImageUnavailableError) as caught:
        image_field(URI)
    message = str(caught.value)
    assert not isinstance(caught.value, AirflowFailException)
    assert type(outage).__name__ in message
    assert "s3://bucket/cats/cat.png" in message
    assert "Nothing was submitted" in message
    assert str(outage)[:20] in message
    assert len(message) < 350
    assert "s3cr3t" not in message
    assert "Signature" not in message
    assert caught.value.__suppress_context__
    store.failure = None
    assert image_field(URI) == PNG_FIELD


def test_a_connection_that_is_not_found_can_be_retried(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow reports a database, a vault or an API that is away as a connection that is not found."""

    def lost(*_: Any) -> None:
        raise AirflowNotFoundException("The conn_id `lost` isn't defined")

    monkeypatch.setattr(GET_FS, lost)
    with pytest.raises(ImageUnavailableError, match="AirflowNotFoundException"):
        image_field("s3://lost@bucket/cats/cat.png")


def test_a_time_out_of_the_task_goes_through(store: Store) -> None:
    from tests.releases import AirflowTaskTimeout

    store.failure = AirflowTaskTimeout()
    with pytest.raises(AirflowTaskTimeout):
        image_field(URI)


@pytest.mark.parametrize(
    ("uri", "word"),
    [("s3://bucket/dog.png", "no such object"), ("s3://bucket/cats", "folder"), ("s3://bucket/empty.png", "empty")],
)
def test_what_is_not_there_is_a_bad_request(store: Store, uri: str, word: str) -> None:
    store.objects["bucket/empty.png"] = b""
    with pytest.raises(InvalidVideoRequestError, match=word):
        image_field(uri)


@pytest.mark.parametrize("failure", [ImportError("s3fs"), ValueError("No filesystem registered for scheme s3")])
def test_a_store_that_no_provider_reads_is_a_bad_request(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(stores, "_STORE_CACHE", {})
    monkeypatch.setattr(GET_FS, lacking)
    with pytest.raises(InvalidVideoRequestError, match="no installed Airflow provider reads s3://"):
        image_field(URI)


def test_a_large_object_is_refused_before_it_is_read(store: Store) -> None:
    store.size = 1 << 40
    with pytest.raises(InvalidVideoRequestError, match="larger than 32 MiB"):
        image_field(URI)
    assert store.bytes_read == 0


@pytest.mark.parametrize("size", [None, 10])
def test_a_store_that_does_not_tell_the_size_or_lies_is_bounded(store: Store, size: int | None) -> None:
    store.size = size
    store.objects[KEY] = PNG + bytes(MAX_IMAGE_BYTES)
    with pytest.raises(InvalidVideoRequestError, match="larger than 32 MiB"):
        image_field(URI)
    assert store.bytes_read <= MAX_IMAGE_BYTES + 1


def test_what_is_no_image_is_not_shown(store: Store) -> None:
    store.objects[KEY] = b"password = hunter2"
    with pytest.raises(InvalidVideoRequestError, match="unknown type") as caught:
        image_field(URI)
    assert "hunter2" not in str(caught.value)
