"""Historical stock: the stock at any past minute, as it is known now.

It is read from rows alone. A piece that was in process at a time is in process now (`parcel`), or a later move ended the
form that it had then (`move`): on the same day, or after midnight (`open_at`). The move that gave it that form has its
further columns, and `head` those of its item. The cost depends on what was open then, not on the length of the ledger.

An order that was released after its first scan has its product, routing and quantity for the time before, too: an entry of
the office states what a code is, as a binding does.
"""

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal_column, select

from server.db.given_values import is_one_of
from server.projection.item_rows import operations_of
from server.projection.ledger_row import AT_ONCE
from server.projection.tables import DAY_US, LONG, event_item, head, item, move, open_at, parcel
from server.queries.current_master_data import master_data
from server.queries.current_stock import StockRow
from station.core.ledger.item_balance import routed_parcel
from station.core.ledger.parcels import BETWEEN, LIVE, Account, Parcel
from station.core.master_data import MasterData

_OF_ITEM = ("name", "product", "order_", "routing", "released_us", "ordered_milli", "over_milli", "due", "priority",
            "customer")  # fmt: skip
_OF_PLACE = ("held_from", "station", "operator", "reason", "carrier", "approx")
_OF_FORM = ("qty_milli", "since_us", "at_stage_since_us", "started_us", "entered", "reached", "run_since_us", "scanned")


