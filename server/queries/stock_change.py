"""Stock change: what came and what went at each stage between two times, in pieces, items and money.

It is read from the rows of `move`: each piece that left a place and came to another one. What was there, plus what came,
less what went, is what is there, exactly:

- Pieces: by unit. A piece whose product became known between the times went in the old unit and came in the new one.
- Items: an item came where pieces of it came and none were there before; it went where none are left.
- Money: at the costs of the later time, the value of each piece before and after its move. `revalued` is the difference
  that other costs at the earlier time make, and later entries about an order.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    except_,
    func,
    literal_column,
    or_,
    select,
)

from server.projection.item_rows import operations_of
from server.projection.tables import head, move
from server.queries.alerts import BoardState
from server.queries.stage_summary import UnitQuantity
from server.queries.stock_source import head_at, stock_source
from server.queries.stock_sums import StockSum
from server.queries.valuation import Valuation
from station.core.ledger.costs import half_even
from station.core.ledger.parcels import LIVE, ParcelState

OUTSIDE, NOT_STARTED, BEGUN = 0, 1, 2
WHOLE = (BEGUN, None)
MILLION = 1_000_000  # a quantity is summed in two parts, because the sum of the largest ones exceeds 64 bits
Place = tuple[int, str | None]
"""(NOT_STARTED, ""), (BEGUN, id of a stage; "" between stages) or WHOLE, the line."""


class _Flow(NamedTuple):
    """The moves of one class from one place to another. `end`: the account outside of the line where they ended."""

    source: Place
    target: Place
    end: str
    product: str | None
    milli: int
    before: int  # thousandths of micros
    after: int


class PlaceChange(NamedTuple):
    """The change at one place. Quantities by unit; `finished` and `scrapped` are a part of `went`.

    Money in millionths; None where no cost is known at either time. was + came - went + revalued = now.
    """

    place: Place
    name: str
    items: tuple[int, int, int, int]  # was, came, went, is
    was: tuple[UnitQuantity, ...]
    came: tuple[UnitQuantity, ...]
    went: tuple[UnitQuantity, ...]
    finished: tuple[UnitQuantity, ...]
    scrapped: tuple[UnitQuantity, ...]
    now: tuple[UnitQuantity, ...]
    micros: tuple[int, int, int, int, int] | None  # was, came, went, revalued, is


class StockChange(NamedTuple):
    """The change of each place in the order of the line, and of the whole line without what is not started."""

    from_us: int
    to_us: int
    places: tuple[PlaceChange, ...]
    whole: PlaceChange


def stock_change(connection: Connection, was: BoardState, now: BoardState) -> StockChange:
    """The change between two snapshots."""
    flows = _flows(connection, was.now_us, now.now_us, now.valuation)
    came = _items_that_came(connection, was.now_us, now.now_us)
    names = {tile.stage.stage: tile.stage.name or tile.stage.stage for tile in (*was.line.tiles, *now.line.tiles)}
    order = list(dict.fromkeys(tile.stage.stage for tile in (*now.line.tiles, *was.line.tiles)))
    places: list[tuple[Place, str]] = [
        ((NOT_STARTED, ""), "Not started"),
        *(((BEGUN, stage), names[stage]) for stage in order),
    ]
    changes = tuple(_change(place, name, was, now, flows, came) for place, name in places)
    whole = _change(WHOLE, "In process", was, now, [_of_line(flow) for flow in flows], came)
    return StockChange(was.now_us, now.now_us, changes, whole)


def _of_line(flow: _Flow) -> _Flow:
    source, target = (WHOLE if place[0] == BEGUN else place for place in (flow.source, flow.target))
    return flow._replace(source=source, target=target)


class _Figures(NamedTuple):
    items: int
    amounts: tuple[UnitQuantity, ...]
    total: int  # thousandths of micros
    known: bool


def _figures(shop: BoardState, place: Place) -> _Figures:
    line = shop.line
    if place == WHOLE:
        return _Figures(line.items, line.amounts, line.stock_value.value.total, line.stock_value.known)
    if place[0] == NOT_STARTED:
        return _Figures(line.not_started.items, line.not_started.amounts, 0, False)
    tile = next((tile for tile in line.tiles if tile.stage.stage == place[1]), None)
    if tile is None:
        return _Figures(0, (), 0, False)
    return _Figures(tile.items, tile.amounts, tile.stock_value.value.total, tile.stock_value.known)


def _change(
    place: Place, name: str, was: BoardState, now: BoardState, flows: Iterable[_Flow], came: dict[Place, int]
) -> PlaceChange:
    before, after = _figures(was, place), _figures(now, place)
    ins = [flow for flow in flows if flow.target == place]
    outs = [flow for flow in flows if flow.source == place]
    arrived, left = ([flow for flow in some if flow.source != flow.target] for some in (ins, outs))
    in_milli, out_milli = _by_unit(arrived, now.valuation), _by_unit(left, now.valuation)
    decimals = _decimals([*before.amounts, *after.amounts], [*arrived, *left], now.valuation)
    there = {amount.unit: amount.milli for amount in before.amounts}
    here = {amount.unit: amount.milli for amount in after.amounts}
    for unit in decimals:
        rest = here.get(unit, 0) - there.get(unit, 0) - in_milli.get(unit, 0) + out_milli.get(unit, 0)
        side = in_milli if rest > 0 else out_milli
        side[unit] = side.get(unit, 0) + abs(rest)
    ends = [
        _by_unit((flow for flow in left if flow.end == end), now.valuation)
        for end in (ParcelState.FINISHED, ParcelState.SCRAPPED)
    ]
    finished, scrapped = (_amounts(milli, decimals) for milli in ends)
    went_items = before.items + came.get(place, 0) - after.items
    came_items = came.get(place, 0) + max(0, -went_items)
    return PlaceChange(
        place=place,
        name=name,
        items=(before.items, came_items, max(0, went_items), after.items),
        was=tuple(sorted(before.amounts)),
        came=_amounts(in_milli, decimals),
        went=_amounts(out_milli, decimals),
        finished=finished,
        scrapped=scrapped,
        now=tuple(sorted(after.amounts)),
        micros=_money(before, after, ins, outs),
    )


def _by_unit(flows: Iterable[_Flow], valuation: Valuation) -> dict[str, int]:
    found: dict[str, int] = {}
    for flow in flows:
        unit = valuation.product(flow).unit
        found[unit] = found.get(unit, 0) + flow.milli
    return found


def _decimals(amounts: Iterable[UnitQuantity], flows: Iterable[_Flow], valuation: Valuation) -> dict[str, int]:
    """The decimals of each unit, in the order of the units."""
    shown = [(amount.unit, amount.decimals) for amount in amounts]
    shown += [(product.unit, product.decimals) for product in map(valuation.product, flows)]
    return {unit: max(count for of, count in shown if of == unit) for unit in sorted({unit for unit, _ in shown})}


def _amounts(milli: dict[str, int], decimals: dict[str, int]) -> tuple[UnitQuantity, ...]:
    return tuple(UnitQuantity(unit, milli[unit], decimals[unit]) for unit in decimals if milli.get(unit))


def _money(
    before: _Figures, after: _Figures, ins: Iterable[_Flow], outs: Iterable[_Flow]
) -> tuple[int, int, int, int, int] | None:
    came, went = sum(flow.after for flow in ins), sum(flow.before for flow in outs)
    if not (before.known or after.known or came or went):
        return None
    return balanced((before.total, came, went, after.total), 1000)


def balanced(figures: tuple[int, int, int, int], divisor: int) -> tuple[int, int, int, int, int]:
    """Divide was, came, went and is so that was + came - went + revalued = is. `revalued` is 0 where it is before.

    >>> balanced((1_400, 1_400, 0, 2_800), 1000)
    (1, 1, -1, 0, 3)
    """
    was, came, went, now = figures
    parts = [half_even(figure, divisor) for figure in figures]
    rest = parts[3] - parts[0] - parts[1] + parts[2]
    if now - was - came + went == 0:
        return parts[0], parts[1], parts[2] - rest, 0, parts[3]
    return parts[0], parts[1], parts[2], rest, parts[3]


# --- the rows of moves ---


def _zone(state: ColumnElement[Any]) -> ColumnElement[Any]:
    not_started = literal_column(str(NOT_STARTED), BigInteger)
    return case(
        (state == ParcelState.RELEASED, not_started),
        (state.in_(LIVE), literal_column(str(BEGUN))),
        else_=literal_column(str(OUTSIDE)),
    )


def _stage(state: ColumnElement[Any], stage: ColumnElement[Any]) -> ColumnElement[Any]:
    begun = and_(state.in_(LIVE), state != ParcelState.RELEASED)
    return case((begun, func.coalesce(stage, "")), else_=literal_column("''"))


def _moves(from_us: int, to_us: int) -> Select[Any]:
    """The moves after a time up to another one, with both places, and the item as it was at the end."""
    m = move.c
    names = ("product", "routing", "released_us", "ordered_milli")
    return (
        select(
            m.item,
            _zone(m.from_state).label("from_zone"),
            _stage(m.from_state, m.from_stage).label("from_stage"),
            _zone(m.to_state).label("to_zone"),
            _stage(m.to_state, m.to_stage).label("to_stage"),
            m.to_state.label("to_state"),
            m.qty_milli,
            *(m[name] for name in ("entered", "reached", "scanned", "to_entered", "to_reached", "to_scanned")),
            *(head.c[name] for name in names),
        )
        .select_from(move.join(head, head.c.item == m.item))
        .where(and_(m.at_us > from_us, m.at_us <= to_us, head_at(to_us)))
    )


def _flows(connection: Connection, from_us: int, to_us: int, valuation: Valuation) -> list[_Flow]:
    moves = _moves(from_us, to_us).subquery("moves")
    c = moves.c
    ordered = c.ordered_milli if valuation.costs_per_order else literal_column("0")
    classed = select(
        c.from_zone, c.from_stage, c.to_zone, c.to_stage, c.to_state, c.product, c.routing,
        valuation.epochs.column(c.released_us).label("epoch"), ordered.label("ordered"), c.entered, c.reached, c.scanned,
        c.to_entered, c.to_reached, c.to_scanned, c.qty_milli,
    ).where(c.qty_milli.is_not(None)).subquery("classed")  # fmt: skip
    million = literal_column(str(MILLION), BigInteger)
    grouped = [column for column in classed.c if column.key != "qty_milli"]
    quantity = classed.c.qty_milli
    sums = (func.sum(quantity // million), func.sum(quantity % million))
    flows = []
    for *key, high, low in connection.execute(select(*grouped, *sums).group_by(*grouped)):
        milli = int(high) * MILLION + int(low)
        from_zone, from_stage, to_zone, to_stage, to_state, product, routing, epoch, ordered_milli = key[:9]
        of = (product, routing, valuation.epochs.time(epoch), ordered_milli)
        before, after = (
            _total(valuation, StockSum("", *of, entered, reached, operations_of(scanned), milli, 1))
            for entered, reached, scanned in (key[9:12], key[12:15])
        )
        source, target = (from_zone, from_stage), (to_zone, to_stage)
        flows.append(_Flow(source, target, to_state, product, milli, before, after))
    return flows


def _total(valuation: Valuation, part: StockSum) -> int:
    value = valuation.of(part)
    return 0 if value is None else value.total


def _items_that_came(connection: Connection, from_us: int, to_us: int) -> dict[Place, int]:
    """By place, the items of which pieces came, and none were there before."""
    c = _moves(from_us, to_us).subquery("moves").c
    was = stock_source(from_us).c
    moved = or_(c.from_zone != c.to_zone, c.from_stage != c.to_stage)
    came = select(c.to_zone.label("zone"), c.to_stage.label("stage"), c.item).where(and_(c.to_zone != OUTSIDE, moved))
    there = select(_zone(was.state), _stage(was.state, was.stage), was.item)
    new = except_(came, there).subquery("new")
    query = select(new.c.zone, new.c.stage, func.count()).group_by(new.c.zone, new.c.stage)
    found: dict[Place, int] = {(row[0], row[1]): row[2] for row in connection.execute(query)}
    begun = select(c.item).where(and_(c.to_zone == BEGUN, c.from_zone != BEGUN))
    new = except_(begun, select(was.item).where(was.state != ParcelState.RELEASED)).subquery("new")
    found[WHOLE] = connection.execute(select(func.count()).select_from(new)).scalar_one()
    return found
