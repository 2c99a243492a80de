"""Value moves: the value entries of all moves of a period, and of the changes of costs in it.

The moves of each part of the period (`PeriodCosts`) are read grouped by what their value depends on. The pieces that
stand at a change of costs are those that stood at the begin of the period and the moves since; the change of their value
is a revaluation. Items whose order was released or changed later than their first scan are read move by move
(`restated_items`), because the same pieces have other costs before and after.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    literal_column,
    null,
    or_,
    select,
)

from server.projection.item_rows import operations_of
from server.projection.tables import event_item, head, move
from server.queries.current_stock import StockRow
from server.queries.normal_scrap import normal_scrap, scrap_moves
from server.queries.period_costs import PeriodCosts
from server.queries.restated_items import items_restated, restated_entries, restated_select
from server.queries.stock_source import head_at
from server.queries.valuation import Valuation
from server.queries.value_entries import (
    ADJUSTED,
    CLOSE,
    IN_PROCESS,
    Grain,
    Posting,
    PricedForm,
    ValueEntry,
    account,
    form_of,
    move_entries,
    part_of,
    revaluation,
)
from station.core.ledger.parcels import ENDED

MILLION = 1_000_000  # a quantity is summed in two parts, because the sum of the largest ones exceeds 64 bits
_PLACES = frozenset({"from_stage", "from_operation", "to_stage", "to_operation"})
_FORM = ("state", "stage", "operation", "entered", "reached", "scanned")


def value_entries(
    connection: Connection, stock: Iterable[StockRow], costs: PeriodCosts, to_us: int, grain: Grain
) -> Iterator[ValueEntry]:
    """The entries of a period that ends at a time (UTC us). `stock`: the stock at its begin.

    Their sum is the difference of the values at its ends. They are in no particular order.
    """
    from_us = costs.begins[0]
    special = items_restated(connection, costs)
    normal = normal_scrap(connection, costs.master_data, from_us, to_us)
    apart = grain._replace(scrap=bool(normal))
    standing: Counter[PricedForm] = Counter()
    for row in stock:
        if row.in_process and row.qty_milli and row.item not in special:
            standing[_as_grouped(form_of(row, grain), costs.valuation(from_us))] += row.qty_milli
    for begin_us, end_us in pairwise([*costs.begins, to_us + 1]):
        if begin_us != from_us:
            yield from _revalued(standing, costs, begin_us)
        # What moved at the begin of the period is in its stock; what moves at a change of costs has the new ones.
        first_us = from_us + 1 if begin_us == from_us else begin_us
        for group in _groups(connection, first_us, end_us - 1, to_us, special, costs, apart):
            milli = normal.get((group.scrap_item, group.scrap_n), 0) if normal else 0
            yield from _posted(group, standing, costs, begin_us, grain, milli)
    yield from restated_entries(connection, special, costs, to_us, grain, normal)


def scrap_entries(
    connection: Connection, costs: PeriodCosts, to_us: int, normal: Mapping[tuple[str, int], int]
) -> Iterator[ValueEntry]:
    """The entries of the moves to and from scrap alone, each with its move, in a period that ends at a time (UTC us).

    `normal`: the normal scrap of these moves (`normal_scrap`).
    """
    from_us, grain, none = costs.begins[0], Grain(scrap=True), Counter[PricedForm]()
    special = items_restated(connection, costs)
    for begin_us, end_us in pairwise([*costs.begins, to_us + 1]):
        first_us = from_us + 1 if begin_us == from_us else begin_us
        for group in _groups(connection, first_us, end_us - 1, to_us, special, costs, grain, scraps_only=True):
            milli = normal.get((group.scrap_item, group.scrap_n), 0)
            yield from _posted(group, none, costs, begin_us, grain, milli)
    for entry in restated_entries(connection, special, costs, to_us, grain, normal):
        if entry.scrap is not None:
            yield entry


def _as_grouped(form: PricedForm, valuation: Valuation) -> PricedForm:
    """A form as `_groups` has it: with a time of the epoch of its release."""
    released_us = valuation.epochs.time(valuation.epochs.number(form.released_us))
    ordered_milli = form.ordered_milli if valuation.costs_per_order else 0
    return form._replace(released_us=released_us, ordered_milli=ordered_milli)


def _revalued(standing: Counter[PricedForm], costs: PeriodCosts, at_us: int) -> Iterator[ValueEntry]:
    for form, milli in standing.items():
        before, after = costs.unit(form, at_us - 1), costs.unit(form, at_us)
        if milli and before != after:
            for entry in revaluation(form, form, before, after, milli):
                yield entry._replace(at_us=at_us - 1)  # when the definition began to hold


def _posted(
    group: Any, standing: Counter[PricedForm], costs: PeriodCosts, at_us: int, grain: Grain, normal_milli: int
) -> Iterator[ValueEntry]:
    """The entries of one group of moves, or of one move; `standing` follows it. `normal_milli`: its normal scrap."""
    terms = (group.product, group.routing, costs.valuation(at_us).epochs.time(group.epoch), group.ordered,
             group.order_ or "", group.item or "")  # fmt: skip
    source, target = (
        PricedForm(state, stage or None, *terms, entered, reached, operations_of(scanned), operation, group.customer)
        for state, stage, operation, entered, reached, scanned in (group[:6], group[6:12])
    )
    milli = int(group.high) * MILLION + int(group.low)
    for form, sign in ((source, -1), (target, 1)):
        if form.in_process:
            standing[form] += sign * milli
    before, after = costs.unit(source, at_us), costs.unit(target, at_us)
    posting = (
        Posting(group.n, group.pos, account(source.state, source.stage), account(target.state, target.stage), milli)
        if grain.item
        else None
    )
    scrap = None if group.scrap_item is None else (group.scrap_item, group.scrap_n)
    for entry in move_entries(source, target, before, after, milli, group.by_close == 1, normal_milli):
        yield entry._replace(at_us=group.at_us, posting=part_of(posting, entry.line, normal_milli), scrap=scrap)


def _groups(
    connection: Connection,
    first_us: int,
    last_us: int,
    to_us: int,
    special: Collection[str],
    costs: PeriodCosts,
    grain: Grain,
    scraps_only: bool = False,
) -> Iterator[Any]:
    """The moves from one time to another (UTC us, both included), grouped by their forms; each one alone by item.

    Those to and from scrap are alone where `grain.scrap`; `scraps_only`: no others.
    """
    of_period = _moves(first_us, last_us, to_us, bool(special), costs, grain)
    moves = (of_period.where(scrap_moves()) if scraps_only else of_period).subquery("moves")
    keys = [column for column in moves.c if column.key != "qty_milli"]
    million = literal_column(str(MILLION), BigInteger)
    quantity = moves.c.qty_milli
    sums = (func.sum(quantity // million).label("high"), func.sum(quantity % million).label("low"))
    query = select(*keys, *sums).group_by(*keys)
    yield from connection.execute(query.order_by(moves.c.item, moves.c.n) if grain.item else query)


def _moves(first_us: int, last_us: int, to_us: int, restated: bool, costs: PeriodCosts, grain: Grain) -> Select[Any]:
    m, valuation = move.c, costs.valuation(first_us)
    forms: list[ColumnElement[Any]] = [
        *(m[f"from_{name}"] if name in ("state", "stage", "operation") else m[name] for name in _FORM),
        *(m[f"to_{name}"] for name in _FORM),
    ]
    if not grain.stage:
        forms = [null().label(column.key) if column.key in _PLACES else column for column in forms]
    ordered = head.c.ordered_milli if valuation.costs_per_order else literal_column("0")
    query = (
        select(
            *forms,
            head.c.product,
            head.c.routing,
            valuation.epochs.column(head.c.released_us).label("epoch"),
            ordered.label("ordered"),
            (func.coalesce(head.c.order_, head.c.item) if grain.order else null()).label("order_"),
            (head.c.customer if grain.order else null()).label("customer"),
            (m.item if grain.item else null()).label("item"),
            (m.n if grain.item else null()).label("n"),
            (m.pos if grain.item else null()).label("pos"),
            (m.at_us if grain.item else null()).label("at_us"),
            _by_close().label("by_close"),
            (case((scrap_moves(), m.item)) if grain.scrap else null()).label("scrap_item"),
            (case((scrap_moves(), m.n)) if grain.scrap else null()).label("scrap_n"),
            m.qty_milli,
        )
        .select_from(move.join(head, head.c.item == m.item))
        .where(and_(m.at_us >= first_us, m.at_us <= last_us, m.qty_milli > 0, head_at(to_us), _counts()))
    )
    return query.where(m.item.not_in(restated_select(costs))) if restated else query


def _counts() -> ColumnElement[bool]:
    """The condition for moves into, within or out of the work in process, and through it to an end."""
    m = move.c
    through = and_(m.to_state.in_(sorted(ENDED)), m.from_state.not_in(sorted({*ENDED, ADJUSTED})))
    return or_(m.from_state.in_(sorted(IN_PROCESS)), m.to_state.in_(sorted(IN_PROCESS)), through)


def _by_close() -> ColumnElement[int]:
    """1 for a move to `adjusted` by the close of an order, else 0."""
    e, m = event_item.c, move.c
    verb = select(e.verb).where(and_(e.item == m.item, e.pos == m.pos)).scalar_subquery()
    return case((m.to_state != ADJUSTED, 0), (verb == CLOSE, 1), else_=0)
