"""What a try may conclude from the record of the tries before it: laws."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.exceptions import (
    SubmitConflictError,
    SubmitOutcomeUnknownError,
)
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.jobs.record import SubmitRecord, intent_of
from airflow_provider_siliconflow.jobs.submit import ResubmitPolicy, decide
from tests.unit.dying_task import CONN_ID, REQUEST, SETTINGS

PRICE = "2.00 CNY"
INTENT = SubmitRecord("same", "a-model", "https://host/v1", max_tries=1, intent_at="10:00")
WITH_ID = replace(INTENT, request_id="vid1", submitted_at="10:01")
CLOSED = replace(WITH_ID, closed="it failed")
POLICIES = [ResubmitPolicy(on, reuse, PRICE) for on in ("fail", "resubmit") for reuse in (False, True)]
QUICK = settings(max_examples=300, deadline=None, derandomize=True, database=None)

records = st.builds(
    replace,
    st.sampled_from([INTENT, WITH_ID, CLOSED]),
    fingerprint=st.sampled_from(["same", "other"]),
    max_tries=st.integers(0, 3),
)
intents = st.builds(replace, st.just(INTENT), max_tries=st.integers(0, 3))


def verdict_of(record: SubmitRecord | None, intent: SubmitRecord, policy: ResubmitPolicy) -> str:
    try:
        return decide(record, intent, policy).value
    except SubmitOutcomeUnknownError:
        return "unknown"
    except SubmitConflictError:
        return "conflict"


def user_cleared(record: SubmitRecord, intent: SubmitRecord) -> bool:
    """Tell what Airflow does to a task instance on a clear, and on nothing else."""
    return record.max_tries != intent.max_tries


# --- laws -------------------------------------------------------------------------------------------------------------


@QUICK
@given(records, intents, st.sampled_from(POLICIES))
def test_what_may_be_paid_for_is_submitted_again_only_if_the_user_said_so(
    record: SubmitRecord, intent: SubmitRecord, policy: ResubmitPolicy
) -> None:
    said_so = user_cleared(record, intent) or policy.on_unknown_submit == "resubmit"
    if not record.closed and not said_so:
        assert verdict_of(record, intent, policy) != "submit"


@QUICK
@given(records, intents, st.sampled_from(POLICIES))
def test_only_the_very_video_is_taken_up(record: SubmitRecord, intent: SubmitRecord, policy: ResubmitPolicy) -> None:
    if verdict_of(record, intent, policy) == "take up":
        assert record.request_id
        assert not record.closed
        assert record.fingerprint == intent.fingerprint


@QUICK
@given(records, intents, st.sampled_from(POLICIES))
def test_a_retry_takes_up_its_video_under_every_policy(
    record: SubmitRecord, intent: SubmitRecord, policy: ResubmitPolicy
) -> None:
    mine = record.request_id and not record.closed and record.fingerprint == intent.fingerprint
    if mine and not user_cleared(record, intent):
        assert verdict_of(record, intent, policy) == "take up"


@QUICK
@given(intents, st.sampled_from(POLICIES))
def test_nothing_on_record_is_submitted(intent: SubmitRecord, policy: ResubmitPolicy) -> None:
    assert verdict_of(None, intent, policy) == "submit"


@pytest.mark.parametrize("is_clear", [False, True], ids=["retry", "clear"])
@pytest.mark.parametrize(
    ("record", "retried", "resubmitted", "cleared", "reused"),
    [
        # What is on record: the answer to a retry; with "resubmit"; to a clear; with reuse_on_clear.
        pytest.param(None, "submit", "submit", "submit", "submit", id="none"),
        pytest.param(INTENT, "unknown", "submit", "submit", "submit", id="intent"),
        pytest.param(WITH_ID, "take up", "take up", "submit", "take up", id="id"),
        pytest.param(replace(WITH_ID, fingerprint="other"), "conflict", "submit", "submit", "conflict", id="other"),
        pytest.param(CLOSED, "submit", "submit", "submit", "submit", id="closed"),
    ],
)
def test_table(
    is_clear: bool, record: SubmitRecord | None, retried: str, resubmitted: str, cleared: str, reused: str
) -> None:
    intent = replace(INTENT, max_tries=2) if is_clear else INTENT

    def answer(policy: ResubmitPolicy) -> str:
        return verdict_of(record, intent, policy)

    assert answer(ResubmitPolicy()) == (cleared if is_clear else retried)
    assert answer(ResubmitPolicy("resubmit")) == (cleared if is_clear else resubmitted)
    assert answer(ResubmitPolicy(reuse_on_clear=True)) == (reused if is_clear else retried)


def test_an_unknown_outcome_names_window_model_host_and_price() -> None:
    with pytest.raises(SubmitOutcomeUnknownError) as caught:
        decide(INTENT, INTENT, ResubmitPolicy(price=PRICE))
    for fact in ("10:00", "a-model", "https://host/v1", PRICE, "may be running and billed", "no way to look it up"):
        assert fact in str(caught.value)
    assert (caught.value.host, caught.value.model) == ("https://host/v1", "a-model")


def test_a_conflict_names_the_video_that_was_paid_for() -> None:
    with pytest.raises(SubmitConflictError, match=r"already paid for video vid1 \(a-model, submitted at 10:01"):
        decide(replace(WITH_ID, fingerprint="other"), INTENT, ResubmitPolicy())


@pytest.mark.parametrize(
    ("policy", "way"),
    [
        (ResubmitPolicy(), "Clear the task to submit"),
        (ResubmitPolicy(reuse_on_clear=True), "Set on_unknown_submit='resubmit' to submit"),
    ],
)
def test_a_conflict_names_a_way_that_leads_out(policy: ResubmitPolicy, way: str) -> None:
    with pytest.raises(SubmitConflictError, match=way):
        decide(replace(WITH_ID, fingerprint="other"), INTENT, policy)


@pytest.mark.parametrize(
    ("record", "told"), [(WITH_ID, "video vid1"), (INTENT, "an attempt to submit a-model at 10:00, of unknown outcome")]
)
def test_a_clear_says_that_it_pays_again(record: SubmitRecord, told: str, caplog: pytest.LogCaptureFixture) -> None:
    decide(record, replace(INTENT, max_tries=5), ResubmitPolicy(price=PRICE))
    assert f"cleared: it submits anew and pays {PRICE} again. On record was {told}" in caplog.text


def test_resubmit_says_what_it_may_cost(caplog: pytest.LogCaptureFixture) -> None:
    decide(INTENT, INTENT, ResubmitPolicy("resubmit", price=PRICE))
    assert f"on_unknown_submit='resubmit' says to submit anew, for {PRICE}" in caplog.text


# --- the fingerprint --------------------------------------------------------------------------------------------------


def fingerprint(request: VideoRequest = REQUEST, conn_id: str = CONN_ID, settings: Settings = SETTINGS) -> str:
    return intent_of(asdict(request), conn_id=conn_id, settings=settings, max_tries=0).fingerprint


@pytest.mark.parametrize("name", [field.name for field in fields(VideoRequest)])
def test_every_field_of_the_request_is_in_the_fingerprint(name: str) -> None:
    other = replace(REQUEST, **cast("dict[str, Any]", {name: 7 if name == "seed" else "another"}))
    assert fingerprint(other) != fingerprint()


def test_connection_and_host_are_in_the_fingerprint_and_the_key_is_not() -> None:
    assert fingerprint(conn_id="another") != fingerprint()
    assert fingerprint(settings=replace(SETTINGS, base_url="https://api.siliconflow.com/v1")) != fingerprint()
    assert fingerprint(settings=replace(SETTINGS, api_key="renewed")) == fingerprint()


def test_a_record_is_plain_json_without_prompt_or_key() -> None:
    record = intent_of(asdict(REQUEST), conn_id=CONN_ID, settings=SETTINGS, max_tries=1)
    text = json.dumps(asdict(record))
    assert SubmitRecord(**json.loads(text)) == record
    assert REQUEST.prompt not in text
    assert SETTINGS.api_key not in text
