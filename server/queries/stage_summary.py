"""Stage summary: the stock at each stage, its ages, and its throughput; the tiles of the board.

The headline is computed from the tiles: quantities and money add up exactly. An item at several stages counts once in the
headline, which also gives the number of such items.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, literal_column, or_, select

from server.projection.tables import move
from server.queries.age_stats import AgeStats, age_s
from server.queries.stage_ages import AgeBar, StageSum
from server.queries.stage_order import columns, line_of, next_stages, paths_of
from server.queries.stock_sums import ReleasedRow, StockSum, StockSums
from server.queries.valuation import OfProduct, StockValue, Valuation
from station.core.ledger.costs import MILLI, shares
from station.core.ledger.parcels import LIVE, ParcelState
from station.core.ledger.routing import Stage

RATE_SPAN_S = 8 * 3600  # one shift: an hour has too few departures, a day shows a change too late
BETWEEN = "Between stages"
Part = tuple[OfProduct, int | None, int]
"""A quantity of one product (None: unknown), and the number of stock rows in it."""


class UnitQuantity(NamedTuple):
    """A quantity of one unit, with the decimals its products show."""

    unit: str
    milli: int
    decimals: int


class AgeTick(NamedTuple):
    """One item in the age strip."""

    item: str
    age_s: int
    late: bool
    held: bool


class Moves(NamedTuple):
    """The items that left each stage in the last shift, and by (stage, target); the stage "" is released stock."""

    left: dict[str | None, int]
    to: dict[tuple[str | None, str | None], int]


class Branch(NamedTuple):
    """One of the stages to which the routings lead from a stage, and the items that moved there in the last shift."""

    name: str
    moved_on: int


class StageTile(NamedTuple):
    """A stage now. `shown_micros`: its share of the headline in whole units of the currency; None for unknown value.

    `late`: items past the stage's target. `ticks`: its pieces; `bars`: the ages of more than MOST_TICKS pieces.
    `branches`: where the items go on to, unless that is the only tile of the next column.
    """

    stage: Stage
    items: int
    amounts: tuple[UnitQuantity, ...]
    held_items: int
    stock_value: StockValue
    shown_micros: int | None
    ages: AgeStats
    ticks: tuple[AgeTick, ...]
    moved_on: int
    late: int
    bars: tuple[AgeBar, ...]
    branches: tuple[Branch, ...] = ()

    @property
    def fill(self) -> str:
        """The load against the stage's limit: "over", "full" or ""."""
        if not self.stage.limit or self.items < self.stage.limit:
            return ""
        return "over" if self.items > self.stage.limit else "full"


class StockSummary(NamedTuple):
    """Stock outside the line: not started, or finished today. `uncounted`: the items of which a quantity is unknown."""

    items: int
    amounts: tuple[UnitQuantity, ...]
    uncounted: int = 0


class LineSummary(NamedTuple):
    """The whole line and its headline. `spread_items`: the sum of the tiles' items minus the distinct items.

    `columns`: the tiles in the order of the line, the branches of the routings together.
    `over_amounts`, `over_micros`: what of released orders is more than ordered, and its value; None where no cost is known.
    """

    tiles: tuple[StageTile, ...]
    items: int
    spread_items: int
    amounts: tuple[UnitQuantity, ...]
    stock_value: StockValue
    shown_micros: int | None
    not_started: StockSummary
    not_started_moved_on: int
    not_started_branches: tuple[Branch, ...]
    columns: tuple[tuple[StageTile, ...], ...]
    over_amounts: tuple[UnitQuantity, ...] = ()
    over_micros: int | None = None


