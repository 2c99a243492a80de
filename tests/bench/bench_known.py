"""What was known at a position: CPU time with the position in the middle of the ledger and 1,000 late events behind it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from figure import Figure, bound, median, ratio
from shop_writer import ShopWriter
from traffic import SCANS_AN_ORDER, batches, hub, introduce, orders_through, take

from server.ops.gc_tuning import tune
from server.queries.as_known_at import past_stock
from server.queries.wip import GroupBy, wip

EVENTS, LONG_EVENTS = 50_000, 1_000_000
LATE = 1_000
OPEN_ORDERS = 200
DAYS = 8
REQUESTS = 7


def grown(told: ShopWriter, events: int) -> tuple[int, int]:
    """Grow the ledger in the order of time, each order through all stages; the position and the time of its middle.

    Behind it come late scans of orders from before it, one for each of LATE orders.
    """
    orders = events // (SCANS_AN_ORDER + 1)
    steps = 2 * DAYS
    pos = at_us = 0
    for n in range(OPEN_ORDERS):
        told.release(f"OPEN-{n}", due="2026-12-01", at_us=told.ago(days=DAYS + 2))
        told.scan(f"OPEN-{n}", "saw", told.ago(days=DAYS + 0.5, minutes=-n))
    _arrive(told)
    for step in range(steps):
        first, last = orders * step // steps, orders * (step + 1) // steps
        days_ago = DAYS - step / 2
        orders_through(told, first, last - first, days_ago=0.5, until_days_ago=days_ago - 0.5)
        _arrive(told)
        if step == steps // 2 - 1:
            pos, at_us = told.projector.pos, told.ago(days=days_ago - 0.5)
    for n in range(LATE):
        told.scan(f"WO-{n}", "saw", at_us - 3_600_000_000 + n, station="late-1", action="in", operator="kim")
    _arrive(told)
    return pos, at_us


def _arrive(told: ShopWriter) -> None:
    introduce(told)
    for batch in batches(told):
        take(told, batch)
    told.projector.drain()


def cpu_ms(answer: Callable[[], object]) -> float:
    """The median CPU time of an answer, without the first one."""
    took = []
    for _ in range(REQUESTS):
        began = time.process_time()
        answer()
        took.append((time.process_time() - began) * 1000)
    return median(took[1:])


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """CPU time as known then; the floor is the same time from the rows of today."""
    tune()  # as the hub does before it serves
    events = LONG_EVENTS if long else EVENTS
    store, told = hub(folder / "known.db")
    pos, at_us = grown(told, events)

    def answer(known: int | None) -> object:
        with store.read() as connection:
            valuation, stock = past_stock(connection, known, at_us, told.now_us)
            return wip(stock, GroupBy.STAGE, valuation)

    floor, value = cpu_ms(lambda: answer(None)), cpu_ms(lambda: answer(pos))
    store.close()
    note = "" if long else "1,000,000 events with --long"
    name = f"known at {events:,} events, {LATE:,} late"
    yield bound(name, value, "CPU ms", at_most=500, note=note)
    yield ratio(f"{name}, to as_of", value, floor, "CPU ms", at_most=100, note=note)
