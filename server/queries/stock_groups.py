"""Stock groups: the open pieces of one snapshot, grouped by all that the board tells apart.

The value of a piece depends on its *class* alone: the product, the routing and the bill of material of its release, the
ordered quantity where a cost is per order, and the operations that it entered, reached and was scanned at. A group is the
pieces of one class at one stage in one form. A shop has many pieces and few groups, so the database groups them: it answers
with one row for each group, in which each column of the pieces is one JSON array.
"""

from collections.abc import Collection, Iterable
from enum import IntEnum
from functools import lru_cache
from itertools import compress
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    select,
    union_all,
)

from server.db.json_arrays import json_array_of
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


class Over(NamedTuple):
    """A piece of a released item of which there is more than ordered; `over_milli`: of the whole item."""

    item: str
    over_milli: int
    operation: int | None
    qty_milli: int | None


class Pieces:
    """The pieces of one group, a list for each column. `since_us`: of the arrival at the stage; of what is not started, of
    its release (UTC us).

    `orders` (where it is not the item itself) and `dues` are of the past only, `estimated` of the present only: the station
    of a piece whose time of arrival is uncertain. The lists that were not read are empty.
    """

    __slots__ = ("dues", "estimated", "items", "orders", "over", "qty_milli", "since_us")

    def __init__(self) -> None:
        self.items: list[str] = []
        self.since_us: list[int] = []
        self.qty_milli: list[int | None] = []
        self.orders: list[str | None] = []
        self.dues: list[str | None] = []
        self.estimated: list[str | None] = []
        self.over: list[Over] = []

    def without(self, names: Collection[str]) -> "Pieces":
        """The pieces of all items but these."""
        rest, kept = Pieces(), [item not in names for item in self.items]
        for column in ("items", "since_us", "qty_milli", "orders", "dues", "estimated"):
            setattr(rest, column, list(compress(getattr(self, column), kept)))
        rest.over = [row for row in self.over if row.item not in names]
        return rest


Groups = dict[Group, Pieces]
Grouped = list[tuple[Group, Pieces]]
Columns = list[list[Any]]


def read_groups(connection: Connection, valuation: Valuation, source: FromClause, *, past: bool) -> Groups:
    """The pieces of a stock source (`stock_source`) by group."""
    query = _grouped(source, valuation.epochs, valuation.costs_per_order, past=past)
    return _groups(_rows(connection, query, {}), past=past)


def groups_at(connection: Connection, valuation: Valuation, at_us: int) -> Groups:
    """The pieces at a past time (UTC us) by group."""
    query = _grouped_at(valuation.epochs, valuation.costs_per_order)
    return _groups(_rows(connection, query, times_of(at_us)), past=True)


_DECODER = msgspec.json.Decoder(list[str | int | None])
_KEY = len(Group._fields) + 2  # of a group of the database: also what is ordered, of WITH_MEMBERS, and what is over


def _rows(connection: Connection, query: Executable, times: dict[str, int]) -> dict[tuple[Any, ...], Columns]:
    """The columns of the pieces by the key of their group: items, times, quantities, and those of the past or present."""
    found: dict[tuple[Any, ...], Columns] = {}
    for row in connection.execute(query, times):
        arrays: Columns = [_DECODER.decode(array) for array in row[_KEY:]]
        key = tuple(row[:_KEY])
        columns = found.setdefault(key, arrays)
        if columns is not arrays:  # the group is in another part of the query too
            for column, array in zip(columns, arrays, strict=True):
                column.extend(array)
    return found


def _groups(rows: dict[tuple[Any, ...], Columns], *, past: bool) -> Groups:
    groups: Groups = {}
    for key, columns in rows.items():
        *fields, members_milli, over = key
        group = Group._make(fields)
        if members_milli is not None:
            group = group._replace(form=Form.WITH_MEMBERS, ordered_milli=members_milli)
        pieces = groups.setdefault(group, Pieces())
        items, since_us, qty_milli, *others = _merged(columns) if past else columns
        pieces.items += items
        pieces.since_us += since_us
        pieces.qty_milli += qty_milli
        if past:
            pieces.orders += others[0]
            pieces.dues += others[1]
        else:
            pieces.estimated += others[0]
        if over is not None:
            over_milli, _, number = over.partition(" ")
            operation = int(number) if number else None
            pieces.over += [
                Over(item, int(over_milli), operation, milli) for item, milli in zip(items, qty_milli, strict=True)
            ]
    return groups


