"""Bindings: the item that a code names at a time: its bound item, else the match of the shop's patterns, else its identity.

A binding holds for all spellings of its code (`station.core.codes.identity`).

An entry `code.bind` also applies to scans before its first binding, because a person states what the code is. A tag that is
bound at a bench has no meaning for earlier scans: it was then attached to something else.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, not_, select

from server.db.bulk_insert import insert_many
from server.projection.dead_letters import attribute_error
from server.projection.ledger_row import AT_ONCE, LedgerRow
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

MOST_KEYS = 10_000  # keys of codes, cached with their bindings
MOST_NAMES = 10_000  # cached results of pattern matching; one match costs microseconds
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
    """The bindings of codes, read from their rows when a code is looked up, and the shop's patterns as of any time.

    At most MOST_KEYS keys are cached with their bindings, those without any too. `load` reads many keys with one statement.
    """

    def __init__(self, connection: Connection, most_keys: int = MOST_KEYS) -> None:
        self._connection, self._most_keys = connection, most_keys
        self._any: bool | None = None  # whether any code is bound; None: not read yet
        self._bound: dict[str, tuple[BindingChange, ...]] = {}  # by the key of the code
        self._written: dict[str, frozenset[str]] = {}  # the bound codes of the same keys, as they were written
        self._eras: list[int] = []
        self._patterns: list[tuple[Pattern, ...]] = [()]
        self._names: dict[tuple[str, int], NamedItem] = {}

    def read_from(self, connection: Connection) -> None:
        """Read rows from this connection from now on."""
        self._connection = connection

    def load(self, rows: Iterable[LedgerRow]) -> None:
        """Read the bindings of the codes of these events with few statements."""
        self.load_codes({row.code: row.identity for row in rows if row.code is not None})

    def load_codes(self, codes: Mapping[str, str]) -> None:
        """Read the bindings of these codes (code -> its identity) with few statements."""
        if codes and self._has_any():
            keys = {*codes.values(), *(binding_key(code) for code in codes)}
            self._load([key for key in keys if key not in self._bound])

    def _has_any(self) -> bool:
        if self._any is None:
            self._any = self._connection.execute(select(binding.c.pos).limit(1)).first() is not None
        return self._any

    def _load(self, keys: list[str]) -> None:
        if len(self._bound) + len(keys) > self._most_keys:
            self._bound.clear()
            self._written.clear()
        for start in range(0, len(keys), AT_ONCE):
            chunk = keys[start : start + AT_ONCE]
            found: dict[str, list[tuple[str, BindingChange]]] = {key: [] for key in chunk}
            for row in self._connection.execute(select(binding).where(binding.c.key.in_(chunk))):
                at = (row.key_us, row.log_id.hex(), row.seq)
                change = BindingChange(at, row.pos, row.item, row.as_, row.from_office)
                found[row.key].append((row.code, change))
            for key, bound in found.items():
                self._bound[key] = tuple(sorted((change for _, change in bound), key=_order))
                self._written[key] = frozenset(code for code, _ in bound)

    def _of(self, key: str) -> tuple[BindingChange, ...]:
        if key not in self._bound:
            self._load([key])
        return self._bound[key]

    def _key_of(self, code: str) -> str | None:
        """The key of a code that is bound as it is written here; None for every other one."""
        key = binding_key(code)
        return key if self._of(key) and code in self._written[key] else None

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
        if not self._has_any():
            return None
        versions = self._of(identity)
        if not versions:
            key = self._key_of(code) or (None if scheme in PUBLISHED else gtin_key(code))
            versions = self._of(key) if key is not None else ()
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

    def bound_at_benches(self) -> dict[str, set[str]]:
        """The scanned codes of items to which benches bound tags, each with all spellings of these tags."""
        c = binding.c
        query = select(c.item, c.code).where(and_(c.item.is_not(None), not_(c.from_office))).distinct()
        found: dict[str, set[str]] = {}
        for name, code in self._connection.execute(query).all() if self._has_any() else ():
            found.setdefault(name, set()).update(self._spelled(code))
        return found

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
        changed = self._delete(connection, [row.pos for row, _ in rows if row.was is not None])
        new = [bound for row, verb in rows if (bound := attribute_error(row.pos, read, row, verb)) is not None]
        insert_many(connection, binding, [binding_row(code, change) for code, change in new])
        changed.update(code for code, _ in new)
        for key in {binding_key(code) for code in changed}:
            self._bound.pop(key, None)
        if changed:
            self._any = None
        return {spelling for code in changed for spelling in self._spelled(code)}

    def _delete(self, connection: Connection, positions: list[int]) -> set[str]:
        """Delete the bindings of these events; their codes."""
        codes: set[str] = set()
        for start in range(0, len(positions) if self._has_any() else 0, AT_ONCE):
            of_events = binding.c.pos.in_(positions[start : start + AT_ONCE])
            codes.update(connection.execute(select(binding.c.code).where(of_events)).scalars())
            connection.execute(binding.delete().where(of_events))
        return codes

    def _spelled(self, code: str) -> set[str]:
        """The key of a code, and all texts in which this key is bound or may be written."""
        key = binding_key(code)
        self._of(key)
        return {code, key, *gtin_texts(key), *self._written[key]}


def _order(change: BindingChange) -> tuple[object, ...]:
    """Order by content after the key: two events of a copied card have one key, and arrival order must not count."""
    return (change.at, change.item or "", change.as_, change.from_office, change.pos)


def binding_row(code: str, change: BindingChange) -> tuple[object, ...]:
    """A row of the table `binding`."""
    key_us, log, seq = change.at
    place = (key_us, bytes.fromhex(log), seq, change.pos)
    return (code, change.item, change.as_, change.from_office, *place, binding_key(code))


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
