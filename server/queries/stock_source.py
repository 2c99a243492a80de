"""Stock source: the open pieces of the shop as one SQL select, now or at a past time, for sums that the database computes.

The rows are those of `current_stock.stock_now` and `historical_stock.stock_at` with the columns that a sum needs: one row
for each quantity of an item in one form. `stage` is "" between stages. `members`: 1 for what is not started of an order that
has lots or serials of its own, whose quantity `order_family` reduces. `station` and `approx` are of the present only.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    column,
    false,
    func,
    literal_column,
    null,
    select,
    union_all,
    values,
)

from server.projection.item_rows import operations_text
from server.projection.tables import DAY_US, LONG, head, item, move, open_at, parcel
from server.queries.current_stock import StockRow
from station.core.ledger.parcels import LIVE, ParcelState

_OF_FORM = ("since_us", "at_stage_since_us", "entered", "reached", "scanned")
_FROM_PARCEL: tuple[ColumnElement[Any], ...] = (
    func.coalesce(parcel.c.stage, "").label("stage"),
    *(parcel.c[name] for name in ("state", "operation", *_OF_FORM)),
)
_FROM_MOVE: tuple[ColumnElement[Any], ...] = (
    func.coalesce(move.c.from_stage, "").label("stage"),
    move.c.from_state.label("state"),
    move.c.from_operation.label("operation"),
    *(move.c[name] for name in _OF_FORM),
)


def stock_source(at_us: int | None, instead: Sequence[StockRow] = ()) -> FromClause:
    """The open pieces at a time (UTC us), or now.

    `instead`: of a past time, all pieces of the items whose rows in the tables do not hold.
    """
    return (_now() if at_us is None else _at(at_us, instead)).subquery("stock")


def _now() -> Select[Any]:
    over = case((item.c.overrun_milli > item.c.finished_milli, item.c.overrun_milli - item.c.finished_milli), else_=0)
    return (
        select(
            item.c.item,
            func.coalesce(item.c.order_, item.c.item).label("order_"),
            item.c.product,
            item.c.routing,
            item.c.released_us,
            item.c.ordered_milli,
            over.label("over_milli"),
            item.c.due,
            *_FROM_PARCEL,
            parcel.c.qty_milli,
            parcel.c.approx,
            parcel.c.station,
            has_members(parcel.c.state, item.c.item, item.c.order_).label("members"),
        )
        .select_from(item.join(parcel, parcel.c.item == item.c.item))
        .where(and_(item.c.status == "open", parcel.c.state.in_(LIVE)))
    )


def _at(at_us: int, instead: Sequence[StockRow]) -> Select[Any]:
    """The three sets of `docs/design/moves.md`; pieces of one form that left it at different times are one row."""
    midnight_us = (at_us // DAY_US + 1) * DAY_US
    moved = union_all(
        _moved_on(at_us).where(and_(move.c.at_us > at_us, move.c.at_us <= midnight_us)),
        _moved_on(at_us)
        .join(open_at, and_(open_at.c.item == move.c.item, open_at.c.n == move.c.n))
        .where(and_(open_at.c.day.in_((midnight_us // DAY_US, LONG)), move.c.at_us > midnight_us)),
    ).cte("moved_on")
    names = select(moved.c.item).distinct().subquery("names")
    stayed = (
        select(parcel.c.item, parcel.c.put.label("form"), null().label("n"), parcel.c.qty_milli)
        .select_from(names.join(parcel, parcel.c.item == names.c.item).join(item, item.c.item == names.c.item))
        .where(_still_there(at_us))
    )
    pieces = union_all(select(moved), stayed).subquery("pieces")
    known = func.count(pieces.c.qty_milli) == func.count()
    forms = (
        select(
            pieces.c.item,
            pieces.c.form,
            func.min(pieces.c.n).label("n"),
            case((known, func.sum(pieces.c.qty_milli))).label("qty_milli"),
        )
        .group_by(pieces.c.item, pieces.c.form)
        .cte("forms")
    )
    left = forms.join(move, and_(move.c.item == forms.c.item, move.c.n == forms.c.n))
    rest = forms.join(parcel, and_(parcel.c.item == forms.c.item, parcel.c.put == forms.c.form))
    whole = item.join(parcel, parcel.c.item == item.c.item)
    given_names = sorted({row.item for row in instead})
    parts = [
        _with_head(left, _FROM_MOVE, forms.c.qty_milli, move.c.item, at_us),
        _with_head(rest, _FROM_PARCEL, forms.c.qty_milli, parcel.c.item, at_us).where(forms.c.n.is_(None)),
        _with_head(whole, _FROM_PARCEL, parcel.c.qty_milli, parcel.c.item, at_us)
        .where(_still_there(at_us))
        .where(item.c.item.not_in(select(moved.c.item))),
    ]
    given = [part.where(head.c.item.not_in(given_names)) for part in parts] + [_given(instead)] if instead else parts
    rows = union_all(*given).subquery("rows")
    now_only = (false().label("approx"), cast(null(), Text).label("station"))
    return select(*rows.c, *now_only, has_members(rows.c.state, rows.c.item, rows.c.order_).label("members"))


def _given(stock: Sequence[StockRow]) -> Select[Any]:
    """Stock rows as a select with the columns of `_with_head`."""
    kinds: list[tuple[str, Any]] = [
        ("item", Text), ("order_", Text), ("product", Text), ("routing", Text), ("released_us", BigInteger),
        ("ordered_milli", BigInteger), ("over_milli", BigInteger), ("due", Text), ("stage", Text), ("state", Text),
        ("operation", BigInteger), ("since_us", BigInteger), ("at_stage_since_us", BigInteger), ("entered", BigInteger),
        ("reached", BigInteger), ("scanned", Text), ("qty_milli", BigInteger),
    ]  # fmt: skip
    rows = [
        (row.item, row.order, row.product, row.routing, row.released_us, row.ordered_milli, row.over_milli, row.due,
         row.stage or "", row.state, row.operation, row.since_us, row.at_stage_since_us, row.entered, row.reached,
         operations_text(row.scanned), row.qty_milli)
        for row in stock
    ]  # fmt: skip
    given = values(*(column(name, kind) for name, kind in kinds), name="given").data(rows).cte("given")
    return select(*(cast(given.c[name], kind).label(name) for name, kind in kinds))


def _moved_on(at_us: int) -> Select[Any]:
    was_there = and_(move.c.from_state.in_(LIVE), func.coalesce(move.c.placed_us, move.c.since_us) <= at_us)
    return select(move.c.item, move.c.put.label("form"), move.c.n, move.c.qty_milli).where(was_there)


def _still_there(at_us: int) -> ColumnElement[bool]:
    was_there = func.coalesce(parcel.c.placed_us, parcel.c.since_us) <= at_us
    return and_(item.c.status == "open", parcel.c.state.in_(LIVE), was_there)


def _with_head(
    pieces: FromClause, columns: Sequence[ColumnElement[Any]], qty_milli: ColumnElement[Any], of: Any, at_us: int
) -> Select[Any]:
    """Pieces with what belonged to their item as a whole at a time."""
    return (
        select(
            head.c.item,
            func.coalesce(head.c.order_, head.c.item).label("order_"),
            *(head.c[name] for name in ("product", "routing", "released_us", "ordered_milli", "over_milli", "due")),
            *columns,
            qty_milli.label("qty_milli"),
        )
        .select_from(pieces.join(head, head.c.item == of))
        .where(head_at(at_us))
    )


def head_at(at_us: int) -> ColumnElement[bool]:
    """The condition for the rows of `head` that held at a time."""
    later = head.alias("later")
    replaced: Select[Any] = select(literal_column("1")).where(
        and_(later.c.item == head.c.item, later.c.from_us > head.c.from_us, later.c.from_us <= at_us)
    )
    return and_(head.c.from_us <= at_us, ~replaced.exists())


def has_members(state: ColumnElement[Any], name: ColumnElement[Any], order: ColumnElement[Any]) -> ColumnElement[Any]:
    """1 for what is not started of an order with lots or serials of its own, else 0."""
    member = item.alias("member")
    has = select(literal_column("1")).where(and_(member.c.order_ == name, member.c.item != name)).exists()
    return case((state != ParcelState.RELEASED, 0), (func.coalesce(order, name) != name, 0), (has, 1), else_=0)


def stored_stock(connection: Connection, stock: Iterable[StockRow]) -> FromClause:
    """Stock rows as a stock source, in a table of this connection's database; `without_members` is already applied."""
    table = Table("known_stock", MetaData(), *(Column(name, kind) for name, kind in _STORED.items()))
    table.create(connection)
    rows = [
        {
            **{name: getattr(row, name) for name in _STORED if hasattr(row, name)},
            "order_": row.order,
            "stage": row.stage or "",
            "scanned": ",".join(map(str, row.scanned)) or None,
            "members": 0,
        }
        for row in stock
    ]
    if rows:
        connection.execute(table.insert(), rows)
    return table


_STORED: dict[str, Any] = {
    **dict.fromkeys(("item", "order_", "product", "routing", "due", "stage", "state", "station", "scanned"), Text),
    **dict.fromkeys(
        ("released_us", "ordered_milli", "over_milli", "operation", "since_us", "at_stage_since_us"), BigInteger
    ),
    **dict.fromkeys(("entered", "reached", "qty_milli", "members"), BigInteger),
    "approx": Boolean,
}
