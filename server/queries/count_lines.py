"""Count lines: each counted item against the ledger at the moment of its own scan, and what nobody counted.

What moved during the walk is explained by its moves. What was not counted is not zero: nothing follows from it unless a
person says that it is missing.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from server.db.given_values import in_parts, is_one_of
from server.projection.tables import move
from server.queries.counts import Count, CountScan, all_counts, newest_scans, scans_of
from server.queries.current_master_data import master_data
from server.queries.current_stock import StockRow, stock_of
from server.queries.historical_stock import stock_at
from server.queries.stage_balances import At, StageBalances, StageQuantity
from server.queries.valuation import Valuation
from station.core.ledger.costs import in_micros
from station.core.ledger.parcels import ParcelState

AT_ONCE = 500  # items in one statement


class LineKind(StrEnum):
    """What a line of a count says, in the order of the page."""

    DIFFERS = "differs"  # another quantity than the ledger's
    MISSING = "missing"  # expected at a stage that was walked, neither counted nor moved when the walk was finished
    ELSEWHERE = "elsewhere"  # the ledger thought that it was at another stage
    FOUND = "found"  # the ledger has none of it in process
    UNKNOWN = "unknown"  # the code names nothing in the ledger
    UNCOUNTED = "uncounted"  # expected, and not counted so far, or at a stage that nobody walked
    MOVED = "moved"  # left the stage during the walk before it was counted
    AGREES = "agrees"


IS_OPEN = frozenset(LineKind) - {LineKind.MOVED, LineKind.AGREES}


class CountLine(NamedTuple):
    """An item at a stage. Quantities in thousandths, None: unknown; times UTC us.

    `opening_milli`: by the ledger when the count was opened; `expected_milli`: at the moment of the scan, without one at the
    end. `difference_milli`: counted less expected. `micros`: the value of the difference, and of what is missing or was not
    counted, negative where it is less than expected; None: no cost is known. `since_us`: since when it was there.
    `elsewhere`: the other stages at which the ledger has it. `taken`: what of its quantity is taken from those of them that
    have no line of their own scan. `times`: its scans, of which the last one counts. `also`: the other stages at which it
    was counted, where not all of them agree. `twice`: these lines together have more than the ledger does, so that one lot
    was counted at two stages without a move between, and which of them is right is not known.
    """

    kind: LineKind
    item: str
    stage: str
    product: str | None
    opening_milli: int | None
    expected_milli: int | None
    counted_milli: int | None
    difference_milli: int | None
    micros: int | None
    since_us: int | None
    elsewhere: tuple[tuple[str, int | None], ...]
    times: int
    scan: CountScan | None
    taken: tuple[tuple[str, int], ...] = ()
    also: tuple[tuple[str, int | None], ...] = ()
    twice: bool = False

    @property
    def rank(self) -> tuple[bool, int, int, str, str]:
        """The order of the page: open lines first, by value and then by age."""
        age = self.since_us if self.since_us is not None else 2**62
        return (self.kind not in IS_OPEN, -abs(self.micros or 0), age, self.item, self.stage)


class OpenCount(NamedTuple):
    """A count that goes on: how many lines do not agree so far, and their value (`differing_micros`).

    Of a blind one only what may be shown: nothing.
    """

    of: Count
    lines: int
    micros: int


def count_lines(connection: Connection, count: Count, now_us: int) -> list[CountLine]:
    """All lines of a count, those of the greatest value first, then the oldest; of an ended one at the costs of its end."""
    opening = stock_at(connection, count.opened_us)
    until_us = now_us if count.ended_us is None else count.ended_us
    balances = StageBalances(connection, opening, count.opened_us, until_us)
    scans = scans_of(connection, count, now_us)
    lines = _Lines(count, balances, Valuation(master_data(connection), until_us))
    lines.rows = _rows(connection, opening, scans, count.ended_us)
    lines.known = _known(connection, {scan.item for scan in scans})
    counted = newest_scans(scans)
    found = _with_taken([lines.counted(scan, times) for scan, times in counted.values()])
    found = _with_others(found, lines.rows)
    found += lines.not_counted(set(counted), {stage for _, stage in counted}, found, until_us)
    return sorted(found, key=lambda line: line.rank)


def _with_taken(lines: list[CountLine]) -> list[CountLine]:
    """What was counted `elsewhere` is taken from the stages where the ledger had it and nobody counted it."""
    counted, took, found = {(line.item, line.stage) for line in lines}, dict[At, int](), list[CountLine]()
    for line in lines:
        left, taken = line.counted_milli or 0, list[tuple[str, int]]()
        for stage, there in line.elsewhere:
            at = (line.item, stage)
            part = 0 if at in counted else min(left, max((there or 0) - took.get(at, 0), 0))
            if part:
                taken.append((stage, part))
                took[at] = took.get(at, 0) + part
                left -= part
        found.append(line._replace(taken=tuple(taken)))
    return found


def _with_others(lines: list[CountLine], rows: dict[str, list[StockRow]]) -> list[CountLine]:
    """The lines of an item that was counted at several stages name each other."""
    of_item: dict[str, list[CountLine]] = {}
    for line in lines:
        of_item.setdefault(line.item, []).append(line)
    found = list[CountLine]()
    for item, its in of_item.items():
        if len(its) == 1 or all(line.difference_milli == 0 for line in its):
            found += its
            continue
        more: int | None = -sum(row.qty_milli or 0 for row in rows.get(item, ()) if row.state == ParcelState.RELEASED)
        if not any(line.kind is LineKind.FOUND for line in its):
            more = 0
        for line in its:
            taken = sum(part for _, part in line.taken)
            more = None if more is None or line.difference_milli is None else more + line.difference_milli - taken
        twice = (more is None or more > 0) and any(line.kind in (LineKind.ELSEWHERE, LineKind.FOUND) for line in its)
        for line in its:
            also = tuple((other.stage, other.counted_milli) for other in its if other is not line)
            found.append(line._replace(also=also, twice=twice))
    return found


def visible_lines(count: Count, lines: list[CountLine]) -> list[CountLine]:
    """The lines that may be shown: of a blind count that goes on only what was counted, without what the ledger expects."""
    if not count.is_hidden:
        return lines
    counted = [line for line in lines if line.scan is not None]
    hidden = [
        line._replace(
            kind=LineKind.AGREES, opening_milli=None, expected_milli=None, difference_milli=None, micros=None,
            since_us=None, elsewhere=(), taken=(), also=(), twice=False,
            counted_milli=line.scan.qty_milli if line.scan else None,
        )
        for line in counted
    ]  # fmt: skip
    return sorted(hidden, key=lambda line: (line.item, line.stage))


def open_counts(connection: Connection, now_us: int, at_us: int | None = None) -> list[OpenCount]:
    """The counts that go on, each with its lines that do not agree so far and their value.

    `at_us`: those that went on at this time (UTC us), None: now; of one that has ended since, its lines at its end.
    """
    found = []
    for count in all_counts(connection):
        if count.ended_us is None if at_us is None else count.goes_on_at(at_us):
            lines = visible_lines(count, count_lines(connection, count, now_us))
            found.append(
                OpenCount(count, len([line for line in lines if line.kind in IS_OPEN]), differing_micros(lines))
            )
    return found


def differing_micros(lines: Iterable[CountLine]) -> int:
    """The sum of the values of lines that do not agree, without signs. What is at another stage is not worth another sum."""
    return sum(abs(line.micros or 0) for line in lines if line.kind in IS_OPEN and line.kind is not LineKind.ELSEWHERE)


def _rows(
    connection: Connection, opening: Sequence[StockRow], scans: Sequence[CountScan], ended_us: int | None
) -> dict[str, list[StockRow]]:
    """The stock rows of each item when the count was opened; without any, those of its end; without any, those of now."""
    rows: dict[str, list[StockRow]] = {}
    for row in opening:
        rows.setdefault(row.item, []).append(row)
    later = sorted({scan.item for scan in scans} - rows.keys())
    if ended_us is not None and later:
        for row in stock_at(connection, ended_us, later):
            rows.setdefault(row.item, []).append(row)
        later = [name for name in later if name not in rows]
    for start in range(0, len(later), AT_ONCE):
        for row in stock_of(connection, later[start : start + AT_ONCE]):
            rows.setdefault(row.item, []).append(row)
    return rows


def _known(connection: Connection, items: set[str]) -> set[str]:
    """Of these items, those of which anything ever was in a form: released, or moved by a scan."""
    found: set[str] = set()
    for part in in_parts(sorted(items)):
        query = select(move.c.item).where(and_(is_one_of(connection, move.c.item, part), move.c.n == 1))
        found.update(connection.execute(query).scalars())
    return found


class _Lines:
    """Makes the lines of one count from its balances."""

    def __init__(self, count: Count, balances: StageBalances, valuation: Valuation) -> None:
        self._count, self._balances, self._valuation = count, balances, valuation
        self.rows: dict[str, list[StockRow]] = {}
        self.known: set[str] = set()

    def counted(self, scan: CountScan, times: int) -> CountLine:
        """The line of what was counted last of an item at a stage."""
        at = (scan.item, scan.stage)
        expected = self._balances.at(*at, scan.at_us)
        others = {
            stage: there
            for stage in self._balances.stages(scan.item)
            if stage != scan.stage and not (there := self._balances.at(scan.item, stage, scan.at_us)).is_nothing
        }
        elsewhere = tuple((stage, there.known) for stage, there in others.items())
        if not expected.is_nothing:
            counted = expected.known if scan.qty_milli is None else scan.qty_milli
            difference = None if counted is None or expected.known is None else counted - expected.known
            kind = LineKind.DIFFERS if difference or (difference is None and scan.qty_milli) else LineKind.AGREES
            return self._line(kind, at, expected, counted, difference, (), times, scan)
        if others:
            counted = scan.qty_milli
            if counted is None and all(there.unknown <= 0 for there in others.values()):
                counted = sum(there.milli for there in others.values())
            return self._line(LineKind.ELSEWHERE, at, expected, counted, counted, elsewhere, times, scan)
        kind = LineKind.FOUND if scan.item in self.known else LineKind.UNKNOWN
        return self._line(kind, at, expected, scan.qty_milli, scan.qty_milli, (), times, scan)

    def not_counted(self, counted: set[At], walked: set[str], found: list[CountLine], until_us: int) -> list[CountLine]:
        """The lines of what was in scope at the opening and that nobody counted there."""
        taken: dict[At, int] = {}  # what was counted at another stage
        all_of_it: set[str] = set()  # items that were counted at another stage without a quantity
        for line in found:
            if line.kind is LineKind.ELSEWHERE and line.counted_milli is None:
                all_of_it.add(line.item)
            for stage, milli in line.taken:
                taken[line.item, stage] = taken.get((line.item, stage), 0) + milli
        lines = []
        for at, opening in sorted(self._balances.opening.items()):
            item, stage = at
            if at in counted or not self._count.covers(stage) or opening.is_nothing:
                continue
            left = self._balances.left(item, stage)
            if left.is_nothing or self._balances.at(item, stage, until_us).is_nothing:
                expected = self._balances.at(item, stage, until_us)
                lines.append(self._line(LineKind.MOVED, at, expected, None, None, (), 0, None))
                continue
            more = taken.get(at, 0)
            if item in all_of_it or (more and (left.known is None or more >= left.known)):
                continue  # it was counted at another stage, which has its own line
            left = left.plus(more, -1)
            is_missing = self._count.ended_us is not None and stage in walked
            kind = LineKind.MISSING if is_missing else LineKind.UNCOUNTED
            difference = None if left.known is None else -left.known
            lines.append(self._line(kind, at, left, None, difference, (), 0, None))
        return lines

    def _line(
        self, kind: LineKind, at: At, expected: StageQuantity, counted: int | None, difference: int | None,
        elsewhere: tuple[tuple[str, int | None], ...], times: int, scan: CountScan | None,
    ) -> CountLine:  # fmt: skip
        item, stage = at
        rows = self.rows.get(item, [])
        of_stage = [row for row in rows if row.stage == stage and row.in_process] or rows
        row = min(of_stage, key=lambda one: one.since_us, default=None)
        opening = self._balances.opening.get(at, StageQuantity())
        return CountLine(
            kind, item, stage, row.product if row else None, opening.known, expected.known, counted, difference,
            self._micros(row, difference, stage),
            row.there_since_us if row else None, elsewhere, times, scan,
        )  # fmt: skip

    def _started(self, row: StockRow, stage: str) -> StockRow:
        """Pieces at a stage, of an item that was not started when the count was opened: with the costs up to there."""
        routing = self._valuation.routing(row)
        at = routing.at_stage(stage) if routing is not None and not row.in_process else ()
        if routing is None or not at:
            return row
        before = routing.before(at[0].op)
        return row._replace(entered=at[0].op, reached=before.op if before else None, scanned=(at[0].op,))

    def _micros(self, row: StockRow | None, difference: int | None, stage: str) -> int | None:
        """The value of a difference, at the costs of the pieces that the ledger has; None where no cost is known."""
        if difference == 0:
            return 0
        if row is None or difference is None:
            return None
        value = self._valuation.of(self._started(row, stage)._replace(qty_milli=abs(difference)))
        if value is None or value.unvalued_milli:
            return None
        return in_micros(value)[0] if difference > 0 else -in_micros(value)[0]
