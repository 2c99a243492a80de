"""Master data: the shop's definitions as of any time.

A definition holds from its time on, until a later one of the same name. Of two that hold from the same moment the later
recorded one wins. Before the first, the first is taken: a shop that defines its routings on the second day has a first day.

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
    "cost.set": ("product", "op", "component"),
}
Struct = TypeVar("Struct", bound=msgspec.Struct)


class Definition(NamedTuple):
    """One entry that defines something: its word, from when (UTC us), its recorded key, its fields."""

    what: str
    holds_from_us: int
    recorded: tuple[int, str, int]
    data: dict[str, Any]


class DefinitionError(ValueError):
    """Fields that define nothing; says which entry, what came and what was expected."""


def name_of(what: str, data: dict[str, Any]) -> str:
    """The one text under which later definitions replace this one."""
    fields = NAMED_BY.get(what)
    if fields is None:
        msg = f"{what!r} defines nothing; expected one of {', '.join(sorted(NAMED_BY))}."
        raise DefinitionError(msg)
    return "\0".join("" if data.get(field) is None else str(data[field]) for field in fields)


class MasterData:
    """Every definition, ready to be asked for as of a time. Immutable once made."""

    def __init__(self, definitions: Iterable[Definition] = ()) -> None:
        self._named: dict[tuple[str, str], list[Definition]] = {}
        for definition in definitions:
            name = name_of(definition.what, definition.data)
            self._named.setdefault((definition.what, name), []).append(definition)
        for versions in self._named.values():
            versions.sort(key=lambda each: (each.holds_from_us, each.recorded))
        self._read: dict[tuple[str, str, int], msgspec.Struct | None] = {}

    def names(self, what: str) -> list[str]:
        """Every name that this kind of entry defines, sorted."""
        return sorted(name for kind, name in self._named if kind == what)

    def at(self, what: str, name: str, at_us: int) -> Definition | None:
        """The definition that holds for `name` at a time; the earliest one where none holds yet; None where none is."""
        versions = self._named.get((what, name))
        if not versions:
            return None
        return versions[max(bisect_right(versions, at_us, key=lambda each: each.holds_from_us) - 1, 0)]

    def _struct(self, what: str, name: str | None, at_us: int, kind: type[Struct]) -> Struct | None:
        definition = self.at(what, name, at_us) if name is not None else None
        if definition is None or name is None:
            return None
        key = (what, name, definition.holds_from_us)
        if key not in self._read:
            try:
                self._read[key] = msgspec.convert(definition.data, kind)
            except msgspec.ValidationError:
                self._read[key] = None  # refused at the door; an old or foreign entry that slipped in defines nothing
        read = self._read[key]
        return read if isinstance(read, kind) else None

    def product(self, name: str | None, at_us: int) -> Product | None:
        """A product as it was at a time."""
        return self._struct("product.define", name, at_us, Product)

    def stage(self, name: str | None, at_us: int) -> Stage | None:
        """A stage as it was at a time."""
        return self._struct("stage.define", name, at_us, Stage)

    def stage_name(self, stage: str | None, at_us: int) -> str:
        """The shop's word for a stage, its id where it has none."""
        known = self.stage(stage, at_us)
        return (known.name if known else "") or stage or "nowhere"

    def routing(self, name: str | None, at_us: int) -> Routing | None:
        """A routing as it was at a time, its operations in the order of their numbers."""
        known = self._struct("routing.define", name, at_us, _RoutingFields)
        if known is None or name is None or not known.operations:
            return None
        return Routing(name, tuple(sorted(known.operations, key=lambda each: each.op)))

    def rule_is_on(self, rule: str, at_us: int, default: bool) -> bool:
        """Whether a person has turned a rule on or off; `default` where nobody has."""
        definition = self.at("rule.define", rule, at_us)
        return default if definition is None else bool(definition.data.get("on"))


class _RoutingFields(msgspec.Struct, frozen=True):
    routing: str
    operations: tuple[Operation, ...] = ()


def check(what: str, data: dict[str, Any]) -> None:
    """Refuse a definition that could not be read back: raises `DefinitionError` with the field and the reason."""
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
