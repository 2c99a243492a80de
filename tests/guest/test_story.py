"""One scan's whole way: a scanner's keys in a USB port, a promise at the bench, a line in the ledger, a board that moves.

Nothing stands in for anything: the guest's kernel enumerates the scanner, systemd runs the installed station as its own
user, the hub is the command as a shop runs it, and Chromium has the board open all the while.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import a_browser, a_page, is_live
from playwright.sync_api import expect
from running_hub import RunningHub

from station.core.event import Event, decode
from tests.guest.bench import Bench
from tests.guest.machine import Machine
from tests.guest.scanner import Scanner, type_together
from tests.guest.story_line import STORY_LINE

pytestmark = [pytest.mark.guest, pytest.mark.browser]

FIRST, SECOND = "usb-05e0-1200-SN77", "usb-05e0-1200-SN78"
AT_ONCE = 12  # scans of each scanner while the other types too
# Slower than a scanner types: it scans label upon label here without the hand between them, on an emulated processor.
BUSY_MS = 25
BOARD_MS = 40_000  # after the cable was out, the station's next try may be some seconds away


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    """A new hub on the host, as a shop starts it: its ledger is empty.

    Guests from one snapshot have one boot id, so no two of them may call the same hub.
    """
    running = RunningHub(tmp_path / "hub.db").start().ready()
    yield running
    running.stop()


@pytest.fixture
def board(hub: RunningHub) -> Iterator[Any]:
    """The hub's board, open in Chromium before anything was scanned."""
    with a_browser() as browser, a_page(browser, hub.url) as page:
        page.goto("/")
        is_live(page)
        page.evaluate("window.opened_once = true")
        yield page


@pytest.fixture
def bench(hub: RunningHub, start: Callable[..., Machine]) -> Bench:
    """A station that the hub let in, installed in the guest and running."""
    token = hub.command("station", "add", "saw-1").stdout.strip()
    return Bench(start(hub_port=hub.port)).set_up(token)


def green(answer: dict[str, Any], code: str) -> None:
    """Fail where this is not the promise for that code."""
    assert (answer["state"], answer["why"], answer["code"]) == ("green", "saved", code), answer


def shows(board: Any, items: int) -> None:
    """Wait until the open board counts so many items at the saw; the page is the one that was opened."""
    tile = board.locator("li.stage").filter(has=board.get_by_role("heading", name="saw"))
    expect(tile.locator(".n")).to_have_text(re.compile(rf"^{items}\b"), timeout=BOARD_MS)
    assert board.evaluate("window.opened_once") is True


def ledger(hub: RunningHub) -> list[tuple[str, int, Event]]:
    """Log, number and event of every row that is not the hub's own, as `wipline-hub export` prints them."""
    rows = [json.loads(line) for line in hub.command("export").stdout.splitlines()]
    events = [(row["log"], row["seq"], decode(base64.b64decode(row["bytes"]))) for row in rows]
    return [(log, seq, event) for log, seq, event in events if event.station != "hub"]


def test_what_is_scanned_in_a_usb_port_is_answered_kept_once_and_on_the_open_board(
    hub: RunningHub, board: Any, bench: Bench, pytestconfig: pytest.Config
) -> None:
    assert bench.user() == "wipline"
    first = Scanner(bench.guest).add()
    bench.has(FIRST)
    lsusb = bench.guest.sh("lsusb -d 05e0:1200")
    green(bench.scan(first, "WO-1001"), "WO-1001")
    shows(board, 1)

    pulled_in_mid_scan(bench, first)
    shows(board, 2)
    both = two_at_once(bench, first)
    shows(board, 2 + len(both[FIRST]) + len(both[SECOND]))
    killed_between_scans(bench, first)
    shows(board, 4 + len(both[FIRST]) + len(both[SECOND]))

    typed = {FIRST: ["WO-1001", "WO-1003", *both[FIRST], "WO-1004", "WO-1005"], SECOND: both[SECOND]}
    kept_once(hub, bench, typed)
    tell(bench, lsusb, pytestconfig)


def pulled_in_mid_scan(bench: Bench, scanner: Scanner) -> None:
    """Half a scan is nobody's: it is no event, and nothing of it stands before the next one."""
    scanner.type("WO-1002", pull_after=True)
    bench.has()
    assert f"{FIRST} (Symbol Technologies, Inc, 2008 Symbol Bar Code Scanner) was unplugged in mid-scan" in bench.log()
    scanner.plug()
    bench.has(FIRST)
    green(bench.scan(scanner, "WO-1003"), "WO-1003")


