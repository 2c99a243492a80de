"""Bindings: the item that a code names at a time: its bound item, else the match of the shop's patterns, else its identity.

A binding holds for all spellings of its code (`station.core.codes.identity`).

An entry `code.bind` also applies to scans before its first binding, because a person states what the code is. A tag that is
bound at a bench has no meaning for earlier scans: it was then attached to something else.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from server.db.bulk_insert import insert_many
from server.projection.dead_letters import attribute_error
from server.projection.ledger_row import LedgerRow
from server.projection.tables import binding
from station.core.codes import (
    CodeType,
    Pattern,
    binding_key,
    canonical_written,
    identity_of_written,
    usable_patterns,
)
from station.core.codes.canonical import plain_braces
from station.core.codes.identity import PUBLISHED, gtin_key, gtin_texts
from station.core.ledger.void_resolution import effective
from station.core.master_data import Definition

MOST_NAMES = 50_000  # cached results of pattern matching; one match costs microseconds
PATTERNED = frozenset({None, "own", "text", "uid", "ambiguous"})
BINDING = frozenset({"code.bind", "bind", "unbind"})
NOTHING = ""  # the item of a code that names no item


class BindingChange(NamedTuple):
    """From the order key `at` (effective key, log, seq) on, a code names `item`; None: the code names itself again."""

    at: tuple[int, str, int]
    pos: int
    item: str | None
    as_: str
    from_office: bool


class NamedItem(NamedTuple):
    """The item of a code (NOTHING: no item), and whether a pattern or a binding matched the code; `bound`: a binding."""

    item: str
    known: bool
    bound: bool = False


class Bindings:
    """All bindings, in memory, and the shop's patterns as of any time."""

    def __init__(self, connection: Connection) -> None:
        self._bound: dict[str, list[BindingChange]] = {}  # by the key of the code
        self._key_of: dict[str, str] = {}  # of every code that was ever bound, as it was written
        self._spellings: dict[str, set[str]] = {}  # these codes by their keys
        self._code_at: dict[int, str] = {}
        for row in connection.execute(select(binding)):
            at = (row.key_us, row.log_id.hex(), row.seq)
            self._store(row.code, BindingChange(at, row.pos, row.item, row.as_, row.from_office))
        for versions in self._bound.values():
            versions.sort(key=_order)
        self._eras: list[int] = []
        self._patterns: list[tuple[Pattern, ...]] = [()]
        self._names: dict[tuple[str, int], NamedItem] = {}

    def use(self, definitions: Iterable[Definition]) -> bool:
        """Replace the pattern definitions by the complete new set; returns whether anything changed."""
        versions: dict[str, list[Definition]] = {}
        for definition in sorted(definitions, key=lambda pattern: (pattern.holds_from_us, pattern.recorded)):
            versions.setdefault(str(definition.data.get("name")), []).append(definition)
        eras = sorted({version.holds_from_us for of_name in versions.values() for version in of_name})
        patterns = [_patterns_at(versions, era) for era in (-1, *eras)]
        changed = (eras, patterns) != (self._eras, self._patterns)
        self._eras, self._patterns = eras, patterns
        self._names.clear()
        return changed

    @property
    def has_patterns(self) -> bool:
        """Whether the shop has defined any pattern."""
        return any(self._patterns)

    def bound(self, code: str, identity: str, scheme: str | None, at: tuple[int, str, int]) -> BindingChange | None:
        """The binding of a code at an order key; None where it has none or was unbound."""
        versions = self._bound.get(identity)
        if not versions and self._bound:
            key = self._key_of.get(code) or (None if scheme in PUBLISHED else gtin_key(code))
            versions = self._bound.get(key) if key is not None else None
        if not versions:
            return None
        index = bisect_right(versions, at, key=lambda change: change.at) - 1
        if index < 0 and not versions[0].from_office:
            return None
        change = versions[max(index, 0)]
        return change if change.item is not None or change.as_ != CodeType.ITEM else None

    def named(self, code: str, identity: str, scheme: str | None, at: tuple[int, str, int]) -> NamedItem:
        """The item that a code with this identity names at an order key."""
        change = self.bound(code, identity, scheme, at)
        if change is not None:
            if change.as_ != CodeType.ITEM or change.item is None:
                return NamedItem(NOTHING, known=True, bound=True)
            # A bench binds the scanned code of the item, which a pattern may translate; the office binds the item itself.
            item = change.item if change.from_office else self._by_pattern(change.item, at[0]).item
            return NamedItem(item, known=True, bound=True)
        named = self._by_pattern(code, at[0]) if scheme in PATTERNED else None
        return named if named is not None and named.known else NamedItem(identity, known=False)

    def _by_pattern(self, code: str, at_us: int) -> NamedItem:
        era = bisect_right(self._eras, at_us)
        named = self._names.get((code, era))
        if named is None:
            if len(self._names) >= MOST_NAMES:
                self._names.clear()
            named = self._names[code, era] = _named_by(code, self._patterns[era])
        return named

    def readings(self, code: str) -> tuple[NamedItem, ...]:
        """The pattern match of a code in each period of constant patterns."""
        return tuple(_named_by(code, patterns) for patterns in self._patterns)

    def apply_rows(
        self,
        connection: Connection,
        rows: list[tuple[LedgerRow, str]],
        read: Callable[[LedgerRow, str], tuple[str, BindingChange] | None] | None = None,
    ) -> set[str]:
        """Apply the bindings of new and changed events. Returns the codes whose binding changed, in all known spellings.

        `rows`: each event with its corrected verb. `read`: reads a binding from an event, by default `binds`.
        """
        read = read or binds
        changed: set[str] = set()
        for row, _ in rows:
            code = self._code_at.pop(row.pos, None) if row.was is not None else None
            if code is not None:
                changed.add(code)
                key = binding_key(code)
                self._bound[key] = [change for change in self._bound[key] if change.pos != row.pos]
                connection.execute(binding.delete().where(binding.c.pos == row.pos))
        new = [bound for row, verb in rows if (bound := attribute_error(row.pos, read, row, verb)) is not None]
        for code, change in new:
            changed.add(code)
            self._store(code, change)
            self._bound[binding_key(code)].sort(key=_order)
        insert_many(connection, binding, [binding_row(code, change) for code, change in new])
        return {spelling for code in changed for spelling in self._spelled(code)}

    def _spelled(self, code: str) -> set[str]:
        """The key of a code, and all texts that this key is known to be written in."""
        key = binding_key(code)
        return {code, key, *gtin_texts(key), *self._spellings.get(key, ())}

    def _store(self, code: str, change: BindingChange) -> None:
        key = binding_key(code)
        self._bound.setdefault(key, []).append(change)
        self._key_of[code] = key
        self._spellings.setdefault(key, set()).add(code)
        self._code_at[change.pos] = code


