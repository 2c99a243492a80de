"""Hold plan: the entries that put all pieces in process of an order on hold, and the quantity that each of them holds.

A hold names a stage. Of a routing that visits a stage more than once the ledger selects the operation, and a hold of a
larger quantity than is at one place draws from the places before it. So the plan applies each entry to the stored state of
the item by the fold of the ledger, and keeps only an entry that holds the pieces of one place and moves no others.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, or_, select

from server.projection.item_states import StoredItem
from server.projection.tables import item
from station.core.ledger.fold import attempt
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import Account, ItemState, Parcel, ParcelState
from station.core.master_data import MasterData

AT_ONCE = 500  # orders in one statement
LOOSE = (ParcelState.HERE, ParcelState.WAITING)
_STORED = msgspec.msgpack.Decoder(StoredItem)


class PlannedHold(NamedTuple):
    """One entry `checkin` with the quantity that it puts on hold, in thousandths; None: an unknown quantity."""

    order: str
    product: str | None
    data: dict[str, Any]
    qty_milli: int | None


class NotHeld(NamedTuple):
    """A quantity in process that no entry of the plan holds: it is at a place that a hold cannot name alone."""

    order: str
    product: str | None
    qty_milli: int | None


class HoldPlan(NamedTuple):
    """The holds of some orders with their lots and serials, and what of them in process is not held."""

    holds: list[PlannedHold]
    rest: list[NotHeld]


def hold_plan(connection: Connection, orders: Sequence[str], reason: str, now_us: int) -> HoldPlan:
    """The plan for some orders. The items that are tracked under an order are held with it."""
    plan = HoldPlan([], [])
    for start in range(0, len(orders), AT_ONCE):
        chunk = list(orders[start : start + AT_ONCE])
        c = item.c
        query = select(c.item, c.order_, c.state).where(or_(c.item.in_(chunk), c.order_.in_(chunk))).order_by(c.item)
        for row in connection.execute(query):
            order = row.item if row.item in chunk else row.order_
            _plan_item(plan, order, _STORED.decode(row.state).state, reason, now_us)
    return plan


def _plan_item(plan: HoldPlan, order: str, state: ItemState, reason: str, now_us: int) -> None:
    product = state.header.product
    while (step := _next_step(state, reason, now_us)) is not None:
        data, quantity, state = step
        plan.holds.append(PlannedHold(order, product, data, quantity))
    rest = [parcel for parcel in state.parcels if parcel.state in LOOSE]
    if rest:
        plan.rest.append(NotHeld(order, product, _total(rest)))


def _next_step(state: ItemState, reason: str, now_us: int) -> tuple[dict[str, Any], int | None, ItemState] | None:
    """The next hold that moves the pieces of one place alone: its fields, its quantity, and the state after it."""
    for stage, place in _places(state):
        quantity = _total(place)
        fields: dict[str, Any] = {"stage": stage, "action": "hold"}
        fields |= {} if quantity is None else {"qty_milli": quantity}
        fields |= {"reason": reason} if reason else {}
        at_us = max(now_us, state.last[0])
        event = ItemEvent(
            key_us=at_us, lo_us=at_us, hi_us=at_us, log="~", seq=0, verb="hold", stage=stage, qty_milli=quantity
        )
        step = attempt(state, event, MasterData())
        if isinstance(step, str):
            continue
        drawn = {parcel.account for parcel in place}
        expected = {account: milli for account, milli in _loose(state).items() if account not in drawn}
        if _loose(step.state) == expected:
            return {"item": state.item, **fields}, quantity, step.state
    return None


def _places(state: ItemState) -> Iterator[tuple[str, list[Parcel]]]:
    """The places with pieces at work or in the queue, by operation; pieces between stages are at the one they left."""
    places: dict[tuple[int, str], list[Parcel]] = {}
    for parcel in state.parcels:
        stage = parcel.stage or parcel.done_at
        if parcel.state in LOOSE and stage is not None and parcel.qty_milli != 0:
            places.setdefault((parcel.op or 0, stage), []).append(parcel)
    for (_, stage), place in sorted(places.items()):
        yield stage, place


def _loose(state: ItemState) -> dict[Account, int]:
    """The number of thousandths in each account that is not on hold; an unknown quantity counts as a negative number."""
    loose: dict[Account, int] = {}
    for parcel in state.parcels:
        if parcel.state in (*LOOSE, ParcelState.RELEASED) and parcel.qty_milli != 0:
            loose[parcel.account] = loose.get(parcel.account, 0) + (
                -1 if parcel.qty_milli is None else parcel.qty_milli
            )
    return loose


def _total(parcels: Sequence[Parcel]) -> int | None:
    """The quantity of some parcels; None where that of one is unknown."""
    known = [parcel.qty_milli for parcel in parcels if parcel.qty_milli is not None]
    return sum(known) if len(known) == len(parcels) else None
