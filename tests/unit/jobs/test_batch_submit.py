"""What a batch re-attaches to before it submits, by the record of one request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_provider_siliconflow.jobs.batch import BatchState
from airflow_provider_siliconflow.jobs.batch_list import ListedRequest
from airflow_provider_siliconflow.jobs.batch_submit import Submitter
from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy
from airflow_provider_siliconflow.jobs.record import SubmitRecord

RECORD = SubmitRecord(
    fingerprint="f", model="m", max_tries=0, intent_at="2026-01-01T00:00:00+00:00", host="h", request_id="v1"
)


def unreadable(policy: ResubmitPolicy, max_tries: int) -> dict[str, str]:
    """Re-attach to a paid request that cannot be read any more; return the pending request ids."""
    job = SimpleNamespace(
        store=SimpleNamespace(read=lambda: RECORD),
        policy=policy,
        max_tries=max_tries,
        adopt=lambda request_id: None,
        record=RECORD,
        request_id=RECORD.request_id,
        is_recorded=True,
    )
    state = BatchState.new(["k"])
    requests = [ListedRequest(key="k", problem="its image was too long to be kept")]
    Submitter(requests, cast("Any", [job]), state, 60.0, lambda: 0.0, lambda: None).reattach()
    return {str(index): video.request_id for index, video in state.pending.items()}


@pytest.mark.parametrize(
    ("policy", "max_tries", "is_found"),
    [
        (ResubmitPolicy(), 0, True),
        (ResubmitPolicy(), 1, False),
        (ResubmitPolicy(reuse_on_clear=True), 1, True),
        # From Airflow 3.4 on, a record that survives a clear was kept on purpose.
        (ResubmitPolicy(clear_deletes_record=True), 1, True),
    ],
    ids=["retry", "clear", "clear that keeps", "clear that was told to keep"],
)
def test_a_paid_request_that_cannot_be_read_any_more_is_found_again(
    policy: ResubmitPolicy, max_tries: int, is_found: bool
) -> None:
    assert unreadable(policy, max_tries) == ({"0": "v1"} if is_found else {})
