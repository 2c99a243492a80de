"""Stock sums: the stock of the shop as the sums that the board shows, now or at a past time.

The pieces are read once, in few columns, and grouped (`stock_groups`). Quantities are summed by class, and each class is
priced once.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import compress
from typing import Any, NamedTuple

from sqlalchemy import Connection, FromClause

from server.projection.item_rows import operations_of
from server.queries.historical_stock import released_later, stock_at
from server.queries.release_epochs import NOT_RELEASED
from server.queries.stage_ages import MOST_TICKS, AgeBar, PieceAge, StageSum, stage_ages
from server.queries.stock_groups import Form, Group, Grouped, Pieces, groups_at, groups_of, read_groups
from server.queries.valuation import OverRow, Valuation
from station.core.ledger.parcels import ParcelState


class StockSum(NamedTuple):
    """The pieces of one class at one stage, and their number `rows`. `qty_milli` None: pieces of unknown quantity.

    `released_us`: a time at which the definitions were those of the release. `ordered_milli`: 0 where no cost is per order.
    """

    stage: str
    product: str | None
    routing: str | None
    released_us: int | None
    ordered_milli: int
    entered: int | None
    reached: int | None
    scanned: tuple[int, ...]
    qty_milli: int | None
    rows: int


class ReleasedSum(NamedTuple):
    """What is not started of one product. `rows`: those of known quantity; `uncounted`: items with an unknown one."""

    product: str | None
    items: int
    rows: int
    qty_milli: int
    uncounted: int


class ReleasedRow(NamedTuple):
    """What is not started of an order that has lots or serials of its own."""

    item: str
    product: str | None
    ordered_milli: int
    qty_milli: int | None
    since_us: int
    state: str = ParcelState.RELEASED

    @property
    def order(self) -> str:
        """The order, which is the item itself."""
        return self.item


class StockSums(NamedTuple):
    """The sums of one snapshot by the id of the stage, "" between stages. Items count once a stage, and once in `whole`.

    `unvalued`: the items without full cost, by stage; of the whole line under None. `dues`: the orders by due date, of a
    past snapshot only. `estimated`: of the present only, the items whose time of arrival is uncertain, by station.
    """

    classes: list[StockSum]
    items: dict[str, int]
    whole: int
    unvalued: dict[str | None, int]
    stages: dict[str, StageSum]
    pieces: dict[str, list[PieceAge]]
    bars: dict[str, list[AgeBar]]
    over: list[OverRow]
    released: list[ReleasedSum]
    with_members: list[ReleasedRow]
    dues: dict[str, int]
    estimated: dict[str, int]


def stock_sums(
    connection: Connection, valuation: Valuation, source: FromClause, *, past: bool, most_ticks: int = MOST_TICKS
) -> StockSums:
    """The sums of the stock in `source` (`stock_source`). Their prices and ages are those of the valuation's time.

    `most_ticks`: pieces at a stage that are listed one by one; above this number their ages are counted in bars.
    """
    groups = read_groups(connection, valuation, source, past=past)
    return sums_of(groups.items(), valuation, past=past, most_ticks=most_ticks)


def stock_sums_at(connection: Connection, valuation: Valuation, at_us: int, most_ticks: int = MOST_TICKS) -> StockSums:
    """The sums of the stock at a past time (UTC us).

    What was scanned before its order was released has the order for the time before, too: the rows of such items are those
    of `historical_stock`.
    """
    groups = groups_at(connection, valuation, at_us)
    no_release = {item for group, pieces in groups.items() if group.epoch == NOT_RELEASED for item in pieces.items}
    late = released_later(connection, no_release, at_us).keys()
    if not late:
        return sums_of(groups.items(), valuation, past=True, most_ticks=most_ticks)
    others = [(group, pieces.without(late)) for group, pieces in groups.items()]
    of_late = groups_of(stock_at(connection, at_us, late), valuation)
    return sums_of([*others, *of_late.items()], valuation, past=True, most_ticks=most_ticks)


class _Class(NamedTuple):
    """The pieces of one class at one stage."""

    part: StockSum
    items: list[str]


def sums_of(
    groups: Iterable[tuple[Group, Pieces]], valuation: Valuation, *, past: bool, most_ticks: int = MOST_TICKS
) -> StockSums:
    """The sums of grouped pieces. `past`: `dues` are counted, else `estimated`."""
    grouped = [(group, pieces) for group, pieces in groups if pieces.items]
    begun = [(group, pieces) for group, pieces in grouped if group.form >= Form.BEGUN]
    apart = [(group, pieces) for group, pieces in grouped if group.form == Form.NOT_STARTED]
    classes = _classes(begun, valuation)
    at: dict[str, set[str]] = {}
    for one in classes:
        at.setdefault(one.part.stage, set()).update(one.items)
    ages = stage_ages(begun, valuation, most_ticks)
    return StockSums(
        classes=[one.part for one in classes],
        items={stage: len(items) for stage, items in at.items()},
        whole=len(set().union(*at.values())),
        unvalued=_unvalued(classes, valuation),
        stages=ages.stages,
        pieces=ages.pieces,
        bars=ages.bars,
        over=[
            OverRow(row.item, group.product, group.routing, valuation.epochs.time(group.epoch), group.ordered_milli,
                    row.over_milli, row.operation, group.entered, group.reached, operations_of(group.scanned), row.qty_milli)
            for group, pieces in begun
            for row in pieces.over
            if row.qty_milli
        ],
        released=_released(apart),
        with_members=[
            ReleasedRow(item, group.product, group.ordered_milli, milli, since_us)
            for group, pieces in grouped
            if group.form == Form.WITH_MEMBERS
            for item, milli, since_us in zip(pieces.items, pieces.qty_milli, pieces.since_us, strict=True)
        ],
        dues=_dues(grouped) if past else {},
        estimated={} if past else _estimated(grouped),
    )  # fmt: skip


def _classes(begun: Grouped, valuation: Valuation) -> list[_Class]:
    """The pieces in process by stage, class and whether their quantity is known; on hold or not."""
    found: dict[tuple[Any, ...], tuple[list[str], list[int]]] = {}
    for group, pieces in begun:
        for is_known in (True, False):
            of_kind = [(milli is not None) is is_known for milli in pieces.qty_milli]
            if any(of_kind):
                items, quantities = found.setdefault((*group[1:], is_known), ([], []))
                items += compress(pieces.items, of_kind)
                quantities += [milli for milli in pieces.qty_milli if milli is not None] if is_known else []
    return [
        _Class(
            StockSum(stage, product, routing, valuation.epochs.time(epoch), ordered_milli, entered, reached,
                     operations_of(scanned), sum(quantities) if is_known else None, len(items)),
            items,
        )
        for (stage, product, routing, epoch, ordered_milli, entered, reached, scanned, is_known), (items, quantities)
        in found.items()
    ]  # fmt: skip


def _unvalued(classes: list[_Class], valuation: Valuation) -> dict[str | None, int]:
    """The distinct items without full cost by stage, and under None of the whole line."""
    lacking: dict[str | None, set[str]] = {None: set()}
    for one in classes:
        if valuation.lacks_cost(one.part):
            lacking.setdefault(one.part.stage, set()).update(one.items)
            lacking[None].update(one.items)
    return {stage: len(items) for stage, items in lacking.items()}


def _released(apart: Grouped) -> list[ReleasedSum]:
    of_product: dict[str | None, Grouped] = {}
    for group, pieces in apart:
        of_product.setdefault(group.product, []).append((group, pieces))
    found = []
    for product, grouped in of_product.items():
        items = {item for _, pieces in grouped for item in pieces.items}
        known = [milli for _, pieces in grouped for milli in pieces.qty_milli if milli is not None]
        uncounted = {
            item
            for _, pieces in grouped
            if None in pieces.qty_milli
            for item, milli in zip(pieces.items, pieces.qty_milli, strict=True)
            if milli is None
        }
        found.append(ReleasedSum(product, len(items), len(known), sum(known), len(uncounted)))
    return found


def _dues(grouped: Grouped) -> dict[str, int]:
    """The number of orders by due date, of an order the earliest one of its items."""
    of_order: dict[str, str] = {}
    for _, pieces in grouped:
        for item, order, due in zip(pieces.items, pieces.orders, pieces.dues, strict=True):
            name = order or item
            if due is not None and due < of_order.setdefault(name, due):
                of_order[name] = due
    return dict(Counter(of_order.values()))


def _estimated(grouped: Grouped) -> dict[str, int]:
    pairs = {
        (station, item)
        for _, pieces in grouped
        for station, item in zip(pieces.estimated, pieces.items, strict=True)
        if station is not None
    }
    return dict(Counter(station for station, _ in pairs))
