"""Stage summary: the stock at each stage, its ages, and its throughput; the tiles of the board.

The headline is computed from the tiles: quantities and money add up exactly. An item at several stages counts once in the
headline, which also gives the number of such items.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, or_, select

from server.projection.tables import move
from server.queries.age_stats import AgeStats, age_s, ages
from server.queries.current_stock import StockRow
from server.queries.stage_order import columns, line_of, next_stages, paths_of
from server.queries.valuation import StockValue, Valuation
from station.core.ledger.costs import MILLI, shares
from station.core.ledger.parcels import LIVE, ParcelState
from station.core.ledger.routing import Stage

RATE_SPAN_S = 8 * 3600  # one shift: an hour has too few departures, a day shows a change too late
BETWEEN = "Between stages"


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
    branches: tuple[Branch, ...] = ()

    @property
    def late(self) -> int:
        """Items past the stage's target."""
        return len({tick.item for tick in self.ticks if tick.late})

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


def summarize_line(stock: Iterable[StockRow], valuation: Valuation, moves: Moves) -> LineSummary:
    """Summarize the stock by stage. `moves`: the items that left each stage in the last shift."""
    everything = list(stock)
    begun = [row for row in everything if row.in_process]
    at: dict[str | None, list[StockRow]] = {}
    for row in begun:
        at.setdefault(row.stage, []).append(row)
    moved_on = moves.left
    stages = _stages({*at, *moved_on}, valuation)
    values = [valuation.total(at.get(stage.stage or None, [])) for stage in stages]
    shown = shares((stock_value.value.total for stock_value in values), MILLI * 1_000_000)
    tiles = tuple(
        _tile(stage, at.get(stage.stage or None, []), stock_value, micros * 1_000_000, valuation, moved_on)
        for stage, stock_value, micros in zip(stages, values, shown, strict=True)
    )
    whole = valuation.total(begun)
    items = len({row.item for row in begun})
    paths = paths_of(valuation.master_data, valuation.at_us)
    names = columns([tile.stage.stage for tile in tiles], paths)
    branches = _branches(["", *(stage.stage for stage in stages)], names, paths, moves, valuation)
    by_name = {
        tile.stage.stage: tile._replace(branches=branches[tile.stage.stage] if tile.stage.stage else ())
        for tile in tiles
    }
    over = valuation.overrun_rows(row for row in begun if row.released_us is not None)
    return LineSummary(
        tiles=tuple(by_name.values()),
        items=items,
        spread_items=sum(tile.items for tile in tiles) - items,
        amounts=amounts(begun, valuation),
        stock_value=whole,
        shown_micros=sum(tile.shown_micros or 0 for tile in tiles) if whole.known else None,
        not_started=summarize((row for row in everything if not row.in_process), valuation),
        not_started_moved_on=moved_on.get("", 0),
        not_started_branches=branches[""],
        columns=tuple(tuple(by_name[name] for name in column) for column in names),
        over_amounts=amounts(over, valuation),
        over_micros=valuation.total(over).micros,
    )


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
    stock: list[StockRow],
    stock_value: StockValue,
    shown_micros: int,
    valuation: Valuation,
    moved_on: dict[str | None, int],
) -> StageTile:
    now_us = valuation.at_us
    ticks = [_tick(row, stage.target_s, now_us) for row in stock]
    return StageTile(
        stage=stage,
        items=len({row.item for row in stock}),
        amounts=amounts(stock, valuation),
        held_items=len({row.item for row in stock if row.state == ParcelState.HELD}),
        stock_value=stock_value,
        shown_micros=shown_micros if stock_value.known else None,
        ages=ages((row.at_stage_since_us for row in stock), now_us),
        ticks=tuple(sorted(ticks, key=lambda tick: (-tick.age_s, tick.item))),
        moved_on=moved_on.get(stage.stage or None, 0),
    )


def _tick(row: StockRow, target_s: int | None, now_us: int) -> AgeTick:
    age = age_s(row.at_stage_since_us, now_us)
    return AgeTick(row.item, age, bool(target_s) and age > (target_s or 0), row.state == ParcelState.HELD)


def amounts(stock: Iterable[StockRow], valuation: Valuation) -> tuple[UnitQuantity, ...]:
    """Known quantities by unit, the unit with the most stock rows first."""
    parts: dict[str, list[tuple[int, int]]] = {}
    for row in stock:
        if row.qty_milli is not None:
            product = valuation.product(row)
            parts.setdefault(product.unit, []).append((row.qty_milli, product.decimals))
    return tuple(_unit_sum(unit, parts[unit]) for unit in sorted(parts, key=lambda unit: (-len(parts[unit]), unit)))


def _unit_sum(unit: str, parts: list[tuple[int, int]]) -> UnitQuantity:
    return UnitQuantity(unit, sum(milli for milli, _ in parts), max(decimals for _, decimals in parts))


def summarize(stock: Iterable[StockRow], valuation: Valuation) -> StockSummary:
    """Count the items and quantities of some stock."""
    rows = list(stock)
    return StockSummary(len({row.item for row in rows}), amounts(rows, valuation), _uncounted(rows))


def _uncounted(rows: Iterable[Any]) -> int:
    return len({row.item for row in rows if row.qty_milli is None})


def moved_on(connection: Connection, now_us: int) -> Moves:
    """The moves of the last shift. Reads that shift's rows only."""
    c = move.c
    query = select(c.from_stage, c.from_state == ParcelState.RELEASED, c.to_stage, c.item).where(
        and_(
            c.at_us > now_us - RATE_SPAN_S * 1_000_000,
            c.at_us <= now_us,
            c.from_state.in_(LIVE),
            ~c.restated,
            or_(c.from_stage.is_(None), c.to_stage.is_(None), c.from_stage != c.to_stage),
        )
    )
    left: dict[str | None, set[str]] = {}
    to: dict[tuple[str | None, str | None], set[str]] = {}
    for row_stage, released, target, item in connection.execute(query.distinct()):
        stage = "" if released else row_stage
        left.setdefault(stage, set()).add(item)
        to.setdefault((stage, target), set()).add(item)
    return Moves(_counts(left), _counts(to))


def _counts(items: dict[Any, set[str]]) -> dict[Any, int]:
    return {key: len(of_key) for key, of_key in items.items()}


def finished_since(connection: Connection, since_us: int, now_us: int, valuation: Valuation) -> StockSummary:
    """The stock that was finished in a period. Reads that period's rows only."""
    c = move.c
    rows = connection.execute(
        select(c.item, c.product, c.qty_milli).where(
            and_(c.at_us >= since_us, c.at_us <= now_us, c.to_state == ParcelState.FINISHED, ~c.restated)
        )
    ).all()
    parts: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        product = valuation.master_data.product(row.product, now_us)
        unit, decimals = (product.unit, product.decimals) if product else ("pcs", 0)
        if row.qty_milli is not None:
            parts.setdefault(unit, []).append((row.qty_milli, decimals))
    sums = tuple(_unit_sum(unit, of_unit) for unit, of_unit in sorted(parts.items()))
    return StockSummary(len({row.item for row in rows}), sums, _uncounted(rows))
