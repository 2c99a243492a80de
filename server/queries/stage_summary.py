"""Stage summary: the stock at each stage, its ages, and its throughput; the tiles of the board.

The headline is computed from the tiles: quantities and money add up exactly. An item at several stages counts once in the
headline, which also gives the number of such items.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, or_, select

from server.projection.tables import visit
from server.queries.age_stats import AgeStats, age_s, ages
from server.queries.current_stock import StockRow
from server.queries.stage_order import line_of
from server.queries.valuation import StockValue, Valuation
from station.core.ledger.costs import MILLI, shares
from station.core.ledger.parcels import LIVE, ParcelState
from station.core.ledger.routing import Stage, StageType

RATE_SPAN_S = 8 * 3600  # one shift: an hour has too few departures, a day shows a change too late
HOUR_S = 3600


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


class StageTile(NamedTuple):
    """A stage now. `shown_micros`: its share of the headline in whole units of the currency; None for unknown value."""

    stage: Stage
    items: int
    amounts: tuple[UnitQuantity, ...]
    held_items: int
    stock_value: StockValue
    shown_micros: int | None
    ages: AgeStats
    ticks: tuple[AgeTick, ...]
    moved_on: int

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
    """Stock outside the line: not started, or finished today."""

    items: int
    amounts: tuple[UnitQuantity, ...]


class LineSummary(NamedTuple):
    """The whole line and its headline. `spread_items`: the sum of the tiles' items minus the distinct items.

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
    over_amounts: tuple[UnitQuantity, ...] = ()
    over_micros: int | None = None


def summarize_line(stock: Iterable[StockRow], valuation: Valuation, moved_on: dict[str | None, int]) -> LineSummary:
    """Summarize the stock by stage. `moved_on`: items that left each stage in the last shift; "" for released stock."""
    everything = list(stock)
    begun = [row for row in everything if row.in_process]
    at: dict[str | None, list[StockRow]] = {}
    for row in begun:
        at.setdefault(row.stage, []).append(row)
    stages = _stages(at, valuation)
    values = [valuation.total(at.get(stage.stage or None, [])) for stage in stages]
    shown = shares((stock_value.value.total for stock_value in values), MILLI * 1_000_000)
    tiles = tuple(
        _tile(stage, at.get(stage.stage or None, []), stock_value, micros * 1_000_000, valuation, moved_on)
        for stage, stock_value, micros in zip(stages, values, shown, strict=True)
    )
    whole = valuation.total(begun)
    items = len({row.item for row in begun})
    over = valuation.overrun_rows(row for row in begun if row.released_us is not None)
    return LineSummary(
        tiles=tiles,
        items=items,
        spread_items=sum(tile.items for tile in tiles) - items,
        amounts=amounts(begun, valuation),
        stock_value=whole,
        shown_micros=sum(tile.shown_micros or 0 for tile in tiles) if whole.known else None,
        not_started=summarize((row for row in everything if not row.in_process), valuation),
        not_started_moved_on=moved_on.get("", 0),
        over_amounts=amounts(over, valuation),
        over_micros=valuation.total(over).micros,
    )


def _stages(at: dict[str | None, list[StockRow]], valuation: Valuation) -> list[Stage]:
    names = line_of(valuation.master_data, valuation.at_us)
    known = [valuation.master_data.stage(name, valuation.at_us) or Stage(name) for name in names]
    # Stages of type `done` are outside the line, unless stock is there; undefined stages with stock are shown too.
    shown = [stage for stage in known if stage.type != StageType.DONE or stage.stage in at]
    shown += [Stage(name) for name in sorted(filter(None, at)) if name not in names]
    return [*shown, Stage("", "Between stages")] if None in at else shown


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
    return StockSummary(len({row.item for row in rows}), amounts(rows, valuation))


def moved_on(connection: Connection, now_us: int) -> dict[str | None, int]:
    """The number of items that left each stage in the last shift; "" is released stock. Reads that shift's visits only."""
    c = visit.c
    query = (
        select(c.stage, c.state == ParcelState.RELEASED, func.count(c.item.distinct()))
        .where(
            and_(
                c.left_us > now_us - RATE_SPAN_S * 1_000_000,
                c.left_us <= now_us,
                c.state.in_(LIVE),
                or_(c.stage.is_(None), c.went_to_stage.is_(None), c.stage != c.went_to_stage),
            )
        )
        .group_by(c.stage, c.state == ParcelState.RELEASED)
    )
    return {"" if released else stage: count for stage, released, count in connection.execute(query)}


def finished_since(connection: Connection, since_us: int, now_us: int, valuation: Valuation) -> StockSummary:
    """The stock that was finished in a period. Reads that period's visits only."""
    c = visit.c
    rows = connection.execute(
        select(c.item, c.product, c.qty_milli).where(
            and_(c.left_us >= since_us, c.left_us <= now_us, c.went_to_state == ParcelState.FINISHED)
        )
    ).all()
    parts: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        product = valuation.master_data.product(row.product, now_us)
        unit, decimals = (product.unit, product.decimals) if product else ("pcs", 0)
        if row.qty_milli is not None:
            parts.setdefault(unit, []).append((row.qty_milli, decimals))
    sums = tuple(_unit_sum(unit, of_unit) for unit, of_unit in sorted(parts.items()))
    return StockSummary(len({row.item for row in rows}), sums)
