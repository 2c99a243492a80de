"""Current state of the hub: the definitions and orders that an import is compared with and may refer to.

It is read from the hub's own entries, so it is exact the moment an import ends, however far the projection has come. Of
two entries of one name the later said counts; a voided one counts as never said.

>>> saw = RecordedEntry("a", 1, "stage.define", {"stage": "saw", "name": "Saw"})
>>> release = RecordedEntry("a", 2, "order.release", {"order": "WO-1", "product": "P", "qty_milli": 5000})
>>> now = standing_of([saw, release, RecordedEntry("a", 3, "order.change", {"order": "WO-1", "qty_milli": 8000})])
>>> now.definition("stage.define", {"stage": "saw"})
{'stage': 'saw', 'name': 'Saw'}
>>> now.orders["WO-1"].fields["qty_milli"], now.orders["WO-1"].closed
(8000, False)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from station.core.ledger.void_resolution import Place, place_of, voided
from station.core.master_data import NAMED_BY, name_of


class RecordedEntry(NamedTuple):
    """One entry of the hub's own log: its place, its word, its fields."""

    log: str
    seq: int
    what: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CurrentOrder:
    """An order as released and changed since; a closed one is left alone."""

    fields: Mapping[str, Any]
    closed: bool = False


@dataclass(frozen=True, slots=True)
class CurrentState:
    """Definitions by (word, name), bindings by code, orders by name."""

    definitions: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    bindings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    orders: Mapping[str, CurrentOrder] = field(default_factory=dict)

    def definition(self, what: str, naming: dict[str, Any]) -> Mapping[str, Any] | None:
        """The fields of what stands under the same name as `naming`, or None."""
        return self.definitions.get((what, name_of(what, naming)))

    def all_of(self, what: str) -> list[Mapping[str, Any]]:
        """Everything of one word, in no order that means anything."""
        return [data for (kind, _), data in self.definitions.items() if kind == what]


def _unvoided(entries: list[RecordedEntry]) -> list[RecordedEntry]:
    """The entries that count: those that no unvoided void names."""
    names = {}
    for entry in entries:
        target = place_of(entry.data.get("log"), entry.data.get("seq")) if entry.what == "void" else None
        if target is not None:
            names[Place(entry.log, entry.seq)] = target
    void = voided(names)
    return [entry for entry in entries if Place(entry.log, entry.seq) not in void]


def standing_of(entries: Iterable[RecordedEntry]) -> CurrentState:
    """Fold the hub's own entries, in the order in which they were said."""
    definitions: dict[tuple[str, str], Mapping[str, Any]] = {}
    bindings: dict[str, Mapping[str, Any]] = {}
    orders: dict[str, CurrentOrder] = {}
    for entry in _unvoided(list(entries)):
        if entry.what in NAMED_BY:
            definitions[entry.what, name_of(entry.what, entry.data)] = entry.data
        elif entry.what == "code.bind":
            bindings[str(entry.data.get("code"))] = entry.data
        elif entry.what.startswith("order."):
            _order(orders, entry)
    return CurrentState(definitions, bindings, orders)


def _order(orders: dict[str, CurrentOrder], entry: RecordedEntry) -> None:
    order = str(entry.data.get("order"))
    now = orders.get(order)
    if entry.what == "order.release" and now is None:
        orders[order] = CurrentOrder(entry.data)
    elif now is not None and entry.what == "order.change":
        orders[order] = replace(now, fields={**now.fields, **entry.data})
    elif now is not None and entry.what == "order.close":
        orders[order] = replace(now, closed=True)
