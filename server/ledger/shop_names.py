"""Shop names: the persons, reasons, products and routings that an entry may refer to.

They are the projected definitions, then the hub's own that are not projected yet, then those of the same request. A shop
that has defined none of a kind is not checked for it: its entries keep the names that they have.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from server.ledger.candidates import MOST_PENDING, Candidate, Refusal, pending_entries
from server.projection.tables import definition
from server.text import nearest
from station.core.master_data import NAMED_BY
from station.core.quantity import decimal_text

PERSON, REASON, PRODUCT, ROUTING = "person.define", "reason.define", "product.define", "routing.define"
KINDS = frozenset({PERSON, REASON, PRODUCT, ROUTING})
MOST_LISTED = 12


class ShopNames:
    """The newest definition of each name, for the entries of one request."""

    def __init__(self, connection: Connection, entries: Sequence[Candidate]) -> None:
        self._connection, self._entries = connection, entries
        self._pending: list[Candidate] | None = None
        self._of: dict[str, dict[str, dict[str, Any]]] = {}

    def of(self, what: str) -> dict[str, dict[str, Any]]:
        """The fields of each definition of one of the KINDS, by name."""
        if what not in self._of:
            if self._pending is None:
                self._pending = pending_entries(self._connection, MOST_PENDING, KINDS)
            c = definition.c
            query = select(c.name, c.data).where(c.what == what).order_by(c.holds_from_us, c.key_us, c.id)
            named = {row.name: msgspec.json.decode(row.data) for row in self._connection.execute(query)}
            newer = [entry for entry in (*self._pending, *self._entries) if entry.what == what]
            self._of[what] = named | {str(entry.data.get(NAMED_BY[what][0])): entry.data for entry in newer}
        return self._of[what]

    def unknown(self, came: str, what: str, name: object) -> Refusal | None:
        """The refusal of an entry that refers to an undefined name; None where it is defined, or none of the kind is."""
        defined = self.of(what)
        if not defined or not isinstance(name, str) or name in defined:
            return None
        word = what.partition(".")[0]
        expected = f"a {word} of the shop: {_listed(defined)}"
        return Refusal(f"{came} with the {word} {name!r}", expected, f"{nearest(name, defined)} Or define it first.")

    def unknown_person(self, came: str, operator: object) -> Refusal | None:
        """As `unknown`, for a person's id or badge."""
        people = self.of(PERSON)
        if any(data.get("badge") == operator for data in people.values()):
            return None
        return self.unknown(came, PERSON, operator)

    def part_unit(self, came: str, product: str | None, qty_milli: object) -> Refusal | None:
        """The refusal of a quantity with a fraction that the product's unit does not have."""
        data = self.of(PRODUCT).get(product or "")
        if data is None or not isinstance(qty_milli, int):
            return None
        decimals = data.get("decimals") or 0
        if qty_milli % 10 ** (3 - decimals) == 0:
            return None
        number = "whole numbers" if not decimals else f"at most {decimals} decimals"
        return Refusal(
            f"{came} with the quantity {decimal_text(qty_milli)}",
            f"{number}, as {product} is counted in {data.get('unit') or 'pcs'}",
            "Correct the quantity; `qty_milli` is in thousandths.",
        )


def _listed(names: dict[str, dict[str, Any]]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:MOST_LISTED]) + (" and others" if len(listed) > MOST_LISTED else "")
