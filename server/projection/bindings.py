"""Bindings: which item a code names, at a time: the one it was bound to, else what the shop's patterns say, else itself.

An entry `code.bind` also tells what the scans before it meant, as long as nothing else was said for their time. A tag that
is bound at a bench says nothing of its earlier trips.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from server.db.bulk_insert import insert_many
from server.projection.ledger_row import LedgerRow
from server.projection.set_aside import blame
from server.projection.tables import binding
from station.core.codes import CodeType, Pattern, canonical_written, usable_patterns
from station.core.ledger.void_resolution import effective
from station.core.master_data import Definition

MOST_NAMES = 50_000  # remembered; what a code names is worked out again in microseconds
PATTERNED = frozenset({None, "own", "text", "uid", "ambiguous"})
BINDING = frozenset({"code.bind", "bind", "unbind"})
NOTHING = ""  # the item of a code that names none


class BindingChange(NamedTuple):
    """From `at` on (effective key, log, seq) a code names `item`, or by its own text again (None)."""

    at: tuple[int, str, int]
    pos: int
    item: str | None
    as_: str
    from_office: bool


class NamedItem(NamedTuple):
    """The item of a code, NOTHING for none, and whether a pattern or a binding knew the code."""

    item: str
    known: bool


class Bindings:
    """Every binding, in memory, and the shop's patterns as of any time."""

    def __init__(self, connection: Connection) -> None:
        self._bound: dict[str, list[BindingChange]] = {}
        self._code_at: dict[int, str] = {}
        for row in connection.execute(select(binding)):
            one = BindingChange((row.key_us, row.log_id.hex(), row.seq), row.pos, row.item, row.as_, row.from_office)
            self._keep(row.code, one)
        for versions in self._bound.values():
            versions.sort(key=_order)
        self._eras: list[int] = []
        self._patterns: list[tuple[Pattern, ...]] = [()]
        self._names: dict[tuple[str, int], NamedItem] = {}

    def use(self, definitions: Iterable[Definition]) -> bool:
        """Take the definitions of patterns, all of them; whether anything changed."""
        versions: dict[str, list[Definition]] = {}
        for each in sorted(definitions, key=lambda one: (one.holds_from_us, one.recorded)):
            versions.setdefault(str(each.data.get("name")), []).append(each)
        eras = sorted({each.holds_from_us for several in versions.values() for each in several})
        patterns = [_patterns_at(versions, era) for era in (-1, *eras)]
        changed = (eras, patterns) != (self._eras, self._patterns)
        self._eras, self._patterns = eras, patterns
        self._names.clear()
        return changed

    @property
    def has_patterns(self) -> bool:
        """Whether the shop has said how it writes anything."""
        return any(self._patterns)

    def bound(self, code: str, at: tuple[int, str, int]) -> BindingChange | None:
        """The binding that holds for a code at an order key; None where it has none, or was let go."""
        versions = self._bound.get(code)
        if not versions:
            return None
        place = bisect_right(versions, at, key=lambda each: each.at) - 1
        if place < 0 and not versions[0].from_office:
            return None
        one = versions[max(place, 0)]
        return one if one.item is not None or one.as_ != CodeType.ITEM else None

    def named(self, code: str, scheme: str | None, at: tuple[int, str, int]) -> NamedItem:
        """What a code names at an order key."""
        one = self.bound(code, at)
        if one is not None:
            if one.as_ != CodeType.ITEM or one.item is None:
                return NamedItem(NOTHING, known=True)
            own = one.item if one.from_office else self._by_pattern(one.item, at[0]).item
            return NamedItem(own, known=True)
        return self._by_pattern(code, at[0]) if scheme in PATTERNED else NamedItem(code, known=False)

    def _by_pattern(self, code: str, at_us: int) -> NamedItem:
        era = bisect_right(self._eras, at_us)
        found = self._names.get((code, era))
        if found is None:
            if len(self._names) >= MOST_NAMES:
                self._names.clear()
            found = self._names[code, era] = _named_by(code, self._patterns[era])
        return found

    def readings(self, code: str) -> tuple[NamedItem, ...]:
        """What the patterns make of a code in each of their times."""
        return tuple(_named_by(code, patterns) for patterns in self._patterns)

    def apply_rows(
        self,
        connection: Connection,
        rows: list[tuple[LedgerRow, str]],
        read: Callable[[LedgerRow, str], tuple[str, BindingChange] | None] | None = None,
    ) -> set[str]:
        """Note what new and changed events bind; `rows`: each with the verb it has now. The codes that changed.

        `read`: `binds`.
        """
        read = read or binds
        changed: set[str] = set()
        for each, _ in rows:
            code = self._code_at.pop(each.pos, None) if each.was is not None else None
            if code is not None:
                changed.add(code)
                self._bound[code] = [one for one in self._bound[code] if one.pos != each.pos]
                connection.execute(binding.delete().where(binding.c.pos == each.pos))
        new = [bound for each, verb in rows if (bound := blame(each.pos, read, each, verb)) is not None]
        for code, one in new:
            changed.add(code)
            self._keep(code, one)
            self._bound[code].sort(key=_order)
        insert_many(connection, binding, [binding_row(code, one) for code, one in new])
        return changed

    def _keep(self, code: str, one: BindingChange) -> None:
        self._bound.setdefault(code, []).append(one)
        self._code_at[one.pos] = code


