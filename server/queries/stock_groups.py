"""Stock groups: the open pieces of one snapshot, grouped by all that the board tells apart.

The value of a piece depends on its *class* alone: the product, the routing and the bill of material of its release, the
ordered quantity where a cost is per order, and the operations that it entered, reached and was scanned at. A group is the
pieces of one class at one stage in one form. A shop has many pieces and few groups, so the sums work on columns of groups.
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    FromClause,
    Select,
    and_,
    case,
    func,
    literal_column,
    select,
    union_all,
)

from server.projection.item_rows import operations_text
from server.queries.current_stock import StockRow
from server.queries.release_epochs import Epochs
from server.queries.stock_source import selects_at, times_of
from server.queries.valuation import Valuation
from station.core.ledger.parcels import ParcelState


class Form(IntEnum):
    """WITH_MEMBERS: what is not started of an order that has lots or serials of its own."""

    NOT_STARTED = 0
    WITH_MEMBERS = 1
    BEGUN = 2
    HELD = 3


class Group(NamedTuple):
    """What the pieces of a group have in common. `stage`: "" between stages. `scanned`: as the column of `parcel`.

    `epoch`: of the release (`release_epochs`). `ordered_milli`: 0 where no cost is per order, except WITH_MEMBERS.
    """

    form: int
    stage: str
    product: str | None
    routing: str | None
    epoch: int
    ordered_milli: int
    entered: int | None
    reached: int | None
    scanned: str | None


class Piece(NamedTuple):
    """A piece within its group. `there_since_us`: its arrival at the stage; of what is not started, its release (UTC us).

    `over_milli`: of a released item, what of it is more than ordered. `order`: where it is not the item itself. `order` and
    `due` are of the past only. `estimated`: of the present only, the station of a piece whose time of arrival is uncertain.
    """

    item: str
    there_since_us: int
    qty_milli: int | None
    over_milli: int | None
    operation: int | None
    order: str | None
    due: str | None
    estimated: str | None


Groups = dict[tuple[Any, ...], list[tuple[Any, ...]]]
"""The fields of a `Group` to its pieces, each a row of its fields, then those of `Piece`."""
Grouped = list[tuple[Group, list[tuple[Any, ...]]]]
KEY = len(Group._fields)
ITEM, SINCE, QUANTITY, OVER, OPERATION, ORDER, DUE, ESTIMATED = range(KEY, KEY + len(Piece._fields))
PUT = (
    ESTIMATED  # of a row of the past: the move that gave the piece its form, where another piece may have the same one
)


def read_groups(connection: Connection, valuation: Valuation, source: FromClause, *, past: bool) -> Groups:
    """The pieces of a stock source (`stock_source`) by group."""
    query = _pieces(source, valuation.epochs, valuation.costs_per_order, past=past)
    return _grouped(connection.execute(query), past=past)


def groups_at(connection: Connection, valuation: Valuation, at_us: int) -> Groups:
    """The pieces at a past time (UTC us) by group."""
    query = _pieces_at(valuation.epochs, valuation.costs_per_order)
    return _grouped(connection.execute(query, times_of(at_us)), past=True)


def _grouped(result: CursorResult[Any], *, past: bool) -> Groups:
    groups: Groups = {}
    parts: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    for row in result.cursor.fetchall():  # the tuples of the driver: the rows of the library take a fifth more time
        if past and row[PUT] is not None:
            parts.setdefault((row[ITEM], row[PUT]), []).append(row)
        elif (key := row[:KEY]) in groups:
            groups[key].append(row)
        else:
            groups[key] = [row]
    for of_form in parts.values():
        row = _merged(of_form)
        groups.setdefault(row[:KEY], []).append(row)
    return groups


def _merged(of_form: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Pieces of one form, which left it at different times, as one; its quantity is unknown where that of one is."""
    row = of_form[0]
    if len(of_form) == 1:
        return row
    known = all(part[QUANTITY] is not None for part in of_form)
    milli = sum(part[QUANTITY] for part in of_form) if known else None
    return (*row[:QUANTITY], milli, *row[QUANTITY + 1 :])


def groups_of(stock: Iterable[StockRow], valuation: Valuation) -> Groups:
    """The pieces of a past stock by group; its orders are less what their lots and serials stand for already."""
    groups: Groups = {}
    for stock_row in stock:
        row = _row_of(stock_row, valuation)
        groups.setdefault(row[:KEY], []).append(row)
    return groups


_FORM_OF = {ParcelState.RELEASED: Form.NOT_STARTED, ParcelState.HELD: Form.HELD}


def _row_of(row: StockRow, valuation: Valuation) -> tuple[Any, ...]:
    form = _FORM_OF.get(row.state, Form.BEGUN)
    ordered_milli = row.ordered_milli if valuation.costs_per_order else 0
    group = Group(
        form, row.stage or "", row.product, row.routing, valuation.epochs.number(row.released_us), ordered_milli,
        row.entered, row.reached, operations_text(row.scanned),
    )  # fmt: skip
    over_milli = None if row.released_us is None else row.over_milli
    order = None if row.order == row.item else row.order
    piece = Piece(row.item, row.there_since_us, row.qty_milli, over_milli, row.operation, order, row.due, None)
    return (*group, *piece)


@lru_cache(maxsize=4)
def _pieces_at(epochs: Epochs, per_order: bool) -> Select[Any]:
    return _pieces(union_all(*selects_at()).subquery("stock"), epochs, per_order, past=True)


def _pieces(source: FromClause, epochs: Epochs, per_order: bool, *, past: bool) -> Select[Any]:
    """The fields of `Group` and `Piece` in their order, of the past with PUT. A column that is not needed is NULL."""
    c = source.c
    null: ColumnElement[Any] = literal_column("NULL")
    zero: ColumnElement[Any] = literal_column("0")
    form = case(
        (and_(c.state == ParcelState.RELEASED, c.members == 1), _number(Form.WITH_MEMBERS)),
        (c.state == ParcelState.RELEASED, _number(Form.NOT_STARTED)),
        (c.state == ParcelState.HELD, _number(Form.HELD)),
        else_=_number(Form.BEGUN),
    )
    with_members = case((c.members == 1, c.ordered_milli), else_=zero)
    over = and_(c.over_milli > 0, c.released_us.is_not(None))
    group = (
        form, c.stage, c.product, c.routing, epochs.column(c.released_us), c.ordered_milli if per_order else with_members,
        c.entered, c.reached, c.scanned,
    )  # fmt: skip
    piece = (
        c.item,
        case((c.state == ParcelState.RELEASED, c.since_us), else_=c.at_stage_since_us),
        c.qty_milli,
        case((over, c.over_milli)),
        case((over, c.operation)),
        func.nullif(c.order_, c.item) if past else null,
        c.due if past else null,
        c.put if past else case((and_(c.approx, c.station != ""), c.station)),
    )
    return select(*(column.label(f"c{index}") for index, column in enumerate((*group, *piece))))


def _number(form: Form) -> ColumnElement[Any]:
    return literal_column(str(int(form)))