def stock_at(
    connection: Connection, at_us: int, items: Collection[str] | None = None, known: int | None = None
) -> list[StockRow]:
    """All stock that was released, waiting, here or held at a time (UTC us), in no particular order.

    `items`: of these items only. `known`: without the items that have an event up to the time behind this ledger position.

    The pieces of one form are one row, whichever left it first. A quantity that became known later also holds for the time
    before.
    """
    midnight_us = (at_us // DAY_US + 1) * DAY_US
    queries = (
        _moved_on(at_us).where(and_(move.c.at_us > at_us, move.c.at_us <= midnight_us)),
        _moved_on(at_us)
        .join(open_at, and_(open_at.c.item == move.c.item, open_at.c.n == move.c.n))
        # The addition keeps the planner from reading all moves after the time through their index.
        .where(and_(open_at.c.day.in_((midnight_us // DAY_US, LONG)), move.c.at_us + 0 > midnight_us)),
        _still_there(at_us),
    )
    stock: dict[tuple[str, int], StockRow] = {}
    for query, of_item in zip(queries, (move.c.item, move.c.item, item.c.item), strict=True):
        of_items = query if items is None else query.where(is_one_of(connection, of_item, items))
        of_items = of_items if known is None else of_items.where(~_has_late_event(of_item, known, at_us))
        for form, *values in connection.execute(of_items):
            row = _stock_row(values)
            other = stock.get((row.item, form))
            if other is not None and other.qty_milli is not None and row.qty_milli is not None:
                row = row._replace(qty_milli=other.qty_milli + row.qty_milli)
            stock[row.item, form] = row
    released = released_later(connection, {row.item for row in stock.values() if row.released_us is None}, at_us)
    if released:
        of_late = {key: row for key, row in stock.items() if row.item in released}
        came_from = _came_from(connection, of_late)
        definitions = master_data(connection)
        for key, row in of_late.items():
            stock[key] = as_released(row, released[row.item], came_from.get(key), definitions)
    return list(stock.values())


class Release(NamedTuple):
    """A row of `head` from the release of an item on, without the item and the time."""

    name: str | None
    product: str | None
    order_: str | None
    routing: str | None
    released_us: int | None
    ordered_milli: int
    over_milli: int
    due: str | None
    priority: int | None
    customer: str | None


def released_later(connection: Connection, names: set[str], at_us: int) -> dict[str, Release]:
    """Of these items, those that were released after a time, with their first release."""
    c, found, ordered = head.c, dict[str, Release](), sorted(names)
    for start in range(0, len(ordered), AT_ONCE):
        chunk = and_(c.item.in_(ordered[start : start + AT_ONCE]), c.from_us > at_us, c.released_us.is_not(None))
        for row in connection.execute(select(head).where(chunk).order_by(c.from_us.desc())):
            found[row.item] = Release._make(row[2:])
    return found


def _came_from(connection: Connection, forms: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str | None]:
    """The stage from which the move of each form came."""
    wanted, c = set(forms), move.c
    ordered, found = sorted({name for name, _ in wanted}), dict[tuple[str, int], str | None]()
    for start in range(0, len(ordered), AT_ONCE):
        query = select(c.item, c.n, c.from_stage).where(c.item.in_(ordered[start : start + AT_ONCE]))
        found.update({(name, n): stage for name, n, stage in connection.execute(query) if (name, n) in wanted})
    return found


def as_released(row: StockRow, release: Release, came_from: str | None, definitions: MasterData) -> StockRow:
    """A row of stock with the order of a later release, at the operation of its routing to which the release assigns it."""
    row = row._replace(
        product=release.product, order=release.order_ or row.item, routing=release.routing,
        released_us=release.released_us, ordered_milli=release.ordered_milli,
        over_milli=max(row.over_milli - release.ordered_milli, 0), due=release.due, priority=release.priority,
        customer=release.customer,
    )  # fmt: skip
    released_us = 0 if release.released_us is None else release.released_us
    routing = definitions.routing(release.routing, released_us)
    if routing is None or row.operation is not None:
        return row
    piece = Parcel(
        state=row.state, stage=row.stage, entered=row.entered, reached=row.reached, scanned=row.scanned,
        done_at=came_from if Account(row.state, None, row.stage) == BETWEEN else None,
    )  # fmt: skip
    placed = routed_parcel(piece, routing)
    return row._replace(
        operation=placed.op, stage=placed.stage, entered=placed.entered, reached=placed.reached, scanned=placed.scanned
    )


def _has_late_event(of_item: Any, known: int, at_us: int) -> ColumnElement[bool]:
    c = event_item.c
    late: Select[Any] = select(literal_column("1")).where(and_(c.item == of_item, c.pos > known, c.key_us <= at_us))
    return late.exists()


def _moved_on(at_us: int) -> Select[Any]:
    """The pieces of moves whose form before was there at a time; each has yet to be limited to moves after it."""
    put = move.alias("put_by")
    columns = [
        move.c.put,
        move.c.item,
        *(head.c[name] for name in _OF_ITEM),
        move.c.from_operation,
        move.c.from_stage,
        move.c.from_state,
        *(put.c[name] for name in _OF_PLACE),
        *(move.c[name] for name in _OF_FORM),
    ]
    was_there = and_(move.c.from_state.in_(LIVE), func.coalesce(move.c.placed_us, move.c.since_us) <= at_us)
    return (
        select(*columns)
        .select_from(move)
        .join(put, and_(put.c.item == move.c.item, put.c.n == move.c.put))
        .join(head, _head_at(move.c.item, at_us))
        .where(was_there)
    )


def _still_there(at_us: int) -> Select[Any]:
    columns = [
        parcel.c.put,
        parcel.c.item,
        *(head.c[name] for name in _OF_ITEM),
        parcel.c.operation,
        parcel.c.stage,
        parcel.c.state,
        *(parcel.c[name] for name in _OF_PLACE),
        *(parcel.c[name] for name in _OF_FORM),
    ]
    was_there = and_(parcel.c.state.in_(LIVE), func.coalesce(parcel.c.placed_us, parcel.c.since_us) <= at_us)
    return (
        select(*columns)
        .select_from(item)
        .join(parcel, parcel.c.item == item.c.item)
        .join(head, _head_at(item.c.item, at_us))
        .where(and_(item.c.status == "open", was_there))
    )


def _head_at(of_item: Any, at_us: int) -> Any:
    """The condition for the row of `head` that held for an item at a time."""
    other = head.alias("other")
    latest = select(func.max(other.c.from_us)).where(and_(other.c.item == of_item, other.c.from_us <= at_us))
    return and_(head.c.item == of_item, head.c.from_us == latest.scalar_subquery())


def _stock_row(values: Any) -> StockRow:
    (
        name_of_item, name, product, order, routing, released_us, ordered_milli, over_milli, due, priority, customer,
        operation, stage, state, held_from, station, operator, reason, carrier, approx,
        qty_milli, since_us, at_stage_since_us, started_us, entered, reached, run_since_us, scanned,
    ) = values  # fmt: skip
    return StockRow(
        name_of_item, name, product, order or name_of_item, routing, released_us, ordered_milli, over_milli, due, priority,
        customer, operation, stage, state, held_from, station, operator, reason, carrier, qty_milli, since_us,
        at_stage_since_us, started_us, entered, reached, approx, run_since_us, operations_of(scanned),
    )  # fmt: skip