def summarize_line(sums: StockSums, not_started: StockSummary, valuation: Valuation, moves: Moves) -> LineSummary:
    """Summarize the stock by stage. `moves`: the items that left each stage in the last shift."""
    at: dict[str, list[StockSum]] = {}
    for part in sums.classes:
        at.setdefault(part.stage, []).append(part)
    moved_on = moves.left
    stages = _stages({*(name or None for name in at), *moved_on}, valuation)
    values = [valuation.total_of(at.get(stage.stage, []), sums.unvalued.get(stage.stage, 0)) for stage in stages]
    shown = shares((stock_value.value.total for stock_value in values), MILLI * 1_000_000)
    tiles = tuple(
        _tile(stage, at.get(stage.stage, []), sums, stock_value, micros * 1_000_000, valuation, moved_on)
        for stage, stock_value, micros in zip(stages, values, shown, strict=True)
    )
    whole = valuation.total_of(sums.classes, sums.unvalued[None])
    paths = paths_of(valuation.master_data, valuation.at_us)
    names = columns([tile.stage.stage for tile in tiles], paths)
    branches = _branches(["", *(stage.stage for stage in stages)], names, paths, moves, valuation)
    by_name = {
        tile.stage.stage: tile._replace(branches=branches[tile.stage.stage] if tile.stage.stage else ())
        for tile in tiles
    }
    over = valuation.overrun_rows(sums.over)
    return LineSummary(
        tiles=tuple(by_name.values()),
        items=sums.whole,
        spread_items=sum(tile.items for tile in tiles) - sums.whole,
        amounts=amounts(_parts(sums.classes), valuation),
        stock_value=whole,
        shown_micros=sum(tile.shown_micros or 0 for tile in tiles) if whole.known else None,
        not_started=not_started,
        not_started_moved_on=moved_on.get("", 0),
        not_started_branches=branches[""],
        columns=tuple(tuple(by_name[name] for name in column) for column in names),
        over_amounts=amounts(((row, row.qty_milli, 1) for row in over), valuation),
        over_micros=valuation.total_of(over, 0).micros,
    )


def not_started(sums: StockSums, with_members: Iterable[ReleasedRow], valuation: Valuation) -> StockSummary:
    """What is not started. `with_members`: of the orders with lots or serials, less what these stand for."""
    rows = list(with_members)
    parts: list[Part] = [(of_product, of_product.qty_milli, of_product.rows) for of_product in sums.released]
    parts += [(row, row.qty_milli, 1) for row in rows]
    return StockSummary(
        sum(of_product.items for of_product in sums.released) + len({row.item for row in rows}),
        amounts((part for part in parts if part[2]), valuation),
        sum(of_product.uncounted for of_product in sums.released) + _uncounted(rows),
    )


def _parts(classes: Iterable[StockSum]) -> Iterator[Part]:
    return ((part, part.qty_milli, part.rows) for part in classes)


def _stages(at: set[str | None], valuation: Valuation) -> list[Stage]:
    """The stages of the shop, also empty ones, then those that it has not defined; `at`: with stock or with departures."""
    names = line_of(valuation.master_data, valuation.at_us)
    shown = [valuation.master_data.stage(name, valuation.at_us) or Stage(name) for name in names]
    shown += [Stage(name) for name in sorted(filter(None, at)) if name not in names]
    return [*shown, Stage("", BETWEEN)] if None in at else shown


def _branches(
    stages: Sequence[str],
    names: Sequence[Sequence[str]],
    paths: Sequence[Sequence[str]],
    moves: Moves,
    valuation: Valuation,
) -> dict[str, tuple[Branch, ...]]:
    """The branches of each stage; none where the only tile of the next column is the only one that follows."""
    following = next_stages(paths)
    beside = {name: number for number, column in enumerate(names) for name in column}
    found = {}
    for stage in stages:
        targets = following.get(stage, [])
        number = beside[stage] + 1 if stage else 0
        plain = not targets or (number < len(names) and targets == list(names[number]))
        found[stage] = () if plain else tuple(_branch(stage, target, moves, valuation) for target in targets)
    return found


def _branch(stage: str, target: str, moves: Moves, valuation: Valuation) -> Branch:
    return Branch(valuation.master_data.stage_name(target, valuation.at_us), moves.to.get((stage, target), 0))


def _tile(
    stage: Stage,
    classes: list[StockSum],
    sums: StockSums,
    stock_value: StockValue,
    shown_micros: int,
    valuation: Valuation,
    moved_on: dict[str | None, int],
) -> StageTile:
    name, now_us = stage.stage, valuation.at_us
    of_stage = sums.stages.get(name)
    ticks = [
        AgeTick(one.item, age_s(one.at_stage_since_us, now_us), one.late, one.held) for one in sums.pieces.get(name, [])
    ]
    return StageTile(
        stage=stage,
        items=sums.items.get(name, 0),
        amounts=amounts(_parts(classes), valuation),
        held_items=of_stage.held_items if of_stage else 0,
        stock_value=stock_value,
        shown_micros=shown_micros if stock_value.known else None,
        ages=_ages(of_stage, now_us),
        ticks=tuple(sorted(ticks, key=lambda tick: (-tick.age_s, tick.item, tick.held))),
        moved_on=moved_on.get(name or None, 0),
        late=of_stage.late_items if of_stage else 0,
        bars=tuple(sums.bars.get(name, [])),
    )


