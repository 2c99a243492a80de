"""The board from rows: the line and the alerts, computed one stock row at a time, for comparison with the sums."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from server.locale_format import due_day
from server.queries.age_stats import AgeStats, age_s, ages
from server.queries.alerts import Alert, BoardState, StageLoad, at_limit, ranked, stock_alerts, without_repeats
from server.queries.current_stock import StockRow
from server.queries.stage_queue import next_stage
from server.queries.stage_summary import LineSummary, StageTile
from server.queries.valuation import NO_COSTS, Valuation
from station.core.ledger.costs import UnitCosts, Value, add, in_micros, parcel_value, unit_costs
from station.core.ledger.parcels import ParcelState
from station.core.master_data import MasterData

Amounts = dict[str, tuple[int, int]]
BARS = 40


class Tile(NamedTuple):
    """The figures of one stage, or of the whole line."""

    items: int
    amounts: Amounts
    value: Value
    unvalued: int
    known: bool
    held: int = 0
    late: int = 0
    ages: AgeStats = AgeStats(None, None, None)


class BoardOracle:
    """The figures of some stock at a time; each row is priced for itself, at the definitions of its own release."""

    def __init__(self, stock: Iterable[StockRow], master_data: MasterData, at_us: int) -> None:
        self.stock, self.master_data, self.at_us = list(stock), master_data, at_us

    def costs(self, row: StockRow) -> UnitCosts:
        at_us = self.at_us if row.released_us is None else row.released_us
        routing = self.master_data.routing(row.routing, at_us)
        if row.product is None or routing is None:
            return NO_COSTS
        operations = tuple(operation.op for operation in routing.operations)
        return unit_costs(row.product, operations, self.master_data, self.at_us, row.ordered_milli or None,
                          bill_us=row.released_us, routed=routing.operations)  # fmt: skip

    def tile(self, rows: list[StockRow], target_s: int | None = None) -> Tile:
        """The figures of some rows at a stage with a target."""
        values = [
            (row, parcel_value(self.costs(row), row.qty_milli, row.entered, row.reached, row.scanned)) for row in rows
        ]
        return Tile(
            items=len({row.item for row in rows}),
            amounts=self.amounts(rows),
            value=add(value for _, value in values if value is not None),
            unvalued=len({row.item for row, value in values if value is None or value.unvalued_milli}),
            known=any(value is not None and (value.leaves or not value.unvalued_milli) for _, value in values),
            held=len({row.item for row in rows if row.state == ParcelState.HELD}),
            late=len({row.item for row in rows if target_s and self.age_s(row) > target_s}),
            ages=ages((row.at_stage_since_us for row in rows), self.at_us),
        )

    def age_s(self, row: StockRow) -> int:
        return age_s(row.at_stage_since_us, self.at_us)

    def amounts(self, rows: Iterable[StockRow]) -> Amounts:
        """By unit, in the order of the tiles: the quantity, and the decimals."""
        sums: dict[str, list[tuple[int, int]]] = {}
        for row in rows:
            product = self.master_data.product(row.product, self.at_us)
            if row.qty_milli is not None:
                unit, decimals = (product.unit, product.decimals) if product else ("pcs", 0)
                sums.setdefault(unit, []).append((row.qty_milli, decimals))
        order = sorted(sums, key=lambda unit: (-len(sums[unit]), unit))
        return {unit: (sum(milli for milli, _ in sums[unit]), max(d for _, d in sums[unit])) for unit in order}

    def line(self, shown: LineSummary) -> tuple[Any, ...]:
        """The figures of the line, with the stages of the shown one: tiles, whole, not started, more than ordered."""
        begun = [row for row in self.stock if row.in_process]
        tiles = {
            tile.stage.stage: self.tile(
                [row for row in begun if (row.stage or "") == tile.stage.stage], tile.stage.target_s
            )
            for tile in shown.tiles
        }
        apart = [row for row in self.stock if not row.in_process]
        uncounted = len({row.item for row in apart if row.qty_milli is None})
        over = self._over([row for row in begun if row.released_us is not None])
        return tiles, self.tile(begun)[:5], (len({row.item for row in apart}), self.amounts(apart), uncounted), over

    def _over(self, rows: list[StockRow]) -> tuple[Amounts, int | None]:
        valuation = Valuation(self.master_data, self.at_us)
        over = self.tile(valuation.overrun_rows(rows))
        return over.amounts, in_micros(over.value)[0] if over.known else None

    def ticks(self, stage: str, target_s: int | None) -> list[tuple[str, int, bool, bool]]:
        """The pieces at a stage: item, age, whether late, whether held."""
        rows = [row for row in self.stock if row.in_process and (row.stage or "") == stage]
        found = [(row.item, self.age_s(row), bool(target_s) and self.age_s(row) > (target_s or 0), row.state == "held")
                 for row in rows]  # fmt: skip
        return sorted(found, key=lambda tick: (-tick[1], tick[0], tick[3]))

    def bars(self, stage: str, target_s: int | None, longest_s: int) -> list[tuple[int, int, bool, bool]]:
        """The bars of a stage: number, pieces, whether all are late, whether all are held."""
        span = 2 * target_s if target_s else max(longest_s, 1)
        in_bar: dict[int, list[Any]] = {}
        for tick in self.ticks(stage, target_s):
            in_bar.setdefault(min(tick[1] * BARS // span, BARS - 1), []).append(tick)
        return [(bar, len(of), all(t[2] for t in of), all(t[3] for t in of)) for bar, of in sorted(in_bar.items())]

    def alerts(self, shop: BoardState, others: Iterable[Alert]) -> list[Alert]:
        """All alerts, `others` being those that are neither about the stock of an item nor about a full stage."""

        def load(stage: str) -> StageLoad:
            there = [due_day(row.due) for row in self.stock if row.stage == stage]
            today = shop.locale.today(shop.now_us)
            coming = {row.item for row in self.stock if row.in_process and next_stage(row, shop.valuation) == stage}
            return StageLoad(len(coming), max([0, *((today - day).days for day in there if day is not None)]))

        loads = {tile.stage.stage: load(tile.stage.stage) for tile in shop.line.tiles}
        found = [*others, *at_limit(shop, loads), *stock_alerts(shop, self.stock)]
        return without_repeats(ranked(found))


def figures(line: LineSummary) -> tuple[Any, ...]:
    """The figures of a line as `BoardOracle.line` has them."""
    tiles = {tile.stage.stage: _tile(tile) for tile in line.tiles}
    value = line.stock_value
    whole = (line.items, _amounts(line.amounts), value.value, value.unvalued_items, value.known)
    apart = line.not_started
    return (
        tiles,
        whole,
        (apart.items, _amounts(apart.amounts), apart.uncounted),
        (_amounts(line.over_amounts), line.over_micros),
    )


def _tile(tile: StageTile) -> Tile:
    value = tile.stock_value
    return Tile(tile.items, _amounts(tile.amounts), value.value, value.unvalued_items, value.known, tile.held_items,
                tile.late, tile.ages)  # fmt: skip


def _amounts(amounts: Iterable[Any]) -> Amounts:
    return {amount.unit: (amount.milli, amount.decimals) for amount in amounts}


def estimated(stock: Iterable[StockRow]) -> dict[str, int]:
    """The items of uncertain arrival by station."""
    return dict(
        Counter(station for station, _ in {(row.station, row.item) for row in stock if row.approx and row.station})
    )
