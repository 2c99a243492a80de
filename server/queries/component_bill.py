"""Component bill: what one unit of a component that is made in the shop costs by its own bill, beside its typed price.

A component is made here where it is a product with a bill of material or a routing with costs. Its bill is the one of the
asked time: the materials and the work of all its operations. A typed price is the one with which stock is valued.
"""

from collections.abc import Iterable
from typing import NamedTuple

from server.queries.price_differences import exceeds, tolerance_ppm
from server.queries.value_slices import Leaf
from station.core.ledger.costs import CostLine, UnitCosts, entered_price, half_even, own_cost, own_costs
from station.core.master_data import MasterData


class ComponentBill(NamedTuple):
    """The bill of one unit of a component; micros are of one unit.

    `qty_milli`: what of it is in pieces in process, with the value `value_micros` there. `typed_micros` None: no price is
    entered, and stock is valued with the cost by the bill. `complete`: every line has a cost. Optional operations are listed
    and not part of the cost.
    """

    component: str
    lines: tuple[CostLine, ...]
    qty_milli: int
    value_micros: int
    typed_micros: int | None
    tolerance_ppm: int = 0

    @property
    def complete(self) -> bool:
        """Whether each line of the bill has a cost."""
        return own_cost(UnitCosts(self.lines)) is not None

    @property
    def micros(self) -> int:
        """The known cost of one unit by the bill."""
        return sum(line.micros or 0 for line in self.lines if not line.optional)

    @property
    def difference_micros(self) -> int | None:
        """The typed price less the cost by the bill; None where one of them is not known."""
        return None if self.typed_micros is None or not self.complete else self.typed_micros - self.micros

    @property
    def differs(self) -> bool:
        """Whether the typed price differs from the cost by the bill by more than the tolerance of the shop."""
        return (
            self.typed_micros is not None
            and self.complete
            and exceeds(self.typed_micros, self.micros, self.tolerance_ppm)
        )

    def contained(self, line: CostLine) -> int | None:
        """The micros of a line in all of the component that is in process; None where its cost is not known."""
        return None if line.micros is None else half_even(line.micros * self.qty_milli, 1000)


def component_bill(component: str, found: Iterable[Leaf], master_data: MasterData, at_us: int) -> ComponentBill | None:
    """The bill of a component as of a time, with what of it is in these leaves; None where it is not made here."""
    lines = own_costs(component, master_data, at_us).lines
    if not lines:
        return None
    of_component = [leaf for leaf in found if leaf.component == component]
    return ComponentBill(
        component=component,
        lines=lines,
        qty_milli=sum(leaf.qty_milli or 0 for leaf in of_component),
        value_micros=half_even(sum(leaf.amount for leaf in of_component), 1000),
        typed_micros=_entered_micros(component, master_data, at_us),
        tolerance_ppm=tolerance_ppm(master_data, at_us),
    )


def made_here(components: Iterable[str], master_data: MasterData, at_us: int) -> frozenset[str]:
    """Of these components, those with a bill of their own."""
    return frozenset(component for component in components if own_costs(component, master_data, at_us).lines)


def _entered_micros(component: str, master_data: MasterData, at_us: int) -> int | None:
    price = entered_price(master_data, None, component, at_us)
    micros = price.data.get("micros") if price is not None and price.data.get("basis", "unit") == "unit" else None
    return micros if isinstance(micros, int) else None
