"""Stock sums: the stock of the shop as sums that the database computes, now or at a past time.

The value of a piece depends on its *class* alone: the product, the routing and the bill of material of its release, the
ordered quantity where a cost is per order, and the operations that it entered, reached and was scanned at. Quantities are
summed by class, and each class is priced once. One statement computes all sums of one snapshot: the pieces are joined once,
and each branch of the statement is one kind of sum.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, and_, func, null, or_, select, union_all

from server.projection.item_rows import operations_of
from server.queries.historical_stock import stock_at
from server.queries.release_epochs import Epochs
from server.queries.stock_branches import MILLION, MOST_TICKS, TEXTS, Kind, branches_of, pieces_of
from server.queries.stock_source import stock_source
from server.queries.valuation import OverRow, Valuation
from station.core.ledger.parcels import ParcelState

ItemClass = tuple[str | None, str | None, int | None, int]
"""What the pieces of an item have in common for their cost: the first four fields of `StockSum` behind the stage."""


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

    @property
    def of_item(self) -> ItemClass:
        """The part of the class that all pieces of an item have in common."""
        return self[1:5]


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


class StageSum(NamedTuple):
    """The items on hold and past the target, the pieces, and the arrival of the oldest one and of the median (UTC us)."""

    held_items: int
    late_items: int
    rows: int
    oldest_us: int
    median_us: int


class PieceAge(NamedTuple):
    """A piece at a stage of few pieces."""

    item: str
    at_stage_since_us: int
    late: bool
    held: bool


class AgeBar(NamedTuple):
    """The pieces of one of BARS bars of a stage of many pieces; `late`, `held`: all of them."""

    bar: int
    rows: int
    late: bool
    held: bool


class StockSums(NamedTuple):
    """The sums of one snapshot by the id of the stage, "" between stages. Items count once a stage, and once in `whole`.

    `unvalued`: the items without full cost, by stage; of the whole line under None. `dues`: the orders by due date, of a
    past snapshot only. `estimated`: of the present only, the items whose time of arrival is uncertain, by station.
    `late`: of a past snapshot, the items that were released later.
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
    late: frozenset[str]


def stock_sums(
    connection: Connection,
    valuation: Valuation,
    source: FromClause,
    *,
    past: bool,
    at_us: int | None = None,
    most_ticks: int = MOST_TICKS,
) -> StockSums:
    """The sums of the stock in `source` (`stock_source`). Their prices and ages are those of the valuation's time.

    `at_us`: the time of a past source that reads the tables (`stock_sums_at`).
    """
    stock = pieces_of(valuation, source)
    read: dict[int, list[Any]] = {kind: [] for kind in Kind}
    branches = branches_of(stock, valuation, past=past, at_us=at_us, most_ticks=most_ticks)
    for kind, *values in connection.execute(union_all(*branches)):
        read[kind].append(values)
    return _sums(connection, valuation, stock, read)


def stock_sums_at(connection: Connection, valuation: Valuation, at_us: int, most_ticks: int = MOST_TICKS) -> StockSums:
    """The sums of the stock at a past time (UTC us).

    What was scanned before its order was released has the order for the time before, too (`historical_stock`): where there
    are such items, their rows are read and the sums are read again with these.
    """
    sums = stock_sums(connection, valuation, stock_source(at_us), past=True, at_us=at_us, most_ticks=most_ticks)
    if not sums.late:
        return sums
    source = stock_source(at_us, stock_at(connection, at_us, sums.late))
    return stock_sums(connection, valuation, source, past=True, most_ticks=most_ticks)


