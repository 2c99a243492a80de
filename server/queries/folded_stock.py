"""Folded stock: the stock of items that were folded in memory, now or at a past time.

The rows are those that `current_stock.stock_now` and `historical_stock.stock_at` read of the same items from the tables.
"""

from collections.abc import Collection, Iterable
from typing import Any

from server.projection.item_rows import has_quantity, head_of, is_approximate
from server.projection.known_shop import FoldedItem
from server.queries.current_stock import StockRow
from server.queries.historical_stock import Release, as_released
from server.queries.order_family import MemberRow
from station.core.ledger.parcels import LIVE, Parcel
from station.core.master_data import MasterData


def folded_now(items: Iterable[FoldedItem]) -> list[StockRow]:
    """The stock that is released, waiting, here or held."""
    return [
        _row(one, head_of(one.state, one.name), piece, piece, piece.qty_milli)
        for one in items
        if one.state.status == "open"
        for piece in one.state.parcels
        if piece.state in LIVE
    ]


def folded_at(items: Iterable[FoldedItem], at_us: int, definitions: MasterData) -> list[StockRow]:
    """The stock that was released, waiting, here or held at a time (UTC us)."""
    return [row for one in items for row in _stock_at(one, at_us, definitions)]


def folded_members(items: Iterable[FoldedItem], orders: Collection[str]) -> list[MemberRow]:
    """The lots and serials of orders, as `order_family.member_rows` reads them."""
    found = []
    for one in items:
        state, order = one.state, one.state.header.order
        if order is not None and order in orders and order != state.item:
            found.append(
                MemberRow(order, state.item, has_quantity(state), -state.outer.get("ordered", 0),
                          -state.outer.get("overrun", 0), state.started_us, state.ended_us)
            )  # fmt: skip
    return found


def _stock_at(one: FoldedItem, at_us: int, definitions: MasterData) -> list[StockRow]:
    head = next((columns for from_us, columns in reversed(one.heads) if from_us <= at_us), None)
    if head is None:
        return []
    forms: dict[int, StockRow] = {}
    puts = {made.number: made for _, made in one.moves}
    left = [made for _, made in one.moves if made.at_us > at_us and _was_there(made.source, at_us)]
    for made in left:
        if made.source.put:
            milli = one.late_milli if made.qty_milli is None else made.qty_milli
            _add(forms, made.source.put, _row(one, head, made.source, puts[made.source.put].target, milli))
    if one.state.status == "open":
        for piece in one.state.parcels:
            if _was_there(piece, at_us):
                _add(forms, piece.put, _row(one, head, piece, piece, piece.qty_milli))
    release = next((Release._make(columns) for from_us, columns in one.heads if from_us > at_us and columns[4]), None)
    if release is None or Release._make(head).released_us is not None:
        return list(forms.values())
    return [
        as_released(row, release, puts[put].source.stage if put in puts else None, definitions)
        for put, row in forms.items()
    ]


def _was_there(piece: Parcel, at_us: int) -> bool:
    return piece.state in LIVE and (piece.placed_us if piece.put else piece.since_us) <= at_us


def _add(forms: dict[int, StockRow], put: int, row: StockRow) -> None:
    """Add a piece; the pieces of one form are one row."""
    other = forms.get(put)
    if other is not None and other.qty_milli is not None and row.qty_milli is not None:
        row = row._replace(qty_milli=other.qty_milli + row.qty_milli)
    forms[put] = row


def _row(one: FoldedItem, head: tuple[Any, ...], form: Parcel, place: Parcel, qty_milli: int | None) -> StockRow:
    """`form`: the piece; `place`: what the move that gave it this form says of it."""
    name, product, order, routing, released_us, ordered_milli, over_milli, due, priority, customer = head
    return StockRow(
        one.state.item, name, product, order or one.state.item, routing, released_us, ordered_milli, over_milli, due,
        priority, customer, form.op, form.stage, form.state, place.held_from, place.station, place.operator, place.reason,
        place.carrier, qty_milli, form.since_us, form.at_stage_since_us, form.started_us, form.entered, form.reached,
        is_approximate(place), form.run_since_us, form.scanned,
    )  # fmt: skip
