"""The board's cost with a long past: the same open work in process behind 10,000 and behind 1,000,000 events."""

import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure, bound, median, ratio
from traffic import SCANS_AN_ORDER, batches, hub, introduce, orders_through, take

from server.app import create_app
from server.config import HubConfig

OPEN_ORDERS = 40
SMALL, LARGE = 10_000, 1_000_000
REQUESTS = 60
AT_ONCE_ORDERS = 2_000


def board_ms(folder: Path, events: int) -> list[float]:
    """Milliseconds of each request for the board, over a ledger of so many events, through the whole application."""
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
    client = create_app(HubConfig(db=str(store.path)), store).test_client()
    took = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        answer = client.get("/")
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200
    store.close()
    return took[5:]


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """The ratio of the medians; the small ledger is the floor, measured first and last."""
    small = median(board_ms(folder, SMALL))
    large = median(board_ms(folder, LARGE))
    floor = (small + median(board_ms(folder, SMALL))) / 2
    yield ratio(f"board request behind {LARGE:,} events", large, floor, "ms", at_most=1.3)
    yield bound("board, first byte", large, "ms", at_most=100)
