"""Alert items: the items whose stock has an alert, the most costly ones, and the number of all of them.

An alert about an item is a sentence with the places, quantities and value of the item. The page lists some of them. So one
statement reads the pieces with an alert, in the few columns that rank it; only the stock of the first items is read in full.
"""

from collections.abc import Iterable, Iterator
from heapq import nsmallest
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, func, literal, not_, or_, select

from server.locale_format import due_day
from server.projection.item_rows import operations_of
from server.projection.tables import item, parcel
from server.queries.alerts import HELD_LONG_S, BoardState
from server.queries.live_stock import LiveStock
from server.queries.order_family import without_members
from server.queries.stock_source import has_members
from server.queries.stock_sums import ReleasedRow
from station.core.ledger.parcels import LIVE, ParcelState

SECOND_US = 1_000_000
QUEUED = (ParcelState.HERE, ParcelState.WAITING)
Rank = tuple[bool, int, int, str]
"""The sort key of an alert, as `alerts.ranked` has it."""


class AlertItems(NamedTuple):
    """The items with an alert about their stock, and the first of them by rank. `grave`: one of the alerts is grave."""

    items: frozenset[str]
    first: tuple[str, ...]
    grave: bool


class _Piece(NamedTuple):
    item: str
    stage: str | None
    state: str
    due: str | None
    since_us: int
    at_stage_since_us: int
    product: str | None
    routing: str | None
    released_us: int | None
    ordered_milli: int
    entered: int | None
    reached: int | None
    scanned: tuple[int, ...]
    qty_milli: int | None
    has_members: bool


def alert_items(connection: Connection, shop: BoardState, most: int, live: LiveStock | None = None) -> AlertItems:
    """The items with stock that is late, has waited past a target, or was on hold for long; `most` of them by rank.

    `live`: the stock in memory with which the snapshot was made; without it one statement reads the pieces.
    """
    targets = {tile.stage.stage: tile.stage.target_s for tile in shop.line.tiles if tile.stage.target_s}
    found = _pieces(connection, shop, targets) if live is None else _live_pieces(live, shop, targets)
    pieces = _with_stock(connection, shop, list(found))
    best: dict[str, Rank] = {}
    for name, rank in _ranks(pieces, shop, targets):
        if name not in best or rank < best[name]:
            best[name] = rank
    first = nsmallest(most, best, key=lambda name: best[name])
    return AlertItems(frozenset(best), tuple(first), any(not rank[0] for rank in best.values()))


def _pieces(connection: Connection, shop: BoardState, targets: dict[str, int]) -> Iterator[_Piece]:
    """The pieces of late items, and those of an item at a stage where one of them has waited or was held too long."""
    today = shop.locale.today(shop.now_us).isoformat()
    # A due day that is not written as entries write it is compared by `due_day` alone.
    late = and_(item.c.due.is_not(None), or_(item.c.due < today, not_(item.c.due.like("____-__-__%"))))
    beside = parcel.alias("beside")
    of_same = and_(
        beside.c.item == parcel.c.item,
        beside.c.stage.is_not_distinct_from(parcel.c.stage),
        beside.c.id != parcel.c.id,
    )
    overdue = _overdue(parcel.c, shop.now_us, targets)
    with_overdue = select(beside.c.id).where(and_(of_same, _overdue(beside.c, shop.now_us, targets))).exists()
    i, p = item.c, parcel.c
    query = (
        select(i.item, p.stage, p.state, i.due, p.since_us, p.at_stage_since_us, i.product, i.routing, i.released_us,
               i.ordered_milli, p.entered, p.reached, p.scanned, p.qty_milli,
               has_members(p.state, i.item, i.order_))
        .select_from(item.join(parcel, p.item == i.item))
        .where(and_(i.status == "open", p.state.in_(LIVE), or_(late, overdue, with_overdue)))
    )  # fmt: skip
    for row in connection.execute(query):
        yield _Piece._make((*row[:12], operations_of(row[12]), row[13], bool(row[14])))