def _ages(of_stage: StageSum | None, now_us: int) -> AgeStats:
    if of_stage is None:
        return AgeStats(None, None, None)
    oldest_us = of_stage.oldest_us
    return AgeStats(oldest_us, age_s(of_stage.median_us, now_us), age_s(oldest_us, now_us))


def amounts(parts: Iterable[Part], valuation: Valuation) -> tuple[UnitQuantity, ...]:
    """Known quantities by unit, the unit with the most stock rows first."""
    rows: dict[str, int] = {}
    of_unit: dict[str, list[tuple[int, int]]] = {}
    for of_product, qty_milli, count in parts:
        if qty_milli is not None:
            product = valuation.product(of_product)
            rows[product.unit] = rows.get(product.unit, 0) + count
            of_unit.setdefault(product.unit, []).append((qty_milli, product.decimals))
    return tuple(_unit_sum(unit, of_unit[unit]) for unit in sorted(rows, key=lambda unit: (-rows[unit], unit)))


def _unit_sum(unit: str, parts: list[tuple[int, int]]) -> UnitQuantity:
    return UnitQuantity(unit, sum(milli for milli, _ in parts), max(decimals for _, decimals in parts))


def _uncounted(rows: Iterable[Any]) -> int:
    return len({row.item for row in rows if row.qty_milli is None})


def departed_stage() -> ColumnElement[Any]:
    """The stage that the pieces of a move left; "" for what was not started."""
    return case((move.c.from_state == ParcelState.RELEASED, literal_column("''")), else_=move.c.from_stage)


def departed() -> ColumnElement[bool]:
    """Whether pieces left a stage by a move, or were started by it."""
    c = move.c
    elsewhere = or_(c.from_stage.is_(None), c.to_stage.is_(None), c.from_stage != c.to_stage)
    return and_(c.from_state.in_(LIVE), ~c.restated, elsewhere)


def finished() -> ColumnElement[bool]:
    """Whether pieces were finished by a move."""
    return and_(move.c.to_state == ParcelState.FINISHED, ~move.c.restated)


def moved_on(connection: Connection, now_us: int) -> Moves:
    """The moves of the last shift. Reads that shift's rows only, once."""
    c = move.c
    of_shift = and_(c.at_us > now_us - RATE_SPAN_S * 1_000_000, c.at_us <= now_us, departed())
    to: dict[tuple[str | None, str | None], list[str]] = {}
    query = select(departed_stage(), c.to_stage, c.item).where(of_shift)
    # The tuples of the driver: the rows of the library take a fifth more time.
    for stage, to_stage, name in connection.execute(query).cursor.fetchall():
        to.setdefault((stage, to_stage), []).append(name)
    left: dict[str | None, set[str]] = {}
    for (stage, _), names in to.items():
        left.setdefault(stage, set()).update(names)
    items = {stage: len(names) for stage, names in left.items()}
    return Moves(items, {places: len(set(names)) for places, names in to.items()})


def finished_since(connection: Connection, since_us: int, now_us: int, valuation: Valuation) -> StockSummary:
    """The stock that was finished in a period. Reads that period's rows only."""
    c = move.c
    of_period = and_(c.at_us >= since_us, c.at_us <= now_us, finished())
    rows = connection.execute(select(c.item, c.product, c.qty_milli).where(of_period)).all()
    parts = ((row.product, row.qty_milli) for row in rows if row.qty_milli is not None)
    return StockSummary(len({row.item for row in rows}), finished_amounts(parts, now_us, valuation), _uncounted(rows))


def finished_amounts(
    parts: Iterable[tuple[str | None, int]], now_us: int, valuation: Valuation
) -> tuple[UnitQuantity, ...]:
    """Quantities of products by unit, the units in the order of their names."""
    of_unit: dict[str, list[tuple[int, int]]] = {}
    for product, qty_milli in parts:
        definition = valuation.master_data.product(product, now_us)
        unit, decimals = (definition.unit, definition.decimals) if definition else ("pcs", 0)
        of_unit.setdefault(unit, []).append((qty_milli, decimals))
    return tuple(_unit_sum(unit, quantities) for unit, quantities in sorted(of_unit.items()))
