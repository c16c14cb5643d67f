"""Images of a task: what is wrong with one costs nothing, and what may pass is left to a retry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.exceptions import ImageUnavailableError, InvalidVideoRequestError
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.image_store import KEY, PNG, URI, Store, store
from tests.unit.operators.tasks import pay_and_die, submitting

__all__ = ["store"]

I2V = "Wan-AI/Wan2.2-I2V-A14B"
CONNECTION = "AIRFLOW_CONN_SILICONFLOW_DEFAULT"


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    return path


def test_a_store_that_is_down_costs_nothing_and_is_left_to_a_retry(sandbox: Sandbox, store: Store) -> None:
    store.failure = ConnectionRefusedError(111, "Connection refused")
    run = submitting(model=I2V, image=URI)
    report = run.finish()
    assert isinstance(report.error, ImageUnavailableError)
    assert not isinstance(report.error, AirflowFailException)
    assert "Nothing was submitted, nothing is billed" in str(report.error)
    assert sandbox.ledger().submit_calls == 0
    # No intent: the next try has no unknown outcome to report.
    assert run.record is None

    store.failure = None
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1


def test_a_store_that_is_down_does_not_keep_a_retry_from_a_paid_video(sandbox: Sandbox, store: Store) -> None:
    run = submitting(model=I2V, image=URI)
    paid = pay_and_die(run)
    store.failure = TimeoutError()
    assert run.retry().state == "success"
    assert run.xcoms["return_value"] == paid
    assert sandbox.ledger().billed == 1


def test_an_object_that_is_not_there_is_final(sandbox: Sandbox, store: Store) -> None:
    store.objects.clear()
    report = submitting(model=I2V, image=URI).finish()
    assert isinstance(report.error, InvalidVideoRequestError)
    assert report.state == "failed"
    assert sandbox.ledger().submit_calls == 0


def test_a_path_reaches_the_service_and_is_found_again(sandbox: Sandbox, store: Store, cat: Path) -> None:
    for image in (cat, ObjectStoragePath(str(cat)), ObjectStoragePath(f"s3://{KEY}", conn_id="aws")):
        run = submitting(model=I2V, image=image)
        paid = pay_and_die(run)
        assert run.retry().state == "success"
        assert run.xcoms["return_value"] == paid
    assert sandbox.ledger().billed == 3


@pytest.mark.parametrize("image", [5, 0, False, b"", PNG, [], {}, ["/cat.png"]])
def test_what_is_no_image_is_neither_sent_nor_dropped(sandbox: Sandbox, image: Any) -> None:
    report = submitting(model=I2V, image=image).finish()
    assert isinstance(report.error, InvalidVideoRequestError)
    assert "image" in str(report.error)
    assert type(image).__name__ in str(report.error)
    assert sandbox.ledger().submit_calls == 0


@pytest.mark.parametrize("folders", [["{folder}"], "{folder}", "/nowhere, {folder}"])
def test_a_connection_limits_local_images_to_its_folders(
    sandbox: Sandbox, tmp_path: Path, cat: Path, folders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "images"
    inside.mkdir()
    allowed = json.loads(json.dumps(folders).format(folder=inside))
    connection = {"conn_type": "siliconflow", "password": sandbox.key, "host": sandbox.base_url}
    monkeypatch.setenv(CONNECTION, json.dumps(connection | {"extra": {"image_folders": allowed}}))
    report = submitting(model=I2V, image=str(cat)).finish()
    assert isinstance(report.error, InvalidVideoRequestError)
    assert "image_folders" in str(report.error)
    assert sandbox.ledger().submit_calls == 0

    assert submitting(model=I2V, image=str(cat.rename(inside / "cat.png"))).finish().state == "success"
    assert sandbox.ledger().billed == 1
