"""Cost check: the fields of the entries about costs, and which fields of `cost.set` fit together.

>>> cost_mistake({"stage": "saw", "component": "labour", "basis": "minute", "micros": 800_000})
>>> cost_mistake({"stage": "saw", "component": "labour", "micros": 800_000})[0]
"cost.set of the work centre 'saw' with the basis unit"
"""

from typing import Annotated, Any, Literal

import msgspec

from server.ledger.print_schema import Name
from station.core.ledger.costs import RATED

Price = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class _Cost(msgspec.Struct, forbid_unknown_fields=True):
    micros: Price | None = None
    withdrawn: bool | None = None
    product: str | None = None
    op: Annotated[int, msgspec.Meta(ge=0)] | None = None
    component: str | None = None
    stage: Name | None = None
    basis: Literal["unit", "order", "minute"] | None = None


class _Tolerance(msgspec.Struct, forbid_unknown_fields=True):
    ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


COSTS: dict[str, type[msgspec.Struct]] = {"cost.set": _Cost, "cost.tolerance": _Tolerance}


def cost_mistake(data: dict[str, Any]) -> tuple[str, str, str] | None:
    """What came, what was expected and what to do, of fields that do not fit together; None where they do."""
    if data.get("stage") is not None and (mistake := _rate_mistake(data)) is not None:
        return mistake
    if (data.get("micros") is None) == (data.get("withdrawn") is True):
        return None
    came = "cost.set with an amount that is withdrawn" if data.get("withdrawn") else "cost.set without an amount"
    return came, "`micros`, or `withdrawn` true", "Send one of the two: a price, or that from then on there is none."


def _rate_mistake(data: dict[str, Any]) -> tuple[str, str, str] | None:
    """Of the rate of a work centre: the amount for one minute of labour or overhead at its normal capacity."""
    came = f"cost.set of the work centre {data['stage']!r}"
    if data.get("product") or data.get("op") is not None:
        do = "Leave out `stage` for the price of an operation of a product."
        return f"{came} with a product or an operation", "a rate for all work there", do
    if data.get("component") not in RATED:
        expected = f"`component` {' or '.join(RATED)}"
        return f"{came} with the component {data.get('component')!r}", expected, "Send what the rate is for."
    if data.get("micros") is not None and data.get("basis") != "minute":
        do = "Send the amount for one minute at normal capacity."
        return f"{came} with the basis {data.get('basis') or 'unit'}", "the basis minute", do
    return None
