"""Work in process: how much stands where and what it is worth, by stage, product, item or order.

A row has one key and one unit, since quantities of different units are never added. Finished and scrapped goods are not in
it; what is released and not begun stands apart.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from server.queries.age_stats import AgeStats, ages
from server.queries.current_stock import StockRow
from server.queries.valuation import Valuation, spread
from station.core.ledger.costs import Value, add, in_micros, shares
from station.core.ledger.parcels import ParcelState


class GroupBy(StrEnum):
    """What a row is about."""

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
    """What is released and not begun, of one unit."""

    unit: str
    items: int
    qty_milli: int


class WipReport(NamedTuple):
    """Rows sorted by key and unit, totals and what stands apart by unit."""

    rows: tuple[WipRow, ...]
    totals: tuple[WipTotal, ...]
    not_started: tuple[NotStartedTotal, ...]


_KEY: dict[GroupBy, Callable[[StockRow], str | None]] = {
    GroupBy.STAGE: lambda stand: stand.stage,
    GroupBy.PRODUCT: lambda stand: stand.product,
    GroupBy.ITEM: lambda stand: stand.item,
    GroupBy.ORDER: lambda stand: stand.order,
}


def wip(stands: Iterable[StockRow], by: GroupBy, valuation: Valuation) -> WipReport:
    """Rows and totals of everything in process."""
    begun: dict[str, dict[str | None, list[StockRow]]] = {}
    apart: dict[str, list[StockRow]] = {}
    for stand in stands:
        unit = valuation.product(stand).unit
        if stand.in_process:
            begun.setdefault(unit, {}).setdefault(_KEY[by](stand), []).append(stand)
        else:
            apart.setdefault(unit, []).append(stand)
    rows: list[WipRow] = []
    totals: list[WipTotal] = []
    for unit in sorted(begun):
        of_unit = _unit(unit, begun[unit], valuation)
        rows += of_unit[0]
        totals.append(of_unit[1])
    rows.sort(key=lambda row: (row.key is None, row.key or "", row.unit))
    return WipReport(tuple(rows), tuple(totals), tuple(_apart(unit, apart[unit]) for unit in sorted(apart)))


def _unit(unit: str, groups: dict[str | None, list[StockRow]], valuation: Valuation) -> tuple[list[WipRow], WipTotal]:
    keys = sorted(groups, key=lambda key: (key is None, key or ""))
    worths = [valuation.worth(groups[key]) for key in keys]
    names = sorted({name for worth in worths for name in worth.value.leaves})
    table = spread([[worth.value.leaves.get(name, 0) for name in names] for worth in worths])
    rows = []
    for key, worth, parts in zip(keys, worths, table, strict=True):
        stands = groups[key]
        named = dict(zip(names, parts, strict=True))
        rows.append(
            WipRow(
                key=key,
                unit=unit,
                items=_items(stands),
                qty_milli=quantity(stands),
                held_milli=quantity(each for each in stands if each.state == ParcelState.HELD),
                value_micros=sum(parts) if worth.known else None,
                components={name: named[name] for name in names if name in worth.value.leaves},
                unvalued_items=worth.unvalued_items,
                unvalued_milli=worth.value.unvalued_milli,
                at_stage=ages((each.at_stage_since_us for each in stands), valuation.at_us),
                in_production=ages((each.started_us for each in stands), valuation.at_us),
            )
        )
    everything = [stand for stands in groups.values() for stand in stands]
    return rows, _total(unit, everything, rows, add(worth.value for worth in worths), valuation)


def _total(unit: str, stands: list[StockRow], rows: list[WipRow], value: Value, valuation: Valuation) -> WipTotal:
    micros, components = in_micros(value)
    assert micros == sum(row.value_micros or 0 for row in rows)
    worth = valuation.worth(stands)
    return WipTotal(
        unit=unit,
        items=_items(stands),
        qty_milli=quantity(stands),
        held_milli=quantity(each for each in stands if each.state == ParcelState.HELD),
        value_micros=micros if worth.known else None,
        components=components,
        unvalued_items=worth.unvalued_items,
        unvalued_milli=value.unvalued_milli,
        overrun_value_micros=shares([valuation.overrun(stands).total])[0],
    )


def _apart(unit: str, stands: list[StockRow]) -> NotStartedTotal:
    return NotStartedTotal(unit, _items(stands), quantity(stands))


def _items(stands: Iterable[StockRow]) -> int:
    return len({stand.item for stand in stands})


def quantity(stands: Iterable[StockRow]) -> int:
    """The known thousandths of stands of one unit."""
    return sum(stand.qty_milli or 0 for stand in stands)
