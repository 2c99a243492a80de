"""Worth: what stands in the shop in money, by standard costs, and what of it nobody can value.

All sums are of exact leaves (thousandths of millionths); only an answer divides, so that its parts add up to its whole.

>>> spread([[500, 700], [500, 300]], divisor=1000)
[[1, 1], [0, 0]]
>>> [sum(column) for column in zip(*spread([[500, 700], [500, 300]], divisor=1000))]
[1, 1]
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from server.queries.current_stock import StockRow
from station.core.ledger.costs import MILLI, UnitCosts, Value, add, in_micros, parcel_value, shares, unit_costs
from station.core.ledger.routing import Product, Routing
from station.core.master_data import MasterData

NO_COSTS = UnitCosts(())
_UNKNOWN = Product("")


class StockValue(NamedTuple):
    """The worth of some stands: the sum of leaves, how many items it cannot value, whether it values anything."""

    value: Value
    unvalued_items: int
    known: bool

    @property
    def micros(self) -> int | None:
        """Millionths of the currency; None where no cost at all is known."""
        return in_micros(self.value)[0] if self.known else None


class Valuation:
    """Standard costs as of one time, each product's worked out once."""

    def __init__(self, catalogue: MasterData, at_us: int) -> None:
        self.catalogue = catalogue
        self.at_us = at_us
        self._costs: dict[tuple[str, str, int | None, int], UnitCosts] = {}
        self._routings: dict[tuple[str, int], Routing | None] = {}
        self._products: dict[str | None, Product] = {}

    def product(self, stand: StockRow) -> Product:
        """The product of a stand; one nobody defined counts in the default unit."""
        if stand.product not in self._products:
            self._products[stand.product] = self.catalogue.product(stand.product, self.at_us) or _UNKNOWN
        return self._products[stand.product]

    def routing(self, stand: StockRow) -> Routing | None:
        """The routing of a stand: the one with which its item was released."""
        if stand.routing is None:
            return None
        key = (stand.routing, self.at_us if stand.released_us is None else stand.released_us)
        if key not in self._routings:
            self._routings[key] = self.catalogue.routing(*key)
        return self._routings[key]

    def costs(self, stand: StockRow) -> UnitCosts:
        """The cost lines of one unit, by its own routing; none for an item without one."""
        routing = self.routing(stand)
        if stand.product is None or routing is None:
            return NO_COSTS
        key = (stand.product, routing.routing, stand.released_us, stand.ordered_milli)
        if key not in self._costs:
            operations = tuple(each.op for each in routing.operations)
            order_milli = stand.ordered_milli or None
            self._costs[key] = unit_costs(
                stand.product, operations, self.catalogue, self.at_us, order_milli, bill_us=stand.released_us
            )
        return self._costs[key]

    def of(self, stand: StockRow) -> Value | None:
        """What one stand is worth; None where its quantity is unknown."""
        return parcel_value(self.costs(stand), stand.qty_milli, stand.entered, stand.reached)

    def worth(self, stands: Iterable[StockRow]) -> StockValue:
        """What several stands are worth together."""
        values, unvalued, known = [], set(), False
        for stand in stands:
            value = self.of(stand)
            if value is None or value.unvalued_milli:
                unvalued.add(stand.item)
            if value is not None:
                values.append(value)
                known = known or bool(value.leaves) or not value.unvalued_milli
        return StockValue(add(values), len(unvalued), known)

    def overrun(self, stands: Iterable[StockRow]) -> Value:
        """The worth of what is in process beyond what was ordered: of an item the furthest first, behind what finished."""
        items: dict[str, list[StockRow]] = {}
        for stand in stands:
            if stand.overrun_milli and stand.qty_milli:
                items.setdefault(stand.item, []).append(stand)
        values = []
        for of_item in items.values():
            left = of_item[0].overrun_milli - of_item[0].finished_milli
            for stand in sorted(of_item, key=lambda each: -(each.operation or 0)):
                over = min(left, stand.qty_milli or 0)
                if over > 0:
                    left -= over
                    values.append(parcel_value(self.costs(stand), over, stand.entered, stand.reached))
        return add(value for value in values if value is not None)


def spread(table: Sequence[Sequence[int]], divisor: int = MILLI) -> list[list[int]]:
    """A table of leaves divided so that its rows, its columns and its whole all add up, each by largest remainder.

    The whole is divided among the columns, then each column among its rows.
    """
    columns = list(zip(*table, strict=True))
    wholes = shares([sum(column) for column in columns], divisor)
    parts = [_portions(column, whole, divisor) for column, whole in zip(columns, wholes, strict=True)]
    return [list(row) for row in zip(*parts, strict=True)] if parts else [[] for _ in table]


def _portions(leaves: Sequence[int], whole: int, divisor: int) -> list[int]:
    parts = [leaf // divisor for leaf in leaves]
    by_remainder = sorted(range(len(leaves)), key=lambda index: -(leaves[index] % divisor))
    for step in range(whole - sum(parts)):
        parts[by_remainder[step % len(parts)]] += 1
    return parts
