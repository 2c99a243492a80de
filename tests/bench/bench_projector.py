"""The projector: events a second when there is a backlog, and how far it falls behind a steady stream."""

import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure, bound
from traffic import batches, hub, introduce, orders_through, take

from server.ops.gc_tuning import tune
from server.projection.worker import behind

ORDERS = 5_000
STEADY_PER_S = 500
STEADY_S = 30
STEADY_LONG_S = 600
A_TICK_S = 0.1


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """Backlog speed; and, at 500 events a second, the most events that ever waited, in ticks of 50."""
    store, told = hub(folder / "projector.db")
    orders_through(told, 0, ORDERS, days_ago=9)
    introduce(told)
    sent = list(batches(told))
    for batch in sent:
        take(told, batch)
    with store.read() as connection:
        waiting = behind(connection)
    tune()  # as the hub does before it serves
    began = time.perf_counter()
    told.projector.drain()
    yield bound("projector, backlog", waiting / (time.perf_counter() - began), "events/s", at_least=10_000)
    store.close()
    yield _steady(folder, STEADY_LONG_S if long else STEADY_S)


def _steady(folder: Path, seconds: int) -> Figure:
    store, told = hub(folder / "steady.db")
    orders_through(told, 0, seconds * STEADY_PER_S // 8 + 1, days_ago=9)
    introduce(told)
    told.projector.drain()
    stream = (event for batch in batches(told) for event in _split(batch))
    most = 0
    began = time.monotonic()
    for tick, batch in enumerate(stream):
        take(told, batch)
        while told.projector.step():
            if time.monotonic() - began > (tick + 1) * A_TICK_S:
                break
        with store.read() as connection:
            most = max(most, behind(connection))
        time.sleep(max(0.0, began + (tick + 1) * A_TICK_S - time.monotonic()))
        if tick * A_TICK_S >= seconds:
            break
    store.close()
    name = f"projector at {STEADY_PER_S}/s for {seconds} s, most behind"
    return bound(
        name, most, "events", at_most=STEADY_PER_S, note="" if seconds == STEADY_LONG_S else "10 min with --long"
    )


def _split(batch):
    from itertools import count

    from server.ledger.ingest import EventBatch
    from station.core.hash_chain import link

    size, prev = int(STEADY_PER_S * A_TICK_S), batch.prev
    for start in count(0, size):
        part = batch.events[start : start + size]
        if not part:
            return
        tip = prev
        for encoded in part:
            tip = link(tip, encoded)
        yield EventBatch(batch.log_id, batch.from_seq + start, prev, tip, part)
        prev = tip
