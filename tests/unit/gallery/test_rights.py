"""Who sees what: no login, no right to the DAG, no right to XComs, and addresses that try to get around it."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from airflow_provider_siliconflow.gallery.plugin import PREFIX, STATIC_PREFIX
from tests.unit.gallery.conftest import Gallery

ROUTES = ["videos", "sums", "gallery", "file/clips/run/make/-1", "file/clips/run/make/-1/0", "poster/clips/run/make/-1"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("token", [None, "forged", ""])
def test_nothing_without_a_login(anonymous: TestClient, route: str, token: str | None) -> None:
    anonymous.cookies.clear()
    if token is not None:
        anonymous.cookies.set("_token", token)
    assert anonymous.get(f"{PREFIX}/{route}").status_code in (401, 403)
    assert anonymous.head(f"{PREFIX}/{route}").status_code in (401, 403, 405)


@pytest.mark.parametrize("route", ["docs", "redoc", "openapi.json", "", "unknown"])
def test_the_app_tells_nothing_of_itself(gallery: Gallery, route: str) -> None:
    assert gallery.get(route).status_code == 404


def test_one_without_the_right_to_a_dag_sees_none_of_it(gallery: Gallery) -> None:
    gallery.add_video("mine.mp4", task="mine", prompt="mine")
    gallery.add_video("secret.mp4", dag="secret", task="make", prompt="hidden")
    gallery.rights.dags = {"clips"}
    assert gallery.ids() == gallery.ids("text=i") == ["id1"]
    assert gallery.ids("dag=secret") == gallery.ids("dag=secret&run=run&task=make") == []
    assert {each["dag"] for each in gallery.get("sums").json()["sums"]} == {"clips"}
    assert gallery.get("sums?dag=secret").json() == {"sums": []}
    for kind in ("file", "poster"):
        assert gallery.get(f"{kind}/secret/run/make/-1").status_code == 403
        assert gallery.get(f"{kind}/secret/run/make/-1?dag_id=clips").status_code == 403
        for address in (
            "~/run/make/-1",
            "clips%2f..%2fsecret/run/make/-1",
            "clips/../secret/run/make/-1",
            "%73ecret/run/make/-1",
        ):
            assert gallery.get(f"{kind}/{address}").status_code in (403, 404)
    assert gallery.get("videos?dag_id=secret").status_code == 403


def test_one_without_the_right_to_xcoms_sees_nothing(gallery: Gallery) -> None:
    gallery.add_video(task="make")
    gallery.rights.may_read_xcoms = False
    for route in ("videos", "sums", "file/clips/run/make/-1", "poster/clips/run/make/-1"):
        assert gallery.get(route).status_code == 403


def test_the_pages_own_files_are_open_and_no_others(anonymous: TestClient) -> None:
    anonymous.cookies.clear()
    answer = anonymous.get(f"{STATIC_PREFIX}/gallery.js")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert (
        anonymous.get(f"{STATIC_PREFIX}/gallery.js", headers={"If-None-Match": answer.headers["etag"]}).status_code
        == 304
    )
    for name in (
        "../routes.py",
        "..%2froutes.py",
        "routes.py",
        ".",
        "%2e%2e/%2e%2e/__init__.py",
        "docs",
        "openapi.json",
    ):
        assert anonymous.get(f"{STATIC_PREFIX}/{name}").status_code == 404
