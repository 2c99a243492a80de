"""Order family: the quantity that each lot or serial of an order stands for, and what of the order none stands for.

A release that names items gives them no quantity: the ledger keeps the whole quantity in the order, not started, and the
lots and serials beside it. A reader that adds both counts the pieces twice. So the begun lots and serials are subtracted
from what of the order is not started. An item without quantity stands for one unit where the order is one of serials: a unit
without decimals, and as many items as pieces. Of another order what is not started is then unknown.

>>> begun, coming = Member("SN-1", None, True), Member("SN-2", None, False)
>>> quantities = stands_for(2_000, 0, [begun, coming])
>>> quantities, begun_milli([begun, coming], quantities)
({'SN-1': 1000, 'SN-2': 1000}, 1000)
>>> begun_milli([begun, coming], stands_for(9_000, 0, [begun, coming])) is None
True
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, and_, select

from server.projection.tables import item
from server.queries.current_stock import StockRow
from server.queries.stock_sums import ReleasedRow
from server.queries.valuation import Valuation
from station.core.ledger.parcels import ParcelState

AT_ONCE = 500  # orders in one statement
ONE_MILLI = 1000
Row = TypeVar("Row", StockRow, ReleasedRow)


class MemberRow(NamedTuple):
    """A lot or serial of an order: the columns of its row of `item` that tell what it stands for."""

    order: str
    item: str
    known_qty: bool
    ordered_milli: int
    overrun_milli: int
    started_us: int | None
    ended_us: int | None


class Member(NamedTuple):
    """A lot or serial of an order: its quantity in thousandths (None: unknown), and whether it was scanned."""

    item: str
    qty_milli: int | None
    begun: bool


def member_of(row: MemberRow | Any, at_us: int | None = None) -> Member:
    """The member of a row of `item`; with `at_us` (UTC us), whether it had been scanned at that time."""
    times = [us for us in (row.started_us, row.ended_us) if us is not None]
    begun = any(at_us is None or us <= at_us for us in times)
    return Member(row.item, row.ordered_milli + row.overrun_milli if row.known_qty else None, begun)


def stands_for(ordered_milli: int, decimals: int, members: Sequence[Member]) -> dict[str, int | None]:
    """The quantity that each member stands for, in thousandths; None where it is unknown."""
    known = sum(member.qty_milli or 0 for member in members)
    unknown = sum(member.qty_milli is None for member in members)
    each = ONE_MILLI if not decimals and known + unknown * ONE_MILLI == ordered_milli else None
    return {member.item: each if member.qty_milli is None else member.qty_milli for member in members}


def begun_milli(members: Sequence[Member], quantities: dict[str, int | None]) -> int | None:
    """The quantity that the begun members stand for; None where that of one is unknown."""
    taken = [quantities[member.item] for member in members if member.begun]
    known = [milli for milli in taken if milli is not None]
    return sum(known) if len(known) == len(taken) else None


def without_members(
    connection: Connection, stock: list[Row], valuation: Valuation, at_us: int | None = None
) -> list[Row]:
    """The stock, with what is not started of each order reduced by its begun lots and serials; at a time or now."""
    families = families_of(member_rows(connection, not_started_orders(stock)), at_us)
    return reduced(stock, families, valuation) if families else stock


def not_started_orders(stock: Iterable[Row]) -> list[str]:
    """The orders of which something is not started, by name."""
    return sorted({row.item for row in stock if row.state == ParcelState.RELEASED and row.item == row.order})


def member_rows(connection: Connection, orders: list[str]) -> list[MemberRow]:
    """The rows of the lots and serials of orders."""
    c = item.c
    columns = (c.order_, c.item, c.known_qty, c.ordered_milli, c.overrun_milli, c.started_us, c.ended_us)
    rows: list[MemberRow] = []
    for start in range(0, len(orders), AT_ONCE):
        chunk = orders[start : start + AT_ONCE]
        query = select(*columns).where(and_(c.order_.in_(chunk), c.item != c.order_))
        rows += [MemberRow._make(row) for row in connection.execute(query)]
    return rows


def families_of(rows: Iterable[MemberRow], at_us: int | None = None) -> dict[str, list[Member]]:
    """The lots and serials of each order."""
    families: dict[str, list[Member]] = {}
    for row in rows:
        families.setdefault(row.order, []).append(member_of(row, at_us))
    return families


def reduced(stock: Iterable[Row], families: dict[str, list[Member]], valuation: Valuation) -> list[Row]:
    """The stock without what the begun members of each order stand for: the oldest that is not started goes first."""
    rows: list[Row] = []
    left: dict[str, int | None] = {}
    for row in sorted(stock, key=lambda row: row.since_us):
        members = families.get(row.item) if row.state == ParcelState.RELEASED else None
        if not members or row.qty_milli is None:
            rows.append(row)
            continue
        if row.item not in left:
            quantities = stands_for(row.ordered_milli, valuation.product(row).decimals, members)
            left[row.item] = begun_milli(members, quantities)
        taken = left[row.item]
        if taken is None:
            rows.append(row._replace(qty_milli=None))
            continue
        left[row.item] = max(taken - row.qty_milli, 0)
        if row.qty_milli > taken:
            rows.append(row._replace(qty_milli=row.qty_milli - taken))
    return rows
