"""The list of a batch: reading it, keys by content, what holds within a try and between tries."""

from __future__ import annotations

import random
from typing import Any

import pytest

from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.batch_list import LIST_KEY, ListStore, read_requests
from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy
from airflow_provider_siliconflow.jobs.record import SubmitRecord
from airflow_provider_siliconflow.jobs.store import TaskStateStore
from tests.unit.jobs.dying_task import FakeStore

CAT, DOG = {"prompt": "a cat"}, {"prompt": "a dog"}


def fields(requests: Any, defaults: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [request.fields for request in read_requests(requests, defaults or {})]


def keys(requests: Any) -> list[str]:
    return [request.key for request in read_requests(requests, {})]


def test_a_prompt_alone_is_a_request() -> None:
    assert fields(["a cat", DOG]) == [CAT, DOG]


def test_defaults_are_for_those_who_do_not_say() -> None:
    given = ["a cat", {"prompt": "a dog", "model": "mine"}]
    assert fields(given, {"model": "theirs", "image_size": "960x960"}) == [
        {"prompt": "a cat", "model": "theirs", "image_size": "960x960"},
        {"prompt": "a dog", "model": "mine", "image_size": "960x960"},
    ]


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        ("a cat", "got str"),
        (b"a cat", "got bytes"),
        ([], "an empty list"),
        (CAT, "got dict"),
        (None, "got NoneType"),
        ({"a cat"}, "got set"),
    ],
)
def test_a_list_that_is_none_is_refused(requests: Any, says: str) -> None:
    with pytest.raises(InvalidVideoRequestError, match=says):
        read_requests(requests, {})


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (None, "The request is empty"),
        (" ", "The request is empty"),
        ("None", "The request is empty"),
        (5, r"The request is 5 \(int\): give a prompt or a mapping"),
        ({"promt": "a cat", 5: 6}, "has fields that no request has: '5, promt'"),
        ({"prompt": "half \ud83d"}, "prompt has half of a surrogate pair"),
        ({"prompt": "a\0b"}, "prompt has a NUL at character 1"),
        ({"prompt": ["a"]}, r"prompt is \['a'\] \(list\): it must be a text"),
        ({"prompt": "a cat", "seed": "lucky"}, "seed is 'lucky'"),
        ({"prompt": "a cat", "seed": True}, "seed is True"),
    ],
)
def test_one_bad_request_is_told_and_costs_no_other(item: Any, says: str) -> None:
    first, bad, last = read_requests(["a", item, "b"], {})
    assert (first.problem, last.problem) == ("", "")
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(bad.problem)


def test_keys_go_by_content_wherever_it_stands() -> None:
    items: list[dict[str, Any]] = [{"prompt": f"video {number}", "seed": number % 3} for number in range(50)]
    key_of = dict(zip(map(str, items), keys(items), strict=True))
    assert len(set(key_of.values())) == 50
    random.Random(0).shuffle(items)
    assert keys(items) == [key_of[str(item)] for item in items]
    assert keys([{"seed": 1, "prompt": "a"}]) == keys([{"prompt": "a", "seed": "1", "image": None}])


def test_keys_tell_duplicates_apart_by_their_order() -> None:
    first, other, second = keys([CAT, DOG, CAT])
    assert len({first, other, second}) == 3
    assert keys([CAT, CAT, DOG]) == [first, second, other]


def test_keys_show_no_prompt_and_are_short() -> None:
    (key,) = keys([{"prompt": "a cat", "image": {"no": "json", "at": {1}}}])
    assert "cat" not in key
    assert len(key) < 32


# --- tries ------------------------------------------------------------------------------------------------------------


def lists_of(fake: FakeStore, max_tries: int = 2) -> ListStore:
    return ListStore(lambda: [TaskStateStore(fake)], max_tries)


def pay(lists: ListStore, request: Any) -> None:
    record = SubmitRecord(fingerprint="f", max_tries=2, intent_at="10:00", request_id=f"video of {request.key}")
    lists.record_of(request).write(record)


