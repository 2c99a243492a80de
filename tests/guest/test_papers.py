"""Printed papers in the guest: what is decoded from them is typed by a USB scanner, and the hub has the right item.

The hub prints a traveller, labels and the kit of a bench into PDF files; poppler renders them at 300 dpi. It takes six
minutes, of which two install the wheel in the guest, so it runs in the night.
"""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from read_back import pdf_pictures, scanned
from running_hub import RunningHub
from shop_writer import ShopWriter
from waiting import until

from server.db.store import Store
from server.ops.bootstrap import initialise
from station.core.event import Event
from tests.guest.bench import Bench
from tests.guest.machine import Machine
from tests.guest.scanner import Scanner
from tests.guest.test_story import ledger

pytestmark = [pytest.mark.guest, pytest.mark.nightly]

LOT, BADGE, SCRAP, REASON = "010950600013435210AB", "WIP:BADGE:K7", "WIP:SCRAP", "WIP:REASON:burr"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    """A hub with a small shop, on the host."""
    store = Store(tmp_path / "hub.db")
    initialise(store)
    shop = ShopWriter(store)
    shop.small_shop()
    for order in ("WO-1", LOT, "SN-17"):
        shop.release(order)
    store.close()
    running = RunningHub(tmp_path / "hub.db").start().ready()
    yield running
    running.stop()


def decoded(hub: RunningHub, folder: Path, *words: str) -> set[str]:
    """Print a paper with the command; the content of each symbol on it."""
    file = folder / "paper.pdf"
    hub.command("print", *words, "-o", str(file))
    pictures = pdf_pictures(file.read_bytes(), folder)
    return {content.decode() for picture in pictures for _, content in scanned(picture)}


def test_what_is_typed_from_a_printed_paper_lands_on_the_right_item(
    hub: RunningHub, start: Callable[..., Machine], tmp_path: Path
) -> None:
    (traveller,) = decoded(hub, tmp_path, "traveller", "WO-1", "--unrecorded")
    lot, serial = sorted(decoded(hub, tmp_path, "label", "item", LOT, "SN-17", "--sheet", "letter-3x10"))
    (badge,) = decoded(hub, tmp_path, "label", "badge", "kim", "--sheet", "roll-50x25")
    kit = decoded(hub, tmp_path, "kit", "saw")
    assert (traveller, lot, serial, badge) == ("WO-1", LOT, "SN-17", BADGE)
    assert {SCRAP, REASON} < kit

    token = hub.command("station", "add", "saw-1").stdout.strip()
    bench = Bench(start(hub_port=hub.port)).set_up(token)
    scanner = Scanner(bench.guest).add()
    bench.has("usb-05e0-1200-SN77", timeout_s=120)
    typed = [traveller, badge, serial, *(text for text in (SCRAP, REASON) if text in kit), traveller, lot]
    answers = [bench.scan(scanner, text) for text in typed]
    assert [answer["code"] for answer in answers] == typed

    until(lambda: len(scans(hub)) == len(typed))
    assert [(event.raw, event.action, event.reason, event.operator) for event in scans(hub)] == [
        (b"WO-1", None, None, None), (b"WIP:BADGE:K7", None, None, "K7"), (b"SN-17", None, None, "K7"),
        (b"WIP:SCRAP", None, None, "K7"), (b"WIP:REASON:burr", None, None, "K7"), (b"WO-1", "scrap", "burr", "K7"),
        (LOT.encode(), None, None, "K7"),
    ]  # fmt: skip
    until(lambda: all(on_hub(hub, item) for item in ("WO-1", "SN-17", LOT)))
    assert on_hub(hub, "WO-1") == [(b"WO-1", "scrap", "saw"), (b"WO-1", "", "saw")]
    assert on_hub(hub, "SN-17") == [(b"SN-17", "", "saw")]
    assert on_hub(hub, LOT) == [(LOT.encode(), "", "saw")]


def scans(hub: RunningHub) -> list[Event]:
    """The scans in the hub's ledger, in their order."""
    return [event for _, _, event in ledger(hub) if event.kind == "scan"]


def on_hub(hub: RunningHub, item: str) -> list[tuple[bytes, str, str]]:
    """The scans on the page of an item, the newest first: content, verb and stage."""
    events = hub.get(f"/api/v1/items/{item}")["events"]
    return [(base64.b64decode(each["raw"]), each["verb"], each["stage"]) for each in events if each["kind"] == "scan"]
