"""Flow rows: the sums of `flow_day` and `flow_duration`, kept equal to the moves from which they come.

The rows of an item are a function of its moves, its routing and release, and the days of the site. So a change subtracts
what the stored moves had added and adds what the new ones add; only sums that differ are written.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from server.db.bulk_insert import insert_many, insert_text, run_many
from server.projection.definitions import read_row
from server.projection.ledger_row import AT_ONCE
from server.projection.tables import DAY_US, definition, flow_class, flow_day, flow_duration, item, move
from station.core.ledger.flow import DayNumbers, FlowClass, FlowMove, FlowSums, counts
from station.core.site import SITE, SiteDays, SiteFrom, site_history

_OF_CLASS = (
    "from_state", "from_operation", "from_stage", "to_state", "to_operation", "to_stage", "entered", "reached", "scanned",
    "reason",
)  # fmt: skip
_OF_MOVE = ("at_us", "qty_milli", "at_stage_since_us", "run_since_us", "started_us", "restated", "product", *_OF_CLASS)
_columns = itemgetter(*([column.name for column in move.columns].index(name) for name in _OF_MOVE))
_tuple = tuple.__new__  # makes a named tuple in a third of the time of its own constructor
_MEASURES = ("stage_us", "queue_us", "run_us", "throughput_us", "lead_us")


def flow_move(row: Row[Any] | tuple[Any, ...], routing: str | None, released_us: int | None) -> FlowMove:
    """A row of `move` as flow counts it. `routing`, `released_us`: of its item."""
    at_us, qty_milli, at_stage_since_us, run_since_us, started_us, restated, product, *of_class = _columns(row)
    flow_class = _tuple(FlowClass, (product, routing, *of_class))
    times = (at_stage_since_us, run_since_us, started_us, released_us)
    return _tuple(FlowMove, (flow_class, at_us, qty_milli, *times, bool(restated)))


def moves_between(connection: Connection, from_us: int, until_us: int, *where: Any) -> Iterator[FlowMove]:
    """The moves with `from_us` <= their time < `until_us`, further limited by conditions, in no particular order."""
    of_item = move.outerjoin(item, item.c.item == move.c.item)
    within = and_(move.c.at_us >= from_us, move.c.at_us < until_us, *where)
    query = select(*move.columns, item.c.routing, item.c.released_us).select_from(of_item).where(within)
    return (flow_move(row, row[-2], row[-1]) for row in connection.execute(query))


def first_move_us(connection: Connection, from_us: int) -> int | None:
    """The time of the first move at or after a time; None where there is none."""
    query = select(func.min(move.c.at_us)).where(move.c.at_us >= from_us)
    return connection.execute(query).scalar_one_or_none()


def site_days(connection: Connection) -> list[SiteFrom]:
    """The site from ever and from each change of its days on, as its entries define it; UTC without an entry.

    A value of hub.toml does not count: the rows of two hubs with one ledger are equal.
    """
    query = select(definition).where(definition.c.what == SITE)
    history = site_history(read_row(row) for row in connection.execute(query))
    changes = history[:1]
    for part in history[1:]:
        if _day_of(part) != _day_of(changes[-1]):
            changes.append(part)
    return changes


def _day_of(part: SiteFrom) -> tuple[str, int]:
    return part.site.zone, part.site.day_start


class FlowRows:
    """The sums that a transaction changes, until they are written; and the numbers of all classes, in memory."""

    def __init__(self, connection: Connection) -> None:
        columns = [column for column in flow_class.columns if column.name != "id"]
        classes = connection.execute(select(flow_class.c.id, *columns))
        self._classes = {FlowClass(*of_class): number for number, *of_class in classes}
        self._new: list[tuple[Any, ...]] = []
        self._next = 1 + max(self._classes.values(), default=0)
        self._site = site_days(connection)
        self._days = DayNumbers(SiteDays(self._site))
        self._sums = FlowSums()

    def add(self, flow: FlowMove, times: int = 1) -> None:
        """Add a move, with `times` -1 subtract it; `write` writes the sums."""
        flow_class = flow.flow_class
        if flow_class in self._classes or counts(flow_class):
            self._sums.add(self._days.of(flow.at_us), self._number(flow_class), flow, times)

    def subtract_items(self, connection: Connection, names: Iterable[str], after: int = 0) -> None:
        """Subtract the stored moves of items after number `after`, by the routing and release of their stored rows."""
        wanted = list(names)
        for start in range(0, len(wanted), AT_ONCE):
            chunk = wanted[start : start + AT_ONCE]
            query = select(*move.columns, item.c.routing, item.c.released_us).join(item, item.c.item == move.c.item)
            for row in connection.execute(query.where(and_(move.c.item.in_(chunk), move.c.n > after))):
                self.add(flow_move(row, row[-2], row[-1]), -1)

    def redefine_days(self, connection: Connection) -> None:
        """Count the stored moves anew whose day another definition of the site has changed, and use it from now on."""
        site = site_days(connection)
        same = 0
        while same < min(len(site), len(self._site)) and _same_part(site[same], self._site[same]):
            same += 1
        begins = [part.from_us for history in (site, self._site) for part in history[same : same + 1]]
        self._site, before, self._days = site, self._days, DayNumbers(SiteDays(site))
        if not begins:
            return
        from_us = min(-(2**63) if us is None else us for us in begins)
        while (first_us := first_move_us(connection, from_us)) is not None:
            from_us = first_us + DAY_US
            for flow in moves_between(connection, first_us, from_us):
                was, day = before.of(flow.at_us), self._days.of(flow.at_us)
                if was != day and counts(flow.flow_class):
                    number = self._number(flow.flow_class)
                    self._sums.add(was, number, flow, -1)
                    self._sums.add(day, number, flow)
            self.write(connection)

    def write(self, connection: Connection) -> None:
        """Write the classes that are new, add the sums to the rows, and delete the rows without a move."""
        sums, self._sums = self._sums, FlowSums()
        insert_many(connection, flow_class, self._new)
        self._new = []
        style = connection.dialect.paramstyle
        days = [
            (*key, *values[:2], *(us or None for us in values[2:])) for key, values in sums.days.items() if any(values)
        ]
        run_many(connection, _upsert_day(style), days)
        buckets = [(*key, count) for key, count in sums.buckets.items() if count]
        run_many(connection, _upsert_duration(style), buckets)
        less = [key for key, values in sums.days.items() if values[1] < 0]
        run_many(connection, _delete_empty(flow_day.name, style), less)
        fewer = [key for key, count in sums.buckets.items() if count < 0]
        run_many(connection, _delete_empty(flow_duration.name, style), fewer)

    def _number(self, of_moves: FlowClass) -> int:
        number = self._classes.get(of_moves)
        if number is None:
            number = self._classes[of_moves] = self._next
            self._next += 1
            self._new.append((number, *of_moves))
        return number


def _same_part(one: SiteFrom, other: SiteFrom) -> bool:
    return one.from_us == other.from_us and _day_of(one) == _day_of(other)


@cache
def _upsert_day(paramstyle: str) -> str:
    names = tuple(column.name for column in flow_day.columns)
    sums = [f"{name} = flow_day.{name} + excluded.{name}" for name in ("qty_milli", "count")]
    sums += [f"{name} = NULLIF(COALESCE(flow_day.{name}, 0) + COALESCE(excluded.{name}, 0), 0)" for name in _MEASURES]
    insert = insert_text(flow_day.name, names, paramstyle)
    return f"{insert} ON CONFLICT (day, class_id) DO UPDATE SET {', '.join(sums)}"


@cache
def _upsert_duration(paramstyle: str) -> str:
    names = tuple(column.name for column in flow_duration.columns)
    insert = insert_text(flow_duration.name, names, paramstyle)
    count = "count = flow_duration.count + excluded.count"
    return f"{insert} ON CONFLICT (day, class_id, measure, bucket) DO UPDATE SET {count}"


@cache
def _delete_empty(table: str, paramstyle: str) -> str:
    mark = "?" if paramstyle == "qmark" else "%s"
    keys = ("day", "class_id") if table == flow_day.name else ("day", "class_id", "measure", "bucket")
    where = " AND ".join(f"{key} = {mark}" for key in keys)
    return f"DELETE FROM {table} WHERE {where} AND count = 0"  # noqa: S608  names of our own tables
