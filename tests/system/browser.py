"""Debian's Chromium, logged in to a stack's Airflow; notes errors of the page and requests to other hosts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.sync_api import Error as PlaywrightError

from tests.system.environment import USER
from tests.system.processes import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

    from tests.system.stack import Stack

#: As root, without a screen, and without any call to the browser's maker.
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_ARGUMENTS += ["--disable-component-update", "--disable-sync"]
#: Milliseconds for one step on a machine that is busy with all of Airflow.
PATIENCE_MS = 90_000
AXE = ROOT / ".venv/node/node_modules/axe-core/axe.min.js"
#: Where screenshots go, if anywhere: ``SCREENSHOTS=docs`` makes README's image.
_SCREENSHOTS = os.environ.get("SCREENSHOTS")


@dataclass
class Browser:
    """
    A page, and what went wrong in it.

    :param page: Playwright's page.
    :param url: Airflow's address.
    :param errors: Errors of the console and of scripts.
    :param foreign: Requests to other hosts.
    """

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}", wait_until="commit")

    def shot(self, name: str, folder: Path) -> None:
        """Make a screenshot, an artefact of the test."""
        target = (ROOT / _SCREENSHOTS) if _SCREENSHOTS else folder
        self.page.screenshot(path=target / f"{name}.png")

    def audit(self) -> list[str]:
        """Return what axe-core finds in the gallery that is serious."""
        self.page.add_script_tag(path=AXE)
        found = self.page.evaluate("axe.run('.sfg-root').then((result) => result.violations)")
        return [
            f"{each['id']}: {each['help']} ({each['nodes'][0]['html'][:200]})"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]


def chromium() -> str:
    """Return the path of Chromium."""
    found = shutil.which("chromium")
    if not found:
        raise FileNotFoundError("Chromium is missing; on Debian: apt-get install chromium")
    return found


@contextmanager
def logged_in(stack: Stack, playwright: Playwright, **options: Any) -> Iterator[Browser]:
    """Start a browser and log in; options are those of a context, such as ``color_scheme`` and ``viewport``."""
    engine = playwright.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
    context = engine.new_context(**{"viewport": {"width": 1400, "height": 900}} | options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    browser = Browser(page, stack.api.url)
    host = urlsplit(stack.api.url).netloc

    def note_request(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != host:
            browser.foreign.append(request.url)

    page.on("console", lambda told: browser.errors.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: browser.errors.append(str(error)))
    page.on("request", note_request)
    browser.open("/auth/login")
    page.fill('input[name="username"]', USER)
    page.fill('input[name="password"]', stack.password)
    page.keyboard.press("Enter")
    try:
        page.wait_for_selector('a[href$="/dags"], nav, :text-is("Dags")')
    except PlaywrightError as error:
        shot = Path(tempfile.mkdtemp()) / "no-login.png"
        page.screenshot(path=shot)
        raise AssertionError(f"Airflow's UI did not come at {page.url}: {browser.errors}; {shot}") from error
    browser.errors.clear()
    yield browser
    engine.close()
