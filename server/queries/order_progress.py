"""Orders: what was asked for, how much of it is done, and where the rest is; late ones first.

An order is an item that was released under its own name; lots and serials released with it are its family, and its figures
are theirs together.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, or_, select

from server.locale_format import due_day
from server.projection.tables import item
from server.queries.current_stock import StockRow, standing_of
from server.queries.valuation import Valuation
from station.core.ledger.parcels import ParcelState

STATUSES = ("open", "finished", "closed")
MOST = 1_000
_CHUNK = 500  # names in one question


class OrderLocation(NamedTuple):
    """How much of an order stands at a stage, in a state; `qty_milli` None where part of it is of unknown quantity."""

    stage: str | None
    state: str
    qty_milli: int | None


class OrderProgress(NamedTuple):
    """One order with its family. Quantities in thousandths of `unit`; times UTC us."""

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
    finished_us: int | None
    closed_us: int | None
    where: tuple[OrderLocation, ...]
    items: int
    value_micros: int | None

    def is_late(self, today: date) -> bool:
        """Whether it should be done by now and is not."""
        return self.status == "open" and self.due is not None and self.due < today


def orders(connection: Connection, valuation: Valuation, status: str = "open") -> list[OrderProgress]:
    """Orders of one status: open ones by due day and priority, the others newest first. At most MOST."""
    c = item.c
    query = select(item).where(and_(c.status == status, is_order())).limit(MOST)
    query = query.order_by(c.due.is_(None), c.due, c.item) if status == "open" else query.order_by(c.last_key_us.desc())
    found = _with_families(connection, valuation, list(connection.execute(query)))
    return sorted(found, key=run_key) if status == "open" else found


def orders_after(
    connection: Connection, valuation: Valuation, cursor: str, limit: int, status: str | None
) -> list[OrderProgress]:
    """Orders by name behind `cursor`, for those who read all of them piece by piece."""
    query = select(item).where(and_(item.c.item > cursor, is_order()))
    if status is not None:
        query = query.where(item.c.status == status)
    return _with_families(connection, valuation, list(connection.execute(query.order_by(item.c.item).limit(limit))))


def order(connection: Connection, valuation: Valuation, name: str) -> OrderProgress | None:
    """One order with its family; None where no order is called so."""
    rows = list(connection.execute(select(item).where(and_(item.c.item == name, is_order()))))
    return next(iter(_with_families(connection, valuation, rows)), None)


def run_key(each: OrderProgress) -> tuple[Any, ...]:
    """Late and early, then urgent and not."""
    return (each.due or date.max, 2**31 if each.priority is None else each.priority, each.order)


def is_order() -> Any:
    """The rows of `item` that are orders: released under their own name, and no part of another one."""
    return and_(item.c.released_us.is_not(None), or_(item.c.order_.is_(None), item.c.order_ == item.c.item))


def _with_families(connection: Connection, valuation: Valuation, rows: list[Any]) -> list[OrderProgress]:
    names = [row.item for row in rows]
    family: dict[str, list[Any]] = {row.item: [row] for row in rows}
    for some in _chunks(names):
        children = select(item).where(and_(item.c.order_.in_(some), item.c.item != item.c.order_))
        for child in connection.execute(children):
            family[child.order_].append(child)
    members = [member.item for several in family.values() for member in several]
    stands: dict[str, list[StockRow]] = {}
    for some in _chunks(members):
        for stand in standing_of(connection, some):
            stands.setdefault(stand.order if stand.order in family else stand.item, []).append(stand)
    return [_order(row, family[row.item], stands.get(row.item, []), valuation) for row in rows]


def _order(row: Any, family: list[Any], stands: list[StockRow], valuation: Valuation) -> OrderProgress:
    product = valuation.catalogue.product(row.product, valuation.at_us)
    begun = [stand for stand in stands if stand.in_process]
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
        finished_milli=sum(member.finished_milli for member in family),
        scrapped_milli=sum(member.scrapped_milli for member in family),
        released_us=row.released_us,
        finished_us=row.finished_us,
        closed_us=row.closed_us,
        where=places(stands),
        items=len(family),
        value_micros=valuation.worth(begun).micros if begun else None,
    )


def places(stands: Iterable[StockRow]) -> tuple[OrderLocation, ...]:
    """Where things stand, what is furthest along first."""
    found: dict[tuple[str | None, str], list[StockRow]] = {}
    for stand in sorted(
        stands, key=lambda each: (-(each.operation or 0), each.state != ParcelState.HERE, each.stage or "")
    ):
        found.setdefault((stand.stage, stand.state), []).append(stand)
    return tuple(OrderLocation(stage, state, _sum(several)) for (stage, state), several in found.items())


def _sum(stands: list[StockRow]) -> int | None:
    known = [stand.qty_milli for stand in stands if stand.qty_milli is not None]
    return sum(known) if len(known) == len(stands) else None


def _chunks(names: list[str]) -> Iterable[list[str]]:
    return (names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK))
