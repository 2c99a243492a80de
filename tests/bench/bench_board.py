"""The board's cost with many open items, now and as of a past time, and with a long past behind the same open work.

The many open items are copies of 2,000 that were scanned: their rows of the projection are copied, not their events.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from figure import Figure, bound, median, ratio
from sqlalchemy import Table, func, insert, literal, select
from traffic import SCANS_AN_ORDER, batches, hub, introduce, orders_through, take

from server.app import create_app
from server.config import HubConfig
from server.db.store import Store
from server.ops.gc_tuning import tune
from server.projection.tables import head, item, move, open_at, parcel

OPEN_ORDERS = 40
SCANNED = 2_000
OPEN = (10_000, 50_000)
CHANGES = 5  # items between two boards: those of 20 scans a second in 250 ms
DAYS_AGO = 5
SMALL, LARGE = 10_000, 1_000_000
REQUESTS = 60
AT_ONCE_ORDERS = 2_000


def board_ms(folder: Path, events: int) -> tuple[float, float]:
    """Milliseconds of a request for the board, now and as of an hour ago, over a ledger of so many events."""
    store, told = hub(folder / f"board-{events}.db")
    done = events // (SCANS_AN_ORDER + 1)
    for first in range(0, done, AT_ONCE_ORDERS):
        count = min(AT_ONCE_ORDERS, done - first)
        orders_through(told, first, count, days_ago=9)
        introduce(told)
        for batch in batches(told):
            take(told, batch)
        told.projector.drain()
    for n in range(OPEN_ORDERS):
        told.release(f"OPEN-{n}", due="2026-12-01")
        told.scan(f"OPEN-{n}", ("saw", "deburr", "test")[n % 3], told.ago(hours=n))
    told.settle()
    now, past = (median(requests_ms(store, address, REQUESTS)[5:]) for address in ("/", an_hour_ago()))
    store.close()
    return now, past


def an_hour_ago(hours: int = 1) -> str:
    """The address of the board as of an hour ago, or more hours."""
    return f"/?as_of={datetime.fromtimestamp(time.time() - 3600 * hours, UTC):%Y-%m-%dT%H:%M}"


def requests_ms(store: Store, address: str, times: int, *, changes: int = 0) -> list[float]:
    """Milliseconds of processor time of each request through the whole application; no request shares a board.

    `changes`: the items whose rows are written before each request.
    """
    app = create_app(HubConfig(db=str(store.path)), store)
    board = app.extensions["wipline"].board
    board.every_s = board.keep_s = 0.0
    client, took = app.test_client(), []
    if address != "/":
        client.get("/")  # the board of the present is viewed all day
    for number in range(times):
        with store.write() as connection:
            newest = connection.execute(select(func.max(item.c.changed))).scalar_one()
            some = select(item.c.item).where(item.c.status == "open").offset(number * changes).limit(changes)
            connection.execute(item.update().where(item.c.item.in_(some)).values(changed=newest + 1))
        began = time.process_time()
        answer = client.get(address)
        took.append((time.process_time() - began) * 1000)
        assert answer.status_code == 200
    return took


def open_hub(folder: Path, items: int) -> Store:
    """A hub with so many open items: SCANNED of them through the ledger, the others as copies of their rows."""
    store, told = hub(folder / f"board-open-{items}.db")
    names = [(f"WO-{n:05}", "tube" if n % 5 == 0 else "bracket", 10 + n % 90, {"due": f"2026-12-{1 + n % 28:02}"})
             for n in range(SCANNED)]  # fmt: skip
    told.release_all(names)
    for n, (name, *_) in enumerate(names):
        for stage in ("saw", "deburr", "test")[: n % 4]:
            quantity = {"qty_milli": 5_000} if stage == "test" else {}
            told.scan(name, stage, told.ago(hours=3 + n % 190), **quantity)
    told.settle()
    with store.write() as connection:
        for copy in range(1, items // SCANNED):
            for table in (item, parcel, head, move, open_at):
                connection.execute(_copied(table, copy))
        if store.path is not None:
            connection.exec_driver_sql("ANALYZE")
    return store


def _copied(table: Table, copy: int) -> Any:
    """The statement that copies the rows of the scanned items under other names."""
    c = table.c
    columns = {column.name: column for column in c}
    columns["item"] = (literal(f"C{copy}-") + c.item).label("item")
    if "order_" in columns:
        columns["order_"] = (literal(f"C{copy}-") + c.order_).label("order_")
    if "id" in columns:
        columns["id"] = (c.id + literal(copy * 1_000_000)).label("id")
    return insert(table).from_select(list(columns), select(*columns.values()).where(c.item.like("WO-%")))


def open_figures(folder: Path) -> Iterator[Figure]:
    """The board now, as of an hour ago, and as of days ago, when few pieces were where they are now; its bytes."""
    for items in OPEN:
        store = open_hub(folder, items)
        with store.read() as connection:
            count = select(func.count()).select_from(item).where(item.c.status == "open")
            assert connection.execute(count).scalar_one() == items
        first, *boards = requests_ms(store, "/", 12, changes=CHANGES)
        now, past = median(boards), median(requests_ms(store, an_hour_ago(), 12, changes=CHANGES))
        yield bound(f"first board at {items:,} open items, CPU", first, "ms", at_most=500 + 0.05 * items)
        yield bound(f"board at {items:,} open items, CPU, once for all viewers", now, "ms", at_most=100)
        yield bound(f"board as of an hour ago at {items:,} open items, CPU", past, "ms", at_most=0.006 * items)
        older = median(requests_ms(store, an_hour_ago(DAYS_AGO * 24), 12))
        yield bound(f"board as of {DAYS_AGO} days ago at {items:,} open items, CPU", older, "ms", at_most=0.006 * items)
        page = create_app(HubConfig(db=str(store.path)), store).test_client().get("/")
        yield bound(f"board at {items:,} open items, bytes", len(page.data) / 1000, "kB", at_most=300)
        store.close()


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """The open items; with `long` the ratio of a long past to a short one, which is measured first and last as the floor."""
    tune()  # as the hub does before it serves
    yield from open_figures(folder)
    if not long:
        return
    small, large, again = (board_ms(folder, events) for events in (SMALL, LARGE, SMALL))
    for name, before, behind, after in zip(("now", "as of an hour ago"), small, large, again, strict=True):
        floor = (before + after) / 2
        yield ratio(f"board {name} behind {LARGE:,} events", behind, floor, "ms", at_most=1.3)
    yield bound("board, first byte", large[0], "ms", at_most=100)
