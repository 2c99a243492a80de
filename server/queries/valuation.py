"""Valuation: the value of stock at standard cost, and the number of items without a known cost.

All sums are sums of exact leaves (thousandths of millionths). Only an answer divides, so that its parts add up to its whole.

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
    """The value of some stock: the sum of leaves, the number of items without full cost, whether any cost is known."""

    value: Value
    unvalued_items: int
    known: bool

    @property
    def micros(self) -> int | None:
        """The value in millionths of the currency; None where no cost is known."""
        return in_micros(self.value)[0] if self.known else None


class Valuation:
    """Standard costs as of one time; the unit cost of each product is computed once."""

    def __init__(self, master_data: MasterData, at_us: int) -> None:
        self.master_data = master_data
        self.at_us = at_us
        self._costs: dict[tuple[str, str, int | None, int], UnitCosts] = {}
        self._routings: dict[tuple[str, int], Routing | None] = {}
        self._products: dict[str | None, Product] = {}

    def product(self, row: StockRow) -> Product:
        """The product of a stock row; an undefined product has the default unit."""
        if row.product not in self._products:
            self._products[row.product] = self.master_data.product(row.product, self.at_us) or _UNKNOWN
        return self._products[row.product]

    def routing(self, row: StockRow) -> Routing | None:
        """The routing of a stock row: the one with which its item was released."""
        if row.routing is None:
            return None
        key = (row.routing, self.at_us if row.released_us is None else row.released_us)
        if key not in self._routings:
            self._routings[key] = self.master_data.routing(*key)
        return self._routings[key]

    def costs(self, row: StockRow) -> UnitCosts:
        """The cost lines of one unit by the row's routing; empty for an item without one."""
        routing = self.routing(row)
        if row.product is None or routing is None:
            return NO_COSTS
        key = (row.product, routing.routing, row.released_us, row.ordered_milli)
        if key not in self._costs:
            operations = tuple(operation.op for operation in routing.operations)
            order_milli = row.ordered_milli or None
            self._costs[key] = unit_costs(
                row.product, operations, self.master_data, self.at_us, order_milli,
                bill_us=row.released_us, routed=routing.operations,
            )  # fmt: skip
        return self._costs[key]

    def of(self, row: StockRow) -> Value | None:
        """The value of one stock row; None where its quantity is unknown."""
        return parcel_value(self.costs(row), row.qty_milli, row.entered, row.reached, row.scanned)

    def total(self, stock: Iterable[StockRow]) -> StockValue:
        """The value of several stock rows together."""
        values, unvalued, known = [], set(), False
        for row in stock:
            value = self.of(row)
            if value is None or value.unvalued_milli:
                unvalued.add(row.item)
            if value is not None:
                values.append(value)
                known = known or bool(value.leaves) or not value.unvalued_milli
        return StockValue(add(values), len(unvalued), known)

    def overrun(self, stock: Iterable[StockRow]) -> Value:
        """The value of stock in process above the ordered quantity (`overrun_rows`)."""
        return add(value for row in self.overrun_rows(stock) if (value := self.of(row)) is not None)

    def overrun_rows(self, stock: Iterable[StockRow]) -> list[StockRow]:
        """The stock in process above the ordered quantity, as rows with that quantity.

        Finished pieces use up an item's overrun first; the rest is taken from the stock furthest along the routing.
        """
        items: dict[str, list[StockRow]] = {}
        for row in stock:
            if row.over_milli and row.qty_milli:
                items.setdefault(row.item, []).append(row)
        rows = []
        for of_item in items.values():
            left = of_item[0].over_milli
            for row in sorted(of_item, key=lambda part: -(part.operation or 0)):
                over = min(left, row.qty_milli or 0)
                if over > 0:
                    left -= over
                    rows.append(row._replace(qty_milli=over))
        return rows


def spread(table: Sequence[Sequence[int]], divisor: int = MILLI) -> list[list[int]]:
    """Divide a table of leaves so that its rows, its columns and its whole add up, by largest remainder.

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
