"""The gallery in headless Chromium, against a real Airflow that runs the mapped example."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.system.browser import Browser, logged_in
from tests.system.demo import demo_settings
from tests.system.example_run import DAG_ID
from tests.system.stack import Stack, running

pytestmark = pytest.mark.system

LABELLED = "example_labelled"
ARCHIVED = ".sfg-tile.sfg-archived"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for videos and screenshots."""
    return tmp_path_factory.mktemp("archive")


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    """Run the demo's stack."""
    settings = demo_settings(folder)
    env = {**settings.env, "AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}
    with running(replace(settings, env=env)) as stack:
        stack.wait_until(DAG_ID, lambda: stack.api.knows_dag(DAG_ID), seconds=120)
        yield stack


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Start the driver of browsers, of which a process has one at a time."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def light(stack: Stack, playwright: Playwright) -> Iterator[Browser]:
    """Log in with a light theme."""
    with logged_in(stack, playwright, color_scheme="light") as browser:
        yield browser


def archived(browser: Browser, count: int) -> None:
    """Wait until the page shows some archived videos."""
    browser.page.wait_for_function(f"document.querySelectorAll('{ARCHIVED}').length >= {count}", timeout=240_000)


def posters(browser: Browser) -> None:
    """Wait until the poster of each tile in view is shown: others are loaded when they come near."""
    in_view = "[...document.querySelectorAll('img.sfg-still')].filter((one) => one.getBoundingClientRect().top < 600)"
    browser.page.wait_for_function(f"{in_view}.every((image) => image.naturalWidth)")


def test_a_connection_is_made_in_the_form_and_tested(stack: Stack, light: Browser, folder: Path) -> None:
    page = light.page
    light.open("/connections")
    page.get_by_role("button", name="Add Connection").first.click()
    form = page.get_by_role("dialog")
    form.locator('input[name="connection_id"]').fill("made_in_the_form")
    form.get_by_role("combobox").first.fill("SiliconFlow")
    page.get_by_role("option", name="SiliconFlow", exact=True).click()
    form.locator('input[name="host"]').fill(f"{stack.sandbox_url}/v1")
    form.locator('input[name="password"]').fill(Settings().key)
    # Airflow 3.3 tests no connection that is stored without one.
    form.locator('input[name="port"]').fill(stack.sandbox_url.rpartition(":")[2])
    light.shot("connection-form", folder)
    form.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Test Connection").click()
    page.wait_for_selector("text=accepts the key and offers")
    light.shot("connection-tested", folder)


def test_waiting_videos_become_ready_without_a_reload(stack: Stack, light: Browser, folder: Path) -> None:
    page = light.page
    light.open("/plugin/videos")
    page.wait_for_selector("text=No videos yet")
    page.evaluate("window.loadedOnce = true")
    stack.api.trigger(DAG_ID)
    page.wait_for_selector(".sfg-tile.sfg-waiting")
    light.shot("gallery-waiting", folder)
    archived(light, 3)
    assert page.evaluate("window.loadedOnce") is True
    assert page.locator(".sfg-still").count() == 3
    posters(light)
    light.shot("gallery", folder)
    assert light.audit() == []


def test_grid_loads_no_video_before_anyone_plays(light: Browser) -> None:
    files: list[str] = []
    light.page.on("request", lambda request: files.append(request.url) if "/siliconflow/file/" in request.url else None)
    light.page.reload()
    archived(light, 3)
    posters(light)
    assert files == []


def test_a_video_plays_and_seeks(light: Browser, folder: Path) -> None:
    page = light.page
    page.locator(f"{ARCHIVED} .sfg-play").first.click()
    page.wait_for_function("document.querySelector('.sfg-inline')?.currentTime > 0.2")
    page.locator(f"{ARCHIVED} .sfg-open").first.click()
    page.wait_for_function("document.querySelector('.sfg-viewer video')?.currentTime > 0.2")
    page.evaluate("document.querySelector('.sfg-viewer video').currentTime = 4")
    page.wait_for_function("document.querySelector('.sfg-viewer video').currentTime >= 4")
    light.shot("gallery-large", folder)
    assert light.audit() == []
    first = page.locator(".sfg-viewer .sfg-lead").inner_text()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"document.querySelector('.sfg-viewer .sfg-lead').innerText !== {json.dumps(first)}")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_filters_are_kept_in_the_address(light: Browser) -> None:
    page = light.page
    page.fill('input[name="text"]', "PAPER boats")
    page.wait_for_function(f"document.querySelectorAll('{ARCHIVED}').length === 1")
    page.wait_for_url("**text=PAPER**")
    page.select_option('select[name="state"]', "failed")
    page.wait_for_selector("text=No video matches these filters")
    page.get_by_role("button", name="Show all").click()
    archived(light, 3)


