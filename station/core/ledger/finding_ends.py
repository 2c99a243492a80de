"""Ends of findings: the rules whose findings end by what happens to the item later, each with its condition.

A finding of any other rule stays open until a person answers it, its scan is voided or corrected, or its order is closed.

>>> from station.core.ledger.parcels import ParcelState
>>> state = ItemState(item="WO-7", parcels=(Parcel(state=ParcelState.FINISHED, qty_milli=5000),))
>>> has_ended("which_quantity", {"qty_milli": 5000}, state), has_ended("held", {}, state)
(True, False)
"""

from collections.abc import Callable, Mapping
from typing import Any

from station.core.ledger.parcels import ItemState, Parcel

Ends = Callable[[Mapping[str, Any], ItemState], bool]


def _scanned_since(args: Mapping[str, Any], state: ItemState) -> bool:
    """All pieces beyond the operations that had no scan have been scanned there since then."""
    if state.routing is None:
        return False
    stages = args.get("stages", ())
    ops = [operation.op for operation in state.routing.operations if operation.stage in stages]
    return not any(_passed_unscanned(parcel, op) for parcel in state.parcels for op in ops)


def _passed_unscanned(parcel: Parcel, op: int) -> bool:
    return op not in parcel.scanned and parcel.entered is not None and parcel.entered > op


def _all_came_through(_args: Mapping[str, Any], state: ItemState) -> bool:
    """Nothing is in process any more and nothing is more than ordered: both readings of the scan lead to the same."""
    return bool(state.parcels) and not state.live and not state.outer.get("overrun")


ENDS: Mapping[str, Ends] = {
    "skipped": _scanned_since,
    "passed_unscanned": _scanned_since,
    "which_quantity": _all_came_through,
}


def has_ended(rule: str, args: Mapping[str, Any], state: ItemState) -> bool:
    """Whether a finding has ended: its rule, its stored arguments, and the folded state of its item now."""
    ends = ENDS.get(rule)
    return ends is not None and ends(args, state)
