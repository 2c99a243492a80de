"""Expense of a period: abnormal scrap, and the work of operations that pieces passed again, by reason.

Both are no part of the cost of good pieces (IAS 2.16, ASC 330-10-30-7). Abnormal scrap left the value of the work in
process: its total is the line `abnormal_scrap` of the roll-forward. A second pass adds nothing to the value of the pieces;
its work, at the standard costs of its time, was consumed beside it and is expense too.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, or_, select

from server.projection.item_rows import operations_of
from server.projection.ledger_row import AT_ONCE
from server.projection.tables import move
from server.queries.current_master_data import master_data
from server.queries.item_heads import head_at, heads_of
from server.queries.normal_scrap import normal_scrap
from server.queries.period_costs import PeriodCosts
from server.queries.roll_forward import Period
from server.queries.value_entries import ADJUSTED, IN_PROCESS, PricedForm, ValueLine, cost_line
from server.queries.value_moves import scrap_entries
from station.core.ledger.costs import MILLI, shares
from station.core.ledger.parcels import ENDED, ParcelState
from station.core.ledger.routing import Operation, Routing

KINDS = (ValueLine.MATERIAL, ValueLine.LABOUR, ValueLine.OVERHEAD, ValueLine.OUTSIDE)


class ExpenseCause(StrEnum):
    """Why it is expense."""

    SCRAP = "abnormal_scrap"
    REWORK = "rework"


class ExpenseKey(NamedTuple):
    """A row: `reason` None: none was scanned. Rework has the operation of a routing too; quantities are in `unit`.

    The reason of rework is that of the last move back of its item, to that operation or an earlier one.
    """

    cause: ExpenseCause
    reason: str | None
    routing: str | None
    op: int | None
    stage: str | None
    unit: str


class ExpenseRow(NamedTuple):
    """The pieces of a row, scrapped or passed again, and their cost in micros by kind.

    `uncosted_milli`: the pieces passed again for which a cost of the work is not known.
    """

    key: ExpenseKey
    qty_milli: int
    uncosted_milli: int
    kinds: dict[ValueLine, int]

    @property
    def micros(self) -> int:
        """The cost of the row."""
        return sum(self.kinds.values())


class _Sums:
    """Exact sums: thousandths of pieces, and thousandths of micros by kind of cost."""

    def __init__(self) -> None:
        self.quantities: Counter[ExpenseKey] = Counter()
        self.uncosted: Counter[ExpenseKey] = Counter()
        self.leaves: Counter[tuple[ExpenseKey, ValueLine]] = Counter()


def period_expense(connection: Connection, period: Period, step: int = 1) -> list[ExpenseRow]:
    """The expense of a period as known now: scrap by reason, then rework by operation. Amounts are multiples of `step`."""
    costs, sums = PeriodCosts(master_data(connection), period.from_us, period.to_us), _Sums()
    _add_scrap(connection, costs, period, sums)
    _add_rework(connection, costs, period, sums)
    keys = sorted((key for key, milli in sums.quantities.items() if milli or _has_leaves(key, sums)), key=_place)
    cells = [(key, kind) for key in keys for kind in KINDS]
    parts = dict(zip(cells, shares((sums.leaves[cell] for cell in cells), MILLI * step), strict=True))
    return [
        ExpenseRow(
            key,
            sums.quantities[key],
            sums.uncosted[key],
            {kind: parts[key, kind] * step for kind in KINDS if parts[key, kind]},
        )
        for key in keys
    ]


def _has_leaves(key: ExpenseKey, sums: _Sums) -> bool:
    return any(sums.leaves[key, kind] for kind in KINDS)


def _place(key: ExpenseKey) -> tuple[Any, ...]:
    scrap = key.cause == ExpenseCause.SCRAP
    return (not scrap, key.routing or "", key.op or 0, key.reason is None, key.reason or "", key.unit)


def _unit(product: str | None, costs: PeriodCosts) -> str:
    known = costs.master_data.product(product, costs.begins[-1])
    return known.unit if known else "pcs"


def _add_scrap(connection: Connection, costs: PeriodCosts, period: Period, sums: _Sums) -> None:
    normal = normal_scrap(connection, costs.master_data, period.from_us, period.to_us)
    keys: dict[tuple[str, int], ExpenseKey] = {}
    for one in _scraps(connection, period):
        unit = _unit(one.product, costs)
        key = ExpenseKey(ExpenseCause.SCRAP, one.reason or None, None, None, None, unit)
        keys[one.item, one.n] = key
        abnormal = one.qty_milli - normal.get((one.item, one.n), 0)
        sums.quantities[key] += abnormal if one.to_state == ParcelState.SCRAPPED else -abnormal
    for entry in scrap_entries(connection, costs, period.to_us, normal):
        if entry.line == ValueLine.SCRAPPED and entry.scrap is not None:
            sums.leaves[keys[entry.scrap], cost_line(entry.component)] -= entry.amount


def _scraps(connection: Connection, period: Period) -> Iterator[Any]:
    """The moves to and from scrap that change the value of the work in process, or pass through it."""
    m = move.c
    origins = sorted({*ENDED, ADJUSTED})
    to_scrap = and_(m.to_state == ParcelState.SCRAPPED, m.from_state.not_in(origins))
    back = and_(m.from_state == ParcelState.SCRAPPED, m.to_state.in_(sorted(IN_PROCESS)))
    query = select(m.item, m.n, m.product, m.reason, m.qty_milli, m.to_state)
    in_period = and_(m.at_us > period.from_us, m.at_us <= period.to_us, m.qty_milli > 0)
    yield from connection.execute(query.where(and_(in_period, or_(to_scrap, back))))


def _add_rework(connection: Connection, costs: PeriodCosts, period: Period, sums: _Sums) -> None:
    passes = list(_second_passes(connection, period))
    names = {one.item for one in passes}
    heads, returns = heads_of(connection, names), _returns(connection, sorted(names))
    for one in passes:
        head = head_at(heads.get(one.item, []), one.at_us)
        if head is None:
            continue
        form = PricedForm(
            one.from_state, None, head.product, head.routing, head.released_us, head.ordered_milli, "", "",
            one.entered, one.reached, operations_of(one.scanned),
        )  # fmt: skip
        valuation = costs.valuation(one.at_us)
        routing = valuation.routing(form)
        if routing is None:
            continue
        again = {operation.op: operation for operation in _again(one, routing)}
        unit, reason = _unit(head.product, costs), _reason(one, returns.get(one.item, []))
        keys = {
            op: ExpenseKey(ExpenseCause.REWORK, reason, routing.routing, op, operation.stage, unit)
            for op, operation in again.items()
        }
        for key in keys.values():
            sums.quantities[key] += one.qty_milli
        _charge(valuation.costs(form).lines, keys, one.qty_milli, sums)


def _charge(lines: Any, keys: Mapping[int, ExpenseKey], milli: int, sums: _Sums) -> None:
    """Add the work of the operations that pieces passed again."""
    unknown = set()
    for line in lines:
        key = None if line.material else keys.get(line.op)
        if key is None:
            continue
        if line.micros is None:
            unknown.add(key)
        else:
            sums.leaves[key, cost_line(line.component)] += line.micros * milli
    for key in unknown:
        sums.uncosted[key] += milli


def _second_passes(connection: Connection, period: Period) -> Iterator[Any]:
    """The moves forward, from an operation that the pieces had done before."""
    m = move.c
    forward = or_(m.to_state == ParcelState.FINISHED, m.to_operation > m.from_operation)
    goes_on = m.to_state.in_(sorted({*IN_PROCESS, ParcelState.FINISHED}))
    in_period = and_(m.at_us > period.from_us, m.at_us <= period.to_us, m.qty_milli > 0)
    again = and_(m.from_state.in_(sorted(IN_PROCESS)), m.reached >= m.from_operation, m.restated.is_(False))
    query = select(
        m.item, m.n, m.at_us, m.qty_milli, m.from_state, m.from_operation, m.entered, m.reached, m.scanned, m.to_state,
        m.to_operation,
    )  # fmt: skip
    yield from connection.execute(query.where(and_(in_period, again, forward, goes_on)))


def _returns(connection: Connection, names: list[str]) -> dict[str, list[Any]]:
    """The moves back to an earlier operation, by item, the last one first."""
    m, found = move.c, dict[str, list[Any]]()
    for start in range(0, len(names), AT_ONCE):
        query = select(m.item, m.n, m.to_operation, m.reason).where(
            and_(m.item.in_(names[start : start + AT_ONCE]), m.to_operation < m.from_operation)
        )
        for one in connection.execute(query.order_by(m.item, m.n.desc())):
            found.setdefault(one.item, []).append(one)
    return found


def _reason(one: Any, returns: list[Any]) -> str | None:
    """The reason for which the pieces of a second pass were sent back."""
    of = (back for back in returns if back.n < one.n and back.to_operation <= one.from_operation)
    return next((back.reason or None for back in of), None)


def by_reason(rows: Iterable[ExpenseRow]) -> dict[tuple[ExpenseCause, str | None], int]:
    """The micros of each cause and reason, all operations and units together."""
    sums: Counter[tuple[ExpenseCause, str | None]] = Counter()
    for row in rows:
        sums[row.key.cause, row.key.reason] += row.micros
    return dict(sums)


def _again(one: Any, routing: Routing) -> Iterator[Operation]:
    """The operations that a move passes and that its pieces had done; an optional one only where they were there."""
    for operation in routing.operations:
        op = operation.op
        passed = one.from_operation <= op <= one.reached
        until = one.to_state == ParcelState.FINISHED or op < one.to_operation
        was_there = op == one.from_operation and one.from_state != ParcelState.WAITING
        if passed and until and (was_there or not operation.optional):
            yield operation
