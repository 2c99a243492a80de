"""Earlier months of the demo: a few orders before the ten days, and two closed months with their journals.

The orders are so small and so far apart that they add a third to the scans of the demo, and that some are always in process:
so each month has something to close. The accountant maps the accounts, closes both months and exports the journal of the
first one; the journal of the second is left for the visitor.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from server.api.period_query import month_begin
from server.demo.days import SHIFT_S, at_us
from server.demo.factory import CUSTOMERS, Products
from server.demo.simulated_shop import MILLI, SimulatedOrder
from server.demo.station_client import DemoClient
from server.locale_format import LocaleFormat

FIRST_ORDER = 801
FIRST_DAY, EVERY_DAYS = -68, 4  # of the starts, up to the ten days: the month before last is 62 days ago
SIZE = 20  # pieces, so few that an order is not split
PRODUCTS = ("HSG-11", "BRK-20")  # they pass the plater, so that they take about five days
ACCOUNTANT = "C. Ferrari"
ACCOUNTS = {
    "wip": "1300", "material": "1200", "finished": "1400", "labour": "5100", "overhead": "5200", "outside": "5300",
    "normal_scrap": "5210", "abnormal_scrap": "5910", "counts": "5920", "closes": "5930", "revaluation": "5940",
    "late": "5950", "rounding": "5990", "write_down": "5960", "write_down_allowance": "1390",
}  # fmt: skip


class EarlierOrder(NamedTuple):
    """An order of the earlier months: the fields of its release, its time (UTC us), and what the simulation needs."""

    release: dict[str, Any]
    released_us: int
    simulated: SimulatedOrder


def earlier_orders(products: Products, end_us: int, chance: random.Random) -> list[EarlierOrder]:
    """One order every few days; the tenth shift ends at `end_us`."""
    found = []
    for number, day in enumerate(range(FIRST_DAY, 0, EVERY_DAYS)):
        product = PRODUCTS[number % len(PRODUCTS)]
        fields = {"order": f"WO-0{FIRST_ORDER + number}", "product": product, "qty_milli": SIZE * MILLI,
                  "customer": chance.choice(CUSTOMERS)}  # fmt: skip
        start_s = (day + chance.random()) * SHIFT_S
        found.append(EarlierOrder(fields, at_us(start_s - SHIFT_S, end_us), products.order(fields, start_s)))
    return found


def release(client: DemoClient, orders: Sequence[EarlierOrder]) -> None:
    """Release the orders at their times, with the office's token."""
    bodies = [{"what": "order.release", "data": order.release, "holds_from_us": order.released_us} for order in orders]
    client.post("/api/v1/entries", {"entries": bodies})


def close_months(client: DemoClient, now_us: int, locale: LocaleFormat, settle: Callable[[], None]) -> None:
    """Map the accounts, close the two months of the shop before this one, and export the journal of the first.

    `settle` waits until the hub has projected what was entered: it closes with all scans, and exports with all accounts.
    """
    ends = [month_begin(now_us, locale)]
    ends.insert(0, month_begin(ends[0], locale))
    maps = [_entry("account.map", 0, line=line, account=account) for line, account in ACCOUNTS.items()]
    client.post("/api/v1/entries", {"entries": maps})
    settle()
    closes = [client.post("/api/v1/entries", _entry("period.close", end_us, why="month end")) for end_us in ends]
    settle()
    client.post("/api/v1/entries", _entry("journal.export", None, period=closes[0]["pos"]))


def _entry(what: str, at_us: int | None, **data: Any) -> dict[str, Any]:
    return {"what": what, "data": data, "by": ACCOUNTANT} | ({} if at_us is None else {"holds_from_us": at_us})
