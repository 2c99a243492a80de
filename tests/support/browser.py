"""Chromium for tests: one browser, a fresh page a test, and every complaint on its console a failure."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from missing import not_here
from playwright.sync_api import expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = {"width": 1600, "height": 1000}, {"width": 400, "height": 850}


@contextmanager
def a_browser(chromium: Path = CHROMIUM) -> Iterator[Any]:
    """Chromium, started once."""
    if not chromium.exists():
        not_here(f"{chromium} is missing: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def a_page(browser: Any, url: str, expected: str = "", **options: Any) -> Iterator[Any]:
    """A page with a memory of its own; whatever its console says, other than `expected`, fails the test."""
    options.setdefault("viewport", WIDE)
    said: list[str] = []
    with ExitStack() as stack:
        context = browser.new_context(base_url=url, **options)
        stack.callback(context.close)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
    assert [each for each in said if not expected or not re.search(expected, each)] == []


def is_live(page: Any) -> None:
    """Wait until the page hears of events."""
    expect(page.locator("#live-state")).to_have_text("live")


def barriers(page: Any) -> list[str]:
    """What axe finds serious or worse on a page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found if each["impact"] in ("serious", "critical")
    ]
