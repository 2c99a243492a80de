"""Current state of the hub: the definitions and orders to which an import may refer, and with which it is compared.

The state is folded from the hub's own entries, so it does not depend on the progress of the projection. Of two entries with
one name, the later one counts. Voided entries have no effect. Bindings and orders are compared by the key of their code, as
the projection reads them: all spellings of a published code are one.

>>> saw = RecordedEntry("a", 1, "stage.define", {"stage": "saw", "name": "Saw"})
>>> release = RecordedEntry("a", 2, "order.release", {"order": "WO-1", "product": "P", "qty_milli": 5000})
>>> state = fold_entries([saw, release, RecordedEntry("a", 3, "order.change", {"order": "WO-1", "qty_milli": 8000})])
>>> state.definition("stage.define", {"stage": "saw"})
{'stage': 'saw', 'name': 'Saw'}
>>> state.orders["WO-1"].fields["qty_milli"], state.orders["WO-1"].closed
(8000, False)
>>> bound = fold_entries([RecordedEntry("a", 1, "code.bind", {"code": "4006381333931", "as": "item", "to": "WO-1"})])
>>> bound.is_bound({"code": "04006381333931", "as": "item", "to": "WO-1"})
True
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from station.core.codes import CodeType, binding_key, identity_of_written
from station.core.ledger.void_resolution import PositionKey, place_of, voided
from station.core.master_data import NAMED_BY, Definition, name_of
from station.core.site import SITE

COST = "cost.set"


class RecordedEntry(NamedTuple):
    """One entry of a log of the hub: its position, its kind, its fields, the time from which it holds, its own time.

    Times are UTC us; `holds_from_us` None: it holds from its own time.
    """

    log: str
    seq: int
    what: str
    data: dict[str, Any]
    holds_from_us: int | None = None
    made_us: int = 0


@dataclass(frozen=True, slots=True)
class CurrentOrder:
    """The fields of an order after its release and all changes. An import does not change a closed order.

    `released_us`: the time from which the release holds, UTC us; `dated`: that time was given with the release.
    """

    fields: Mapping[str, Any]
    closed: bool = False
    released_us: int = 0
    dated: bool = False


@dataclass(frozen=True, slots=True)
class CurrentState:
    """Definitions by (kind, name), bindings and orders by their key, all entries of each cost in ledger order.

    `site`: the entries `site.define`.
    """

    definitions: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    bindings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    orders: Mapping[str, CurrentOrder] = field(default_factory=dict)
    costs: Mapping[str, tuple[RecordedEntry, ...]] = field(default_factory=dict)
    site: tuple[Definition, ...] = ()

    def price(
        self, naming: dict[str, Any], holds_from_us: int | None, now_us: int, *, undated_only: bool = False
    ) -> Mapping[str, Any] | None:
        """The fields of the cost with the name in `naming` that holds from exactly this time; None without one.

        Without a time: the cost that holds now; with `undated_only` the last one that was recorded without a time.
        """
        entries = self.costs.get(cost_name(naming), ())
        if holds_from_us is not None or undated_only:
            same = [entry for entry in entries if entry.holds_from_us == holds_from_us]
        else:
            same = sorted((entry for entry in entries if _start_us(entry) <= now_us), key=_start_us)
        return same[-1].data if same else None

    def order(self, code: str) -> CurrentOrder | None:
        """The order of a written code; None without one."""
        return self.orders.get(identity_of_written(code))

    def is_bound(self, data: Mapping[str, Any]) -> bool:
        """Whether the code of this binding has the same effect already, in whatever spelling."""
        bound = self.bindings.get(binding_key(str(data.get("code"))))
        return bound is not None and _without_spelling(bound) == _without_spelling(data)

    def definition(self, what: str, naming: dict[str, Any]) -> Mapping[str, Any] | None:
        """The fields of the definition whose name equals the name in the fields `naming`; None without one."""
        return self.definitions.get((what, name_of(what, naming)))

    def all_of(self, what: str) -> list[Mapping[str, Any]]:
        """The fields of all definitions of one kind, in no particular order."""
        return [data for (kind, _), data in self.definitions.items() if kind == what]


def cost_name(naming: Mapping[str, Any]) -> str:
    """The name of a cost: product, operation and component."""
    return name_of(COST, dict(naming))


def _without_spelling(data: Mapping[str, Any]) -> dict[str, Any]:
    """A binding with the keys of its code and of the item that it names."""
    to = data.get("to")
    if isinstance(to, str) and data.get("as") in (None, CodeType.ITEM):
        to = identity_of_written(to)
    return {**data, "code": binding_key(str(data.get("code"))), "to": to}


def _start_us(entry: RecordedEntry) -> int:
    return entry.made_us if entry.holds_from_us is None else entry.holds_from_us


def released_names(current: CurrentState) -> set[str]:
    """The names of all orders, and of the items that their releases name."""
    names = set(current.orders)
    for order in current.orders.values():
        for one in order.fields.get("items") or ():
            name = one.get("item") if isinstance(one, dict) else one
            names.update([name] if isinstance(name, str) else [])
    return names


def _unvoided(entries: list[RecordedEntry]) -> list[RecordedEntry]:
    """The entries that have effect: those that no effective void names."""
    targets = {}
    for entry in entries:
        target = place_of(entry.data.get("log"), entry.data.get("seq")) if entry.what == "void" else None
        if target is not None:
            targets[PositionKey(entry.log, entry.seq)] = target
    void = voided(targets)
    return [entry for entry in entries if PositionKey(entry.log, entry.seq) not in void]


def fold_entries(entries: Iterable[RecordedEntry]) -> CurrentState:
    """Fold the hub's own entries, which are in ledger order."""
    definitions: dict[tuple[str, str], Mapping[str, Any]] = {}
    bindings: dict[str, Mapping[str, Any]] = {}
    orders: dict[str, CurrentOrder] = {}
    costs: dict[str, tuple[RecordedEntry, ...]] = {}
    site: list[Definition] = []
    for entry in _unvoided(list(entries)):
        if entry.what == COST:
            costs[cost_name(entry.data)] = (*costs.get(cost_name(entry.data), ()), entry)
        if entry.what == SITE:
            from_us = _start_us(entry)
            site.append(Definition(SITE, from_us, (from_us, entry.log, entry.seq), entry.data))
        if entry.what in NAMED_BY:
            definitions[entry.what, name_of(entry.what, entry.data)] = entry.data
        elif entry.what == "code.bind":
            bindings[binding_key(str(entry.data.get("code")))] = entry.data
        elif entry.what.startswith("order."):
            _apply_order(orders, entry)
    return CurrentState(definitions, bindings, orders, costs, tuple(site))


def _apply_order(orders: dict[str, CurrentOrder], entry: RecordedEntry) -> None:
    name = identity_of_written(str(entry.data.get("order")))
    order = orders.get(name)
    if entry.what == "order.release" and order is None:
        orders[name] = CurrentOrder(entry.data, released_us=_start_us(entry), dated=entry.holds_from_us is not None)
    elif order is not None and entry.what in ("order.release", "order.change"):
        # The ledger reads a second release as a change. A field without a value leaves the order as it is.
        changed = {field: value for field, value in entry.data.items() if value is not None and field != "items"}
        orders[name] = replace(order, fields={**order.fields, **changed})
    elif order is not None and entry.what == "order.close":
        orders[name] = replace(order, closed=True)
