"""Each rule from a scan on a real station to its sentence on the open board: daemon, wire, hub, projector, Chromium."""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import a_browser, a_page, is_live
from playwright.sync_api import expect
from running_hub import RunningHub
from shop_writer import STAGES, ShopWriter

from server.db.store import Store
from station.core.ledger.rules import RULES
from tests.station.fixtures.station_process import Daemon

pytestmark = pytest.mark.browser

PIECES = 40
SENTENCE_MS = 10_000


class Floor:
    """A hub with the small shop and every rule on, a station that goes from stage to stage, and the office."""

    def __init__(self, folder: Path) -> None:
        db = folder / "hub.db"
        self.hub = RunningHub(db)
        store = Store(db)
        shop_writer = ShopWriter(store)
        shop_writer.small_shop()
        for rule in RULES:
            shop_writer.say("rule.define", 0, rule=rule.name, on=True)
            shop_writer.release(rule.name, qty=PIECES)
        store.close()
        self.hub.start().ready()
        token = folder / "token"
        token.write_text(self.hub.command("station", "add", "saw-1").stdout)
        self._office = self.hub.command("token", "add", "office", "--role", "supervise").stdout.strip()
        stages = f'stages = {json.dumps(STAGES)}\n[hub]\nurl = "{self.hub.url}"\ntoken_file = "{token}"\n'
        self.station = Daemon(folder, stages, stage=None).start()

    def at(self, stage: str, *scans: str) -> None:
        """Scan these, one after another, at a stage; each is answered before the next."""
        for scan in (f"WIP:STAGE:{stage}", *scans):
            before = len(self.station.answers())
            self.station.scan(scan)
            answer = self.station.answered(before + 1)[-1]
            assert answer["seq"], answer

    def says(self, what: str, holds_from_us: int | None = None, **data: Any) -> None:
        """The office enters something, behind everything that was scanned."""
        tip = self.station.answers()[-1]["seq"]
        self.station.until(lambda: self.station.status()["hub"]["accepted_thru"] >= tip)
        asked = urllib.request.Request(  # noqa: S310  loopback
            f"{self.hub.url}/api/v1/entries",
            json.dumps({"what": what, "data": data, "holds_from_us": holds_from_us}).encode(),
            {"Authorization": f"Bearer {self._office}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  loopback
            assert answer.status == 200

    def close(self) -> None:
        self.station.end()
        self.hub.stop()


def unknown_code(floor: Floor) -> str:
    floor.at("saw", "NOBODY")
    return "NOBODY, scanned at Saw, is not known"


def unread(floor: Floor) -> str:
    floor.at("saw", "x" * 4297)
    return "A scan at Saw could not be read: too long"


def held(floor: Floor) -> str:
    floor.at("saw", "held", "WIP:HOLD", "held")
    floor.at("deburr", "held")
    return "held came to Deburr while on hold"


def closed(floor: Floor) -> str:
    floor.at("saw", "closed")
    floor.says("order.close", order="closed", how="complete", leave="adjust")
    floor.at("deburr", "closed")
    return "closed was scanned at Deburr after it was closed"


def skipped(floor: Floor) -> str:
    floor.at("test", "skipped")
    return "skipped came to Test without Saw and Deburr"


def passed_unscanned(floor: Floor) -> str:
    floor.at("saw", "passed_unscanned", "WIP:FINISH", "passed_unscanned")
    return "passed_unscanned was finished at Saw without a scan at Deburr, Test and Pack"


def out_of_order(floor: Floor) -> str:
    for stage in ("saw", "deburr", "test", "saw"):
        floor.at(stage, "out_of_order")
    return "out_of_order came back to Saw from Test"


def overrun(floor: Floor) -> str:
    floor.at("saw", "WIP:QTY:50", "overrun")
    return "overrun has 10 pcs more at Saw than was there"


def which_quantity(floor: Floor) -> str:
    floor.at("saw", "which_quantity")
    floor.at("deburr", "which_quantity")
    floor.at("test", "WIP:QTY:15", "which_quantity")
    floor.at("saw", "which_quantity")
    return "which_quantity was scanned at Saw, but its pieces are in several places: say how many"


def late_change(floor: Floor) -> str:
    floor.at("saw", "WIP:QTY:1", "late_change")
    before_us = time.time_ns() // 1000
    floor.says("order.change", order="late_change", qty_milli=30_000)
    # What was not scanned is added afterwards, at its time before the change.
    floor.says("checkin", before_us, item="late_change", stage="saw", qty_milli=39_000)
    return "late_change could not be cut by 10 pcs more: that is already in process"


def left_behind(floor: Floor) -> str:
    floor.at("saw", "WIP:QTY:30", "left_behind")
    floor.says("order.close", order="left_behind", how="complete", leave="adjust")
    return "left_behind was completed with 10 pcs on hold or not started"


STORIES = (
    unknown_code, unread, held, closed, skipped, passed_unscanned, out_of_order, overrun, which_quantity, late_change,
    left_behind,
)  # fmt: skip


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    made = Floor(tmp_path_factory.mktemp("floor"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def board(floor: Floor) -> Iterator[Any]:
    """One board that stays open, never loaded again."""
    with a_browser() as chromium, a_page(chromium, floor.hub.url) as page:
        page.goto("/")
        is_live(page)
        page.evaluate("window.same = true")
        yield page


def test_every_story_is_of_a_rule() -> None:
    # The others have theirs without a browser: tests/server/web/test_rules.py.
    assert {story.__name__ for story in STORIES} <= {rule.name for rule in RULES}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_from_the_scan_to_the_sentence_on_the_open_board(floor: Floor, board: Any, story: Any) -> None:
    now = board.locator("#now")
    before = now.text_content()
    sentence = story(floor)
    assert sentence not in before
    expect(now).to_contain_text(sentence, timeout=SENTENCE_MS)
    assert board.evaluate("window.same") is True
