"""Which videos a list and its sums tell of: filters, pages, and the last word of each video."""

from __future__ import annotations

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import delete, text

from airflow_provider_siliconflow.client.video_record import item_key
from tests.releases import begin_next_tries, xcoms_are_a_table
from tests.unit.gallery.conftest import Gallery


def test_the_newest_come_first_with_all_that_is_known(gallery: Gallery) -> None:
    gallery.add(prompt="a cat", seed=7)
    gallery.add(prompt="a dog", map_index=2, key=item_key(3))
    first, second = gallery.get("videos").json()["videos"]
    assert (first["record"]["prompt"], second["record"]["prompt"]) == ("a dog", "a cat")
    assert (first["map_index"], first["item"], second["item"]) == (2, 3, None)
    assert (second["dag_id"], second["run_id"], second["task_id"]) == ("clips", "run", "make")
    assert (second["run_state"], second["record"]["seed"]) == ("running", 7)


def test_pages_tell_of_each_video_once_also_while_new_ones_come(gallery: Gallery) -> None:
    for number in range(25):
        gallery.add(task=f"make{number}")
    seen, cursor = [], ""
    for _ in range(10):
        answer = gallery.get(f"videos?limit=10{cursor}").json()
        seen += [video["record"]["request_id"] for video in answer["videos"]]
        gallery.add(task=f"new{len(seen)}", prompt="new")
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert seen == [f"id{number}" for number in range(25, 0, -1)]


def test_the_last_task_of_a_video_has_the_last_word(gallery: Gallery) -> None:
    gallery.add(task="submit", state="submitted", request_id="abc")
    gallery.add(task="ready", state="ready", request_id="abc")
    gallery.add(task="submit2", state="submitted", request_id="other")
    gallery.add(task="archive", state="archived", request_id="abc")
    gallery.add(run="run2", task="submit", state="submitted", request_id="abc")
    assert [(video["task_id"], video["run_id"]) for video in gallery.get("videos").json()["videos"]] == [
        ("submit", "run2"),
        ("archive", "run"),
        ("submit2", "run"),
    ]


def test_the_tab_of_a_task_shows_what_became_of_its_video(gallery: Gallery) -> None:
    gallery.add(task="submit", map_index=1, state="submitted", request_id="abc")
    gallery.add(task="archive", map_index=1, state="archived", request_id="abc")
    gallery.add(task="submit", map_index=2, state="rejected", request_id=None)
    gallery.add(task="other", request_id="xyz")
    for query, found in (("&map_index=1", ["abc"]), ("&map_index=2", [None]), ("", [None, "abc"])):
        answer = gallery.get(f"videos?dag=clips&run=run&task=submit{query}").json()
        assert [video["record"].get("request_id") for video in answer["videos"]] == found
    assert gallery.ids("dag=clips&run=run&task=archive") == ["abc"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["id4", "id3", "id2", "id1"]),
        ("dag=other", ["id4"]),
        ("dag=unknown", []),
        ("state=waiting", ["id2"]),
        ("state=failed", ["id3"]),
        ("state=archived", ["id4", "id1"]),
        ("model=Wan", ["id1"]),
        ("text=CAT", ["id1"]),
        ("text=100%25", ["id3"]),
        ("text=_", []),
        ("text=id2", ["id2"]),
        ("text=77", ["id4"]),
        ("day=2026-11-27", ["id4", "id3", "id2", "id1"]),
        ("day=2026-11-26", []),
        ("text=%F0%9F%90%B1", []),
    ],
)
def test_filters(gallery: Gallery, query: str, found: list[str]) -> None:
    gallery.add(task="a", prompt="a cat", model="Wan")
    gallery.add(task="b", prompt="a dog", state="submitted")
    gallery.add(task="c", prompt="100% wool", state="failed")
    gallery.add(task="d", dag="other", prompt="a bird", seed=77)
    assert gallery.ids(query) == found