def _order(change: BindingChange) -> tuple[object, ...]:
    """Order by content after the key: two events of a copied card have one key, and arrival order must not count."""
    return (change.at, change.item or "", change.as_, change.from_office, change.pos)


def binding_row(code: str, change: BindingChange) -> tuple[object, ...]:
    """A row of the table `binding`."""
    key_us, log, seq = change.at
    return (code, change.item, change.as_, change.from_office, key_us, bytes.fromhex(log), seq, change.pos)


def binds(row: LedgerRow, verb: str) -> tuple[str, BindingChange] | None:
    """The code that an event binds or unbinds, with the change; None for every other event. `verb`: the corrected one."""
    event = row.event
    if event is None or not row.ok:
        return None
    if verb not in BINDING:
        return None
    at = (effective(event, row.key).us, row.counted.log, row.counted.seq)
    if verb == "code.bind" and event.data is not None:
        code, to, as_ = (event.data.get(name) for name in ("code", "to", "as"))
        if not isinstance(code, str) or not code or (to is not None and not isinstance(to, str)):
            return None
        named_as = as_ if isinstance(as_, str) and to else CodeType.ITEM.value  # an empty `to` unbinds the code
        item = identity_of_written(to) if to and named_as == CodeType.ITEM else to or None
        return canonical_written(code), BindingChange(at, row.pos, item, named_as, from_office=True)
    code = row.code
    if event.kind != "scan" or code is None or event.seen is not None:
        return None
    if verb == "bind" and event.carrier:
        return event.carrier, BindingChange(at, row.pos, row.identity, CodeType.ITEM.value, from_office=False)
    if verb == "unbind":
        return event.carrier or code, BindingChange(at, row.pos, None, CodeType.ITEM.value, from_office=False)
    return None


def _patterns_at(versions: dict[str, list[Definition]], at_us: int) -> tuple[Pattern, ...]:
    """The patterns at a time; an unusable one is skipped, and `refused_patterns` lists it."""
    current = []
    for of_name in versions.values():
        index = bisect_right(of_name, at_us, key=lambda version: version.holds_from_us) - 1
        current.append(of_name[max(index, 0)].data)
    return usable_patterns(current).patterns


def _named_by(code: str, patterns: Sequence[Pattern]) -> NamedItem:
    matches = {(pattern.as_, match[0]) for pattern in patterns if (match := pattern.match(code)) is not None}
    if len(matches) != 1:
        return NamedItem(plain_braces(code), known=False)
    as_, named = matches.pop()
    return NamedItem(named if as_ == CodeType.ITEM else NOTHING, known=True)
