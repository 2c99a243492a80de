"""Order progress: the ordered and finished quantity of each order, and the places of the rest.

An order is an item that was released under its own name. The lots and serials that were released with it are its family; the
figures of the order are those of the whole family, in which each piece counts once (`server.queries.order_family`).
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, or_, select

from server.locale_format import due_day
from server.projection.tables import item
from server.queries.current_stock import StockRow, stock_of
from server.queries.order_family import Member, member_of, reduced, stands_for
from server.queries.valuation import Valuation
from station.core.ledger.parcels import ParcelState

STATUSES = ("open", "finished", "scrapped", "adjusted", "closed")
COLUMNS = tuple(column for column in item.c if column.name != "state")  # the folded state is large, and not needed
_CHUNK = 500  # names in one statement


class OrderLocation(NamedTuple):
    """The quantity of an order at a stage in a state; `qty_milli` None where part of it is unknown."""

    stage: str | None
    state: str
    qty_milli: int | None


class OrderProgress(NamedTuple):
    """One order with its family. Quantities in thousandths of `unit`; times UTC us.

    `ended_us`: since when nothing of it is in process.
    """

    order: str
    product: str | None
    product_name: str
    unit: str
    decimals: int
    customer: str | None
    reference: str | None
    due: date | None
    priority: int | None
    status: str
    how: str | None
    ordered_milli: int
    finished_milli: int
    scrapped_milli: int
    released_us: int | None
    ended_us: int | None
    closed_us: int | None
    where: tuple[OrderLocation, ...]
    items: int
    value_micros: int | None

    def is_late(self, today: date) -> bool:
        """Whether the order is open after its due day."""
        return self.status == "open" and self.due is not None and self.due < today


def orders_after(
    connection: Connection, valuation: Valuation, cursor: str, limit: int, status: str | None
) -> list[OrderProgress]:
    """Orders by name after `cursor`, for clients that read all of them in pages."""
    query = select(*COLUMNS).where(and_(item.c.item > cursor, is_order()))
    if status is not None:
        query = query.where(item.c.status == status)
    return with_families(connection, valuation, list(connection.execute(query.order_by(item.c.item).limit(limit))))


def order(connection: Connection, valuation: Valuation, name: str) -> OrderProgress | None:
    """One order with its family; None where no order has this name."""
    rows = list(connection.execute(select(*COLUMNS).where(and_(item.c.item == name, is_order()))))
    return next(iter(with_families(connection, valuation, rows)), None)


def open_members(connection: Connection, orders: list[str]) -> list[str]:
    """The lots and serials of these orders that are open, by name."""
    found: list[str] = []
    for chunk in _chunks(orders):
        of_family = and_(item.c.order_.in_(chunk), item.c.item != item.c.order_, item.c.status == "open")
        found += connection.execute(select(item.c.item).where(of_family)).scalars()
    return sorted(found)


def is_order() -> Any:
    """SQL condition on `item`: the item is an order, released under its own name and no part of another order."""
    return and_(item.c.released_us.is_not(None), or_(item.c.order_.is_(None), item.c.order_ == item.c.item))


def with_families(connection: Connection, valuation: Valuation, rows: list[Any]) -> list[OrderProgress]:
    """The progress of these rows of `item` (COLUMNS), in their order."""
    names = [row.item for row in rows]
    family: dict[str, list[Any]] = {row.item: [row] for row in rows}
    for chunk in _chunks(names):
        children = select(*COLUMNS).where(and_(item.c.order_.in_(chunk), item.c.item != item.c.order_))
        for child in connection.execute(children):
            family[child.order_].append(child)
    members = [member.item for of_order in family.values() for member in of_order]
    stock: dict[str, list[StockRow]] = {}
    for chunk in _chunks(members):
        for stock_row in stock_of(connection, chunk):
            stock.setdefault(stock_row.order if stock_row.order in family else stock_row.item, []).append(stock_row)
    return [_order(row, family[row.item], stock.get(row.item, []), valuation) for row in rows]


def _order(row: Any, family: list[Any], stock: list[StockRow], valuation: Valuation) -> OrderProgress:
    product = valuation.master_data.product(row.product, valuation.at_us)
    members = [member_of(member) for member in family if member.item != row.item]
    quantities = stands_for(row.ordered_milli, product.decimals if product else 0, members)
    stock = _each_once(row.item, stock, members, quantities, valuation)
    begun = [stock_row for stock_row in stock if stock_row.in_process]
    return OrderProgress(
        order=row.item,
        product=row.product,
        product_name=(product.name if product else "") or row.product or "",
        unit=product.unit if product else "pcs",
        decimals=product.decimals if product else 0,
        customer=row.customer,
        reference=row.reference,
        due=due_day(row.due),
        priority=row.priority,
        status=row.status,
        how=row.how,
        ordered_milli=row.ordered_milli,
        finished_milli=sum(_ended(member, "finished", member.finished_milli, quantities) for member in family),
        scrapped_milli=sum(_ended(member, "scrapped", member.scrapped_milli, quantities) for member in family),
        released_us=row.released_us,
        ended_us=row.ended_us,
        closed_us=row.closed_us,
        where=places(stock),
        items=len(family),
        value_micros=valuation.total(begun).micros if begun else None,
    )


def _each_once(
    order: str, stock: list[StockRow], members: list[Member], quantities: dict[str, int | None], valuation: Valuation
) -> list[StockRow]:
    """The stock of a family with the quantities of its members, which what is not started of the order does not count."""
    if not members:
        return stock
    rows = reduced(stock, {order: members}, valuation)
    return [row._replace(qty_milli=quantities.get(row.item)) if row.qty_milli is None else row for row in rows]


def _ended(member: Any, status: str, milli: int, quantities: dict[str, int | None]) -> int:
    """What of a member has ended so: an item without quantity, what it stands for."""
    return milli if member.known_qty or member.status != status else quantities.get(member.item) or 0


def places(stock: Iterable[StockRow]) -> tuple[OrderLocation, ...]:
    """The places of some stock, the one furthest along the routing first."""
    groups: dict[tuple[str | None, str], list[StockRow]] = {}
    for stock_row in sorted(
        stock, key=lambda row: (-(row.operation or 0), row.state != ParcelState.HERE, row.stage or "")
    ):
        groups.setdefault((stock_row.stage, stock_row.state), []).append(stock_row)
    return tuple(OrderLocation(stage, state, _sum(group)) for (stage, state), group in groups.items())


def _sum(stock: list[StockRow]) -> int | None:
    known = [stock_row.qty_milli for stock_row in stock if stock_row.qty_milli is not None]
    return sum(known) if len(known) == len(stock) else None


def _chunks(names: list[str]) -> Iterable[list[str]]:
    return (names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK))
