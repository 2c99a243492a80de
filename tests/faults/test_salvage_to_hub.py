"""A damaged journal, mended and sent: what comes back as salvage counts once, also where the hub already had it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from running_hub import RunningHub
from shop_writer import ShopWriter

from server.db.store import Store
from server.ops.bootstrap import initialise
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]
DRAIN_S = 30.0
ORDER = "WO-1"


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[tuple[RunningHub, Daemon]]:
    """A hub that knows one order of 100, and a station with its token; neither runs yet."""
    store = Store(tmp_path / "hub.db")
    initialise(store)
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release(ORDER, qty=100)
    (tmp_path / "token").write_text(shop_writer.station("saw-1"))
    shop_writer.settle()
    store.close()
    with ExitStack() as stack:
        hub = RunningHub(tmp_path / "hub.db").start().ready()
        stack.callback(hub.stop)
        connection = f'[hub]\nurl = "{hub.url}"\ntoken_file = "{tmp_path}/token"\n'
        yield hub, stack.enter_context(Daemon(tmp_path, connection))


def scrap(station: Daemon, pieces: int, before: int) -> None:
    """Scrap so many pieces one by one, each seen saved."""
    for piece in range(1, pieces + 1):
        station.scan("WIP:SCRAP", "WIP:QTY:1", ORDER)
        answers = station.answered(before + 3 * piece)
        assert answers[-1]["seq"] is not None


def accounts(hub: RunningHub) -> dict[str, Any]:
    """The order's accounts as the hub has folded them."""
    found: dict[str, Any] = hub.get(f"/api/v1/items/{ORDER}")["accounts"]
    return found


def scrapped(hub: RunningHub) -> float:
    """Pieces that the hub counts as scrapped."""
    return sum(float(qty) for account, qty in accounts(hub).items() if account.startswith("scrapped"))


def drained(hub: RunningHub, expected: float) -> float:
    """What the hub counts in the end: once it is `expected` and stays so."""
    deadline = time.monotonic() + DRAIN_S
    while scrapped(hub) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)  # what would count twice comes a moment later
    return scrapped(hub)


def test_a_salvaged_scan_counts_once_whether_or_not_the_hub_had_it(rooms: tuple[RunningHub, Daemon]) -> None:
    hub, station = rooms
    station.start()
    scrap(station, 5, before=0)
    assert drained(hub, 5) == 5
    hub.kill()
    scrap(station, 3, before=15)  # these the hub does not have
    station.end()
    with closing(sqlite3.connect(station.folder / "journal.db")) as journal:
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (encoded,) = journal.execute("SELECT bytes FROM event ORDER BY seq LIMIT 1 OFFSET 1").fetchone()
    path = station.folder / "journal.db"
    content = path.read_bytes()
    assert content.count(encoded) == 1
    path.write_bytes(content.replace(encoded, encoded[:-2] + b"}}"))  # one event of long ago is no longer what it was
    hub.start().ready()
    station.start()
    assert drained(hub, 8) == 8
    assert station.command("events").stdout.count('"salvage"') >= 20
    assert hub.command("verify").returncode == 0
