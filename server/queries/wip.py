"""Work in process: quantity and value of the stock in process, grouped by stage, product, item or order.

A row has one key and one unit, because quantities of different units are never added. Finished and scrapped goods are
excluded; released stock that is not started has totals of its own.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from server.queries.age_stats import AgeStats, ages
from server.queries.current_stock import StockRow
from server.queries.valuation import Valuation, spread
from station.core.ledger.costs import Value, add, in_micros, shares
from station.core.ledger.parcels import ParcelState


class GroupBy(StrEnum):
    """The key of a row."""

    STAGE = "stage"
    PRODUCT = "product"
    ITEM = "item"
    ORDER = "order"


class WipRow(NamedTuple):
    """One key in one unit. `key` None: between stages, or of no known product. Components add up to `value_micros`."""

    key: str | None
    unit: str
    items: int
    qty_milli: int
    held_milli: int
    value_micros: int | None
    components: dict[str, int]
    unvalued_items: int
    unvalued_milli: int
    at_stage: AgeStats
    in_production: AgeStats


class WipTotal(NamedTuple):
    """All rows of one unit: their values add up to this one; an item in two rows is one item here."""

    unit: str
    items: int
    qty_milli: int
    held_milli: int
    value_micros: int | None
    components: dict[str, int]
    unvalued_items: int
    unvalued_milli: int
    overrun_value_micros: int


class NotStartedTotal(NamedTuple):
    """Released stock that is not started, of one unit."""

    unit: str
    items: int
    qty_milli: int


class WipReport(NamedTuple):
    """Rows sorted by key and unit; totals and stock that is not started by unit."""

    rows: tuple[WipRow, ...]
    totals: tuple[WipTotal, ...]
    not_started: tuple[NotStartedTotal, ...]

    def start_after(self, key: str | None, unit: str) -> int:
        """The place of the first row behind a key and a unit, whether that row is still there or not."""
        return bisect_right(self.rows, _place(key, unit), key=lambda row: _place(row.key, row.unit))


_KEY: dict[GroupBy, Callable[[StockRow], str | None]] = {
    GroupBy.STAGE: lambda stock_row: stock_row.stage,
    GroupBy.PRODUCT: lambda stock_row: stock_row.product,
    GroupBy.ITEM: lambda stock_row: stock_row.item,
    GroupBy.ORDER: lambda stock_row: stock_row.order,
}


def wip(stock: Iterable[StockRow], by: GroupBy, valuation: Valuation) -> WipReport:
    """Rows and totals of all stock in process."""
    begun: dict[str, dict[str | None, list[StockRow]]] = {}
    not_started: dict[str, list[StockRow]] = {}
    for stock_row in stock:
        unit = valuation.product(stock_row).unit
        if stock_row.in_process:
            begun.setdefault(unit, {}).setdefault(_KEY[by](stock_row), []).append(stock_row)
        else:
            not_started.setdefault(unit, []).append(stock_row)
    rows: list[WipRow] = []
    totals: list[WipTotal] = []
    for unit in sorted(begun):
        of_unit = _unit(unit, begun[unit], valuation)
        rows += of_unit[0]
        totals.append(of_unit[1])
    rows.sort(key=lambda row: _place(row.key, row.unit))
    return WipReport(
        tuple(rows), tuple(totals), tuple(_not_started(unit, not_started[unit]) for unit in sorted(not_started))
    )


def _place(key: str | None, unit: str) -> tuple[bool, str, str]:
    """The sort key of a row; the row without a key is the last one."""
    return (key is None, key or "", unit)


def _unit(unit: str, groups: dict[str | None, list[StockRow]], valuation: Valuation) -> tuple[list[WipRow], WipTotal]:
    keys = sorted(groups, key=lambda key: (key is None, key or ""))
    values = [valuation.total(groups[key]) for key in keys]
    names = sorted({name for stock_value in values for name in stock_value.value.leaves})
    table = spread([[stock_value.value.leaves.get(name, 0) for name in names] for stock_value in values])
    rows = []
    for key, stock_value, parts in zip(keys, values, table, strict=True):
        stock = groups[key]
        named = dict(zip(names, parts, strict=True))
        rows.append(
            WipRow(
                key=key,
                unit=unit,
                items=_items(stock),
                qty_milli=quantity(stock),
                held_milli=quantity(row for row in stock if row.state == ParcelState.HELD),
                value_micros=sum(parts) if stock_value.known else None,
                components={name: named[name] for name in names if name in stock_value.value.leaves},
                unvalued_items=stock_value.unvalued_items,
                unvalued_milli=stock_value.value.unvalued_milli,
                at_stage=ages((row.at_stage_since_us for row in stock), valuation.at_us),
                in_production=ages((row.started_us for row in stock), valuation.at_us),
            )
        )
    everything = [stock_row for stock in groups.values() for stock_row in stock]
    return rows, _total(unit, everything, rows, add(stock_value.value for stock_value in values), valuation)


def _total(unit: str, stock: list[StockRow], rows: list[WipRow], value: Value, valuation: Valuation) -> WipTotal:
    micros, components = in_micros(value)
    assert micros == sum(row.value_micros or 0 for row in rows)
    stock_value = valuation.total(stock)
    return WipTotal(
        unit=unit,
        items=_items(stock),
        qty_milli=quantity(stock),
        held_milli=quantity(row for row in stock if row.state == ParcelState.HELD),
        value_micros=micros if stock_value.known else None,
        components=components,
        unvalued_items=stock_value.unvalued_items,
        unvalued_milli=value.unvalued_milli,
        overrun_value_micros=shares([valuation.overrun(stock).total])[0],
    )


def _not_started(unit: str, stock: list[StockRow]) -> NotStartedTotal:
    return NotStartedTotal(unit, _items(stock), quantity(stock))


def _items(stock: Iterable[StockRow]) -> int:
    return len({stock_row.item for stock_row in stock})


def quantity(stock: Iterable[StockRow]) -> int:
    """The sum of the known quantities of stock of one unit, in thousandths."""
    return sum(stock_row.qty_milli or 0 for stock_row in stock)