def _order(one: BindingChange) -> tuple[object, ...]:
    """Two events of a copied card stand at one place: what they say orders them, not the order of arrival."""
    return (one.at, one.item or "", one.as_, one.from_office, one.pos)


def binding_row(code: str, one: BindingChange) -> tuple[object, ...]:
    """A row of the table `binding`."""
    key_us, log, seq = one.at
    return (code, one.item, one.as_, one.from_office, key_us, bytes.fromhex(log), seq, one.pos)


def binds(each: LedgerRow, verb: str) -> tuple[str, BindingChange] | None:
    """The code that an event binds or lets go, and to what; None for every other event. `verb` with all corrections."""
    event = each.event
    if event is None or not each.ok:
        return None
    if verb not in BINDING:
        return None
    at = (effective(event, each.key).us, each.counted.log, each.counted.seq)
    if verb == "code.bind" and event.data is not None:
        code, to, as_ = (event.data.get(name) for name in ("code", "to", "as"))
        if not isinstance(code, str) or not code or (to is not None and not isinstance(to, str)):
            return None
        named_as = as_ if isinstance(as_, str) and to else CodeType.ITEM.value  # without a name the code is let go
        return canonical_written(code), BindingChange(at, each.pos, to or None, named_as, from_office=True)
    code = each.code
    if event.kind != "scan" or code is None or event.seen is not None:
        return None
    if verb == "bind" and event.carrier:
        return event.carrier, BindingChange(at, each.pos, code, CodeType.ITEM.value, from_office=False)
    if verb == "unbind":
        return event.carrier or code, BindingChange(at, each.pos, None, CodeType.ITEM.value, from_office=False)
    return None


def _patterns_at(versions: dict[str, list[Definition]], at_us: int) -> tuple[Pattern, ...]:
    """The patterns of a time; one that is recorded and not usable reads nothing, and `refused_patterns` names it."""
    found = []
    for several in versions.values():
        place = bisect_right(several, at_us, key=lambda each: each.holds_from_us) - 1
        found.append(several[max(place, 0)].data)
    return usable_patterns(found).patterns


def _named_by(code: str, patterns: Sequence[Pattern]) -> NamedItem:
    found = {(each.as_, match[0]) for each in patterns if (match := each.match(code)) is not None}
    if len(found) != 1:
        return NamedItem(code, known=False)
    as_, named = found.pop()
    return NamedItem(named if as_ == CodeType.ITEM else NOTHING, known=True)
