"""Stock source: the open pieces of the shop as SQL selects, now or at a past time.

The rows are those of `current_stock.stock_now` and `historical_stock.stock_at` with the columns that a sum needs: one row
for each piece. `stage` is "" between stages. `put`: of the past, the move that gave the piece its form; pieces of one form
that left it at different times have the same one. `members`: 1 for what is not started of an order that has lots or serials
of its own, whose quantity `order_family` reduces. `station` and `approx` are of the present only.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    null,
    select,
    union_all,
)

from server.projection.tables import DAY_US, LONG, head, item, move, open_at, parcel
from station.core.ledger.parcels import LIVE, ParcelState

_OF_FORM = ("since_us", "at_stage_since_us", "entered", "reached", "scanned", "qty_milli")
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
_IN_PROCESS = and_(item.c.status == "open", parcel.c.state.in_(LIVE))
_NOT_PAST: tuple[ColumnElement[Any], ...] = (false(), cast(null(), Text))


_AT, _MIDNIGHT, _DAY = (bindparam(name, type_=BigInteger) for name in ("at_us", "midnight_us", "day"))


def stock_source(at_us: int | None) -> FromClause:
    """The open pieces at a time (UTC us), or now."""
    return union_all(*selects_at()).params(times_of(at_us)).subquery() if at_us is not None else stock_now().subquery()


def stock_now() -> Select[Any]:
    """The open pieces now."""
    return _present(parcel.c.approx, parcel.c.station)


@cache
def selects_at() -> tuple[Select[Any], ...]:
    """The open pieces at the time of the parameters `times_of`, in parts.

    They are the three sets of `docs/design/moves.md`. The last one is divided: the pieces of items without an event since
    are those of the present, and need no row of `head`.
    """
    left = _moved_on()
    # By an expression, so that SQLite reads the item first: most pieces need no row of `head`.
    of_item = item.c.item.concat("")
    still_there = _with_head(item.join(parcel, parcel.c.item == item.c.item), of_item, parcel.c.put, _FROM_PARCEL)
    return (
        left.where(and_(move.c.at_us > _AT, move.c.at_us <= _MIDNIGHT)),
        left.join(open_at, and_(open_at.c.item == move.c.item, open_at.c.n == move.c.n))
        # The addition keeps the planner from reading all moves after the time through their index.
        .where(and_(open_at.c.day.in_([_DAY, literal_column(str(LONG))]), move.c.at_us + 0 > _MIDNIGHT)),
        # `since_us` is at or before the time of the move: by its index only the pieces that are there since then are read.
        still_there.where(
            and_(
                _IN_PROCESS,
                item.c.last_key_us > _AT,
                parcel.c.since_us <= _AT,
                func.coalesce(parcel.c.placed_us, parcel.c.since_us) <= _AT,
            )
        ),
        _present(*_NOT_PAST).where(and_(item.c.last_key_us <= _AT, parcel.c.since_us <= _AT)),
    )


def times_of(at_us: int) -> dict[str, int]:
    """The parameters of `selects_at` for a time (UTC us)."""
    day = at_us // DAY_US + 1
    return {"at_us": at_us, "midnight_us": day * DAY_US, "day": day}


def _present(approx: ColumnElement[Any], station: ColumnElement[Any]) -> Select[Any]:
    """What is there now, with what belongs to its item as a whole now."""
    over = case((item.c.overrun_milli > item.c.finished_milli, item.c.overrun_milli - item.c.finished_milli), else_=0)
    return (
        select(
            item.c.item,
            func.coalesce(item.c.order_, item.c.item).label("order_"),
            *(item.c[name] for name in ("product", "routing", "released_us", "ordered_milli")),
            over.label("over_milli"),
            item.c.due,
            *_FROM_PARCEL,
            cast(null(), BigInteger).label("put"),
            approx.label("approx"),
            station.label("station"),
            has_members(parcel.c.state, item.c.item, item.c.order_).label("members"),
        )
        .select_from(item.join(parcel, parcel.c.item == item.c.item))
        .where(_IN_PROCESS)
    )


def _moved_on() -> Select[Any]:
    """The pieces of moves whose form before was there at the time; each has yet to be limited to moves after it."""
    was_there = and_(move.c.from_state.in_(LIVE), func.coalesce(move.c.placed_us, move.c.since_us) <= _AT)
    return _with_head(move, move.c.item, move.c.put, _FROM_MOVE).where(was_there)


def _with_head(pieces: FromClause, of_item: Any, put: Any, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """Pieces with what belonged to their item as a whole at the time. The second of `columns` is their state."""
    return (
        select(
            head.c.item,
            func.coalesce(head.c.order_, head.c.item).label("order_"),
            *(head.c[name] for name in ("product", "routing", "released_us", "ordered_milli", "over_milli", "due")),
            *columns,
            put.label("put"),
            *(column.label(label) for column, label in zip(_NOT_PAST, ("approx", "station"), strict=True)),
            has_members(columns[1], head.c.item, head.c.order_).label("members"),
        )
        .select_from(pieces.join(head, head.c.item == of_item))
        .where(head_at(_AT))
    )


def head_at(at_us: int | ColumnElement[int]) -> ColumnElement[bool]:
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
