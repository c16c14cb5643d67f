"""What a video costs by a table of prices: told as estimated before the submit, and in all that tells of the video."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.client.video_record import KEY
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.batch.runs import batching
from tests.unit.operators.batch.runs import run_to_end as run_batch_to_end
from tests.unit.operators.tasks import FAILS, generating, run_to_end, submitting
from tests.unit.worker import MODEL

pytestmark = pytest.mark.usefixtures("first_poll_at_once")

SOURCE = "the connection's field price"


@pytest.fixture(autouse=True)
def _price(connection_extra: Any) -> None:
    connection_extra(price={MODEL: "2.00 CNY"})


def test_the_log_tells_the_estimate_before_the_submit(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    assert submitting().work().state == "success"
    told = f"Submits a video of {MODEL} to {sandbox.base_url}: 2.00 CNY (estimated), by {SOURCE}."
    log = [record.getMessage() for record in caplog.records]
    assert log.index(told) < next(at for at, line in enumerate(log) if "is submitted (" in line)


def test_record_and_manifest_tell_the_estimate_with_its_source(sandbox: Sandbox, tmp_path: Path) -> None:
    run = generating(tmp_path / "clip.mp4")
    assert run_to_end(run, sandbox).state == "success"
    manifest = json.loads((tmp_path / "clip.mp4.json").read_text())
    for told in (run.xcoms[KEY], manifest):
        assert (told["estimated_cost"], told["currency"], told["price_source"]) == (2.0, "CNY", SOURCE)


def test_items_of_a_batch_tell_the_estimate_of_their_model(sandbox: Sandbox, tmp_path: Path) -> None:
    requests = [{"prompt": "a"}, {"prompt": FAILS}, {"prompt": "b", "image_size": "1x1"}, {"prompt": "c", "model": "x"}]
    run = batching(tmp_path, requests)
    assert run_batch_to_end(run, sandbox).state == "success"
    found = [(each["estimated_cost"], each["currency"]) for each in run.xcoms["return_value"]["videos"]]
    assert found == [(2.0, "CNY"), (2.0, "CNY"), (0.0, "CNY"), (0.0, None)]
    assert [run.xcoms[f"{KEY}.{index:04d}"].get("estimated_cost") for index in range(4)] == [2.0, 2.0, 0.0, 0.0]


def test_where_no_price_is_known_none_is_told(
    sandbox: Sandbox, connection_extra: Any, caplog: pytest.LogCaptureFixture
) -> None:
    connection_extra(price=None)
    run = submitting()
    assert run.work().state == "success"
    assert f"to {sandbox.base_url}: its price is not known." in caplog.text
    assert "estimated_cost" not in run.xcoms[KEY]
