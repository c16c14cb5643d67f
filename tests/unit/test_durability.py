"""What a try may conclude from the record of the tries before it: laws, and a model of tasks that die anywhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_siliconflow import durability
from airflow_provider_siliconflow.api.video import VideoRequest
from airflow_provider_siliconflow.durability import (
    KEY,
    Policy,
    SubmitRecord,
    SubmitStore,
    conclude,
    intent_of,
    submit_once,
)
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    SubmitConflictError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.hooks.settings import Settings
from tests.unit.dying_task import CONN_ID, REQUEST, SETTINGS, DyingTask, FakeHook, FakeStore, Killed

PRICE = "2.00 CNY"
INTENT = SubmitRecord("same", "a-model", "https://host/v1", max_tries=1, clear_number=0, intent_at="10:00")
WITH_ID = replace(INTENT, request_id="vid1", submitted_at="10:01")
CLOSED = replace(WITH_ID, closed="it failed")
POLICIES = [Policy(on, reuse, PRICE) for on in ("fail", "resubmit") for reuse in (False, True)]
QUICK = settings(max_examples=300, deadline=None, derandomize=True, database=None)

records = st.builds(
    replace,
    st.sampled_from([INTENT, WITH_ID, CLOSED]),
    fingerprint=st.sampled_from(["same", "other"]),
    max_tries=st.integers(0, 3),
    clear_number=st.integers(0, 2),
)
intents = st.builds(replace, st.just(INTENT), max_tries=st.integers(0, 3), clear_number=st.integers(0, 2))
tries = st.integers(1, 6)


def verdict_of(record: SubmitRecord | None, intent: SubmitRecord, policy: Policy, try_number: int) -> str:
    try:
        return conclude(record, intent, policy, try_number=try_number).value
    except SubmitOutcomeUnknownError:
        return "unknown"
    except SubmitConflictError:
        return "conflict"


def user_cleared(record: SubmitRecord, intent: SubmitRecord, try_number: int) -> bool:
    """Tell what Airflow does to a task instance on a clear, and on nothing else."""
    while_it_rested = record.max_tries != intent.max_tries
    while_it_ran = record.clear_number != intent.clear_number and try_number > intent.max_tries + 1
    return while_it_rested or while_it_ran


# --- laws -----------------------------------------------------------------------------------------------------------


@QUICK
@given(records, intents, st.sampled_from(POLICIES), tries)
def test_what_may_be_paid_for_is_submitted_again_only_if_the_user_said_so(
    record: SubmitRecord, intent: SubmitRecord, policy: Policy, try_number: int
) -> None:
    said_so = user_cleared(record, intent, try_number) or policy.on_unknown_submit == "resubmit"
    if not record.closed and not said_so:
        assert verdict_of(record, intent, policy, try_number) != "submit"


@QUICK
@given(records, intents, st.sampled_from(POLICIES), tries)
def test_only_the_very_video_is_taken_up(
    record: SubmitRecord, intent: SubmitRecord, policy: Policy, try_number: int
) -> None:
    if verdict_of(record, intent, policy, try_number) == "take up":
        assert record.request_id
        assert not record.closed
        assert record.fingerprint == intent.fingerprint


@QUICK
@given(records, intents, st.sampled_from(POLICIES), tries)
def test_a_retry_takes_up_its_video_under_every_policy(
    record: SubmitRecord, intent: SubmitRecord, policy: Policy, try_number: int
) -> None:
    mine = record.request_id and not record.closed and record.fingerprint == intent.fingerprint
    if mine and not user_cleared(record, intent, try_number):
        assert verdict_of(record, intent, policy, try_number) == "take up"


@QUICK
@given(intents, st.sampled_from(POLICIES), tries)
def test_nothing_on_record_is_submitted(intent: SubmitRecord, policy: Policy, try_number: int) -> None:
    assert verdict_of(None, intent, policy, try_number) == "submit"


RETRY, CLEARED_AT_REST, CLEARED_RUNNING, LEFT_BEHIND = (
    "retry",
    "cleared at rest",
    "cleared while running",
    "left behind",
)


@pytest.mark.parametrize("how", [RETRY, CLEARED_AT_REST, CLEARED_RUNNING, LEFT_BEHIND])
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
    how: str, record: SubmitRecord | None, retried: str, resubmitted: str, cleared: str, reused: str
) -> None:
    intent, try_number = {
        RETRY: (INTENT, 2),
        CLEARED_AT_REST: (replace(INTENT, max_tries=2, clear_number=1), 2),
        CLEARED_RUNNING: (replace(INTENT, clear_number=1), 3),
        # A scheduler that died leaves tasks behind; its successor runs them again, whatever their retries.
        LEFT_BEHIND: (INTENT, 3),
    }[how]
    is_clear = how in (CLEARED_AT_REST, CLEARED_RUNNING)

    def answer(policy: Policy) -> str:
        return verdict_of(record, intent, policy, try_number)

    assert answer(Policy()) == (cleared if is_clear else retried)
    assert answer(Policy("resubmit")) == (cleared if is_clear else resubmitted)
    assert answer(Policy(reuse_on_clear=True)) == (reused if is_clear else retried)


def test_an_unknown_outcome_names_window_model_host_and_price() -> None:
    with pytest.raises(SubmitOutcomeUnknownError) as caught:
        conclude(INTENT, INTENT, Policy(price=PRICE), try_number=2)
    for fact in ("10:00", "a-model", "https://host/v1", PRICE, "may be running and billed", "no way to look it up"):
        assert fact in str(caught.value)
    assert (caught.value.host, caught.value.model) == ("https://host/v1", "a-model")


def test_a_conflict_names_the_video_that_was_paid_for() -> None:
    with pytest.raises(SubmitConflictError, match=r"already paid for video vid1 \(a-model, submitted at 10:01"):
        conclude(replace(WITH_ID, fingerprint="other"), INTENT, Policy(), try_number=2)


@pytest.mark.parametrize(
    ("record", "told"), [(WITH_ID, "video vid1"), (INTENT, "an attempt to submit a-model at 10:00, of unknown outcome")]
)
def test_a_clear_says_that_it_pays_again(record: SubmitRecord, told: str, caplog: pytest.LogCaptureFixture) -> None:
    conclude(record, replace(INTENT, max_tries=5), Policy(price=PRICE), try_number=4)
    assert f"cleared: it submits anew and pays {PRICE} again. On record was {told}" in caplog.text


def test_resubmit_says_what_it_may_cost(caplog: pytest.LogCaptureFixture) -> None:
    conclude(INTENT, INTENT, Policy("resubmit", price=PRICE), try_number=2)
    assert f"on_unknown_submit='resubmit' says to submit anew, for {PRICE}" in caplog.text


# --- the fingerprint ------------------------------------------------------------------------------------------------


def fingerprint(request: VideoRequest = REQUEST, conn_id: str = CONN_ID, settings: Settings = SETTINGS) -> str:
    return intent_of(request, conn_id=conn_id, settings=settings, max_tries=0, clear_number=0).fingerprint


@pytest.mark.parametrize("name", [field.name for field in fields(VideoRequest)])
def test_every_field_of_the_request_is_in_the_fingerprint(name: str) -> None:
    other = replace(REQUEST, **cast("dict[str, Any]", {name: 7 if name == "seed" else "another"}))
    assert fingerprint(other) != fingerprint()


def test_connection_and_host_are_in_the_fingerprint_and_the_key_is_not() -> None:
    assert fingerprint(conn_id="another") != fingerprint()
    assert fingerprint(settings=replace(SETTINGS, base_url="https://api.siliconflow.com/v1")) != fingerprint()
    assert fingerprint(settings=replace(SETTINGS, api_key="renewed")) == fingerprint()


def test_a_record_is_plain_json_without_prompt_or_key() -> None:
    record = intent_of(REQUEST, conn_id=CONN_ID, settings=SETTINGS, max_tries=1, clear_number=0)
    text = json.dumps(asdict(record))
    assert SubmitRecord(**json.loads(text)) == record
    assert REQUEST.prompt not in text
    assert SETTINGS.api_key not in text


# --- the store ------------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list(asdict(INTENT))), inner),
    max_leaves=8,
)


def store_of(kept: Any = None, **faults: Any) -> tuple[SubmitStore, FakeStore]:
    fake = FakeStore(**faults)
    if kept is not None:
        fake.kept[KEY] = kept
    return SubmitStore(cast("Any", {"task_state_store": fake})), fake


def once(store: SubmitStore, hook: FakeHook, before_paying: Callable[[], None] = lambda: None) -> SubmitRecord:
    intent = intent_of(REQUEST, conn_id=CONN_ID, settings=SETTINGS, max_tries=1, clear_number=0)
    return submit_once(cast("Any", hook), REQUEST, store, intent, Policy(price=PRICE), 1, before_paying)


@settings(QUICK, max_examples=100)
@given(json_values)
def test_what_is_no_record_is_an_error_and_never_absent(kept: Any) -> None:
    store, _ = store_of(kept)
    hook = FakeHook()
    with pytest.raises(SubmitRecordError, match="not the same as no record, so nothing was submitted by this try"):
        once(store, hook)
    assert hook.posts == 0


def test_a_store_that_cannot_be_read_is_an_error_and_never_absent() -> None:
    store, _ = store_of(failing="get")
    hook = FakeHook()
    with pytest.raises(SubmitRecordError, match="OSError: the store is away"):
        once(store, hook)
    assert hook.posts == 0


def test_the_intent_is_kept_before_the_post_and_the_id_right_after_it() -> None:
    store, fake = store_of()
    hook = FakeHook(on_post=lambda: fake.log.append(("POST", None)))

    record = once(store, hook, before_paying=lambda: fake.log.append(("before paying", None)))

    assert [name for name, _ in fake.log] == ["get", "before paying", "set", "POST", "set"]
    (_, intent), (_, made) = (entry for entry in fake.log if entry[0] == "set")
    assert (intent["request_id"], made["request_id"]) == (None, record.request_id)
    assert made["submitted_at"] >= intent["intent_at"]
    assert store.read() == record


def test_nothing_is_sent_if_the_intent_cannot_be_kept() -> None:
    store, _ = store_of(failing="set intent")
    hook = FakeHook()
    with pytest.raises(SubmitRecordError, match=r"cannot be written.*Nothing was submitted by this try"):
        once(store, hook)
    assert hook.posts == 0


def test_the_try_goes_on_if_the_id_cannot_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    store, fake = store_of(failing="set id")
    record = once(store, FakeHook())
    assert f"Video {record.request_id} is paid for, but this try alone knows its id" in caplog.text
    assert fake.kept[KEY]["request_id"] is None


def test_what_speaks_against_paying_leaves_no_trace() -> None:
    def refuse() -> None:
        raise SiliconFlowError("no room")

    store, fake = store_of()
    hook = FakeHook()
    with pytest.raises(SiliconFlowError, match="no room"):
        once(store, hook, before_paying=refuse)
    assert not fake.kept
    assert hook.posts == 0


def test_a_refused_submit_leaves_no_trace() -> None:
    store, fake = store_of()
    with pytest.raises(SiliconFlowError, match="slow down"):
        once(store, FakeHook("refused"))
    assert not fake.kept


def test_an_intent_that_cannot_be_dropped_stays_and_is_an_unknown_outcome(caplog: pytest.LogCaptureFixture) -> None:
    store, _ = store_of(failing="delete")
    with pytest.raises(SiliconFlowError, match="slow down"):
        once(store, FakeHook("refused"))
    assert "cannot be deleted" in caplog.text
    with pytest.raises(SubmitOutcomeUnknownError):
        once(store, FakeHook())


def test_a_lost_answer_names_the_window_and_the_price() -> None:
    store, fake = store_of()
    with pytest.raises(SubmitOutcomeUnknownError, match=rf"It was sent between .* and .*; a second would cost {PRICE}"):
        once(store, FakeHook("lost, accepted"))
    assert fake.kept[KEY]["request_id"] is None


def test_a_closed_record_is_submitted_anew() -> None:
    store, fake = store_of()
    first = once(store, FakeHook())
    store.close(first, "it failed")
    assert fake.kept[KEY]["closed"] == "it failed"
    assert once(store, FakeHook("accepted", number=2)).request_id != first.request_id


def test_a_record_that_cannot_be_closed_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    store, fake = store_of()
    record = once(store, FakeHook())
    fake.failing = "set id"
    store.close(record, "it failed")
    assert f"The record of video {record.request_id} cannot be closed" in caplog.text


def test_without_a_store_one_warning_says_what_protection_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    store, hook = SubmitStore(cast("Any", {})), FakeHook("refused")
    assert not store.exists
    with pytest.raises(SiliconFlowError, match="slow down"):
        once(store, hook)
    caplog.clear()

    hook = FakeHook()
    record = once(store, hook)
    store.close(record, "it failed")

    assert store.read() is None
    assert hook.posts == 1
    (warning,) = (entry for entry in caplog.records if entry.levelno >= logging.WARNING)
    assert "no task state store" in warning.getMessage()
    assert "a retry cannot know of the video and pays for another" in warning.getMessage()


# --- the model: each guard holds, and is needed ---------------------------------------------------------------------


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    monkeypatch.setattr(durability.log, "disabled", True)

    def lives() -> None:
        for seed in range(1000):
            DyingTask(seed).live(12)

    return lives


def breaks_a_law(play: Callable[[], None], law: str) -> None:
    with pytest.raises(AssertionError, match=f"LAW: {law}"):
        play()


def test_a_task_that_dies_anywhere_pays_once_and_never_loses_a_video_in_silence(play: Callable[[], None]) -> None:
    play()


def drop_intents(monkeypatch: pytest.MonkeyPatch) -> None:
    write = SubmitStore.write
    monkeypatch.setattr(SubmitStore, "write", lambda self, record: write(self, record) if record.request_id else None)


def drop_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    write = SubmitStore.write
    monkeypatch.setattr(SubmitStore, "write", lambda self, record: None if record.request_id else write(self, record))


def dies_after_the_post() -> tuple[SubmitStore, FakeHook]:
    def die() -> None:
        if hook.posts:
            raise Killed

    store, _ = store_of()
    hook = FakeHook(step=die)
    with pytest.raises(Killed):
        once(store, hook)
    return store, hook


def test_the_intent_write_is_needed_for_a_death_after_the_post(monkeypatch: pytest.MonkeyPatch) -> None:
    store, first = dies_after_the_post()
    second = FakeHook(number=2)
    with pytest.raises(SubmitOutcomeUnknownError):
        once(store, second)
    assert first.billed + second.billed == ["vid1"]

    drop_intents(monkeypatch)
    store, first = dies_after_the_post()
    once(store, second)
    assert first.billed + second.billed == ["vid1", "vid2"]


def test_the_id_write_is_needed_for_a_death_at_any_time_later(monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = store_of()
    first = once(store, FakeHook())
    assert once(store, FakeHook(number=2)) == first

    drop_ids(monkeypatch)
    store, _ = store_of()
    once(store, FakeHook())
    with pytest.raises(SubmitOutcomeUnknownError):
        once(store, FakeHook(number=2))


def test_the_model_finds_that_the_intent_write_is_missing(
    play: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_intents(monkeypatch)
    breaks_a_law(play, "what (is|may be) paid for is not submitted again")


def test_the_model_finds_that_the_id_write_is_missing(
    play: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_ids(monkeypatch)
    breaks_a_law(play, "an outcome is unknown only where something went wrong")


def test_telling_unreadable_from_absent_is_needed(play: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    read = SubmitStore.read

    def lenient(self: SubmitStore) -> SubmitRecord | None:
        try:
            return read(self)
        except SubmitRecordError:
            return None

    monkeypatch.setattr(SubmitStore, "read", lenient)
    breaks_a_law(play, "what is paid for is not submitted again")


def test_keeping_the_intent_of_a_lost_answer_is_needed(
    play: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(*args: Any) -> SubmitRecord:
        try:
            return submit_once(*args)
        except SubmitOutcomeUnknownError:
            args[2].forget()
            raise

    monkeypatch.setattr("tests.unit.dying_task.submit_once", forgetful)
    breaks_a_law(play, "what is paid for is not submitted again")


def test_dropping_the_intent_of_a_refusal_is_needed(play: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SubmitStore, "forget", lambda self: None)
    breaks_a_law(play, "an outcome is unknown only where something went wrong")


def test_closing_a_failed_video_is_needed(play: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SubmitStore, "close", lambda self, record, why: None)
    breaks_a_law(play, "a try goes on with the video that is intended")


def test_counting_tries_alone_is_no_proof_of_a_clear(play: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    def by_count(record: SubmitRecord, intent: SubmitRecord, try_number: int) -> bool:
        return record.max_tries != intent.max_tries or try_number > intent.max_tries + 1

    monkeypatch.setattr(durability, "_is_cleared", by_count)
    breaks_a_law(play, "what is paid for is not submitted again")
