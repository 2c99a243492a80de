"""The API's answer about orders: its structs, which openapi.json describes, and their construction from query rows."""

import msgspec

from server.api.format import decimal, iso
from server.queries.order_progress import OrderProgress
from station.core.quantity import decimal_text


class OrdersQuery(msgspec.Struct):
    """`status`: open, finished, scrapped, adjusted, closed, or none for all.

    `as_of`: a past time, ISO 8601; `known`: only the events up to this position.
    """

    limit: int = 1_000
    cursor: str = ""
    status: str = ""
    as_of: str = ""
    known: str = ""


class WhereAnswer(msgspec.Struct):
    """The quantity of an order at a stage in a state."""

    stage: str | None
    state: str
    qty: str | None


class OrderAnswer(msgspec.Struct):
    """One order with the lots and serials under it. `ended`: since when nothing of it is in process."""

    order: str
    product: str | None
    customer: str | None
    reference: str | None
    due: str | None
    priority: int | None
    status: str
    how: str | None
    unit: str
    ordered: str
    finished: str
    scrapped: str
    items: int
    value_micros: int | None
    released: str | None
    where: list[WhereAnswer]
    ended: str | None


class OrdersAnswer(msgspec.Struct):
    """Orders by name; `cursor` leads to the next page, null on the last one."""

    orders: list[OrderAnswer]
    cursor: str | None
    as_of: str
    known: int
    pos: int
    behind: int
    behind_s: int
    recalculating: int


def order_row(order: OrderProgress) -> OrderAnswer:
    """A row of /api/v1/orders."""
    return OrderAnswer(
        order.order,
        order.product,
        order.customer,
        order.reference,
        order.due.isoformat() if order.due else None,
        order.priority,
        order.status,
        order.how,
        order.unit,
        decimal_text(order.ordered_milli),
        decimal_text(order.finished_milli),
        decimal_text(order.scrapped_milli),
        order.items,
        order.value_micros,
        iso(order.released_us),
        [WhereAnswer(location.stage, location.state, decimal(location.qty_milli)) for location in order.where],
        iso(order.closed_us or order.ended_us),
    )
