"""Missing costs: which items in process are not valued in full, and which cost each of them lacks."""

from collections.abc import Iterable
from typing import NamedTuple

from server.queries.current_stock import StockRow, merged
from server.queries.valuation import Valuation
from station.core.ledger.costs import CostLine, own_costs, work_cost

NO_QUANTITY = "its quantity"
NO_PRODUCT = "its product"
NO_ROUTING = "a routing of its product"
NO_COST = "any cost of its product"


class Lack(NamedTuple):
    """What stock lacks, in a few words, and of which work or material; None for what is not of a product or operation.

    `priced`: a price would end it.
    """

    words: str
    product: str | None = None
    operation: int | None = None
    component: str | None = None
    priced: bool = False


class MissingCost(NamedTuple):
    """Stock that is not valued in full, and what it lacks."""

    row: StockRow
    lacks: tuple[Lack, ...]


class LackingItems(NamedTuple):
    """One lack and the number of items that it touches."""

    lack: Lack
    items: int


def lacking_items(missing: Iterable[MissingCost]) -> list[LackingItems]:
    """Each lack with its number of items, that of the most items first."""
    items: dict[Lack, set[str]] = {}
    for one in missing:
        for lack in one.lacks:
            items.setdefault(lack, set()).add(one.row.item)
    found = [LackingItems(lack, len(names)) for lack, names in items.items()]
    return sorted(found, key=lambda one: (-one.items, one.lack.words, one.lack.product or ""))


def missing_costs(stock: Iterable[StockRow], valuation: Valuation) -> list[MissingCost]:
    """The stock in process without a full value, by item and stage; the items of `StockValue.unvalued_items`."""
    found = []
    for row in merged(row for row in stock if row.in_process):
        value = valuation.of(row)
        if value is None or value.unvalued_milli:
            found.append(MissingCost(row, _lacks(row, valuation)))
    return sorted(found, key=lambda missing: (missing.row.item, missing.row.stage or ""))


def _lacks(row: StockRow, valuation: Valuation) -> tuple[Lack, ...]:
    if row.qty_milli is None:
        return (Lack(NO_QUANTITY, row.product),)
    if row.product is None:
        return (Lack(NO_PRODUCT),)
    if valuation.routing(row) is None:
        return (Lack(NO_ROUTING, row.product),)
    costs = valuation.costs(row)
    if not costs.lines:
        return (Lack(NO_COST, row.product, priced=True),)
    lines = (line for line in costs.reached_by(row.entered, row.reached, row.scanned) if line.micros is None)
    return tuple(dict.fromkeys(_line(line, row, valuation) for line in lines))


def _line(line: CostLine, row: StockRow, valuation: Valuation) -> Lack:
    """What a cost line lacks; the price of a material is not of a product, because it holds for all of them."""
    routing = valuation.routing(row)
    operation = routing.operation(line.op) if routing is not None and not line.material else None
    cost = (
        work_cost(valuation.master_data, row.product, line.op, operation.stage, line.component, valuation.costs_us)
        if operation
        else None
    )
    is_priced = cost is not None and cost.data.get("basis") == "minute" and cost.data.get("micros") is not None
    if operation is not None and operation.run_ms is None and is_priced:
        return Lack(f"the run time of operation {line.op}", row.product, line.op, line.component)
    if line.material and own_costs(line.component, valuation.master_data, valuation.costs_us).lines:
        return Lack(
            f"the price of {line.component}, or a cost of its own bill", None, None, line.component, priced=True
        )
    if line.material:
        return Lack(f"the price of {line.component}", None, None, line.component, priced=True)
    return Lack(f"{line.component} of operation {line.op}", row.product, line.op, line.component, priced=True)
