"""Missing costs: which items in process are not valued in full, and which cost each of them lacks."""

from collections.abc import Iterable
from typing import NamedTuple

from server.queries.current_stock import StockRow, merged
from server.queries.valuation import Valuation
from station.core.ledger.costs import CostLine, cost_of

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
    return tuple(dict.fromkeys(_line(line, row, valuation) for line in lines))


def _line(line: CostLine, row: StockRow, valuation: Valuation) -> str:
    routing = valuation.routing(row)
    operation = routing.operation(line.op) if routing is not None and not line.material else None
    cost = cost_of(valuation.master_data, row.product, line.op, line.component, valuation.at_us) if operation else None
    is_priced = cost is not None and cost.data.get("basis") == "minute" and cost.data.get("micros") is not None
    if operation is not None and operation.run_ms is None and is_priced:
        return f"the run time of operation {line.op}"
    return f"the price of {line.component}" if line.material else f"{line.component} of operation {line.op}"
