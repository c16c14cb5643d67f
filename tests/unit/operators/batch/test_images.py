"""Images of a list: a store that is down keeps its own request back, costs nothing, and is left to a retry."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.image_store import URI, Store, store
from tests.unit.operators.batch.runs import batching, retried, run_to_end, states

__all__ = ["store"]

I2V = "Wan-AI/Wan2.2-I2V-A14B"
REQUESTS = ["a cat", {"prompt": "it moves", "model": I2V, "image": URI}, "a dog"]


def test_a_store_that_is_down_keeps_its_own_request_back_alone(sandbox: Sandbox, store: Store, tmp_path: Path) -> None:
    store.failure = ConnectionRefusedError(111, "Connection refused")
    run = batching(tmp_path, REQUESTS)
    report = run_to_end(run, sandbox)
    assert report.state == "up_for_retry"
    assert not isinstance(report.error, AirflowFailException)
    for fact in ("2 of 3 videos are archived", "1 requests were not submitted", "ConnectionRefusedError"):
        assert fact in str(report.error)
    assert [row["state"] for row in run.xcoms["manifest"]["videos"]] == ["archived", "not_submitted", "archived"]
    assert run.xcoms["manifest"]["not_submitted"] == 1
    assert run.xcoms["manifest"]["videos"][1]["estimated_cost"] == 0.0
    assert sandbox.ledger().billed == sandbox.ledger().submit_calls == 2

    store.failure = None
    assert retried(run, sandbox).state == "success"
    assert states(run) == ["archived"] * 3
    assert sandbox.ledger().billed == sandbox.ledger().submit_calls == 3


def test_after_the_last_try_a_store_that_is_down_counts_as_any_request_without_a_video(
    sandbox: Sandbox, store: Store, tmp_path: Path
) -> None:
    """To fail then would invite a clear, which pays for the others again."""
    store.failure = TimeoutError()
    run = batching(tmp_path / "a", REQUESTS, retries=0)
    assert run_to_end(run, sandbox).state == "success"
    assert states(run) == ["archived", "not_submitted", "archived"]
    run = batching(tmp_path / "b", REQUESTS, retries=0, fail_on_partial_error=True)
    assert run_to_end(run, sandbox).state == "failed"
    assert sandbox.ledger().billed == 4


def test_an_object_that_is_not_there_is_a_rejected_request(sandbox: Sandbox, store: Store, tmp_path: Path) -> None:
    store.objects.clear()
    run = batching(tmp_path, REQUESTS)
    assert run_to_end(run, sandbox).state == "success"
    assert states(run) == ["archived", "rejected", "archived"]
