"""Reference check: an entry refers to products, persons, reasons and stages of the shop, in quantities of their unit.

A name that is not defined would be recorded without an effect: an order without a routing, a person without a name.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from server.ledger.candidates import MOST_PENDING, Candidate, Refusal, pending_entries
from server.ledger.definition_check import SHOP_CHECKS
from server.ledger.shop_names import PRODUCT, REASON, ROUTING, ShopNames
from server.projection.item_states import StoredItem
from server.projection.tables import item
from station.core.codes import identity_of_written
from station.core.ledger.parcels import ItemState

ORDERED = frozenset({"order.release", "order.change"})
CHECKED = ORDERED | {"adjust", "checkin"}
_STORED = msgspec.msgpack.Decoder(StoredItem)


class ReferenceChecks:
    """The checks of the names and quantities in the entries of one request."""

    def __init__(self, connection: Connection, entries: Sequence[Candidate], names: ShopNames) -> None:
        self._connection, self._names = connection, names
        self._product: dict[str, str] = {}  # of orders, by the entries that are not projected
        if any(entry.what in CHECKED for entry in entries):
            for entry in pending_entries(connection, MOST_PENDING, ORDERED):
                self._follow(entry)

    def refusal(self, entry: Candidate) -> Refusal | None:
        """The reason to refuse an entry; None for an accepted one, which then counts for the entries after it."""
        refused = None
        if entry.what in ORDERED:
            refused = self._ordered(entry)
        elif entry.what == "checkin":
            refused = self._checkin(entry.data)
        elif entry.what == "adjust":
            refused = self._adjusted(entry.data)
        elif entry.what in SHOP_CHECKS:
            refused = SHOP_CHECKS[entry.what](self._names, entry.data)
        if refused is None:
            self._follow(entry)
        return refused

    def _follow(self, entry: Candidate) -> None:
        product = entry.data.get("product")
        if entry.what in ORDERED and isinstance(product, str):
            self._product[str(entry.data.get("order"))] = product

    def _ordered(self, entry: Candidate) -> Refusal | None:
        data, name = entry.data, str(entry.data.get("order"))
        came = f"{entry.what} of {name}"
        refused = self._names.unknown(came, PRODUCT, data.get("product"))
        return refused or self._names.part_unit(
            came, data.get("product") or self._product_of(name), data.get("qty_milli")
        )

    def _checkin(self, data: dict[str, Any]) -> Refusal | None:
        name = data.get("item") or identity_of_written(str(data.get("code")))
        came = f"checkin of {name}"
        return (
            self._names.unknown_person(came, data.get("operator"))
            or self._names.unknown(came, REASON, data.get("reason"))
            or self._names.part_unit(came, self._product_of(name), data.get("qty_milli"))
        )

    def _adjusted(self, data: dict[str, Any]) -> Refusal | None:
        name, stage = str(data.get("item")), data.get("stage")
        state = self._state(name)
        product = self._product_of(name)
        stages = self._stages(state, product)
        there = {parcel.stage for parcel in state.parcels} if state is not None else set()
        if stage and stages and stage not in {*stages, *there}:
            expected = f"a stage of its routing: {', '.join(stages)}"
            return Refusal(
                f"adjust of {name} at {stage}", expected, "Name the stage at which the difference was counted."
            )
        return self._names.part_unit(f"adjust of {name}", product, data.get("qty_milli"))

    def _stages(self, state: ItemState | None, product: str | None) -> list[str]:
        """The stages of an item's routing, which it keeps from its release; without a release those of its product."""
        if state is not None and state.routing is not None:
            return [operation.stage for operation in state.routing.operations]
        routing = self._names.of(PRODUCT).get(product or "", {}).get("routing")
        operations = self._names.of(ROUTING).get(str(routing), {}).get("operations") or []
        return [str(operation["stage"]) for operation in operations]

    def _state(self, name: str) -> ItemState | None:
        state = self._connection.execute(select(item.c.state).where(item.c.item == name)).scalar()
        return None if state is None else _STORED.decode(state).state

    def _product_of(self, name: str) -> str | None:
        product = self._connection.execute(select(item.c.product).where(item.c.item == name)).scalar()
        return self._product.get(name) or product
