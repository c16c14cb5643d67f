"""Submit once: the order of writes, stores that fail, a model of tasks that die anywhere; each guard is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_siliconflow.client.prices import Price
from airflow_provider_siliconflow.exceptions import (
    InvalidVideoRequestError,
    SiliconFlowError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.jobs import record, submit
from airflow_provider_siliconflow.jobs.record import KEY, SubmitRecord, SubmitStore
from airflow_provider_siliconflow.jobs.store import TaskStateStore
from tests.releases import AirflowTaskTimeout
from tests.unit.jobs.dying_task import FIELDS, DyingTask, FakeHook, FakeStore, InvariantBrokenError, Killed, once

PRICE = Price(2.0, "CNY")
QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)


# --- the store --------------------------------------------------------------------------------------------------------


json_values = st.recursive(
    st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([*SubmitRecord.model_fields]), inner),
    max_leaves=8,
)


def store_of(kept: Any = None, **faults: Any) -> tuple[SubmitStore, FakeStore]:
    fake = FakeStore(**faults)
    if kept is not None:
        fake.kept[KEY] = kept
    return SubmitStore(lambda: [TaskStateStore(fake)]), fake


@QUICK
@given(json_values)
def test_what_is_no_record_is_an_error_and_never_absent(kept: Any) -> None:
    store, _ = store_of(kept)
    hook = FakeHook()
    with pytest.raises(SubmitRecordError, match="not the same as no record, so nothing is submitted"):
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

    record = once(store, hook)

    assert [name for name, _ in fake.log] == ["get", "set", "POST", "set"]
    (_, intent), (_, done) = (entry for entry in fake.log if entry[0] == "set")
    assert (intent["request_id"], done["request_id"]) == (None, record.request_id)
    assert done["submitted_at"] >= intent["intent_at"]
    assert store.read() == record


def test_nothing_is_sent_if_the_intent_cannot_be_kept() -> None:
    store, _ = store_of(failing="set intent")
    hook = FakeHook()
    with pytest.raises(SubmitRecordError, match=r"cannot be written.*Nothing was submitted"):
        once(store, hook)
    assert hook.posts == 0


def test_the_try_continues_if_the_id_cannot_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    store, fake = store_of(failing="set id")
    record = once(store, FakeHook())
    assert f"Video {record.request_id} is paid for, but this try alone knows its request id" in caplog.text
    assert fake.kept[KEY]["request_id"] is None


def test_what_fails_before_the_money_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FIELDS, "image_size", "big")
    store, fake = store_of()
    hook = FakeHook()
    with pytest.raises(InvalidVideoRequestError, match="image_size 'big'"):
        once(store, hook)
    assert not fake.kept
    assert hook.posts == 0


def test_a_rejected_submit_leaves_no_trace() -> None:
    store, fake = store_of()
    with pytest.raises(SiliconFlowError, match="slow down"):
        once(store, FakeHook("rejected"))
    assert not fake.kept


def test_an_intent_that_cannot_be_dropped_stays_and_is_an_unknown_outcome(caplog: pytest.LogCaptureFixture) -> None:
    store, _ = store_of(failing="delete")
    with pytest.raises(SiliconFlowError, match="slow down"):
        once(store, FakeHook("rejected"))
    assert "cannot be taken back" in caplog.text
    with pytest.raises(SubmitOutcomeUnknownError):
        once(store, FakeHook())


def test_a_lost_answer_names_the_window_and_the_price() -> None:
    store, fake = store_of()
    with pytest.raises(
        SubmitOutcomeUnknownError, match=r"was sent to .* between .* and .*Another video costs 2\.00 CNY \(estimated\)"
    ):
        once(store, FakeHook("lost, accepted"), price=PRICE)
    assert fake.kept[KEY]["request_id"] is None


class OddError(Exception):
    """An error that nobody expects."""


@pytest.mark.parametrize("error", [OddError("odd"), SiliconFlowError("of unknown billing"), AirflowTaskTimeout("late")])
def test_whatever_ends_a_post_is_unknown_and_stays_on_record(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    store, fake = store_of()
    with pytest.raises((SubmitOutcomeUnknownError, AirflowTaskTimeout)) as caught:
        once(store, FakeHook(on_post=fail))
    assert fake.kept[KEY]["request_id"] is None
    told = caplog.text if isinstance(error, AirflowTaskTimeout) else str(caught.value)
    assert "A video may be running and billed" in told
    with pytest.raises(SubmitOutcomeUnknownError):
        once(store, FakeHook(number=2))


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


def test_without_a_store_nothing_is_submitted() -> None:
    hook = FakeHook()
    with pytest.raises(SubmitRecordError, match="Nothing was submitted, nothing is billed"):
        once(SubmitStore(list), hook)
    assert hook.posts == 0


# --- the model: each guard holds, and is needed -----------------------------------------------------------------------


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    for module in (submit, record):
        monkeypatch.setattr(module.log, "disabled", True)

    def lives() -> None:
        for seed in range(1000):
            DyingTask(seed).live(12)

    return lives


def breaks(play: Callable[[], None], invariant: str) -> None:
    with pytest.raises((AssertionError, InvariantBrokenError), match=f"INVARIANT: {invariant}"):
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
    breaks(play, "what (is|may be) paid for is not submitted again")


def test_the_model_finds_that_the_id_write_is_missing(
    play: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_ids(monkeypatch)
    breaks(play, "an outcome is unknown only where something went wrong")


def test_telling_unreadable_from_absent_is_needed(play: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    read = SubmitStore.read

    def lenient(self: SubmitStore) -> SubmitRecord | None:
        try:
            return read(self)
        except SubmitRecordError:
            return None

    monkeypatch.setattr(SubmitStore, "read", lenient)
    breaks(play, "what is paid for is not submitted again")


def test_keeping_the_intent_of_a_lost_answer_is_needed(
    play: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(store: SubmitStore, *args: Any, **kwargs: Any) -> SubmitRecord:
        try:
            return once(store, *args, **kwargs)
        except SubmitOutcomeUnknownError:
            store.forget()
            raise

    monkeypatch.setattr("tests.unit.jobs.dying_task.once", forgetful)
    breaks(play, "what is paid for is not submitted again")


def test_dropping_the_intent_of_a_rejection_is_needed(
    play: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SubmitStore, "forget", lambda *_: None)
    breaks(play, "an outcome is unknown only where something went wrong")


def test_closing_a_failed_video_is_needed(play: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SubmitStore, "close", lambda self, record, why: None)
    breaks(play, "a try continues with the video that is intended")
