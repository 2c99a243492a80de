"""The line: what stands at each stage, how long it has stood there, and how fast it moves on.

The headline is made of the tiles under it: quantities and money add up exactly, and an item that stands at several stages
counts once at the top, which says how many do.
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
from station.core.ledger.parcels import ParcelState
from station.core.ledger.routing import Stage, StageType

RATE_SPAN_S = 8 * 3600  # one shift: an hour alone says too little, a day too late
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
    """A stage now. `shown_micros`: its share of the headline, whole units of the currency; None where nothing is known."""

    stage: Stage
    items: int
    amounts: tuple[UnitQuantity, ...]
    held_items: int
    worth: StockValue
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
        """over, full or an empty text, against the stage's limit."""
        if not self.stage.limit or self.items < self.stage.limit:
            return ""
        return "over" if self.items > self.stage.limit else "full"


class StockSummary(NamedTuple):
    """What stands apart from the line: not begun, or finished today."""

    items: int
    amounts: tuple[UnitQuantity, ...]


class LineSummary(NamedTuple):
    """The whole line and its headline. `spread_items`: how many items stand at more than one stage, counted so."""

    tiles: tuple[StageTile, ...]
    items: int
    spread_items: int
    amounts: tuple[UnitQuantity, ...]
    worth: StockValue
    shown_micros: int | None
    not_started: StockSummary
    not_started_moved_on: int


def line(stands: Iterable[StockRow], valuation: Valuation, moved_on: dict[str | None, int]) -> LineSummary:
    """The line of what stands. `moved_on`: items that left each stage in the last shift, "" for the raw goods."""
    everything = list(stands)
    begun = [stand for stand in everything if stand.in_process]
    at: dict[str | None, list[StockRow]] = {}
    for stand in begun:
        at.setdefault(stand.stage, []).append(stand)
    stages = _stages(at, valuation)
    worths = [valuation.worth(at.get(stage.stage or None, [])) for stage in stages]
    shown = shares((worth.value.total for worth in worths), MILLI * 1_000_000)
    tiles = tuple(
        _tile(stage, at.get(stage.stage or None, []), worth, micros * 1_000_000, valuation, moved_on)
        for stage, worth, micros in zip(stages, worths, shown, strict=True)
    )
    whole = valuation.worth(begun)
    items = len({stand.item for stand in begun})
    return LineSummary(
        tiles=tiles,
        items=items,
        spread_items=sum(tile.items for tile in tiles) - items,
        amounts=amounts(begun, valuation),
        worth=whole,
        shown_micros=sum(tile.shown_micros or 0 for tile in tiles) if whole.known else None,
        not_started=heap((stand for stand in everything if not stand.in_process), valuation),
        not_started_moved_on=moved_on.get("", 0),
    )


def _stages(at: dict[str | None, list[StockRow]], valuation: Valuation) -> list[Stage]:
    names = line_of(valuation.catalogue, valuation.at_us)
    known = [valuation.catalogue.stage(name, valuation.at_us) or Stage(name) for name in names]
    # What is done stands apart; a place where work still stands is shown whatever it is called.
    shown = [stage for stage in known if stage.type != StageType.DONE or stage.stage in at]
    shown += [Stage(name) for name in sorted(filter(None, at)) if name not in names]
    return [*shown, Stage("", "Between stages")] if None in at else shown


def _tile(
    stage: Stage,
    stands: list[StockRow],
    worth: StockValue,
    shown_micros: int,
    valuation: Valuation,
    moved_on: dict[str | None, int],
) -> StageTile:
    now_us = valuation.at_us
    ticks = [_tick(stand, stage.target_s, now_us) for stand in stands]
    return StageTile(
        stage=stage,
        items=len({stand.item for stand in stands}),
        amounts=amounts(stands, valuation),
        held_items=len({stand.item for stand in stands if stand.state == ParcelState.HELD}),
        worth=worth,
        shown_micros=shown_micros if worth.known else None,
        ages=ages((stand.at_stage_since_us for stand in stands), now_us),
        ticks=tuple(sorted(ticks, key=lambda tick: (-tick.age_s, tick.item))),
        moved_on=moved_on.get(stage.stage or None, 0),
    )


def _tick(stand: StockRow, target_s: int | None, now_us: int) -> AgeTick:
    age = age_s(stand.at_stage_since_us, now_us)
    return AgeTick(stand.item, age, bool(target_s) and age > (target_s or 0), stand.state == ParcelState.HELD)


def amounts(stands: Iterable[StockRow], valuation: Valuation) -> tuple[UnitQuantity, ...]:
    """Known quantities by unit, the unit with the most items first."""
    found: dict[str, list[tuple[int, int]]] = {}
    for stand in stands:
        if stand.qty_milli is not None:
            product = valuation.product(stand)
            found.setdefault(product.unit, []).append((stand.qty_milli, product.decimals))
    units = sorted(found, key=lambda unit: (-len(found[unit]), unit))
    return tuple(UnitQuantity(unit, sum(q for q, _ in found[unit]), max(d for _, d in found[unit])) for unit in units)


def heap(stands: Iterable[StockRow], valuation: Valuation) -> StockSummary:
    """What stands apart, counted."""
    held = list(stands)
    return StockSummary(len({stand.item for stand in held}), amounts(held, valuation))


def moved_on(connection: Connection, now_us: int) -> dict[str | None, int]:
    """How many items left each stage in the last shift; "" stands for the raw goods. Reads that shift's visits only."""
    c = visit.c
    query = (
        select(c.stage, c.state == ParcelState.RELEASED, func.count(c.item.distinct()))
        .where(
            and_(
                c.left_us > now_us - RATE_SPAN_S * 1_000_000,
                c.left_us <= now_us,
                or_(c.stage.is_(None), c.went_to_stage.is_(None), c.stage != c.went_to_stage),
            )
        )
        .group_by(c.stage, c.state == ParcelState.RELEASED)
    )
    return {"" if released else stage: count for stage, released, count in connection.execute(query)}


def finished_since(connection: Connection, since_us: int, now_us: int, valuation: Valuation) -> StockSummary:
    """What was finished in a span of time. Reads that span's visits only."""
    c = visit.c
    rows = connection.execute(
        select(c.item, c.product, c.qty_milli).where(
            and_(c.left_us >= since_us, c.left_us <= now_us, c.went_to_state == ParcelState.FINISHED)
        )
    ).all()
    found: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        product = valuation.catalogue.product(row.product, now_us)
        unit, decimals = (product.unit, product.decimals) if product else ("pcs", 0)
        if row.qty_milli is not None:
            found.setdefault(unit, []).append((row.qty_milli, decimals))
    sums = (
        UnitQuantity(unit, sum(q for q, _ in each), max(d for _, d in each)) for unit, each in sorted(found.items())
    )
    return StockSummary(len({row.item for row in rows}), tuple(sums))
