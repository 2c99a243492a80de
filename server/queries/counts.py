"""Counts: what was opened, and the counting scans that belong to each.

A count is an entry `count.open` and its end `count.end`. A scan with the action `count` belongs to every count in whose time
and scope it was made, also when it arrives later. It moves nothing.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, select

from server.projection.event_items import Corrections
from server.projection.ledger_row import rows_at
from server.projection.tables import COUNTS, definition, event_item
from station.core.ledger.void_resolution import PositionKey

OPEN, END = "count.open", "count.end"
GOES_ON, FINISHED, CANCELLED = "open", "finished", "cancelled"


class Count(NamedTuple):
    """One count. `stages`: its scope, empty: everything. `how`: open, finished or cancelled. Times UTC us.

    `blind`: what the ledger expects is shown when the count has ended. `place`, `ended_at`: log and number of its entries.
    """

    name: str
    stages: tuple[str, ...]
    blind: bool
    why: str
    opened_us: int
    ended_us: int | None
    how: str
    place: tuple[str, int]
    ended_at: tuple[str, int] | None = None

    @property
    def is_hidden(self) -> bool:
        """Whether what the ledger expects is not shown yet."""
        return self.blind and self.how == GOES_ON

    def goes_on_at(self, at_us: int) -> bool:
        """Whether it is opened and not ended at a time (UTC us)."""
        return self.opened_us <= at_us and (self.ended_us is None or self.ended_us > at_us)

    def covers(self, stage: str | None) -> bool:
        """Whether a stage is in its scope."""
        return stage is not None and (not self.stages or stage in self.stages)


class CountScan(NamedTuple):
    """What was counted of an item at a stage. `qty_milli` None: all of it. `at_us`: UTC us; `pos`: the event."""

    item: str
    stage: str
    qty_milli: int | None
    at_us: int
    place: PositionKey
    pos: int
    station: str
    operator: str | None


def all_counts(connection: Connection) -> list[Count]:
    """All counts, the newest first."""
    c = definition.c
    query = select(definition).where(c.what.in_((OPEN, END))).order_by(c.holds_from_us, c.key_us, c.id)
    ended: dict[str, tuple[int, str, tuple[str, int]]] = {}
    counts: dict[str, Count] = {}
    for row in connection.execute(query):
        data = msgspec.json.decode(row.data)
        if row.what == END:
            place = (row.log_id.hex(), row.seq)
            ended.setdefault(row.name, (row.holds_from_us, str(data.get("how")), place))
        elif row.name not in counts:
            counts[row.name] = Count(
                row.name, _stages(data), bool(data.get("blind")), str(data.get("why") or ""),
                row.holds_from_us, None, GOES_ON, (row.log_id.hex(), row.seq),
            )  # fmt: skip
    for name, (end_us, how, place) in ended.items():
        if name in counts:
            counts[name] = counts[name]._replace(ended_us=end_us, how=how, ended_at=place)
    return list(counts.values())[::-1]


def _stages(data: dict[str, Any]) -> tuple[str, ...]:
    """The scope of an entry; one of an earlier version was not checked."""
    stages = data.get("stages")
    return tuple(stage for stage in stages if isinstance(stage, str)) if isinstance(stages, list) else ()


def count_named(connection: Connection, name: str) -> Count | None:
    """The count of a name; None without one."""
    return next((count for count in all_counts(connection) if count.name == name), None)


def scans_of(connection: Connection, count: Count, now_us: int) -> list[CountScan]:
    """The counting scans of a count, in the order in which they were made; a repeat is none.

    A scan belongs to a count by its time, whether it arrived before the count was opened or after the count ended. They are
    found in the index of the counting scans, whose condition has to be in the statement as it is in the index.
    """
    c, until_us = event_item.c, now_us if count.ended_us is None else count.ended_us
    of_time = and_(c.key_us >= count.opened_us, c.key_us <= until_us, COUNTS)
    linked = connection.execute(select(c.pos, c.item, c.key_us).where(of_time)).all()
    rows = {row.pos: row for row in rows_at(connection, {row.pos for row in linked})}
    corrections, scans = Corrections(connection), list[CountScan]()
    for pos, item, at_us in linked:
        row = rows[pos]
        event = row.event
        if event is None or not row.ok or event.repeat or event.seen is not None:
            continue
        put = corrections.put(row)
        stage = put.get("stage", event.stage)
        if stage is None or not count.covers(stage):
            continue
        quantity = None if event.all else put.get("qty_milli", event.qty_milli)
        operator = put.get("operator", event.operator)
        scans.append(CountScan(item, stage, quantity, at_us, row.counted.place, pos, event.station, operator))
    return sorted(scans, key=lambda scan: (scan.at_us, scan.place))


def newest_scans(scans: Sequence[CountScan]) -> dict[tuple[str, str], tuple[CountScan, int]]:
    """Of each item at a stage the last scan, which counts, and the number of its scans."""
    found: dict[tuple[str, str], tuple[CountScan, int]] = {}
    for scan in scans:
        times = found[scan.item, scan.stage][1] if (scan.item, scan.stage) in found else 0
        found[scan.item, scan.stage] = (scan, times + 1)
    return found
