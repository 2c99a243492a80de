"""Kept rolls: the exact sums of roll-forwards up to a past time, in memory, while nothing of the time before it changes.

The sums of a period do not depend on what happens after its end. A period that lasts until now is that up to the last whole
hour, which is kept, and the short rest. Whether the kept sums still hold is found from what the projection wrote since:

- A row of `item` has the number of the transaction that wrote it. Of each item that was written since, the rows up to the
  end must be those of before. An item that was not in the shop at the end may have no row up to it at all. Where an item
  was deleted, or begins later than its rows did, all sums are computed again.
- A definition that was entered since must not hold at a time up to the end.

Where that is not so, the sums are computed again from the rows.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, and_, exists, select

from server.db.given_values import in_parts, is_one_of
from server.projection.definitions import change_count
from server.projection.tables import ITEM_DELETIONS, head, item, move
from server.queries.current_master_data import master_data
from server.queries.historical_stock import stock_at
from server.queries.live_rows import changed_items, newest_change
from server.queries.period_costs import CHANGING
from server.queries.value_entries import ValueLine
from station.core.master_data import MasterData

if TYPE_CHECKING:
    from server.queries.roll_forward import Period, RollBy

HOUR_US = 3_600_000_000
ARRIVAL_US = 300_000_000  # scans of a station that is connected have arrived after it
MOST_TOUCHED = 5_000  # items that were written since the last question; of more, all sums are computed again
MOST_KEYS = 1_000  # rows of a roll-forward that is kept
MOST_ENDS = 64  # times up to which sums are kept, the last used ones
MOST_ROWS = 100_000  # items in the shop at these times, all together: about 20 MB
_TERMS = ("from_us", "product", "routing", "released_us", "order_", "customer", "ordered_milli")


class RollSums(NamedTuple):
    """Thousandths of micros by key: the values at both ends of a period, and the lines between them."""

    opening: Counter[str | None]
    flows: dict[str | None, Counter[ValueLine]]
    closing: Counter[str | None]

    def then(self, later: "RollSums") -> "RollSums":
        """The sums of this period and of the one that begins at its end."""
        flows = {key: Counter(lines) for key, lines in self.flows.items()}
        for key, lines in later.flows.items():
            own = flows.setdefault(key, Counter())
            for line, amount in lines.items():
                own[line] += amount
        return RollSums(self.opening, flows, later.closing)


Compute = Callable[["Period"], RollSums]
_Key = tuple["RollBy", int, int | None]  # the rows, the begin of the period, and where it was known; None: now


class _State(NamedTuple):
    """The rows that the kept sums have: the numbers of the last deletion and the last change of items, the definitions."""

    deletions: int
    changes: int
    definitions: MasterData


class _KeptEnd(NamedTuple):
    """What is kept up to a time: the sums by rows, begin and known position, and the rows of the shop at it.

    `rows`: a hash of the rows up to the time of each item that was in the shop then, or has rows of before its release.
    `last_us`: the last time of a release that the sums depend on.
    """

    rows: dict[str, int]
    last_us: int
    sums: dict[_Key, RollSums | None]  # None: too many keys


class KeptRolls:
    """The sums that are kept of one database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: OrderedDict[int, _KeptEnd] = OrderedDict()
        self._state = _State(-1, -1, MasterData())

    def sums(self, connection: Connection, period: "Period", by: "RollBy", compute: Compute) -> RollSums:
        """The sums of a period, by `compute` where they are not kept."""
        until_us = min(period.to_us, (period.now_us - ARRIVAL_US) // HOUR_US * HOUR_US)
        if until_us <= period.from_us:
            return compute(period)
        key = (by, period.from_us, period.known if period.known < period.pos else None)
        with self._lock:
            state = self._follow(connection)
            kept = {
                end_us: end.sums[key]
                for end_us, end in self._ends.items()
                if period.from_us < end_us <= until_us and key in end.sums
            }
        if state is None or None in kept.values():
            return compute(period)
        last_us = max(kept, default=period.from_us)
        sums = kept.get(last_us)
        if sums is None or last_us < until_us:
            rest = compute(_between(period, last_us, until_us))
            sums = rest if sums is None else sums.then(rest)
            self._keep(connection, state, until_us, key, sums)
        return sums if until_us == period.to_us else sums.then(compute(_between(period, until_us, period.to_us)))

    def _keep(self, connection: Connection, state: _State, until_us: int, key: _Key, sums: RollSums) -> None:
        with self._lock:
            end = self._ends.get(until_us) if self._state == state else None
        end = _end_at(connection, until_us) if end is None else end
        with self._lock:
            if self._state != state:  # another question followed later rows meanwhile
                return
            end = self._ends.setdefault(until_us, end)
            end.sums[key] = sums if len(sums.flows) + len(sums.closing) <= MOST_KEYS else None
            self._ends.move_to_end(until_us)
            while len(self._ends) > MOST_ENDS or sum(len(one.rows) for one in self._ends.values()) > MOST_ROWS:
                self._ends.popitem(last=False)

    def _follow(self, connection: Connection) -> _State | None:
        """Forget what does not hold in the rows that `connection` reads. None: they are older than what is kept."""
        deletions, changes = change_count(connection, ITEM_DELETIONS), newest_change(connection)[0]
        was, now = self._state, _State(deletions, changes, master_data(connection))
        if now.deletions != was.deletions:  # an item was deleted or begins later, or all rows were made anew
            self._ends.clear()
        elif now.changes < was.changes:
            return None
        elif now.changes > was.changes:
            self._forget_changed(connection, was.changes)
        if now.definitions is not was.definitions:
            first_us = first_difference(was.definitions, now.definitions)
            for end_us, end in list(self._ends.items()):
                if first_us is not None and first_us <= max(end_us, end.last_us):
                    del self._ends[end_us]
        self._state = now
        return now

    def _forget_changed(self, connection: Connection, after: int) -> None:
        touched = changed_items(connection, after, MOST_TOUCHED) if self._ends else set()
        if len(touched) >= MOST_TOUCHED:
            self._ends.clear()
        history = _History(connection, touched)
        for end_us, end in list(self._ends.items()):
            if any(history.rows(name, end_us) != end.rows.get(name) for name in touched):
                del self._ends[end_us]


def _between(period: "Period", from_us: int, to_us: int) -> "Period":
    """A part of a period. What was known at its begin counts in its first part alone."""
    known = period.known if from_us == period.from_us else period.pos
    return period._replace(from_us=from_us, to_us=to_us, known=known)


def first_difference(before: MasterData, after: MasterData) -> int | None:
    """The first time (UTC us) at which a definition that a value depends on is another one; None: at no time."""
    found: list[int] = []
    for what in CHANGING:
        for name in {*before.names(what), *after.names(what)}:
            old, new = before.versions(what, name), after.versions(what, name)
            if old == new:
                continue
            if not old or not new or old[0] != new[0]:
                return -(2**63)  # the first one holds for the time before it, too
            found += [one.holds_from_us for one in old if one not in new]
            found += [one.holds_from_us for one in new if one not in old]
    return min(found, default=None)


class _History:
    """The rows of some items that sums of a past time depend on."""

    def __init__(self, connection: Connection, names: Iterable[str]) -> None:
        self._moves: dict[str, list[Any]] = {}
        self._heads: dict[str, list[Any]] = {}
        self._orders: dict[str, str | None] = {}
        moved = [column for column in move.c if column.key not in ("item", "n", "product")]
        terms = [head.c[name] for name in _TERMS]
        for part in in_parts(sorted(names)):
            for of, rows, columns in ((move, self._moves, moved), (head, self._heads, terms)):
                key = of.c.n if of is move else of.c.from_us
                query = select(of.c.item, *columns).where(is_one_of(connection, of.c.item, part))
                for name, *values in connection.execute(query.order_by(of.c.item, key)):
                    rows.setdefault(name, []).append(tuple(values))
            orders = select(item.c.item, item.c.order_).where(is_one_of(connection, item.c.item, part))
            self._orders.update((row.item, row.order_) for row in connection.execute(orders))

    def rows(self, name: str, until_us: int) -> int | None:
        """A hash of the rows of an item up to a time (UTC us), and of its first release; None where it has no such row."""
        heads = [row for row in self._heads.get(name, ()) if row[0] <= until_us]
        moves = [row for row in self._moves.get(name, ()) if row[0] <= until_us]
        if not heads and not moves:
            return None
        return hash((self._orders.get(name), *heads, self._release(name), *moves))

    def last_us(self, name: str) -> int:
        """The time of the first release of an item; 0 without one."""
        release = self._release(name)
        return 0 if release is None else max(release[0], release[_TERMS.index("released_us")])

    def _release(self, name: str) -> Any:
        return next((row for row in self._heads.get(name, ()) if row[_TERMS.index("released_us")] is not None), None)


def _end_at(connection: Connection, until_us: int) -> _KeptEnd:
    """The rows of the shop at a time, of which no sums are kept yet."""
    names = {row.item for row in stock_at(connection, until_us)} | _released_later(connection, until_us)
    history = _History(connection, names)
    rows = {name: found for name in names if (found := history.rows(name, until_us)) is not None}
    return _KeptEnd(rows, max((history.last_us(name) for name in names), default=0), {})


def _released_later(connection: Connection, until_us: int) -> set[str]:
    """The items with rows up to a time that were released later: their rows may vanish, and their release holds for them."""
    h, other = head.c, head.alias("other").c
    early = exists().where(and_(other.item == h.item, other.from_us <= until_us))
    before = exists().where(and_(other.item == h.item, other.from_us <= until_us, other.released_us.is_not(None)))
    query = select(h.item).distinct().where(and_(h.from_us > until_us, h.released_us.is_not(None), early, ~before))
    return set(connection.execute(query).scalars())


_of_engine: WeakKeyDictionary[Engine, KeptRolls] = WeakKeyDictionary()
_lock = threading.Lock()


def kept_rolls(connection: Connection) -> KeptRolls:
    """What is kept of the database of a connection."""
    with _lock:
        return _of_engine.setdefault(connection.engine, KeptRolls())
