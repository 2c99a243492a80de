"""Missing costs: which items in process are not valued in full, and which cost each of them lacks."""

from collections.abc import Iterable
from typing import NamedTuple

from server.queries.current_stock import StockRow, merged
from server.queries.valuation import Valuation
from station.core.ledger.costs import CostLine

NO_QUANTITY = "its quantity"
NO_PRODUCT = "its product"
NO_ROUTING = "a routing of its product"
NO_COST = "any cost of its product"


class MissingCost(NamedTuple):
    """Stock that is not valued in full, and what it lacks, each in a few words."""

    row: StockRow
    lacks: tuple[str, ...]


def missing_costs(stock: Iterable[StockRow], valuation: Valuation) -> list[MissingCost]:
    """The stock in process without a full value, by item and stage; the items of `StockValue.unvalued_items`."""
    found = []
    for row in merged(row for row in stock if row.in_process):
        value = valuation.of(row)
        if value is None or value.unvalued_milli:
            found.append(MissingCost(row, _lacks(row, valuation)))
    return sorted(found, key=lambda missing: (missing.row.item, missing.row.stage or ""))


def _lacks(row: StockRow, valuation: Valuation) -> tuple[str, ...]:
    if row.qty_milli is None:
        return (NO_QUANTITY,)
    if row.product is None:
        return (NO_PRODUCT,)
    if valuation.routing(row) is None:
        return (NO_ROUTING,)
    costs = valuation.costs(row)
    if not costs.lines:
        return (NO_COST,)
    lines = (line for line in costs.reached_by(row.entered, row.reached, row.scanned) if line.micros is None)
    return tuple(dict.fromkeys(_line(line) for line in lines))


def _line(line: CostLine) -> str:
    return f"the price of {line.component}" if line.material else f"{line.component} of operation {line.op}"