@pytest.mark.parametrize(
    "query",
    [
        "state=malformed",
        "limit=0",
        "limit=101",
        "day=yesterday",
        "cursor=x",
        "cursor=W10=",
        "task=submit",
        "map_index=-2",
        f"text={'a' * 251}",
        "text=%00",
    ],
)
def test_what_cannot_be_understood_is_422(gallery: Gallery, query: str) -> None:
    assert gallery.get(f"videos?{query}").status_code == 422


def test_sums_by_dag_day_model_and_state(gallery: Gallery) -> None:
    for task in "ab":
        gallery.add(task=task, estimated_cost=2.0, currency="CNY", waited_seconds=30, model="Wan")
    gallery.add(task="c", state="failed", estimated_cost=2.0, currency="CNY")
    gallery.add(task="d", dag="other", estimated_cost=0, currency="CNY")
    sums = gallery.get("sums").json()["sums"]
    told = {
        (each["dag"], each["state"]): (each["count"], each["estimated_cost"], each["waited"], each["waits"])
        for each in sums
    }
    assert told == {
        ("clips", "archived"): (2, 4.0, 60.0, 2),
        ("clips", "failed"): (1, 2.0, None, 0),
        ("other", "archived"): (1, 0.0, None, 0),
    }
    assert {(each["day"], each["currency"]) for each in sums} == {("2026-11-27", "CNY")}


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "archived",
        7,
        {"state": 7},
        {"state": "archived", "estimated_cost": "a", "waited_seconds": "b", "request_id": {}},
    ],
)
def test_a_record_that_is_broken_leaves_the_others_as_they_are(gallery: Gallery, raw: object) -> None:
    gallery.add(task="good", estimated_cost=2.0)
    gallery.add(task="bad", raw=raw)
    videos = gallery.get("videos").json()["videos"]
    assert [video["task_id"] for video in videos] == ["bad", "good"]
    assert gallery.get("sums").status_code == 200
    assert gallery.get("file/clips/run/bad/-1").status_code == 404


def test_a_run_that_is_gone_hides_no_other_video(gallery: Gallery) -> None:
    if not xcoms_are_a_table():
        pytest.skip("From Airflow 3.4 on, a run takes its XComs with it")
    gallery.add_video(task="kept")
    gallery.add_video("gone.mp4", run="gone", task="make")
    with create_session() as session:
        session.execute(text("PRAGMA foreign_keys=OFF"))
        session.execute(delete(DagRun.__table__).where(DagRun.__table__.c.run_id == "gone"))
    states = {video["run_id"]: video["run_state"] for video in gallery.get("videos").json()["videos"]}
    assert states == {"run": "running", "gone": None}
    assert gallery.get("sums").status_code == 200
    with create_session() as session:
        session.execute(delete(XComModel.__table__).where(XComModel.__table__.c.run_id == "gone"))
    assert gallery.ids() == ["id1"]
    assert gallery.get("file/clips/gone/make/-1").json() == {"detail": "There is no such video."}
    assert gallery.get("file/clips/run/kept/-1").status_code == 200


def test_a_task_that_made_no_video_has_an_empty_tab(gallery: Gallery) -> None:
    gallery.add(task="make")
    assert gallery.ids("dag=clips&run=run&task=other") == []


def test_of_a_task_that_ran_again_its_last_try_tells(gallery: Gallery) -> None:
    if xcoms_are_a_table():
        pytest.skip("Before Airflow 3.4, a try deletes the XComs of the one before")
    gallery.add_video("first.mp4", request_id="paid", state="not_archived")
    with create_session() as session:
        begin_next_tries(session)
    path = gallery.add_video("second.mp4", request_id="paid", data=b"second")
    assert [video["record"]["state"] for video in gallery.get("videos").json()["videos"]] == ["archived"]
    assert gallery.ids("dag=clips&run=run&task=make") == ["paid"]
    assert [row["count"] for row in gallery.get("sums").json()["sums"]] == [1]
    assert gallery.get("file/clips/run/make/-1").content == path.read_bytes()
