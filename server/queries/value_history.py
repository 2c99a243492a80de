"""Value history: the value of work in process at several times, by kind of cost, with the items that lack a cost.

>>> points(0, 100, 4)
[0, 25, 50, 75, 100]
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from server.queries.as_known_at import past_stock
from station.core.ledger.costs import CONVERSION, MILLI, shares


class CostKind(StrEnum):
    """The kinds of cost, in the order in which a picture stacks them."""

    MATERIAL = "material"
    LABOUR = "labour"
    OVERHEAD = "overhead"
    OUTSIDE = "outside"


class ValuePoint(NamedTuple):
    """The value at a time (UTC us): micros by kind, which add up to `micros`; items, and those without full cost."""

    at_us: int
    kinds: dict[CostKind, int]
    micros: int
    items: int
    unvalued_items: int


def points(from_us: int, to_us: int, steps: int) -> list[int]:
    """Times from one to another (UTC us), both included, at equal distances."""
    return sorted({from_us + (to_us - from_us) * step // steps for step in range(steps + 1)})


def value_history(connection: Connection, times: Iterable[int], now_us: int, step: int = 1) -> list[ValuePoint]:
    """The value at these times, as known now. Each amount is a multiple of `step` micros."""
    found = []
    for at_us in times:
        valuation, stock = past_stock(connection, None, at_us, now_us)
        rows = [row for row in stock if row.in_process]
        value = valuation.total(rows)
        exact = dict.fromkeys(CostKind, 0)
        for component, leaf in value.value.leaves.items():
            exact[CostKind(component) if component in CONVERSION else CostKind.MATERIAL] += leaf
        parts = [part * step for part in shares(exact.values(), MILLI * step)]
        kinds = dict(zip(exact, parts, strict=True))
        found.append(ValuePoint(at_us, kinds, sum(parts), len({row.item for row in rows}), value.unvalued_items))
    return found
