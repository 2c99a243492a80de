"""Order list: one page of the orders that a filter matches, sorted and counted in SQL.

The indexes `item_listed` and `item_closed` hold every column of the filter and of the usual sorting, so a page reads only
the rows of its own orders. Quantities and places are read for these orders (`server.queries.order_progress`).
"""

from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, false, func, not_, or_, select

from server.projection.tables import item, parcel
from server.queries.order_progress import COLUMNS, OrderProgress, is_order, with_families
from server.queries.printed_orders import is_printed
from server.queries.search import contains
from server.queries.valuation import Valuation
from station.core.ledger.parcels import LIVE

PAGE = 100  # orders on one page
AT_ONCE = 500  # orders that are read in one step for a file
MOST_PRODUCTS = 500  # products whose name contains the text of the search


class OrderFilter(NamedTuple):
    """The orders of one status that match every field that is not empty.

    `q` is contained in the name, the product, the customer or the reference; `number` in the name alone, `product`,
    `customer` and `reference` in the column of that name.
    `stage` and `state`: a piece of the order, or of a lot or serial under it, is there. `printed`: `no` or `yes`: whether a
    traveller of it, or of a lot or serial under it, is on record.
    """

    status: str = "open"
    q: str = ""
    number: str = ""
    product: str = ""
    customer: str = ""
    reference: str = ""
    stage: str = ""
    state: str = ""
    printed: str = ""


class OrderPage(NamedTuple):
    """One page of orders, and the number of all that match."""

    orders: tuple[OrderProgress, ...]
    total: int


class DueCounts(NamedTuple):
    """The numbers of matching orders that are late, and due today."""

    late: int
    today: int


SORTS = {
    "due": (item.c.due, item.c.priority),
    "priority": (item.c.priority, item.c.due),
    "order": (),
    "product": (item.c.product,),
    "customer": (item.c.customer,),
    "reference": (item.c.reference,),
    "stage": (),
    "state": (),
    "ended": (),
}
PRINTED = ("no", "yes")
DESCENDING = "-"  # before the name of a sorting


def default_sort(status: str) -> str:
    """Open orders by due day, the others by their end, the newest first."""
    return "due" if status == "open" else "-ended"


def order_page(
    connection: Connection, valuation: Valuation, wanted: OrderFilter, sort: str, start: int = 0, limit: int = PAGE
) -> OrderPage:
    """The orders from `start` on, at most `limit`. `sort`: a name of SORTS, after "-" descending."""
    names = _names(connection, wanted, valuation, sort).offset(start).limit(limit)
    ordered = list(connection.execute(names).scalars())
    return OrderPage(tuple(progress_of(connection, valuation, ordered)), matching(connection, valuation, wanted))


def matching(connection: Connection, valuation: Valuation, wanted: OrderFilter) -> int:
    """The number of orders that match."""
    query = select(func.count()).select_from(item).where(_condition(connection, wanted, valuation))
    return int(connection.execute(query).scalar_one())


def names_of(
    connection: Connection, valuation: Valuation, wanted: OrderFilter, sort: str, limit: int | None = None
) -> list[str]:
    """The names of the matching orders in their order, at most `limit`."""
    return list(connection.execute(_names(connection, wanted, valuation, sort).limit(limit)).scalars())


def progress_of(connection: Connection, valuation: Valuation, names: list[str]) -> list[OrderProgress]:
    """The progress of these orders, in their order; a name that is no item is left out."""
    rows = {}
    for start in range(0, len(names), AT_ONCE):
        chunk = names[start : start + AT_ONCE]
        rows.update({row.item: row for row in connection.execute(select(*COLUMNS).where(item.c.item.in_(chunk)))})
    return with_families(connection, valuation, [rows[name] for name in names if name in rows])


def due_counts(connection: Connection, valuation: Valuation, wanted: OrderFilter, today: date) -> DueCounts:
    """The numbers of matching open orders that are late and due today."""
    c, tomorrow = item.c, (today + timedelta(days=1)).isoformat()
    count = (
        select(func.count()).select_from(item).where(_condition(connection, wanted._replace(status="open"), valuation))
    )
    late = count.where(and_(c.due >= "0", c.due < today.isoformat()))
    due_today = count.where(and_(c.due >= today.isoformat(), c.due < tomorrow))
    return DueCounts(int(connection.execute(late).scalar_one()), int(connection.execute(due_today).scalar_one()))


def _names(connection: Connection, wanted: OrderFilter, valuation: Valuation, sort: str) -> Select[Any]:
    """The names of the matching orders, sorted; an order without the value is last.

    Only columns of the indexes are read, except for the stock that `stage` and `state` need.
    """
    name, descending = sort.removeprefix(DESCENDING), sort.startswith(DESCENDING)
    query = select(item.c.item).where(_condition(connection, wanted, valuation))
    columns: tuple[Any, ...] = SORTS[name]
    if name in ("stage", "state"):
        stock = select(func.min(parcel.c[name])).where(and_(parcel.c.item == item.c.item, parcel.c.state.in_(LIVE)))
        columns = (stock.scalar_subquery(),)
    elif name == "ended" and wanted.status == "closed":
        columns, query = (item.c.closed_us,), query.where(item.c.closed_us.is_not(None))
    elif name == "ended":
        columns = (item.c.ended_us,)
    if descending:
        return query.order_by(*(column.desc().nulls_last() for column in columns), item.c.item.desc())
    return query.order_by(*(column.asc().nulls_last() for column in columns), item.c.item)


def _condition(connection: Connection, wanted: OrderFilter, valuation: Valuation) -> Any:
    c = item.c
    conditions = [c.status == wanted.status, is_order()]
    for name, column in (("number", c.item), ("customer", c.customer), ("reference", c.reference)):
        text = getattr(wanted, name)
        if text:
            conditions.append(contains(column, text))
    if wanted.product:
        conditions.append(_of_product(wanted.product, valuation))
    if wanted.q:
        columns = (contains(column, wanted.q) for column in (c.item, c.customer, c.reference))
        conditions.append(or_(*columns, _of_product(wanted.q, valuation)))
    if wanted.stage or wanted.state:
        conditions.append(c.item.in_(_with_stock(wanted)))
    if wanted.printed:
        printed = is_printed(connection)
        conditions.append(printed if wanted.printed == "yes" else not_(printed))
    return and_(*conditions)


def _of_product(text: str, valuation: Valuation) -> Any:
    """The product's id or its name in the shop contains the text."""
    master_data, folded = valuation.master_data, text.casefold()
    named = [
        product
        for product in master_data.names("product.define")
        if (defined := master_data.product(product, valuation.at_us)) is not None
        and folded in (defined.name or "").casefold()
    ]
    return or_(contains(item.c.product, text), item.c.product.in_(named[:MOST_PRODUCTS]) if named else false())


def _with_stock(wanted: OrderFilter) -> Select[Any]:
    """The orders of the pieces at a stage in a state."""
    of = item.alias()
    conditions = [parcel.c.state == wanted.state if wanted.state else parcel.c.state.in_(LIVE)]
    if wanted.stage:
        conditions.append(parcel.c.stage == wanted.stage)
    query = select(func.coalesce(of.c.order_, of.c.item)).select_from(parcel.join(of, of.c.item == parcel.c.item))
    return query.where(and_(*conditions))
