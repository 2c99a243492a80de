"""Stock branches: the statement that computes all sums of the stock of one snapshot (`stock_sums`).

The pieces are joined once. Each branch is one kind of sum: its number, TEXTS texts and NUMBERS numbers.
"""

from enum import IntEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
)

from server.projection.tables import head
from server.queries.valuation import Valuation
from station.core.ledger.parcels import ParcelState

MOST_TICKS = 240
BARS = 40
SECOND_US = 1_000_000
MILLION = 1_000_000  # a quantity is summed in two parts, because the sum of the largest ones exceeds 64 bits
MATERIALIZED = "MATERIALIZED"  # else SQLite joins the pieces again for each branch
TEXTS, NUMBERS = 4, 8  # columns of each kind in a row of the statement


class Kind(IntEnum):
    """The branches of the statement."""

    CLASS = 1
    ITEMS = 2
    WHOLE = 3
    STAGE = 4
    MEDIAN = 5
    PIECE = 6
    BAR = 7
    OVER = 8
    RELEASED = 9
    MEMBERS = 10
    DUE = 11
    ESTIMATED = 12
    LATE = 13


def branches_of(
    stock: FromClause, valuation: Valuation, *, past: bool, at_us: int | None, most_ticks: int
) -> list[Select[Any]]:
    """The branches of the statement; some are of the present or of the past only.

    `at_us`: of a past time whose stock is read from the tables.

    `most_ticks`: pieces at a stage that are read one by one; above this number their ages are counted in bars.
    """
    stages = _stages(stock)
    branches = [
        _class(stock),
        _items(stock),
        _whole(stock),
        _stage(stages),
        _median(stock),
        _piece(stock, stages, most_ticks),
    ]
    branches += [_bar(stock, stages, valuation, most_ticks), _over(stock), _released(stock), _members(stock)]
    branches += [_due(stock) if past else _estimated(stock)]
    return branches if at_us is None else [*branches, _late(stock, at_us)]


def pieces_of(valuation: Valuation, pieces: FromClause) -> FromClause:
    """The pieces of a stock source with the columns of their class, and whether each is past the target of its stage."""
    cuts = {stage: valuation.at_us - (target_s + 1) * SECOND_US for stage, target_s in targets_of(valuation).items()}
    late = _if(pieces.c.at_stage_since_us <= _by_stage(pieces.c.stage, cuts)) if cuts else literal_column("0")
    ordered = pieces.c.ordered_milli if valuation.costs_per_order else literal_column("0")
    names = ("item", "order_", "product", "routing", "released_us", "over_milli", "due", "stage", "state", "operation",
             "qty_milli", "since_us", "at_stage_since_us", "entered", "reached", "scanned", "members", "approx",
             "station")  # fmt: skip
    return (
        select(
            *(pieces.c[name] for name in names),
            pieces.c.ordered_milli.label("of_order_milli"),
            ordered.label("ordered_milli"),
            valuation.epochs.column(pieces.c.released_us).label("epoch"),
            late.label("late"),
            _if(pieces.c.state != ParcelState.RELEASED).label("begun"),
            _if(pieces.c.state == ParcelState.HELD).label("held"),
        )
        .cte("pieces")
        .prefix_with(MATERIALIZED)
    )


def targets_of(valuation: Valuation) -> dict[str, int]:
    """The target of each stage that has one, in seconds."""
    master_data, found = valuation.master_data, {}
    for name in master_data.names("stage.define"):
        stage = master_data.stage(name, valuation.at_us)
        if stage is not None and stage.target_s:
            found[name] = stage.target_s
    return found


def _by_stage(stage: ColumnElement[Any], values: dict[str, int], other: Any = None) -> ColumnElement[Any]:
    numbers = {name: literal(value, BigInteger) for name, value in values.items()}
    return case(numbers, value=stage, else_=null() if other is None else other) if numbers else other


