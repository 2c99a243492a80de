"""Count of the demo: a stage was counted by walking after the last shift, with differences, and the walk is finished.

The largest item has a piece less than the ledger, the smallest one is not counted, and one of another stage is found here.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from server.demo.days import DAYS, SHIFT_S
from server.demo.simulated_shop import MILLI, SimulatedScan
from server.demo.station_client import DemoClient
from station.core.quantity import decimal_text, scaled

COUNTED, BESIDE = "plating", ("deburr", "mill", "saw")  # the stage that is counted, and those before it
COUNT, AUDITOR = "C-1", "E. Weber"
WALK_S = DAYS * SHIFT_S + 60.0  # time of work of the first scan
EVERY_S = 5.0
MOST = 12  # scans, so that the walk has ended before the present


class CountableItem(NamedTuple):
    """An item at a stage, with the thousandths that the ledger has there."""

    item: str
    qty_milli: int


def items_at(client: DemoClient, stage: str) -> list[CountableItem]:
    """The items of known quantity at a stage, the largest first."""
    rows = client.get(f"/api/v1/value?by=item&stage={stage}")["rows"]
    found = [CountableItem(row["key"], scaled(row["qty"]) or 0) for row in rows if row["qty"] is not None]
    return sorted(found, key=lambda one: -one.qty_milli)


def walk(items: Sequence[CountableItem], beside: Sequence[CountableItem]) -> Iterator[SimulatedScan]:
    """The scans of the walk over the items of the stage; `beside`: those of other stages, of which one is found here."""
    here = {one.item for one in items}
    strangers = [one for one in beside if one.item not in here]
    for number, one in enumerate([*items[:-1][:MOST], *strangers[:1]]):
        lacks = number == 0
        milli = one.qty_milli - MILLI if lacks else None
        cards = [*(["WIP:COUNT"] if lacks else []), *([f"WIP:QTY:{decimal_text(milli)}"] if milli else [])]
        yield SimulatedScan(WALK_S + number * EVERY_S, COUNTED, (*cards, one.item), one.item, "count", milli)


def count_entries(opened_us: int) -> list[dict[str, Any]]:
    """The count of the stage is opened before the walk, and finished."""
    scope = {"count": COUNT, "stages": [COUNTED], "why": "monthly count"}
    return [
        {"what": "count.open", "data": scope, "holds_from_us": opened_us, "by": AUDITOR},
        {"what": "count.end", "data": {"count": COUNT, "how": "finished"}, "by": AUDITOR},
    ]
