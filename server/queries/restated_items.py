"""Restated items: the value entries of items whose order was released, or has other terms, later than their first scan.

Such an item has the product, routing and quantity of its release for the time before it too, as `historical_stock` reads
it, and other costs after a change of its order. Its moves are read one by one from its first one on.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, or_, select

from server.projection.item_rows import operations_of
from server.projection.ledger_row import AT_ONCE
from server.projection.tables import event_item, head, move
from server.queries.period_costs import PeriodCosts
from server.queries.value_entries import (
    ADJUSTED,
    CLOSE,
    IN_PROCESS,
    Grain,
    Posting,
    PricedForm,
    ValueEntry,
    account,
    move_entries,
    part_of,
    revaluation,
)
from station.core.ledger.item_balance import routed_parcel
from station.core.ledger.parcels import BETWEEN, Account, Parcel, ParcelState


class _RecordedForm(NamedTuple):
    """A form as its move recorded it; `came_from`: between stages, the stage that it was done at."""

    state: str
    operation: int | None
    stage: str | None
    entered: int | None
    reached: int | None
    scanned: tuple[int, ...]
    came_from: str | None


def restated_select(costs: PeriodCosts) -> Select[Any]:
    """The items whose terms after the begin of a period differ from earlier ones."""
    from_us = costs.begins[0]
    later, earlier = head.alias("later"), head.alias("earlier")
    terms = ["product", "routing", "released_us", "order_", "customer"]
    terms += ["ordered_milli"] if costs.valuation(from_us).costs_per_order else []
    differ = or_(*(later.c[name].is_distinct_from(earlier.c[name]) for name in terms))
    both = later.join(earlier, and_(earlier.c.item == later.c.item, earlier.c.from_us < later.c.from_us))
    return select(later.c.item).distinct().select_from(both).where(and_(later.c.from_us > from_us, differ))


def items_restated(connection: Connection, costs: PeriodCosts) -> frozenset[str]:
    """The names of these items."""
    return frozenset(connection.execute(restated_select(costs)).scalars())


def restated_entries(
    connection: Connection,
    items: Collection[str],
    costs: PeriodCosts,
    to_us: int,
    grain: Grain,
    normal: Mapping[tuple[str, int], int],
) -> Iterator[ValueEntry]:
    """The entries of these items in a period that ends at a time (UTC us). `normal`: the normal scrap of their moves."""
    ordered = sorted(items)
    for start in range(0, len(ordered), AT_ONCE):
        names = ordered[start : start + AT_ONCE]
        heads, moves = _by_item(connection, head, names), _moves(connection, names, to_us)
        for item in names:
            if item in moves:
                terms = _Terms(heads[item], costs, grain)
                yield from _entries(moves[item], terms, costs, to_us, normal)


class _Terms:
    """What belonged to an item as a whole, by time."""

    def __init__(self, heads: list[Any], costs: PeriodCosts, grain: Grain) -> None:
        self._heads, self._costs, self._grain = heads, costs, grain
        self._release = next((one for one in heads if one.released_us is not None), None)

    def changes(self, from_us: int, to_us: int) -> set[int]:
        """The times after one and up to another at which it changed."""
        return {one.from_us for one in self._heads if from_us < one.from_us <= to_us}

    @property
    def grain(self) -> Grain:
        """Which pieces are kept apart."""
        return self._grain

    def form(self, piece: _RecordedForm, at_us: int) -> PricedForm:
        """The form of a piece at a time; before a release with the terms that the release gave it."""
        terms = next((one for one in reversed(self._heads) if one.from_us <= at_us), self._heads[0])
        release = self._release
        if release is not None and terms.released_us is None and release.from_us > at_us:
            terms = release
        if release is not None and at_us <= release.from_us:
            piece = self._routed(piece, release)
        grain = self._grain
        return PricedForm(
            piece.state, (piece.stage or None) if grain.stage else None, terms.product, terms.routing, terms.released_us,
            terms.ordered_milli, (terms.order_ or terms.item) if grain.order else "", terms.item if grain.item else "",
            piece.entered, piece.reached, piece.scanned, piece.operation if grain.stage else None,
            terms.customer if grain.order else None,
        )  # fmt: skip

    def _routed(self, piece: _RecordedForm, release: Any) -> _RecordedForm:
        """A piece at the operation to which the release assigned it."""
        routing = self._costs.master_data.routing(release.routing, release.from_us)
        if routing is None or piece.operation is not None or not piece.state:
            return piece
        placed = routed_parcel(
            Parcel(
                state=piece.state, stage=piece.stage, entered=piece.entered, reached=piece.reached, scanned=piece.scanned,
                done_at=piece.came_from,
            ),
            routing,
        )  # fmt: skip
        return _RecordedForm(
            placed.state, placed.op, placed.stage, placed.entered, placed.reached, placed.scanned, piece.came_from
        )


def _entries(
    moves: list[Any], terms: _Terms, costs: PeriodCosts, to_us: int, normal: Mapping[tuple[str, int], int]
) -> Iterator[ValueEntry]:
    from_us = costs.begins[0]
    changes = sorted(terms.changes(from_us, to_us) | set(costs.begins[1:]))
    standing: Counter[_RecordedForm] = Counter()
    came_from: dict[int, str | None] = {}
    for one in moves:
        while changes and changes[0] <= one.at_us:
            yield from _changed(standing, terms, costs, changes.pop(0))
        source = _piece(one[:6], came_from.get(one.put))
        target = _piece(one[6:12], one.from_stage)
        came_from[one.n] = one.from_stage
        if not one.qty_milli:
            continue
        for piece, sign in ((source, -1), (target, 1)):
            if piece.state in IN_PROCESS:
                standing[piece] += sign * one.qty_milli
        if one.at_us > from_us:
            yield from _posted(one, source, target, terms, costs, normal.get((one.item, one.n), 0))
    for at_us in changes:
        yield from _changed(standing, terms, costs, at_us)


def _posted(
    one: Any, source: _RecordedForm, target: _RecordedForm, terms: _Terms, costs: PeriodCosts, normal_milli: int
) -> Iterator[ValueEntry]:
    was, now = terms.form(source, one.at_us), terms.form(target, one.at_us)
    before, after = costs.unit(was, one.at_us), costs.unit(now, one.at_us)
    posting = (
        Posting(one.n, one.pos, account(source.state, source.stage), account(target.state, target.stage), one.qty_milli)
        if terms.grain.item
        else None
    )
    by_close = one.to_state == ADJUSTED and one.verb == CLOSE
    scrap = (one.item, one.n) if ParcelState.SCRAPPED in (one.from_state, one.to_state) else None
    for entry in move_entries(was, now, before, after, one.qty_milli, by_close, normal_milli):
        at_us = one.at_us if terms.grain.item else None
        yield entry._replace(at_us=at_us, posting=part_of(posting, entry.line, normal_milli), scrap=scrap)


def _changed(standing: Counter[_RecordedForm], terms: _Terms, costs: PeriodCosts, at_us: int) -> Iterator[ValueEntry]:
    """What other terms, or other costs, from a time on make of the standing pieces."""
    for piece, milli in standing.items():
        old, new = terms.form(piece, at_us - 1), terms.form(piece, at_us)
        before, after = costs.unit(old, at_us - 1), costs.unit(new, at_us)
        if milli and (before != after or old.place != new.place):
            for entry in revaluation(old, new, before, after, milli):
                yield entry._replace(at_us=at_us)


def _piece(columns: Any, came_from: str | None) -> _RecordedForm:
    state, operation, stage, entered, reached, scanned = columns
    between = Account(state, None, stage) == BETWEEN and operation is None
    return _RecordedForm(
        state, operation, stage, entered, reached, operations_of(scanned), came_from if between else None
    )


def _by_item(connection: Connection, table: Any, names: list[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in connection.execute(select(table).where(table.c.item.in_(names)).order_by(table.c.item, table.c.from_us)):
        found.setdefault(row.item, []).append(row)
    return found


def _moves(connection: Connection, names: list[str], to_us: int) -> dict[str, list[Any]]:
    """The moves of these items up to a time, in their order, each with the verb of its event."""
    m, e = move.c, event_item.c
    verb = select(func.max(e.verb)).where(and_(e.item == m.item, e.pos == m.pos)).scalar_subquery()
    query = (
        select(
            m.from_state, m.from_operation, m.from_stage, m.entered, m.reached, m.scanned,
            m.to_state, m.to_operation, m.to_stage, m.to_entered, m.to_reached, m.to_scanned,
            m.item, m.n, m.at_us, m.pos, m.put, m.qty_milli, verb.label("verb"),
        )
        .where(and_(m.item.in_(names), m.at_us <= to_us))
        .order_by(m.item, m.n)
    )  # fmt: skip
    found: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        found.setdefault(row.item, []).append(row)
    return found