def _live_pieces(live: LiveStock, shop: BoardState, targets: dict[str, int]) -> Iterator[_Piece]:
    """All pieces of the items of which one is late, is past the target of its stage, or is held."""
    today = shop.locale.today(shop.now_us)
    names: set[str] = set()
    for due, items in live.dues.items():
        day = due_day(due)
        if day is not None and day < today:
            names |= items
    for stage, at_stage in live.stages.items():
        names |= at_stage.held()
        if stage in targets:
            names |= at_stage.arrived_until(shop.now_us - (targets[stage] + 1) * SECOND_US)
    for name in names:
        of_item = live.items[name]
        ordered_milli = of_item.members[0].ordered_milli if of_item.members else None
        for piece in of_item.pieces:
            c = live.classes[piece.of_class]
            state = ParcelState.RELEASED if not c.begun else ParcelState.HELD if piece.held else ParcelState.HERE
            yield _Piece(
                name, c.stage or None, state, of_item.due, piece.since_us, piece.at_stage_since_us, c.product, c.routing,
                live.epochs.time(c.epoch), c.ordered_milli if ordered_milli is None else ordered_milli, c.entered,
                c.reached, operations_of(c.scanned), piece.qty_milli, c.members,
            )  # fmt: skip


def _with_stock(connection: Connection, shop: BoardState, pieces: list[_Piece]) -> list[_Piece]:
    """The pieces without what is not started of orders whose lots and serials stand for all of it."""
    of_orders = [
        ReleasedRow(piece.item, piece.product, piece.ordered_milli, piece.qty_milli, piece.since_us)
        for piece in pieces
        if piece.has_members
    ]
    left = {row.item for row in without_members(connection, of_orders, shop.valuation)}
    return [piece for piece in pieces if not piece.has_members or piece.item in left]


def _overdue(c: Any, now_us: int, targets: dict[str, int]) -> ColumnElement[bool]:
    """Whether a piece is past the target of its stage, or was on hold for longer than that, without one than a day."""

    def cut(seconds: int) -> ColumnElement[Any]:
        return literal(now_us - (seconds + 1) * SECOND_US, BigInteger)

    cuts = {stage: cut(target_s) for stage, target_s in targets.items()}
    held_cut = case(cuts, value=func.coalesce(c.stage, ""), else_=cut(HELD_LONG_S)) if cuts else cut(HELD_LONG_S)
    held = and_(c.state == ParcelState.HELD, c.since_us <= held_cut)
    if not cuts:
        return held
    waited = and_(c.state.in_(QUEUED), c.stage.in_(sorted(cuts)), c.at_stage_since_us <= case(cuts, value=c.stage))
    return or_(held, waited)


def _ranks(pieces: Iterable[_Piece], shop: BoardState, targets: dict[str, int]) -> Iterator[tuple[str, Rank]]:
    """The item and the rank of each alert; they are those of the functions of `alerts.ALERTS`."""
    unit_costs: dict[tuple[Any, ...], int] = {}
    late_days: dict[str | None, int] = {}
    today = shop.locale.today(shop.now_us)
    epochs, per_order = shop.valuation.epochs, shop.valuation.costs_per_order
    late: dict[str, tuple[int, int]] = {}
    there: dict[tuple[str, str | None, bool], tuple[int, int, int]] = {}
    for piece in pieces:
        if piece.due not in late_days:
            day = due_day(piece.due)
            late_days[piece.due] = 0 if day is None else max(0, (today - day).days)
        days = late_days[piece.due]
        key = (piece.product, piece.routing, epochs.number(piece.released_us), piece.ordered_milli if per_order else 0,
               piece.entered, piece.reached, piece.scanned)  # fmt: skip
        if key not in unit_costs:
            value = shop.valuation.of(piece._replace(qty_milli=1))
            unit_costs[key] = 0 if value is None else value.total
        cost = unit_costs[key] * (piece.qty_milli or 0)
        if days:
            late[piece.item] = (days, late.get(piece.item, (0, 0))[1] + cost)
        if piece.state != ParcelState.RELEASED:
            held = piece.state == ParcelState.HELD
            since_us = piece.since_us if held else piece.at_stage_since_us
            place = (piece.item, piece.stage, held)
            before = there.get(place, (since_us, 0, days))
            there[place] = (min(before[0], since_us), before[1] + cost, days)
    for name, (days, cost) in late.items():
        yield name, (False, -cost, -days, f"late {name}")
    for (name, stage, held), (since_us, cost, days) in there.items():
        target_s = targets.get(stage or "") or (HELD_LONG_S if held else 0)
        age_s = (shop.now_us - since_us) // SECOND_US
        if target_s and age_s > target_s:
            grave = days > 0 or (not held and age_s > 2 * target_s)
            yield name, (not grave, -cost, -days, f"{'held' if held else 'waited'} {stage} {name}")
