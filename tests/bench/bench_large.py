"""A ledger of 10,000,000 events: the board now and as of a past time beside those of 10,000, its minutes and its bytes.

With `--long` as in the night; else 100,000 events. `--events=N` takes another number. Every event passes the real ingest and
the real projector, in batches of stations. The past time lies in a pause of the shop, in which nothing is released or moved
for a day before it and a day behind it: both ledgers have the same open orders and the same moves there, and differ in
their length alone. What a busy day costs is a figure of its own.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench_board import requests_ms
from figure import Figure, bound, median, ratio
from shop_writer import ShopWriter
from traffic import SCANS_AN_ORDER, batches, hub, introduce, orders_through, take

from server.db.store import Store
from server.ops.gc_tuning import tune

EVENTS, LONG_EVENTS = 100_000, 10_000_000
SMALL = 10_000
OPEN_ORDERS = 200
DAYS = 8.0
PAUSE_DAYS = (5.2, 2.0)  # the shop rests between these days ago; orders are released a day before they are scanned
THEN_DAYS = 4.1
BUSY_DAYS = 1.0
AT_ONCE_ORDERS = 2_000
ROUNDS, REQUESTS = 4, 8


def figures(folder: Path, long: bool, events: int | None = None) -> Iterator[Figure]:
    """Grow the ledgers, ask both in turn, and count the bytes. `events`: of the large one, in place of its default."""
    tune()  # as the hub does before it serves
    count = events or (LONG_EVENTS if long else EVENTS)
    small, told = hub(folder / "large-small.db")
    Growth(told).grow(SMALL)
    large, told = hub(folder / "large.db")
    growth = Growth(told)
    growth.grow(count)
    note = "" if count == LONG_EVENTS else f"{LONG_EVENTS:,} events with --long"
    for page, address in (("board", "/"), ("board as of a past time", f"/?as_of={_minute(told, THEN_DAYS)}")):
        floor_ms, large_ms = _alternating(address, small, large)
        yield ratio(f"{page} behind {count:,} events, CPU", large_ms, floor_ms, "ms", at_most=1.3, note=note)
    busy_ms = median(requests_ms(large, f"/?as_of={_minute(told, BUSY_DAYS)}", REQUESTS)[2:])
    moves = count / (DAYS - PAUSE_DAYS[0] + PAUSE_DAYS[1])
    name = f"board as of a busy day, CPU for each of its {moves:,.0f} moves"
    yield bound(
        name, busy_ms * 1000 / moves, "us", at_most=10, note=f"{busy_ms:.0f} ms, with the orders of the next day"
    )
    small.close()
    large.close()
    yield bound(f"{count:,} events taken and projected", growth.wall_s / 60, "minutes", at_most=480, note=growth.note)
    size = sum(path.stat().st_size for path in folder.glob("large.db*"))
    yield bound(f"bytes of an event at {count:,}", size / count, "bytes", at_most=1_000, note=f"{size / 1e9:.2f} GB")
    for path in folder.glob("large*.db*"):
        path.unlink()


def _minute(told: ShopWriter, days: float) -> str:
    """The minute so many days ago, as an address has it."""
    return f"{datetime.fromtimestamp(told.ago(days=days) / 1e6, UTC):%Y-%m-%dT%H:%M}"


def _alternating(address: str, small: Store, large: Store) -> tuple[float, float]:
    """The median milliseconds of processor of one request over each ledger, asked in turn."""
    took: dict[Any, list[float]] = {small: [], large: []}
    for _ in range(ROUNDS):
        for store in (small, large):
            took[store] += requests_ms(store, address, REQUESTS)[2:]
    return median(took[small]), median(took[large])


class Growth:
    """A ledger that grows in the order of time: orders that end finished, before and behind a pause of the shop."""

    def __init__(self, told: ShopWriter) -> None:
        self._told = told
        self.wall_s = 0.0
        self._rates: list[float] = []  # events a second of each step, generation included

    @property
    def note(self) -> str:
        """The events a second of the first and the last tenth of the steps, and the peak of memory."""
        tenth = max(1, len(self._rates) // 10)
        status = Path("/proc/self/status").read_text(encoding="ascii")
        peak_mib = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        first, last = median(self._rates[:tenth]), median(self._rates[-tenth:])
        return f"{first:,.0f} events/s at first, {last:,.0f} at last; peak {peak_mib:,.0f} MiB"

    def grow(self, events: int) -> None:
        """Add open orders, then so many events of finished ones."""
        told = self._told
        told.release_all([(f"OPEN-{n}", "bracket", 40, {"due": "2026-12-01"}) for n in range(OPEN_ORDERS)])
        for n in range(OPEN_ORDERS):
            told.scan(f"OPEN-{n}", "saw", told.ago(days=DAYS + 0.5, minutes=-n))
        self._arrive()
        orders = events // (SCANS_AN_ORDER + 1)
        steps = 2 * max(1, -(-orders // (2 * AT_ONCE_ORDERS)))  # even: no step contains the pause
        for step in range(steps):
            first, last = orders * step // steps, orders * (step + 1) // steps
            began = time.monotonic()
            self._orders(first, last, step / steps, 1 / steps)
            self._arrive()
            took_s = time.monotonic() - began
            self.wall_s += took_s
            self._rates.append((last - first) * (SCANS_AN_ORDER + 1) / took_s)

    def _orders(self, first: int, last: int, at: float, share: float) -> None:
        """The orders of one step, which begins at the share `at` of all and has the share `share`."""
        early = at < 0.5
        begin, end = (DAYS, PAUSE_DAYS[0]) if early else (PAUSE_DAYS[1], 0.1)
        span = (begin - end) * 2  # days in which all steps would pass
        days_ago = begin - (at if early else at - 0.5) * span
        length = min(share * span, days_ago - 0.1)
        orders_through(self._told, first, last - first, days_ago=length, until_days_ago=days_ago - length)

    def _arrive(self) -> None:
        """Send and project what is new, and forget its bytes."""
        introduce(self._told)
        for batch in batches(self._told):
            take(self._told, batch)
        self._told.projector.drain()
        for log in self._told.logs.values():
            for number in range(log.sent - 1, -1, -1):
                if not log.events[number]:
                    break
                log.events[number] = b""
                if number < log.sent - 1:
                    log.hashes[number] = b""
