"""Value and roll-forward with a ledger of one year: CPU and wall time of the requests through the whole application.

The floor is the same requests over 10,000 events with equal open orders, measured before and after in the same run. Before
each request five open items are written, as a busy shop does. The first roll-forward reads the rows, later ones the sums
that are kept (`server.queries.kept_rolls`); both are stated.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from figure import Figure, bound, median, quantile, ratio
from sqlalchemy import func, select
from year_shop import BEGIN_US, END_US, year_shop

from server.app import create_app
from server.config import HubConfig
from server.db.store import Store
from server.ops.gc_tuning import tune
from server.projection.tables import item
from server.queries.roll_forward import RollBy
from server.queries.value_slices import ValueBy

SMALL, EVENTS, LONG_EVENTS = 10_000, 100_000, 1_000_000
CHANGES = 5  # items between two requests: those of 20 scans a second in 250 ms
TIMES = 8  # each address
YEARS = 21
P95 = 0.95
MOST_RATIO = 1.3


class Took(NamedTuple):
    """Milliseconds of processor time and by the clock."""

    cpu: list[float]
    wall: list[float]


class YearHub:
    """The application over a ledger of so many events of one year."""

    def __init__(self, folder: Path, events: int) -> None:
        self._store, _ = year_shop(folder, events)
        self._client = create_app(HubConfig(db=str(self._store.path)), self._store).test_client()

    def took(self, addresses: Sequence[str], times: int = TIMES) -> Took:
        """Ask for each of the addresses so many times."""
        found = Took([], [])
        for _ in range(times):
            for address in addresses:
                _write_items(self._store)
                began, cpu = time.perf_counter(), time.process_time()
                answer = self._client.get(address)
                found.cpu.append((time.process_time() - cpu) * 1000)
                found.wall.append((time.perf_counter() - began) * 1000)
                assert answer.status_code == 200, answer.text
        return found

    def year(self) -> Took:
        """The time of the roll-forwards of all months together, the first time and then."""
        found = Took([], [])
        for _ in range(YEARS):
            months = self.took([f"/api/v1/rollforward?{urlencode(ends)}" for ends in month_ends()], 1)
            found.cpu.append(sum(months.cpu))
            found.wall.append(sum(months.wall))
        return found

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def _write_items(store: Store) -> None:
    with store.write() as connection:
        newest = connection.execute(select(func.max(item.c.changed))).scalar_one()
        some = select(item.c.item).where(item.c.status == "open").limit(CHANGES)
        connection.execute(item.update().where(item.c.item.in_(some)).values(changed=newest + 1))


def month_ends() -> Iterator[dict[str, str]]:
    """The query words of each month of the year."""
    begins = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]
    assert begins[0].timestamp() * 1e6 == BEGIN_US
    ends = [*begins[1:], datetime.fromtimestamp(END_US / 1e6, UTC)]
    for first, last in zip(begins, ends, strict=True):
        yield {"from": f"{first:%Y-%m-%dT%H:%M:%SZ}", "to": f"{last:%Y-%m-%dT%H:%M:%SZ}"}


VALUES = (
    *(f"/api/v1/value?by={by}" for by in ValueBy),
    "/api/v1/value?by=component&across=stage&as_of=2026-09-30T22:00:00Z",
    "/value",
    "/value?by=component",
)
ROLLS = (
    *(f"/api/v1/rollforward?by={by}" for by in RollBy if by != RollBy.ORDER),
    "/rollforward",
    "/rollforward?by=stage",
)


def measured(folder: Path, events: int) -> dict[str, Any]:
    """The times of each kind of request over so many events."""
    hub = YearHub(folder, events)
    hub.took(VALUES, 1)  # loads templates
    found: dict[str, Any] = {"value": hub.took(VALUES), "first roll-forward of the month": hub.took(ROLLS[:1], 1)}
    hub.took(ROLLS, 1)
    found["roll-forward of the month"] = hub.took(ROLLS)
    found["roll-forward of the month by order"] = hub.took(["/api/v1/rollforward?by=order"])
    year = hub.year()
    found["first roll-forwards of 12 months"] = Took(year.cpu[:1], year.wall[:1])
    found["roll-forwards of 12 months"] = Took(year.cpu[1:], year.wall[1:])
    hub.close()
    return found


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """The 95th percentiles, and their ratio to the floor."""
    tune()  # as the hub does before it serves
    events = LONG_EVENTS if long else EVENTS
    note = "" if long else "1,000,000 events with --long"
    before, large, after = (measured(folder, of) for of in (SMALL, events, SMALL))
    limits = {"value": 100.0, "roll-forward of the month": 100.0, "roll-forwards of 12 months": 300.0}
    # These read all moves of the period; a table by order has a row for each of its orders.
    growing = {
        "first roll-forward of the month": 300 + events / 1_000,
        "first roll-forwards of 12 months": 2_000 + events / 100,
        "roll-forward of the month by order": 300 + events / 400,
    }
    for kind, most in limits.items():
        name = f"{kind} at {events:,} events, p95"
        cpu, wall = (quantile(values, P95) for values in large[kind])
        floor = (quantile(before[kind].cpu, P95) + quantile(after[kind].cpu, P95)) / 2
        yield bound(name, cpu, "CPU ms", at_most=most, note=note)
        yield bound(name, wall, "ms", at_most=most, note=note)
        yield ratio(f"{name}, to {SMALL:,} events", cpu, floor, "CPU ms", at_most=MOST_RATIO, note=note)
    for kind, most in growing.items():
        name = f"{kind} at {events:,} events"
        yield bound(name, median(large[kind].cpu), "CPU ms", at_most=most, note=note)
