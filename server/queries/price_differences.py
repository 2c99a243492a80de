"""Price differences: entered prices of components that are made here, beside the cost by their own bill.

A difference is shown where it exceeds the tolerance of the shop, an entry `cost.tolerance`: a share of the cost by the bill.

>>> exceeds(10_100_000, 10_000_000, 10_000), exceeds(10_100_001, 10_000_000, 10_000), exceeds(1, 0, 10_000)
(False, True, True)
"""

from typing import NamedTuple

from server.queries.price_list import Price, price_list
from station.core.ledger.costs import own_cost, own_costs
from station.core.master_data import MasterData

TOLERANCE = "cost.tolerance"
DEFAULT_PPM = 10_000  # one percent
PPM = 1_000_000


class PriceDifference(NamedTuple):
    """An entered price of one unit of a component that its own bill contradicts, and the cost by that bill, in micros."""

    price: Price
    typed_micros: int
    bill_micros: int

    @property
    def micros(self) -> int:
        """The entered price less the cost by the bill."""
        return self.typed_micros - self.bill_micros


def tolerance_ppm(master_data: MasterData, at_us: int) -> int:
    """The tolerance at a time, in millionths of the cost by the bill."""
    definition = master_data.at(TOLERANCE, TOLERANCE.partition(".")[0], at_us)
    ppm = definition.data.get("ppm") if definition is not None else None
    return ppm if isinstance(ppm, int) else DEFAULT_PPM


def exceeds(typed_micros: int, bill_micros: int, ppm: int) -> bool:
    """Whether an entered price differs from the cost by the bill by more than a share of the latter."""
    return abs(typed_micros - bill_micros) * PPM > bill_micros * ppm


def price_differences(master_data: MasterData, at_us: int) -> list[PriceDifference]:
    """The prices that hold at a time (UTC us) and exceed the tolerance, in the order of the price list."""
    ppm, found = tolerance_ppm(master_data, at_us), []
    bills: dict[str, int | None] = {}
    for price in price_list(master_data, at_us):
        micros = price.amount.micros
        if price.is_work or price.later or micros is None or price.amount.basis != "unit":
            continue
        if price.component not in bills:
            bills[price.component] = own_cost(own_costs(price.component, master_data, at_us))
        bill = bills[price.component]
        if bill is not None and exceeds(micros, bill, ppm):
            found.append(PriceDifference(price, micros, bill))
    return found