def _if(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return case((condition, literal_column("1")), else_=literal_column("0"))


def _row(kind: Kind, texts: tuple[Any, ...], numbers: tuple[Any, ...]) -> Select[Any]:
    """One branch; each column has its type also where it is empty, because the branches are one result."""
    empty_texts = [cast(null(), Text)] * (TEXTS - len(texts))
    empty_numbers = [cast(null(), BigInteger)] * (NUMBERS - len(numbers))
    columns = [*texts, *empty_texts, *(cast(number, BigInteger) for number in numbers), *empty_numbers]
    names = [column.label(f"c{index}") for index, column in enumerate(columns)]
    return select(literal_column(str(int(kind))).label("kind"), *names)


def _class(stock: FromClause) -> Select[Any]:
    c = stock.c
    known = _if(c.qty_milli.is_not(None))
    grouped = (c.stage, c.product, c.routing, c.scanned, c.epoch, c.ordered_milli, c.entered, c.reached)
    numbers = (c.epoch, c.ordered_milli, c.entered, c.reached, known, func.count(), *_sum(c.qty_milli))
    return _row(Kind.CLASS, grouped[:4], numbers).where(c.begun != 0).group_by(*grouped, known)


def _sum(quantity: ColumnElement[Any]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """A sum in millions and the rest."""
    million = literal_column(str(MILLION), BigInteger)
    return func.sum(quantity // million), func.sum(quantity % million)


def _items(stock: FromClause) -> Select[Any]:
    c = stock.c
    grouped = (c.stage, c.product, c.routing, c.epoch, c.ordered_milli)
    numbers = (c.epoch, c.ordered_milli, func.count(c.item.distinct()))
    return _row(Kind.ITEMS, grouped[:3], numbers).where(c.begun != 0).group_by(*grouped)


def _whole(stock: FromClause) -> Select[Any]:
    c = stock.c
    grouped = (c.product, c.routing, c.epoch, c.ordered_milli)
    numbers = (c.epoch, c.ordered_milli, func.count(c.item.distinct()))
    return _row(Kind.WHOLE, (literal_column("''"), *grouped[:2]), numbers).where(c.begun != 0).group_by(*grouped)


def _stages(stock: FromClause) -> FromClause:
    c = stock.c
    held = func.count(case((c.held != 0, c.item)).distinct())
    late = func.count(case((c.late != 0, c.item)).distinct())
    oldest_us = func.min(c.at_stage_since_us)
    sums = (held.label("held"), late.label("late"), func.count().label("rows"), oldest_us.label("oldest_us"))
    query = select(c.stage, *sums).where(c.begun != 0).group_by(c.stage)
    return query.cte("stages").prefix_with(MATERIALIZED)


def _stage(stages: FromClause) -> Select[Any]:
    c = stages.c
    return _row(Kind.STAGE, (c.stage,), (c.held, c.late, c.rows, c.oldest_us))


def _median(stock: FromClause) -> Select[Any]:
    """Of an even number, the later of the middle two arrivals: the lower of the two ages."""
    c = stock.c
    number = func.row_number().over(partition_by=c.stage, order_by=c.at_stage_since_us)
    rows = func.count().over(partition_by=c.stage)
    numbered = (
        select(c.stage, c.at_stage_since_us, number.label("number"), rows.label("rows"))
        .where(c.begun != 0)
        .subquery("numbered")
    )
    middle = numbered.c.rows // literal_column("2", BigInteger) + 1
    return _row(Kind.MEDIAN, (numbered.c.stage,), (numbered.c.at_stage_since_us,)).where(numbered.c.number == middle)


def _piece(stock: FromClause, stages: FromClause, most_ticks: int) -> Select[Any]:
    c = stock.c
    few = select(stages.c.stage).where(stages.c.rows <= literal(most_ticks, BigInteger))
    numbers = (c.at_stage_since_us, c.late, c.held)
    return _row(Kind.PIECE, (c.stage, c.item), numbers).where(and_(c.begun != 0, c.stage.in_(few)))


def _bar(stock: FromClause, stages: FromClause, valuation: Valuation, most_ticks: int) -> Select[Any]:
    """The box of a stage spans twice its target; without one, the greatest age at all stages without target."""
    c, at_us = stock.c, literal(valuation.at_us, BigInteger)
    second, bars, last = (literal_column(str(number), BigInteger) for number in (SECOND_US, BARS, BARS - 1))
    targets = targets_of(valuation)
    many = select(stages.c.stage).where(stages.c.rows > literal(most_ticks, BigInteger))
    oldest = select(func.min(stages.c.oldest_us)).where(stages.c.stage.not_in(sorted(targets)))
    oldest_s = (at_us - oldest.scalar_subquery()) // second
    longest_s = case((oldest_s > 1, oldest_s), else_=literal_column("1"))
    span_s = _by_stage(c.stage, {stage: 2 * target_s for stage, target_s in targets.items()}, longest_s)
    aged = (
        select(c.stage, c.late, c.held, ((at_us - c.at_stage_since_us) // second * bars // span_s).label("bar"))
        .where(and_(c.begun != 0, c.stage.in_(many)))
        .subquery("aged")
    )
    bar = case((aged.c.bar < 0, literal_column("0")), (aged.c.bar > last, last), else_=aged.c.bar)
    placed = select(aged.c.stage, aged.c.late, aged.c.held, bar.label("bar")).subquery("placed")
    numbers = (placed.c.bar, func.count(), func.min(placed.c.late), func.min(placed.c.held))
    return _row(Kind.BAR, (placed.c.stage,), numbers).group_by(placed.c.stage, placed.c.bar)


def _over(stock: FromClause) -> Select[Any]:
    c = stock.c
    over = and_(c.begun != 0, c.over_milli > 0, c.qty_milli > 0, c.released_us.is_not(None))
    numbers = (c.epoch, c.ordered_milli, c.over_milli, c.operation, c.entered, c.reached, c.qty_milli)
    return _row(Kind.OVER, (c.item, c.product, c.routing, c.scanned), numbers).where(over)


def _released(stock: FromClause) -> Select[Any]:
    c = stock.c
    unknown = func.count(case((c.qty_milli.is_(None), c.item)).distinct())
    numbers = (func.count(c.item.distinct()), func.count(c.qty_milli), *_sum(c.qty_milli), unknown)
    plain = and_(c.begun == 0, c.members == 0)
    return _row(Kind.RELEASED, (c.product,), numbers).where(plain).group_by(c.product)


def _members(stock: FromClause) -> Select[Any]:
    c = stock.c
    numbers = (c.of_order_milli, c.qty_milli, c.since_us)
    return _row(Kind.MEMBERS, (c.item, c.product), numbers).where(and_(c.begun == 0, c.members == 1))


def _due(stock: FromClause) -> Select[Any]:
    """The number of orders by due date, of an order the earliest one of its items."""
    c = stock.c
    orders = select(func.min(c.due).label("due")).group_by(c.order_).subquery("orders")
    return _row(Kind.DUE, (orders.c.due,), (func.count(),)).where(orders.c.due.is_not(None)).group_by(orders.c.due)


def _late(stock: FromClause, at_us: int) -> Select[Any]:
    """The items that were not released yet and were released later."""
    c = stock.c
    later: Select[Any] = select(literal_column("1")).where(
        and_(head.c.item == c.item, head.c.from_us > at_us, head.c.released_us.is_not(None))
    )
    return _row(Kind.LATE, (c.item,), ()).where(and_(c.released_us.is_(None), later.exists())).distinct()


def _estimated(stock: FromClause) -> Select[Any]:
    c = stock.c
    where = and_(c.approx, c.station.is_not(None), c.station != "")
    return _row(Kind.ESTIMATED, (c.station,), (func.count(c.item.distinct()),)).where(where).group_by(c.station)