def begin(fake: FakeStore, requests: Any, policy: ResubmitPolicy | None = None, max_tries: int = 2) -> list[Any]:
    return lists_of(fake, max_tries).begin(read_requests(requests, {}), policy or ResubmitPolicy())


class Store(FakeStore):
    """Keep anything, as the list has no request id that tells an intent."""

    def set(self, key: str, value: Any) -> None:
        self.kept[key] = value


def test_within_a_try_the_list_that_it_began_with_holds() -> None:
    fake = Store()
    begun = begin(fake, ["a", "b"])
    resumed = lists_of(fake).resume(lambda: read_requests(["c"], {}), [])
    assert [request.fields["prompt"] for request in resumed] == ["a", "b"]
    assert [request.key for request in resumed] == [request.key for request in begun]


def test_a_list_that_renders_to_an_error_later_holds_as_well() -> None:
    fake = Store()
    begin(fake, ["a"])
    (request,) = lists_of(fake).resume(lambda: read_requests("no list", {}), [])
    assert request.fields == {"prompt": "a"}


def test_a_long_image_is_not_kept_and_is_found_in_the_list_as_it_renders_now() -> None:
    fake = Store()
    long = {"prompt": "a", "image": "data:image/png;base64," + "A" * 5000}
    begin(fake, [long])
    assert "AAAA" not in str(fake.kept[LIST_KEY])
    (again,) = lists_of(fake).resume(lambda: read_requests([long], {}), [])
    assert again.fields == long
    (gone,) = lists_of(fake).resume(lambda: read_requests(["b"], {}), [])
    assert "not in it any more" in gone.problem


def test_what_is_paid_for_and_asked_for_no_more_stays_and_nothing_new_is_paid_for() -> None:
    fake = Store()
    paid, unpaid = begin(fake, ["a", "b"])
    pay(lists_of(fake), paid)
    requests = begin(fake, ["b", "c"])
    assert [(request.fields["prompt"], request.is_new, request.is_withdrawn) for request in requests] == [
        ("b", False, False),
        ("c", True, False),
        ("a", False, True),
    ]
    assert unpaid.key == requests[0].key


def test_a_list_that_grows_is_paid_for() -> None:
    fake = Store()
    (paid,) = begin(fake, ["a"])
    pay(lists_of(fake), paid)
    assert [request.is_new for request in begin(fake, ["new", "a"])] == [False, False]


def test_who_consented_pays_for_what_is_new() -> None:
    fake = Store()
    (paid,) = begin(fake, ["a"])
    pay(lists_of(fake), paid)
    requests = begin(fake, ["c"], ResubmitPolicy("resubmit"))
    assert [(request.is_new, request.is_withdrawn) for request in requests] == [(False, False), (False, True)]


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        (ResubmitPolicy(), 1),
        (ResubmitPolicy(reuse_on_clear=True), 2),
        # Airflow 3.4 and later: what is still there after a clear was kept on purpose.
        (ResubmitPolicy(clear_deletes_record=True), 2),
    ],
)
def test_a_clear_begins_anew_unless_the_record_is_kept(policy: ResubmitPolicy, count: int) -> None:
    fake = Store()
    (paid,) = begin(fake, ["a"])
    pay(lists_of(fake), paid)
    assert len(begin(fake, ["c"], policy, max_tries=5)) == count


def test_where_the_list_is_gone_the_keys_tell_what_the_try_began_with() -> None:
    fake = Store()
    lists = lists_of(fake)
    begun = lists.begin(read_requests(["a", "b"], {}), ResubmitPolicy())
    fake.kept.clear()
    again = lists.resume(lambda: read_requests(["new", "b"], {}), [request.key for request in begun])
    assert [request.fields.get("prompt") for request in again] == [None, "b"]
    assert "not in it any more" in again[0].problem


def test_a_list_of_another_release_is_read() -> None:
    fake = Store()
    begin(fake, ["a"])
    kept = fake.kept[LIST_KEY]
    kept |= {"version": 2, "region": "north"}
    kept["requests"][0] |= {"color": "red"}
    del kept["requests"][0]["is_new"]
    (request,) = lists_of(fake).resume(lambda: [], [])
    assert request.fields == {"prompt": "a"}
