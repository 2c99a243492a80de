"""One late event into an item of 10,000 events and at most 50 parcels, and the cost of a scan at its end and at its begin.

CPU seconds of the projector, also as a ratio to the floor: the same events inserted into one bare table with their hashes.
"""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure, bound, median, ratio
from shop_writer import STAGES, ShopWriter
from sqlalchemy import func, select
from traffic import batches, hub, introduce, take

from server.ops.gc_tuning import tune
from server.projection.tables import event_item, parcel
from station.core.hash_chain import genesis, link

EVENTS = 10_000
LOTS = 40  # each with a carrier of its own: a parcel that moves through all stages, again and again
MOST_PARCELS = 50
LATE = {"near its end": 0.995, "into its middle": 0.5, "before its first scan": 0.0}
ORDER = "WO-1"


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """The late events; then appended scans, of an item of 10 events and of the long one."""
    tune()  # as the hub does before it serves
    store, shop = hub(folder / "late_event.db")
    first = _appended(shop, 10)
    at_us = _long_item(shop)
    with store.read() as connection:
        events = connection.execute(select(func.count()).where(event_item.c.item == ORDER)).scalar_one()
        parcels = connection.execute(select(func.count()).where(parcel.c.item == ORDER)).scalar_one()
    assert events > EVENTS, events
    assert parcels <= MOST_PARCELS, parcels
    floor_s = _floor_s(folder / "late_event_floor.db", shop)
    for number, (where, share) in enumerate(LATE.items()):
        shop.scan(ORDER, "saw", at_us(share * EVENTS) - 7, f"late-{number}", action="in", qty_milli=1000)
        took_s = _project_s(shop)
        name = f"late event {where}, {EVENTS:,} events"
        yield bound(name, took_s, "s CPU", at_most=1.0)
        yield ratio(f"{name}, x bare inserts", took_s, floor_s, "s CPU", at_most=30, note=f"{parcels} parcels")
    last = _appended(shop, 10, at_us(EVENTS + 1))
    yield ratio(f"a scan at the end of {EVENTS:,} events, x the 10th", last, first, "s CPU", at_most=3)
    store.close()


def _long_item(shop: ShopWriter) -> "Time":
    """Scan the lots of an order through all stages; the station of each stage sends, and the projector follows."""
    at_us = Time(shop)
    shop.release(ORDER, qty=1_000_000, at_us=shop.ago(days=8))
    steps = [(stage, action) for stage in STAGES for action in ("in", "out")]
    for n in range(EVENTS):
        lot, turn = n % LOTS, n // LOTS
        stage, action = steps[turn % len(steps)]
        carrier = f"tote-{lot}"
        shop.scan(ORDER, stage, at_us(n), action=action, qty_milli=10_000, carrier=carrier, operator="kim")
    _project_s(shop)
    return at_us


class Time:
    """The time of the n-th scan, in UTC us."""

    def __init__(self, shop: ShopWriter) -> None:
        self._first_us, self._step_us = shop.ago(days=7), 6 * 86_400_000_000 // EVENTS

    def __call__(self, n: float) -> int:
        return self._first_us + round(n * self._step_us)


def _project_s(shop: ShopWriter) -> float:
    """Append what was scanned; the CPU seconds of the projector after that."""
    introduce(shop)
    for batch in list(batches(shop)):
        take(shop, batch)
    began = time.process_time()
    shop.projector.drain()
    return time.process_time() - began


def _appended(shop: ShopWriter, scans: int, at_us: int | None = None) -> float:
    """The median CPU seconds of scans that are sent and projected one after the other; without a time of another order."""
    order, took = ORDER if at_us else "WO-2", []
    if at_us is None:
        shop.release(order, at_us=shop.ago(days=8))
    for n in range(scans):
        when = shop.ago(hours=1) + n if at_us is None else at_us + n
        shop.scan(order, "saw", when, f"append-{order}", action="in", qty_milli=1000)
        took.append(_project_s(shop))
    return median(took[1:])


def _floor_s(path: Path, shop: ShopWriter) -> float:
    """CPU seconds to insert the events of all stations into one table, 500 a transaction, with hash and chain."""
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(
        "CREATE TABLE ledger (pos INTEGER PRIMARY KEY, log_id BLOB, seq INTEGER, bytes BLOB, prev BLOB, hash BLOB)"
    )
    rows = [(log.log_id, seq, event) for log in shop.logs.values() for seq, event in enumerate(log.events, 1)]
    began = time.process_time()
    before = genesis(bytes(16))
    for start in range(0, len(rows), 500):
        db.execute("BEGIN IMMEDIATE")
        values = []
        for log_id, seq, event in rows[start : start + 500]:
            own = link(before, event)
            values.append((log_id, seq, event, before, own))
            before = own
        db.executemany("INSERT INTO ledger (log_id, seq, bytes, prev, hash) VALUES (?, ?, ?, ?, ?)", values)
        db.execute("COMMIT")
    took_s = time.process_time() - began
    db.close()
    return took_s