def _sums(connection: Connection, valuation: Valuation, stock: FromClause, read: dict[int, list[Any]]) -> StockSums:
    epochs = valuation.epochs
    classes = [
        StockSum(stage, product, routing, epochs.time(n[0]), n[1], n[2], n[3], operations_of(scanned),
                 n[6] * MILLION + n[7] if n[4] else None, n[5])
        for stage, product, routing, scanned, *n in read[Kind.CLASS]
    ]  # fmt: skip
    items = {(t, (p, r, epochs.time(n[0]), n[1])): n[2] for t, p, r, _, *n in read[Kind.ITEMS]}
    whole = {(p, r, epochs.time(n[0]), n[1]): n[2] for _, p, r, _, *n in read[Kind.WHOLE]}
    by_stage: dict[str, int] = {}
    for (stage, _), count in items.items():
        by_stage[stage] = by_stage.get(stage, 0) + count
    medians = {stage: n[0] for stage, _, _, _, *n in read[Kind.MEDIAN]}
    pieces: dict[str, list[PieceAge]] = {}
    for stage, name, _, _, *n in read[Kind.PIECE]:
        pieces.setdefault(stage, []).append(PieceAge(name, n[0], bool(n[1]), bool(n[2])))
    bars: dict[str, list[AgeBar]] = {}
    for stage, _, _, _, *n in sorted(read[Kind.BAR], key=lambda values: values[TEXTS]):
        bars.setdefault(stage, []).append(AgeBar(n[0], n[1], bool(n[2]), bool(n[3])))
    return StockSums(
        classes=classes,
        items=by_stage,
        whole=sum(whole.values()),
        unvalued=_unvalued(connection, valuation, stock, classes, items, whole),
        stages={t: StageSum(n[0], n[1], n[2], n[3], medians[t]) for t, _, _, _, *n in read[Kind.STAGE]},
        pieces=pieces,
        bars=bars,
        over=[
            OverRow(name, product, routing, epochs.time(n[0]), n[1], n[2], n[3], n[4], n[5], operations_of(scanned), n[6])
            for name, product, routing, scanned, *n in read[Kind.OVER]
        ],
        released=[ReleasedSum(p, n[0], n[1], (n[2] or 0) * MILLION + (n[3] or 0), n[4])
                  for p, _, _, _, *n in read[Kind.RELEASED]],
        with_members=[ReleasedRow(name, p, n[0], n[1], n[2]) for name, p, _, _, *n in read[Kind.MEMBERS]],
        dues={due: n[0] for due, _, _, _, *n in read[Kind.DUE]},
        late=frozenset(values[0] for values in read[Kind.LATE]),
        estimated={station: n[0] for station, _, _, _, *n in read[Kind.ESTIMATED]},
    )  # fmt: skip


def _unvalued(
    connection: Connection,
    valuation: Valuation,
    stock: FromClause,
    classes: list[StockSum],
    items: dict[tuple[str, ItemClass], int],
    whole: dict[ItemClass, int],
) -> dict[str | None, int]:
    """The items without full cost by stage, and under None of the whole line.

    Where all classes of pieces of the same class of item are alike, the items are counted already. The others are counted by
    a second statement: an item may have pieces of several classes.
    """
    lacking: dict[tuple[str | None, ItemClass], list[StockSum]] = {}
    groups: dict[tuple[str | None, ItemClass], int] = {}
    for one in classes:
        for key in ((one.stage, one.of_item), (None, one.of_item)):
            groups[key] = groups.get(key, 0) + 1
            if valuation.lacks_cost(one):
                lacking.setdefault(key, []).append(one)
    found: dict[str | None, int] = {None: 0}
    mixed: dict[bool, list[StockSum]] = {True: [], False: []}  # by whether the stage is part of the key
    for (stage, of_item), parts in lacking.items():
        if len(parts) == groups[stage, of_item]:
            count = whole[of_item] if stage is None else items[stage, of_item]
            found[stage] = found.get(stage, 0) + count
        else:
            mixed[stage is not None] += parts
    for by_stage, parts in mixed.items():
        for stage, count in _count(connection, stock, valuation.epochs, parts, by_stage=by_stage):
            found[stage] = found.get(stage, 0) + count
    return found


def _count(
    connection: Connection, stock: FromClause, epochs: Epochs, parts: list[StockSum], *, by_stage: bool
) -> Iterable[Any]:
    """The distinct items with pieces of some classes, by stage or of the whole line."""
    if not parts:
        return ()
    c = stock.c
    any_of = or_(*(_is_of(c, part, epochs) for part in parts))
    count = func.count(c.item.distinct())
    query = select(c.stage, count).group_by(c.stage) if by_stage else select(null(), count)
    return connection.execute(query.where(and_(c.begun == 1, any_of))).all()


def _is_of(c: Any, part: StockSum, epochs: Epochs) -> ColumnElement[bool]:
    scanned = ",".join(map(str, part.scanned)) or None
    return and_(
        c.stage == part.stage,
        c.epoch == epochs.number(part.released_us),
        c.ordered_milli == part.ordered_milli,
        c.product.is_not_distinct_from(part.product),
        c.routing.is_not_distinct_from(part.routing),
        c.scanned.is_not_distinct_from(scanned),
        c.entered.is_not_distinct_from(part.entered),
        c.reached.is_not_distinct_from(part.reached),
        c.qty_milli.is_(None) if part.qty_milli is None else c.qty_milli.is_not(None),
    )
