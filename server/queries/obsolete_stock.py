"""Obsolete and excess stock: pieces in process that may be worth less than they cost, with the reasons, highest value first.

A piece has every reason that holds for it. It counts once in the total; by reason it counts once under its first one, in the
order of `Reason`, so that these figures add up to the total.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select

from server.db.given_values import in_parts, is_one_of
from server.locale_format import due_day
from server.projection.tables import DAY_US, item
from server.queries.as_known_at import shop_known_at
from server.queries.current_stock import StockRow
from server.queries.past_items import load_items
from server.queries.valuation import Valuation
from station.core.ledger.costs import MILLI, half_even, shares

DAYS = 90  # without a move, unless a question names another number
Leaves = dict[str, int]  # thousandths of micros by component


class Reason(StrEnum):
    """Why stock may be worth less than it costs: what is decided about it first, then what only points to it."""

    CANCELLED = "cancelled"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    EXCESS = "excess"
    OVERDUE = "overdue"
    NOT_MOVED = "not_moved"


class ObsoleteRow(NamedTuple):
    """Pieces of one item at one stage with the same reasons, which have been there for the same number of days.

    `row`: one of their stock rows, with the quantity of all. `complete`: their value has every cost.
    """

    row: StockRow
    reasons: tuple[Reason, ...]
    days: int
    leaves: Leaves
    complete: bool

    @property
    def amount(self) -> int:
        """The value in thousandths of micros."""
        return sum(self.leaves.values())

    @property
    def place(self) -> tuple[int, str, str, str, str, int]:
        """The place among all rows: the highest value first."""
        row = self.row
        return (-self.amount, row.item, row.stage or "", row.state, ",".join(self.reasons), -self.days)


class ReasonTotal(NamedTuple):
    """The stock with one reason. `once_micros`: of it what has no earlier reason; these add up to the whole."""

    reason: Reason
    items: int
    value_micros: int
    once_micros: int


class ObsoleteStock(NamedTuple):
    """The chosen rows with their values in micros, which add up to `value_micros`, and all reasons that occur.

    An item in two rows is one item in `items` and `unvalued_items`. `all_micros`: the value without the choice of a reason.
    """

    rows: tuple[tuple[ObsoleteRow, int], ...]
    reasons: tuple[ReasonTotal, ...]
    items: int
    value_micros: int
    unvalued_items: int
    all_micros: int


class Chosen(NamedTuple):
    """Which of the stock; an empty text or None: all of it."""

    reason: Reason | None = None
    stage: str = ""
    product: str = ""


def obsolete_rows(
    stock: Iterable[StockRow], valuation: Valuation, days: int, today: date, ended: Mapping[str, Reason]
) -> list[ObsoleteRow]:
    """The stock in process with a reason, the highest value first.

    `days`: it was not moved for more than this. `today`: the day of the site, `ended`: of `ended_orders`, at the same time.
    """
    groups: dict[tuple[Any, ...], ObsoleteRow] = {}
    for row, is_excess in _divided([row for row in stock if row.in_process], valuation):
        reasons = _reasons(row, valuation, days, today, ended)
        if is_excess:
            reasons = tuple(reason for reason in Reason if reason in {*reasons, Reason.EXCESS})
        if not reasons:
            continue
        value, at_us = valuation.of(row), valuation.at_us
        made = ObsoleteRow(
            row, reasons, max(at_us - row.at_stage_since_us, 0) // DAY_US, dict(value.leaves) if value else {},
            value is not None and not value.unvalued_milli,
        )  # fmt: skip
        key = (row.item, row.stage, row.state, reasons, made.days)
        groups[key] = _together(groups[key], made) if key in groups else made
    return sorted(groups.values(), key=lambda made: made.place)


def excess_and_unmoved(stock: Iterable[StockRow], valuation: Valuation, days: int) -> list[ObsoleteRow]:
    """The stock that is excess or was not moved for more than `days`, with the figures that `obsolete_rows` has for both."""
    both = (Reason.EXCESS, Reason.NOT_MOVED)
    rows = obsolete_rows(stock, valuation, days, date.min, {})
    return [one for one in rows if any(reason in both for reason in one.reasons)]


def _reasons(
    row: StockRow, valuation: Valuation, days: int, today: date, ended: Mapping[str, Reason]
) -> tuple[Reason, ...]:
    """The reasons of all pieces of a stock row, in their order."""
    product, due = valuation.product(row), due_day(row.due)
    holds = {
        Reason.CANCELLED: ended.get(row.order) == Reason.CANCELLED,
        Reason.CLOSED: ended.get(row.order) == Reason.CLOSED,
        Reason.WITHDRAWN: product.withdrawn,
        Reason.REPLACED: product.replaced_by is not None,
        Reason.OVERDUE: due is not None and due < today,
        Reason.NOT_MOVED: valuation.at_us - row.at_stage_since_us > days * DAY_US,
    }
    return tuple(reason for reason in Reason if holds.get(reason))


def _divided(stock: list[StockRow], valuation: Valuation) -> Iterable[tuple[StockRow, bool]]:
    """The stock with what is beyond its order apart (`Valuation.overrun_rows`), and whether a row is that.

    Which of the lots of an order are beyond it the ledger cannot tell: a release gives them no quantity of their own.
    """
    over: dict[StockRow, int] = {}
    for row, milli in valuation.overrun_parts(row for row in stock if row.item == row.order):
        over[row] = over.get(row, 0) + milli
    for row in stock:
        beyond = min(over.get(row, 0), row.qty_milli or 0)
        if not beyond:
            yield row, False
            continue
        over[row] -= beyond  # equal rows share what is beyond
        yield row._replace(qty_milli=beyond), True
        if row.qty_milli != beyond:
            yield row._replace(qty_milli=(row.qty_milli or 0) - beyond), False


def _together(one: ObsoleteRow, other: ObsoleteRow) -> ObsoleteRow:
    """Both as one row, with the earlier arrival."""
    first = min(one.row, other.row, key=lambda row: row.at_stage_since_us)
    known = one.row.qty_milli is not None and other.row.qty_milli is not None
    milli = (one.row.qty_milli or 0) + (other.row.qty_milli or 0) if known else None
    leaves = {name: one.leaves.get(name, 0) + other.leaves.get(name, 0) for name in {**one.leaves, **other.leaves}}
    return ObsoleteRow(
        first._replace(qty_milli=milli), one.reasons, one.days, leaves, one.complete and other.complete
    )  # fmt: skip


def chosen_rows(found: Iterable[ObsoleteRow], chosen: Chosen) -> list[ObsoleteRow]:
    """The chosen ones of these rows, in their order."""
    return [
        one
        for one in found
        if (not chosen.stage or one.row.stage == chosen.stage)
        and (not chosen.product or one.row.product == chosen.product)
        and (chosen.reason is None or chosen.reason in one.reasons)
    ]


def obsolete_stock(found: Iterable[ObsoleteRow], chosen: Chosen, step: int = 1) -> ObsoleteStock:
    """The chosen rows, and the totals by reason of what has the chosen stage and product. Values are multiples of `step`."""
    of_place = chosen_rows(found, chosen._replace(reason=None))
    shown = chosen_rows(of_place, chosen)
    divisor = MILLI * step
    values = [micros * step for micros in shares((one.amount for one in shown), divisor)]
    occur = [reason for reason in Reason if any(reason in one.reasons for one in of_place)]
    once = shares(
        (sum(one.amount for one in of_place if one.reasons[0] == reason) for reason in occur), divisor
    )  # fmt: skip
    reasons = []
    for reason, part in zip(occur, once, strict=True):
        having = [one for one in of_place if reason in one.reasons]
        whole = half_even(sum(one.amount for one in having), divisor)
        reasons.append(ReasonTotal(reason, _items(having), whole * step, part * step))
    unvalued = _items(one for one in shown if not one.complete)
    return ObsoleteStock(
        tuple(zip(shown, values, strict=True)), tuple(reasons), _items(shown), sum(values), unvalued, sum(once) * step
    )  # fmt: skip


def ended_orders(
    connection: Connection, stock: Iterable[StockRow], known: int | None, at_us: int | None
) -> dict[str, Reason]:
    """The orders of this stock that the office closed or cancelled: what of them is in process are lots and serials.

    `known`: as known at this position, `at_us`: as of this time (UTC us); None: now.
    """
    orders = sorted({row.order for row in stock if row.in_process and row.order != row.item})
    if not orders:
        return {}
    if known is None:
        return _ended(connection, orders, at_us)
    with shop_known_at(connection, known, at_us) as shop:
        load_items(connection, shop, orders, at_us)
        return _ended(shop.scratch, orders, at_us)


def _ended(connection: Connection, orders: list[str], at_us: int | None) -> dict[str, Reason]:
    c, found = item.c, dict[str, Reason]()
    for chunk in in_parts(orders):
        query = select(c.item, c.how).where(and_(is_one_of(connection, c.item, chunk), c.closed_us.is_not(None)))
        for name, how in connection.execute(query if at_us is None else query.where(c.closed_us <= at_us)):
            found[name] = Reason.CANCELLED if how == "cancelled" else Reason.CLOSED
    return found


def _items(found: Iterable[ObsoleteRow]) -> int:
    return len({one.row.item for one in found})
