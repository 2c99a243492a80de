"""Valuation: the value of stock at standard cost, and the number of items without a known cost.

All sums are sums of exact leaves (thousandths of millionths). Only an answer divides, so that its parts add up to its whole.

>>> spread([[500, 700], [500, 300]], divisor=1000)
[[1, 1], [0, 0]]
>>> [sum(column) for column in zip(*spread([[500, 700], [500, 300]], divisor=1000))]
[1, 1]
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from server.queries.current_stock import StockRow
from server.queries.release_epochs import Epochs
from station.core.ledger.costs import MILLI, UnitCosts, Value, add, in_micros, parcel_value, shares, unit_costs
from station.core.ledger.routing import Product, Routing
from station.core.master_data import MasterData

NO_COSTS = UnitCosts(())
_UNKNOWN = Product("")


class OfProduct(Protocol):
    """Pieces of one product."""

    @property
    def product(self) -> str | None: ...


class Priced(OfProduct, Protocol):
    """What the value of pieces depends on: a stock row, or the sum of many."""

    @property
    def routing(self) -> str | None: ...
    @property
    def released_us(self) -> int | None: ...
    @property
    def ordered_milli(self) -> int: ...
    @property
    def entered(self) -> int | None: ...
    @property
    def reached(self) -> int | None: ...
    @property
    def scanned(self) -> tuple[int, ...]: ...
    @property
    def qty_milli(self) -> int | None: ...


class OverRow(NamedTuple):
    """Pieces in process of a released item of which there are more than ordered; see `Valuation.overrun_rows`."""

    item: str
    product: str | None
    routing: str | None
    released_us: int | None
    ordered_milli: int
    over_milli: int
    operation: int | None
    entered: int | None
    reached: int | None
    scanned: tuple[int, ...]
    qty_milli: int | None


class StockValue(NamedTuple):
    """The value of some stock: the sum of leaves, the number of items without full cost, whether any cost is known."""

    value: Value
    unvalued_items: int
    known: bool

    @property
    def micros(self) -> int | None:
        """The value in millionths of the currency; None where no cost is known."""
        return in_micros(self.value)[0] if self.known else None


Row = TypeVar("Row", StockRow, OverRow)


class Valuation:
    """Standard costs as of one time; a unit cost is computed once for all releases with the same definitions.

    What begins to hold at that very time is not in them, because it belongs to the period that begins there.
    """

    def __init__(self, master_data: MasterData, at_us: int) -> None:
        self.master_data = master_data
        self.at_us = at_us
        self.costs_us = at_us - 1  # the costs that hold then
        self.epochs = Epochs.of(master_data)
        self.costs_per_order = _has_costs_per_order(master_data)
        self._costs: dict[tuple[str, str, int, int], UnitCosts] = {}
        self._routings: dict[tuple[str, int], Routing | None] = {}
        self._products: dict[str | None, Product] = {}

    def product(self, row: OfProduct) -> Product:
        """The product of a stock row; an undefined product has the default unit."""
        if row.product not in self._products:
            self._products[row.product] = self.master_data.product(row.product, self.costs_us) or _UNKNOWN
        return self._products[row.product]

    def routing(self, row: Any) -> Routing | None:
        """The routing of a stock row: the one with which its item was released."""
        if row.routing is None:
            return None
        key = (row.routing, self.epochs.number(row.released_us))
        if key not in self._routings:
            at_us = self.costs_us if row.released_us is None else row.released_us
            self._routings[key] = self.master_data.routing(row.routing, at_us)
        return self._routings[key]

    def costs(self, row: Any) -> UnitCosts:
        """The cost lines of one unit by the row's routing; empty for an item without one."""
        routing = self.routing(row)
        if row.product is None or routing is None:
            return NO_COSTS
        ordered_milli = row.ordered_milli if self.costs_per_order else 0
        key = (row.product, routing.routing, self.epochs.number(row.released_us), ordered_milli)
        if key not in self._costs:
            operations = tuple(operation.op for operation in routing.operations)
            self._costs[key] = unit_costs(
                row.product, operations, self.master_data, self.costs_us, row.ordered_milli or None,
                bill_us=row.released_us, routed=routing.operations,
            )  # fmt: skip
        return self._costs[key]

    def of(self, row: Priced) -> Value | None:
        """The value of a stock row, or of a sum of them; None where its quantity is unknown."""
        return parcel_value(self.costs(row), row.qty_milli, row.entered, row.reached, row.scanned)

    def lacks_cost(self, row: Priced) -> bool:
        """Whether the quantity or a part of the cost of pieces is unknown."""
        value = self.of(row)
        return value is None or value.unvalued_milli != 0

    def total(self, stock: Iterable[StockRow]) -> StockValue:
        """The value of several stock rows together."""
        rows = [(row, self.of(row)) for row in stock]
        unvalued = {row.item for row, value in rows if value is None or value.unvalued_milli}
        return _stock_value((value for _, value in rows), len(unvalued))

    def total_of(self, stock: Iterable[Priced], unvalued_items: int) -> StockValue:
        """The value of several sums together, `unvalued_items` of which have no full cost."""
        return _stock_value(map(self.of, stock), unvalued_items)

    def overrun(self, stock: Iterable[StockRow]) -> Value:
        """The value of stock in process above the ordered quantity (`overrun_rows`)."""
        return add(value for row in self.overrun_rows(stock) if (value := self.of(row)) is not None)

    def overrun_rows(self, stock: Iterable[Row]) -> list[Row]:
        """The stock in process above the ordered quantity, as rows with that quantity."""
        return [row._replace(qty_milli=over) for row, over in self.overrun_parts(stock)]

    def overrun_parts(self, stock: Iterable[Row]) -> list[tuple[Row, int]]:
        """The rows of stock in process of which something is above the ordered quantity, and how much (thousandths).

        Finished pieces use up an item's overrun first; the rest is taken from the stock furthest along the routing.
        """
        items: dict[str, list[Row]] = {}
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
                    rows.append((row, over))
        return rows


def _stock_value(values: Iterable[Value | None], unvalued_items: int) -> StockValue:
    counted = [value for value in values if value is not None]
    known = any(value.leaves or not value.unvalued_milli for value in counted)
    return StockValue(add(counted), unvalued_items, known)


def _has_costs_per_order(master_data: MasterData) -> bool:
    """Whether the unit cost of some product depends on the ordered quantity."""
    what = "cost.set"
    versions = (version for name in master_data.names(what) for version in master_data.versions(what, name))
    return any(version.data.get("basis", "unit") != "unit" for version in versions)


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