def _merged(columns: Columns) -> Columns:
    """Pieces of one form, which left it at different times, as one; its quantity is unknown where that of one is."""
    items, quantities, puts = columns[0], columns[2], columns[-1]
    forms = list(zip(items, puts, strict=True))
    last = dict(zip(forms, range(len(forms)), strict=True))
    if len(last) == len(forms):
        return columns
    kept = [True] * len(forms)
    for index, (form, whole) in enumerate(zip(forms, map(last.__getitem__, forms), strict=True)):
        if whole != index and form[1] is not None:  # without a move it is a piece of the present
            kept[index] = False
            known = quantities[whole] is not None and quantities[index] is not None
            quantities[whole] = quantities[whole] + quantities[index] if known else None
    return [list(compress(column, kept)) for column in columns]


def groups_of(stock: Iterable[StockRow], valuation: Valuation) -> Groups:
    """The pieces of a past stock by group; its orders are less what their lots and serials stand for already."""
    groups: Groups = {}
    for row in stock:
        form = _FORM_OF.get(row.state, Form.BEGUN)
        ordered_milli = row.ordered_milli if valuation.costs_per_order else 0
        group = Group(
            form, row.stage or "", row.product, row.routing, valuation.epochs.number(row.released_us), ordered_milli,
            row.entered, row.reached, operations_text(row.scanned),
        )  # fmt: skip
        pieces = groups.setdefault(group, Pieces())
        pieces.items.append(row.item)
        pieces.since_us.append(row.there_since_us)
        pieces.qty_milli.append(row.qty_milli)
        pieces.orders.append(None if row.order == row.item else row.order)
        pieces.dues.append(row.due)
        if row.over_milli > 0 and row.released_us is not None:
            pieces.over.append(Over(row.item, row.over_milli, row.operation, row.qty_milli))
    return groups


_FORM_OF = {ParcelState.RELEASED: Form.NOT_STARTED, ParcelState.HELD: Form.HELD}


@lru_cache(maxsize=4)
def _grouped_at(epochs: Epochs, per_order: bool) -> Executable:
    return union_all(*(_grouped(part.subquery(), epochs, per_order, past=True) for part in selects_at()))


def _grouped(source: FromClause, epochs: Epochs, per_order: bool, *, past: bool) -> Select[Any]:
    """The groups, each with the arrays of its pieces in one order."""
    c = source.c
    zero: ColumnElement[Any] = literal_column("0")
    form = case(
        (c.state == ParcelState.RELEASED, _number(Form.NOT_STARTED)),
        (c.state == ParcelState.HELD, _number(Form.HELD)),
        else_=_number(Form.BEGUN),
    )
    operation = func.coalesce(cast(c.operation, Text), "")
    over = case((and_(c.over_milli > 0, c.released_us.is_not(None)), cast(c.over_milli, Text) + " " + operation))
    key = (
        form, c.stage, c.product, c.routing, epochs.column(c.released_us), c.ordered_milli if per_order else zero,
        c.entered, c.reached, c.scanned, case((c.members == 1, c.ordered_milli)), over,
    )  # fmt: skip
    since_us = case((c.state == ParcelState.RELEASED, c.since_us), else_=c.at_stage_since_us)
    others = (
        (func.nullif(c.order_, c.item), c.due, c.put) if past else (case((and_(c.approx, c.station != ""), c.station)),)
    )
    arrays = (json_array_of(column) for column in (c.item, since_us, c.qty_milli, *others))
    columns = (column.label(f"c{index}") for index, column in enumerate((*key, *arrays)))
    # By the place of the columns: PostgreSQL takes an expression with a parameter for another one where it is repeated.
    places: list[ColumnElement[Any]] = [
        literal_column(str(place)) for place, column in enumerate(key, 1) if column is not zero
    ]
    return select(*columns).group_by(*places)


def _number(form: Form) -> ColumnElement[Any]:
    return literal_column(str(int(form)))
