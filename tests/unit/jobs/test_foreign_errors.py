"""Errors of other libraries in the messages of a task: what they quote of signed URLs is masked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_provider_siliconflow.exceptions import SubmitRecordError
from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy
from airflow_provider_siliconflow.jobs.record import SubmitRecord
from airflow_provider_siliconflow.jobs.store import StoreEntry
from airflow_provider_siliconflow.jobs.video_job import VideoJob

SIGNED = OSError("GET https://bucket.example/clip.mp4?Signature=abcdef123 failed")


def test_what_keeps_a_paid_video_from_its_archive_shows_no_signature() -> None:
    job = VideoJob(cast("Any", None), {}, cast("Any", None), ResubmitPolicy(), max_tries=0)
    job.record = SubmitRecord(fingerprint="f", max_tries=0, intent_at="2026-01-01T00:00:00+00:00", request_id="v1")
    told = str(job.explain(SIGNED))
    assert "OSError: GET https://bucket.example/clip.mp4?" in told
    assert "abcdef123" not in told


@pytest.mark.parametrize("step", ["read", "write"])
def test_a_store_that_fails_shows_no_signature(step: str) -> None:
    def fail(*_: object) -> None:
        raise SIGNED

    store = SimpleNamespace(get=fail, set=fail, delete=fail, is_swept=False)
    entry = StoreEntry(lambda: [cast("Any", store)], "record")
    record = SubmitRecord(fingerprint="f", max_tries=0, intent_at="2026-01-01T00:00:00+00:00")
    with pytest.raises(SubmitRecordError, match=r"OSError: GET https://bucket\.example") as caught:
        entry.read(SubmitRecord) if step == "read" else entry.write(record)
    assert "abcdef123" not in str(caught.value)
