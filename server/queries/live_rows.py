"""Live rows: the pieces of open items as the database has them, by item: all of them, or those of the items that changed.

Each write of the rows of an item gives its row of `item` a new, greater number in `changed`.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, case, func, select, union_all

from server.projection.item_rows import operations_text
from server.projection.tables import item, parcel
from server.queries.current_stock import StockRow
from server.queries.historical_stock import released_later, stock_at
from server.queries.stock_source import has_members, selects_at, times_of
from station.core.ledger.parcels import LIVE

AT_ONCE = 500  # items in one statement


class PieceRow(NamedTuple):
    """A quantity of one item in one form; of an item without such, `state` is None. Times UTC us.

    `last_us`: of its last event. `stage` is "" between stages. `members`: 1 for what is not started of an order that has
    lots or serials of its own.
    """

    item: str
    status: str
    last_us: int
    changed: int
    order: str
    product: str | None
    routing: str | None
    released_us: int | None
    ordered_milli: int
    over_milli: int
    due: str | None
    state: str | None
    stage: str
    operation: int | None
    entered: int | None
    reached: int | None
    scanned: str | None
    qty_milli: int | None
    since_us: int
    at_stage_since_us: int
    approx: bool
    station: str | None
    members: int


def open_rows(connection: Connection) -> Iterator[PieceRow]:
    """The rows of all open items."""
    return _read(connection, _rows().where(item.c.status == "open"))


def changed_items(connection: Connection, after: int, most: int) -> set[str]:
    """The items that were written after the change of that number, `most` of them, also those that are no longer open."""
    c = item.c
    # By `changed`, so that SQLite reads its index instead of all items.
    return set(connection.execute(select(c.item).where(c.changed > after).order_by(c.changed).limit(most)).scalars())


def rows_of(connection: Connection, names: Iterable[str]) -> Iterator[PieceRow]:
    """The rows of some items."""
    for chunk in in_chunks(names):
        yield from _read(connection, _rows().where(item.c.item.in_(chunk)))


def rows_then(connection: Connection, at_us: int, names: Collection[str], most: int) -> list[PieceRow] | None:
    """The rows of a past time (UTC us) of the items with an event since; None for more than `most` pieces.

    `names`: the open ones of these items.
    """
    moved, moved_later, stayed, _ = selects_at()
    queries: list[Any] = [union_all(moved, moved_later).limit(most + 1)]
    queries += [stayed.where(item.c.item.in_(chunk)) for chunk in in_chunks(names)]
    forms: dict[tuple[str, int], PieceRow] = {}
    for query in queries:
        pieces = connection.execute(query, times_of(at_us)).all()
        if len(pieces) > most:
            return None
        for piece in pieces:
            row, key = _row_then(piece), (piece.item, piece.put)
            forms[key] = row if key not in forms else _joined(forms[key], row)
    rows = list(forms.values())
    late = released_later(connection, {row.item for row in rows if row.released_us is None}, at_us)
    if late:
        rows = [row for row in rows if row.item not in late]
        rows += [_late_row(row) for row in stock_at(connection, at_us, late)]
    return sorted(rows, key=lambda row: row.item)


def _row_then(r: Any) -> PieceRow:
    return PieceRow(
        r.item, "open", 0, 0, r.order_, r.product, r.routing, r.released_us, r.ordered_milli, r.over_milli, r.due, r.state,
        r.stage, r.operation, r.entered, r.reached, r.scanned, r.qty_milli, r.since_us, r.at_stage_since_us, False, None,
        r.members,
    )  # fmt: skip


def _late_row(r: StockRow) -> PieceRow:
    """The row of an item that was released later, so that nothing of it was not started."""
    return PieceRow(
        r.item, "open", 0, 0, r.order, r.product, r.routing, r.released_us, r.ordered_milli, r.over_milli, r.due, r.state,
        r.stage or "", r.operation, r.entered, r.reached, operations_text(r.scanned), r.qty_milli, r.since_us,
        r.at_stage_since_us, False, None, 0,
    )  # fmt: skip


def _joined(row: PieceRow, other: PieceRow) -> PieceRow:
    """Pieces of one form, which left it at different times, as one row."""
    known = row.qty_milli is not None and other.qty_milli is not None
    return row._replace(qty_milli=(row.qty_milli or 0) + (other.qty_milli or 0) if known else None)


def orders_with_members(connection: Connection, orders: Iterable[str]) -> set[str]:
    """Of these orders, those that have lots or serials of their own."""
    found: set[str] = set()
    c = item.c
    for chunk in in_chunks(orders):
        members = select(c.order_).where(and_(c.order_.in_(chunk), c.item != c.order_))
        found.update(connection.execute(members.distinct()).scalars())
    return found


def newest_change(connection: Connection) -> tuple[int, str]:
    """The number of the last change, and an item that it wrote; (0, "") where there is no item."""
    c = item.c
    row = connection.execute(select(c.changed, c.item).order_by(c.changed.desc()).limit(1)).first()
    return (0, "") if row is None else (row.changed, row.item)


def open_items(connection: Connection) -> int:
    """The number of open items."""
    return int(connection.execute(select(func.count()).where(item.c.status == "open")).scalar_one())


def open_names(connection: Connection) -> set[str]:
    """The open items."""
    return set(connection.execute(select(item.c.item).where(item.c.status == "open")).scalars())


def change_of(connection: Connection, name: str) -> int | None:
    """The number of the last change of an item; None for one that was deleted."""
    return connection.execute(select(item.c.changed).where(item.c.item == name)).scalar()


def in_chunks(names: Iterable[str]) -> Iterator[list[str]]:
    """The names in ascending order, AT_ONCE of them at a time."""
    ordered = sorted(names)
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]


def _rows() -> Select[Any]:
    i, p = item.c, parcel.c
    over = case((i.overrun_milli > i.finished_milli, i.overrun_milli - i.finished_milli), else_=0)
    rows = select(
        i.item, i.status, i.last_key_us, i.changed, func.coalesce(i.order_, i.item), i.product, i.routing, i.released_us,
        i.ordered_milli, over, i.due, p.state, func.coalesce(p.stage, ""), p.operation, p.entered, p.reached, p.scanned,
        p.qty_milli, p.since_us, p.at_stage_since_us, p.approx, p.station, has_members(p.state, i.item, i.order_),
    ).select_from(item.outerjoin(parcel, and_(p.item == i.item, p.state.in_(LIVE))))  # fmt: skip
    return rows.order_by(i.item)


def _read(connection: Connection, query: Select[Any]) -> Iterator[PieceRow]:
    return (PieceRow._make(row) for row in connection.execute(query))
