"""What a try may do, given the record of the tries before it: invariants."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from airflow_provider_siliconflow.billing import NextStep
from airflow_provider_siliconflow.client.prices import Price
from airflow_provider_siliconflow.exceptions import (
    SubmitConflictError,
    SubmitOutcomeUnknownError,
)
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy, decide
from airflow_provider_siliconflow.jobs.record import SubmitRecord, intent_of
from tests.unit.jobs.dying_task import CONN_ID, FIELDS, SETTINGS

PRICE = Price(2.0, "CNY")
INTENT = SubmitRecord(fingerprint="same", model="a-model", host="https://host/v1", max_tries=1, intent_at="10:00")


def changed(record: SubmitRecord, **changes: Any) -> SubmitRecord:
    return record.model_copy(update=changes)


WITH_ID = changed(INTENT, request_id="vid1", submitted_at="10:01")
CLOSED = changed(WITH_ID, closed="it failed")
POLICIES = [ResubmitPolicy(on, reuse, PRICE) for on in ("fail", "resubmit") for reuse in (False, True)]
QUICK = settings(max_examples=300, deadline=None, derandomize=True, database=None)

records = st.builds(
    changed,
    st.sampled_from([INTENT, WITH_ID, CLOSED]),
    fingerprint=st.sampled_from(["same", "other"]),
    max_tries=st.integers(0, 3),
)
intents = st.builds(changed, st.just(INTENT), max_tries=st.integers(0, 3))


def decision_of(record: SubmitRecord | None, intent: SubmitRecord, policy: ResubmitPolicy) -> str:
    try:
        return decide(record, intent, policy).value
    except SubmitOutcomeUnknownError:
        return "unknown"
    except SubmitConflictError:
        return "conflict"


def user_cleared(record: SubmitRecord, intent: SubmitRecord) -> bool:
    """Tell what Airflow does to a task instance on a clear, and on nothing else."""
    return record.max_tries != intent.max_tries


# --- invariants -------------------------------------------------------------------------------------------------------


@QUICK
@given(records, intents, st.sampled_from(POLICIES))
def test_what_may_be_paid_for_is_submitted_again_only_if_the_user_said_so(
    record: SubmitRecord, intent: SubmitRecord, policy: ResubmitPolicy
) -> None:
    said_so = policy.on_unknown_submit == "resubmit" or (user_cleared(record, intent) and not policy.reuse_on_clear)
    if not record.closed and not said_so:
        assert decision_of(record, intent, policy) != "submit"


@QUICK
@given(records, intents, st.sampled_from(POLICIES))
def test_only_the_very_video_is_reattached_to(
    record: SubmitRecord, intent: SubmitRecord, policy: ResubmitPolicy
) -> None:
    if decision_of(record, intent, policy) == "reattach":
        assert record.request_id
        assert not record.closed
        assert record.fingerprint == intent.fingerprint


@QUICK
@given(records, intents, st.sampled_from(POLICIES))
def test_a_retry_reattaches_to_its_video_under_every_policy(
    record: SubmitRecord, intent: SubmitRecord, policy: ResubmitPolicy
) -> None:
    mine = record.request_id and not record.closed and record.fingerprint == intent.fingerprint
    if mine and not user_cleared(record, intent):
        assert decision_of(record, intent, policy) == "reattach"


@QUICK
@given(intents, st.sampled_from(POLICIES))
def test_nothing_on_record_is_submitted(intent: SubmitRecord, policy: ResubmitPolicy) -> None:
    assert decision_of(None, intent, policy) == "submit"


@pytest.mark.parametrize("is_clear", [False, True], ids=["retry", "clear"])
@pytest.mark.parametrize(
    ("record", "retried", "resubmitted", "cleared", "reused"),
    [
        # What is on record: the answer to a retry; with "resubmit"; to a clear; with reuse_on_clear.
        pytest.param(None, "submit", "submit", "submit", "submit", id="none"),
        pytest.param(INTENT, "unknown", "submit", "submit", "unknown", id="intent"),
        pytest.param(WITH_ID, "reattach", "reattach", "submit", "reattach", id="id"),
        pytest.param(changed(WITH_ID, fingerprint="other"), "conflict", "submit", "submit", "conflict", id="other"),
        pytest.param(CLOSED, "submit", "submit", "submit", "submit", id="closed"),
    ],
)
def test_table(
    is_clear: bool, record: SubmitRecord | None, retried: str, resubmitted: str, cleared: str, reused: str
) -> None:
    intent = changed(INTENT, max_tries=2) if is_clear else INTENT

    def answer(policy: ResubmitPolicy) -> str:
        return decision_of(record, intent, policy)

    assert answer(ResubmitPolicy()) == (cleared if is_clear else retried)
    assert answer(ResubmitPolicy("resubmit")) == (cleared if is_clear else resubmitted)
    assert answer(ResubmitPolicy(reuse_on_clear=True)) == (reused if is_clear else retried)
    # Airflow 3.4 and later: what is still there after a clear was kept on purpose.
    assert answer(ResubmitPolicy(clear_deletes_record=True)) == (reused if is_clear else retried)


def test_an_unknown_outcome_names_window_model_host_and_price() -> None:
    with pytest.raises(SubmitOutcomeUnknownError) as caught:
        decide(INTENT, INTENT, ResubmitPolicy(price=PRICE))
    where = ("10:00", "a-model", "https://host/v1")
    for fact in (*where, str(PRICE), "may be running and billed", "no way to look it up"):
        assert fact in str(caught.value)
    assert (caught.value.host, caught.value.model) == ("https://host/v1", "a-model")


def test_a_conflict_names_the_video_that_was_paid_for() -> None:
    with pytest.raises(SubmitConflictError, match=r"already paid for video vid1 \(a-model, submitted at 10:01"):
        decide(changed(WITH_ID, fingerprint="other"), INTENT, ResubmitPolicy())


@pytest.mark.parametrize(
    ("policy", "hint"),
    [
        (ResubmitPolicy(), "Clear the task to submit"),
        (ResubmitPolicy(reuse_on_clear=True), "Set on_unknown_submit='resubmit' for the next try to submit"),
    ],
)
def test_a_conflict_says_what_to_do(policy: ResubmitPolicy, hint: str) -> None:
    with pytest.raises(SubmitConflictError, match=hint):
        decide(changed(WITH_ID, fingerprint="other"), INTENT, policy)


@pytest.mark.parametrize(
    ("record", "told"), [(WITH_ID, "video vid1"), (INTENT, "an attempt to submit a-model at 10:00, of unknown outcome")]
)
def test_a_clear_says_that_it_pays_again(record: SubmitRecord, told: str, caplog: pytest.LogCaptureFixture) -> None:
    decide(record, changed(INTENT, max_tries=5), ResubmitPolicy(price=PRICE))
    assert f"cleared: it submits anew and pays {PRICE} again. On record was {told}" in caplog.text


def test_resubmit_says_what_it_may_cost(caplog: pytest.LogCaptureFixture) -> None:
    decide(INTENT, INTENT, ResubmitPolicy("resubmit", price=PRICE))
    assert f"on_unknown_submit='resubmit' says to submit anew, for {PRICE}" in caplog.text


@pytest.mark.parametrize("word", ["Fail", "RESUBMIT", "", None, True, "resubmit "])
def test_a_word_that_is_not_understood_is_no_consent(word: Any) -> None:
    with pytest.raises(SubmitOutcomeUnknownError):
        decide(INTENT, INTENT, ResubmitPolicy(word))


def test_a_clear_is_no_way_out_for_a_task_that_keeps_its_record() -> None:
    with pytest.raises(SubmitOutcomeUnknownError) as caught:
        decide(INTENT, changed(INTENT, max_tries=5), ResubmitPolicy(reuse_on_clear=True))
    assert caught.value.next_step is NextStep.CONSENT
    assert "set on_unknown_submit='resubmit' for the next try" in str(caught.value)


# --- the record -------------------------------------------------------------------------------------------------------


def fingerprint(fields: dict[str, Any] = FIELDS, conn_id: str = CONN_ID, settings: Settings = SETTINGS) -> str:
    return intent_of(fields, conn_id=conn_id, settings=settings, max_tries=0).fingerprint


@pytest.mark.parametrize("name", ["prompt", "model", "image_size", "negative_prompt", "image", "seed"])
def test_every_field_of_the_request_is_in_the_fingerprint(name: str) -> None:
    assert fingerprint({**FIELDS, name: 7 if name == "seed" else "another"}) != fingerprint()


def test_connection_and_host_are_in_the_fingerprint_and_the_key_is_not() -> None:
    assert fingerprint(conn_id="another") != fingerprint()
    assert fingerprint(settings=replace(SETTINGS, base_url="https://api.siliconflow.com/v1")) != fingerprint()
    assert fingerprint(settings=replace(SETTINGS, api_key="renewed")) == fingerprint()


def test_a_record_is_plain_json_without_the_key() -> None:
    record = intent_of(FIELDS, conn_id=CONN_ID, settings=SETTINGS, max_tries=1)
    text = json.dumps(record.model_dump(mode="json"))
    assert SubmitRecord.model_validate(json.loads(text)) == record
    assert SETTINGS.api_key not in text


OF_A_LATER_RELEASE = WITH_ID.model_dump() | {"version": 2, "region": "north"}
OF_AN_EARLIER_RELEASE = {"fingerprint": "same", "max_tries": 1, "intent_at": "10:00", "request_id": "vid1"}


@pytest.mark.parametrize("kept", [OF_A_LATER_RELEASE, OF_AN_EARLIER_RELEASE], ids=["later", "earlier"])
def test_a_record_of_another_release_is_reattached_to(kept: dict[str, Any]) -> None:
    record = SubmitRecord.model_validate(kept)
    assert decision_of(record, INTENT, ResubmitPolicy()) == "reattach"
    assert kept.items() <= record.model_dump().items(), "what this release does not know is kept"


@pytest.mark.parametrize("name", ["fingerprint", "max_tries", "intent_at"])
def test_a_record_without_what_the_decision_needs_cannot_be_read(name: str) -> None:
    kept = {key: value for key, value in OF_A_LATER_RELEASE.items() if key != name}
    with pytest.raises(ValidationError):
        SubmitRecord.model_validate(kept)