def two_at_once(bench: Bench, first: Scanner) -> dict[str, list[str]]:
    """Two scanners of one model type at the same time, and again what got no answer; what each typed, in its order."""
    second = Scanner(bench.guest, name="second", serial="SN78").add()
    bench.has(FIRST, SECOND)
    hands = {FIRST: (first, "L"), SECOND: (second, "R")}
    texts = {name: [f"{letter * 8}-{n:02}" for n in range(AT_ONCE)] for name, (_, letter) in hands.items()}
    began = len(bench.answers())
    type_together([(hands[name][0], "".join(f"{text}\n" for text in texts[name])) for name in hands], BUSY_MS)
    typed = {}
    for name, (scanner, letter) in hands.items():
        green(bench.scan(scanner, f"{letter}-END"), f"{letter}-END")  # behind it nothing of this scanner is on its way
        said = [answer["code"] for answer in bench.answers()[began:]]
        again = [text for text in texts[name] if text not in said]
        for text in again:
            green(bench.scan(scanner, text), text)
        typed[name] = [*(text for text in texts[name] if text in said), f"{letter}-END", *again]
    turns = sum(before[:1] != after[:1] for before, after in pairwise(filter(None, said)))
    assert turns > AT_ONCE // 2, f"they did not type at once: {said}"
    return typed


def killed_between_scans(bench: Bench, first: Scanner) -> None:
    """SIGKILL right behind a promise, the hub out of reach: systemd starts the next one, and it sends what was promised."""
    # Else the kernel delivers for minutes what the dead process had handed to its socket, and nothing is proved.
    bench.guest.sh("sysctl --quiet net.ipv4.tcp_orphan_retries=1")
    bench.guest.cable(plugged=False)
    promise = bench.scan(first, "WO-1004")
    green(promise, "WO-1004")
    bench.kill()
    bench.has(FIRST, SECOND)
    standing = bench.status()
    assert standing["tip_seq"] >= promise["seq"]
    assert standing["waiting"] >= 1
    bench.guest.cable(plugged=True)
    green(bench.scan(first, "WO-1005"), "WO-1005")


def kept_once(hub: RunningHub, bench: Bench, typed: dict[str, list[str]]) -> None:
    """Fail where the ledger is not, scan by scan, what the scanners typed and what was answered."""
    rows = ledger(hub)
    assert len({(log, seq) for log, seq, _ in rows}) == len(rows)
    kept = {(log, seq): event.raw.decode() for log, seq, event in rows if event.kind == "scan" and event.raw}
    promises = [answer for answer in bench.answers() if answer["seq"] is not None]
    assert kept == {(answer["log"], answer["seq"]): answer["code"] for answer in promises}
    assert len(kept) == len(promises)
    scans = [event for _, _, event in rows if event.kind == "scan"]
    for name, texts in typed.items():
        own = [event.raw.decode() for event in scans if event.raw and event.reader and event.reader.id == name]
        assert own == texts
    assert {event.kind for _, _, event in rows} == {"anchor", "scan"}
    assert not any(event.repeat for event in scans)


def tell(bench: Bench, lsusb: str, config: pytest.Config) -> None:
    """Print what this run saw, in one line; a run in the pipeline without that line has failed (`story_line`)."""
    kernel, (active, sub, restarts) = bench.guest.sh("uname -r"), bench.unit("ActiveState", "SubState", "NRestarts")
    whole = re.fullmatch(r"log [0-9a-f]{32}: whole, (\d+) events, tip [0-9a-f]{64}", bench.command("verify"))
    assert whole
    line = (
        f"story: kernel {kernel}; {lsusb}; wipline-station.service {active} ({sub}), NRestarts {restarts}; "
        f"journal seq {whole[1]}"
    )
    print(f"\n{line}")
    config.stash[STORY_LINE] = line
    assert re.fullmatch(
        r"story: kernel 6\.1\.\S+; Bus 001 Device \d{3}: ID 05e0:1200 Symbol Technologies Bar Code Scanner; "
        r"wipline-station\.service active \(running\), NRestarts 1; journal seq \d+",
        line,
    )
