"""Live moves: the departures of the last shift and what was finished today in memory, by the items that changed.

`stage_summary.moved_on` and `finished_since` read all moves of their period. Here the moves of an item are read when it
changes (`live_stock`). What they count for depends on the time alone: an item is counted anew at the time at which one of
its moves enters or leaves its period. A move takes about 300 bytes; above MOST_MOVES of them none is kept.
"""

from collections import Counter
from functools import cache
from heapq import heappop, heappush
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Select, bindparam, func, or_, select

from server.projection.tables import move
from server.queries.live_rows import in_chunks
from server.queries.live_stock import add_each
from server.queries.stage_summary import (
    RATE_SPAN_S,
    Moves,
    StockSummary,
    departed,
    departed_stage,
    finished,
    finished_amounts,
)
from server.queries.valuation import Valuation

SPAN_US = RATE_SPAN_S * 1_000_000


MOST_MOVES = 200_000


class MoveKind(NamedTuple):
    """What moves have in common: whether they left a stage ("" for what was not started) or finished pieces of a product."""

    stage: str | None
    to_stage: str | None
    product: str | None
    left: bool
    finished: bool


LiveMove = tuple[int, MoveKind, int | None]
"""The time of a move (UTC us), its kind, and its quantity."""


class _Counted(NamedTuple):
    """What an item counts for: the places that it left, each with its target, and its finished quantities by product."""

    left: tuple[tuple[str | None, str | None], ...]
    finished: tuple[tuple[str | None, int | None], ...]


class LiveMoves:
    """The moves of a period. Not thread-safe: `SharedBoard` uses it in its lock, and with ever newer snapshots."""

    def __init__(self) -> None:
        self._at_us = self._day_us = 0
        self._loaded = False
        self._clear()

    def _clear(self) -> None:
        self._number = 0
        self._moves: dict[str, tuple[LiveMove, ...]] = {}
        self._counted: dict[str, _Counted] = {}
        self._same: dict[Any, Any] = {}  # one object for equal kinds and counts
        self._next: list[tuple[int, str]] = []  # a heap of the times at which an item is counted anew
        self._left: Counter[str | None] = Counter()
        self._to: Counter[tuple[str | None, str | None]] = Counter()
        self._finished: Counter[str | None] = Counter()  # quantities by product
        self._finished_rows: Counter[str | None] = Counter()
        self._finished_items = self._uncounted = 0

    def refresh(self, connection: Connection, changed: set[str] | None, at_us: int, day_us: int) -> None:
        """Bring the moves to a snapshot and a time (UTC us). `changed`: the items; None: any. `day_us`: when today began."""
        loaded, self._loaded = self._loaded, False  # an error in between leaves a state that must not be used
        anew = not loaded or changed is None or day_us != self._day_us or at_us < self._at_us
        self._at_us, self._day_us = at_us, day_us
        of_period = _moves_after().params(time_us=min(day_us - 1, at_us - SPAN_US))
        if anew or changed is None:
            self._clear()
            if _count(connection, of_period) > MOST_MOVES:
                return
            self._take(connection, of_period)
        else:
            for name in changed:
                self._number -= len(self._moves.pop(name, ()))
                self._count_anew(name)
            for chunk in in_chunks(changed):
                self._take(connection, of_period.where(move.c.item.in_(chunk)))
            while self._next and self._next[0][0] <= at_us:
                self._count_anew(heappop(self._next)[1])
        self._loaded = self._number <= MOST_MOVES

    def moved_on(self) -> Moves | None:
        """The items that left each stage in the last shift (`stage_summary.moved_on`); None where no moves are kept."""
        return Moves(dict(self._left), dict(self._to)) if self._loaded else None

    def finished_today(self, valuation: Valuation) -> StockSummary | None:
        """What was finished since the begin of today (`stage_summary.finished_since`); None where no moves are kept."""
        if not self._loaded:
            return None
        parts = ((product, self._finished[product]) for product in self._finished_rows)
        return StockSummary(self._finished_items, finished_amounts(parts, self._at_us, valuation), self._uncounted)

    def _take(self, connection: Connection, query: Select[Any]) -> None:
        found: dict[str, list[LiveMove]] = {}
        for name, at_us, qty_milli, *columns in connection.execute(query):
            kind = MoveKind(*columns)
            found.setdefault(name, []).append((at_us, self._same.setdefault(kind, kind), qty_milli))
        for name, moves in found.items():
            self._moves[name] = tuple(moves)
            self._number += len(moves)
            self._count_anew(name)

    def _count_anew(self, name: str) -> None:
        """Count an item by its moves and the time, instead of as it was counted before."""
        before = self._counted.pop(name, None)
        if before is not None:
            self._count(before, -1)
        moves = self._moves.get(name, ())
        shift_us, day_us, at_us = self._at_us - SPAN_US, self._day_us, self._at_us
        left = {(kind.stage, kind.to_stage) for us, kind, _ in moves if kind.left and shift_us < us <= at_us}
        done = [(kind.product, milli) for us, kind, milli in moves if kind.finished and day_us <= us <= at_us]
        if left or done:
            counted = _Counted(tuple(left), tuple(done))
            counted = self._counted[name] = self._same.setdefault(counted, counted)
            self._count(counted, 1)
        turns_us = [turn_us for us, _, _ in moves for turn_us in (us, us + SPAN_US) if turn_us > at_us]
        if turns_us:
            heappush(self._next, (min(turns_us), name))
        elif not left and not done:
            self._number -= len(self._moves.pop(name, ()))

    def _count(self, counted: _Counted, number: int) -> None:
        add_each(self._left, {stage for stage, _ in counted.left}, number)
        add_each(self._to, counted.left, number)
        known = [(product, qty_milli) for product, qty_milli in counted.finished if qty_milli is not None]
        add_each(self._finished_rows, (product for product, _ in known), number)
        for product, qty_milli in known:
            self._finished[product] += number * qty_milli
        self._finished_items += number if counted.finished else 0
        self._uncounted += number if len(known) < len(counted.finished) else 0


def _count(connection: Connection, query: Select[Any]) -> int:
    """The number of rows, counted up to one more than MOST_MOVES."""
    some = query.limit(MOST_MOVES + 1).subquery("some")
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


@cache
def _moves_after() -> Select[Any]:
    """The moves after the parameter `time_us`. A statement of the library costs more to make than to run."""
    c = move.c
    columns = (c.item, c.at_us, c.qty_milli, departed_stage().label("stage"), c.to_stage, c.product,
               departed().label("left"), finished().label("finished"))  # fmt: skip
    return select(*columns).where(c.at_us > bindparam("time_us", type_=BigInteger), or_(departed(), finished()))
