"""Traffic for the hub's benches: a small shop, and orders that stations scan through it, in batches as they are sent."""

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from shop_writer import AT_ONCE, STAGES, ShopWriter

from server.db.store import Store
from server.ledger import station_logs
from server.ledger.ingest import EventBatch, append
from server.ops.bootstrap import initialise
from station.core.hash_chain import genesis

SCANS_AN_ORDER = 2 * len(STAGES)


def hub(path: Path) -> tuple[Store, ShopWriter]:
    """A hub in a file that was not there before, with the small shop told."""
    for old in path.parent.glob(path.name + "*"):
        old.unlink()
    store = Store(path)
    initialise(store)
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    return store, shop_writer


def orders_through(
    shop_writer: ShopWriter, first: int, orders: int, *, days_ago: float, until_days_ago: float = 0
) -> None:
    """Release orders and scan each in and out at every stage; they end finished. Nothing is sent yet.

    They begin in the `days_ago` days before `until_days_ago`.
    """
    from server.ledger.entries import Entry, record_all

    held_us = shop_writer.ago(days=until_days_ago + days_ago + 1)
    entries = [
        Entry("order.release", {"order": f"WO-{n}", "product": "bracket", "qty_milli": 40_000}, "Kim", held_us)
        for n in range(first, first + orders)
    ]
    for start in range(0, orders, AT_ONCE):
        record_all(shop_writer.store, entries[start : start + AT_ONCE])
    step_us = int(0.9 * 86_400_000_000 * days_ago / max(orders, 1))
    at_us = shop_writer.ago(days=until_days_ago + days_ago)
    for n in range(first, first + orders):
        for number, stage in enumerate(STAGES):
            shop_writer.scan(f"WO-{n}", stage, at_us + number * 60_000_000, action="in", operator="kim")
            shop_writer.scan(f"WO-{n}", stage, at_us + number * 60_000_000 + 30_000_000, action="out", operator="kim")
        at_us += step_us


def batches(shop_writer: ShopWriter) -> Iterator[EventBatch]:
    """What the stations have not sent yet, as they send it."""
    for log in shop_writer.logs.values():
        while log.sent < len(log.events):
            last = min(log.sent + AT_ONCE, len(log.events))
            prev = log.hashes[log.sent - 1] if log.sent else genesis(log.log_id)
            yield EventBatch(log.log_id, log.sent + 1, prev, log.hashes[last - 1], log.events[log.sent : last])
            log.sent = last


def take(shop_writer: ShopWriter, batch: EventBatch) -> None:
    """Append one batch and commit."""
    with shop_writer.store.write() as connection:
        append(connection, batch, recv_us=shop_writer.now_us)


def introduce(shop_writer: ShopWriter) -> None:
    """Make the rows of the logs, as a session would."""
    with shop_writer.store.write() as connection:
        for log in shop_writer.logs.values():
            station_logs.log_of(connection, log.log_id, device=None, station=log.station, now_us=shop_writer.now_us)