def test_links_lead_to_the_task_and_back_without_a_reload(light: Browser, folder: Path) -> None:
    page = light.page
    page.evaluate("window.loadedOnce = true")
    page.locator(f"{ARCHIVED} .sfg-meta a").first.click()
    page.wait_for_url("**/tasks/video.archive/mapped/**")
    page.get_by_role("link", name="Video", exact=True).last.click()
    page.wait_for_url("**/plugin/video")
    archived(light, 1)
    light.shot("gallery-task", folder)
    page.go_back()
    page.go_back()
    archived(light, 3)
    assert page.evaluate("window.loadedOnce") is True


def test_a_labelled_video_says_so(stack: Stack, light: Browser, folder: Path) -> None:
    page = light.page
    stack.api.trigger(LABELLED)
    light.open(f"/plugin/videos?dag={LABELLED}")
    archived(light, 1)
    posters(light)
    assert page.locator(f"{ARCHIVED} .sfg-labelled").all_inner_texts() == ["labelled"]
    light.shot("gallery-labelled", folder)
    page.locator(f"{ARCHIVED} .sfg-open").click()
    page.wait_for_selector("dialog.sfg-viewer[open]")
    assert "AIGC" in page.locator(".sfg-viewer").inner_text()
    light.shot("gallery-labelled-large", folder)
    page.keyboard.press("Escape")
    light.open("/plugin/videos")


def test_two_videos_play_in_step(light: Browser, folder: Path) -> None:
    page = light.page
    for index in (0, 1):
        page.locator(ARCHIVED).nth(index).hover()
        page.locator(f"{ARCHIVED} .sfg-mark input").nth(index).check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_function("document.querySelector('.sfg-pair video')?.currentTime > 0.5")
    times = page.evaluate("[...document.querySelectorAll('.sfg-pair video')].map((video) => video.currentTime)")
    assert times[0] == pytest.approx(times[1], abs=1)
    light.shot("gallery-compare", folder)
    page.keyboard.press("Escape")


def test_everything_is_reached_by_keyboard_alone(light: Browser) -> None:
    page = light.page
    light.open("/plugin/videos")
    archived(light, 3)
    page.locator('input[name="text"]').focus()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className"))
    assert {"sfg-open", "sfg-button sfg-play", "sfg-prompt", "sfg-link"} <= reached
    page.locator(".sfg-prompt").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.sfg-viewer[open]")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "sfg-prompt"


def test_no_error_and_no_request_to_another_host(light: Browser) -> None:
    assert light.errors == []
    assert light.foreign == []


@pytest.mark.parametrize(("name", "width"), [("dark", 1400), ("narrow", 390)])
def test_dark_and_narrow(stack: Stack, playwright: Playwright, folder: Path, name: str, width: int) -> None:
    scheme = "dark" if name == "dark" else "light"
    with logged_in(stack, playwright, color_scheme=scheme, viewport={"width": width, "height": 844}) as browser:
        browser.open("/plugin/videos")
        archived(browser, 3)
        posters(browser)
        browser.shot(f"gallery-{name}", folder)
        assert browser.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert browser.audit() == []
