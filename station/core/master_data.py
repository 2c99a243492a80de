"""Master data: the shop's definitions as of any time.

A definition is valid from its time until that of the next one with the same name. Of two with the same time the later
recorded one has precedence. Before the first definition the first one is used, because a shop may define its routings a
day after its first scans.

>>> day = 86_400_000_000
>>> shop = MasterData([
...     Definition("stage.define", day, (day, "a", 1), {"stage": "saw", "name": "Saw"}),
...     Definition("stage.define", 3 * day, (3 * day, "a", 2), {"stage": "saw", "name": "Cold saw"}),
... ])
>>> [shop.stage("saw", at).name for at in (0, 2 * day, 4 * day)]
['Saw', 'Saw', 'Cold saw']
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import msgspec

from station.core.ledger.routing import Operation, Product, Routing, Stage

NAMED_BY = {
    "product.define": ("product",),
    "routing.define": ("routing",),
    "stage.define": ("stage",),
    "station.define": ("station",),
    "person.define": ("person",),
    "reason.define": ("reason",),
    "pattern.define": ("name",),
    "card.define": ("card",),
    "rule.define": ("rule",),
    "cost.set": ("product", "op", "component", "stage"),
    "account.map": ("line", "component", "stage"),
    "account.balance": ("account", "period"),
    "journal.export": ("number",),
    "journal.reverse": ("number",),
    "count.open": ("count",),
    "count.end": ("count",),
    "count.accept": ("count", "item", "stage"),
    "calendar.define": ("stage",),
    "site.define": (),  # there is one site
    "cost.tolerance": (),  # and one tolerance of its prices
    "count.limit": (),  # and one limit of what a person accepts alone
}
OF_THE_SITE = frozenset({"calendar.define"})  # without a name it is of the whole site
Struct = TypeVar("Struct", bound=msgspec.Struct)


class Definition(NamedTuple):
    """An entry that defines something: its type (`what`), start of validity (UTC us), recorded key and fields."""

    what: str
    holds_from_us: int
    recorded: tuple[int, str, int]
    data: dict[str, Any]


class DefinitionError(ValueError):
    """Invalid fields of a definition. The message contains the entry, what came and what was expected."""


def name_of(what: str, data: dict[str, Any]) -> str:
    """The name of a definition; a later definition with the same name replaces it. Raises `DefinitionError`."""
    fields = NAMED_BY.get(what)
    if fields is None:
        msg = f"{what!r} defines nothing; expected one of {', '.join(sorted(NAMED_BY))}."
        raise DefinitionError(msg)
    if not fields:
        return what.partition(".")[0]
    return "\0".join("" if data.get(field) is None else str(data[field]) for field in fields)


class MasterData:
    """All definitions, by type, name and time. Immutable."""

    def __init__(self, definitions: Iterable[Definition] = ()) -> None:
        self._named: dict[tuple[str, str], list[Definition]] = {}
        for definition in definitions:
            name = name_of(definition.what, definition.data)
            self._named.setdefault((definition.what, name), []).append(definition)
        for versions in self._named.values():
            versions.sort(key=lambda version: (version.holds_from_us, version.recorded))
        self._structs: dict[tuple[str, str, int], msgspec.Struct | None] = {}

    def extended(self, definition: Definition) -> "MasterData":
        """These definitions and one more."""
        return MasterData([*chain.from_iterable(self._named.values()), definition])

    def names(self, what: str) -> list[str]:
        """The names of all definitions of this type, sorted."""
        return sorted(name for kind, name in self._named if kind == what)

    def versions(self, what: str, name: str) -> tuple[Definition, ...]:
        """All definitions of a name, in the order in which they hold."""
        return tuple(self._named.get((what, name), ()))

    def at(self, what: str, name: str, at_us: int) -> Definition | None:
        """The definition of `name` that is valid at a time, before the first one the first; None where `name` has none."""
        versions = self._named.get((what, name))
        if not versions:
            return None
        return versions[max(bisect_right(versions, at_us, key=lambda version: version.holds_from_us) - 1, 0)]

    def _struct(self, what: str, name: str | None, at_us: int, kind: type[Struct]) -> Struct | None:
        definition = self.at(what, name, at_us) if name is not None else None
        if definition is None or name is None:
            return None
        key = (what, name, definition.holds_from_us)
        if key not in self._structs:
            try:
                self._structs[key] = msgspec.convert(definition.data, kind)
            except msgspec.ValidationError:
                self._structs[key] = None  # the hub refuses such an entry; one of another version defines nothing
        struct = self._structs[key]
        return struct if isinstance(struct, kind) else None

    def product(self, name: str | None, at_us: int) -> Product | None:
        """The definition of a product at a time."""
        return self._struct("product.define", name, at_us, Product)

    def stage(self, name: str | None, at_us: int) -> Stage | None:
        """The definition of a stage at a time."""
        return self._struct("stage.define", name, at_us, Stage)

    def stage_name(self, stage: str | None, at_us: int) -> str:
        """The name of a stage, its id where it has none."""
        definition = self.stage(stage, at_us)
        return (definition.name if definition else "") or stage or "nowhere"

    def routing(self, name: str | None, at_us: int) -> Routing | None:
        """The definition of a routing at a time, its operations in the order of their numbers."""
        fields = self._struct("routing.define", name, at_us, _RoutingFields)
        if fields is None or name is None or not fields.operations:
            return None
        return Routing(name, tuple(sorted(fields.operations, key=lambda operation: operation.op)))

    def rule_is_on(self, rule: str, at_us: int, default: bool) -> bool:
        """Whether a rule is turned on by its definition; `default` where it has none."""
        definition = self.at("rule.define", rule, at_us)
        return default if definition is None else bool(definition.data.get("on"))


class _RoutingFields(msgspec.Struct, frozen=True):
    routing: str
    operations: tuple[Operation, ...] = ()


def check(what: str, data: dict[str, Any]) -> None:
    """Validate the fields of a definition. Raises `DefinitionError` with the field and the reason."""
    kinds: dict[str, type[msgspec.Struct]] = {
        "product.define": Product,
        "routing.define": _RoutingFields,
        "stage.define": Stage,
    }
    if what in kinds:
        try:
            msgspec.convert(data, kinds[what])
        except msgspec.ValidationError as error:
            msg = f"{what} cannot be read: {error}. Correct that field."
            raise DefinitionError(msg) from error
    name_of(what, data)
