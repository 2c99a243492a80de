"""Binding check: a code that names a released order, or an item with quantities, keeps this name.

A binding holds for every spelling of its code, also for scans before it. Where the code is the number of an order in
process, the binding would take the scans of the order away, and its next scans would move nothing. The same holds for a
pattern that matches such a number, and for the release of a number that is bound to something else.

A scanned code that nothing has defined may be bound to a released order: this is the purpose of a binding.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, select

from server.ledger.candidates import MOST_PENDING, Candidate, Refusal, pending_entries
from server.ledger.entry_checks import AT_ONCE
from server.projection.code_keys import spellings_of
from server.projection.item_states import StoredItem
from server.projection.tables import binding, definition, event_item, item
from station.core.codes import (
    CodeType,
    Pattern,
    PatternError,
    binding_key,
    canonical_written,
    identity_of_written,
    usable_patterns,
)
from station.core.codes.canonical import plain_braces
from station.core.codes.identity import gtin_texts
from station.core.ledger.parcels import ItemState

BIND, RELEASE, PATTERN, CLOSE = "code.bind", "order.release", "pattern.define", "order.close"
FOLLOWED = frozenset({BIND, RELEASE, CLOSE})
PENDING = FOLLOWED | {"void", "correct"}
MOST_SPELLINGS = 100  # of one code
MOST_MATCHED = 20_000  # released orders that a new pattern is matched against
_STORED = msgspec.msgpack.Decoder(StoredItem)


class BoundTo(NamedTuple):
    """The target of a binding: the type of thing, and its id; None: the code is not bound any more."""

    as_: str
    to: str | None


class BindingChecks:
    """The checks of bindings, patterns and releases of one request, in their order."""

    def __init__(self, connection: Connection, entries: Sequence[Candidate], most_pending: int = MOST_PENDING) -> None:
        self._connection = connection
        self._released: dict[str, bool] = {}  # by the entries that are not projected: whether the order is open
        self._bound: dict[str, BoundTo] = {}  # by the key of the code
        self._certain = True
        if not any(entry.what in (BIND, RELEASE, PATTERN) for entry in entries):
            return
        pending = pending_entries(connection, most_pending, PENDING)
        self._certain = len(pending) <= most_pending
        for entry in pending:
            self._follow(entry)

    def refusal(self, entry: Candidate) -> Refusal | None:
        """The reason to refuse an entry; None for an accepted one, which then counts for the entries after it."""
        refused = None
        if self._certain and entry.what == BIND:
            refused = self._binding(entry)
        elif self._certain and entry.what == RELEASE:
            refused = self._release(entry)
        elif self._certain and entry.what == PATTERN:
            refused = self._pattern(entry)
        if refused is None:
            self._follow(entry)
        return refused

    def _follow(self, entry: Candidate) -> None:
        if entry.what in ("void", "correct"):
            self._certain = False  # its effect is known when it is projected
        elif entry.what in (RELEASE, CLOSE) and isinstance(entry.data.get("order"), str):
            self._released[entry.data["order"]] = entry.what == RELEASE
        elif entry.what == BIND and isinstance(entry.data.get("code"), str):
            self._bound[binding_key(canonical_written(entry.data["code"]))] = _target(entry.data)

    def _binding(self, entry: Candidate) -> Refusal | None:
        """Check a binding: no released order, and no item with quantities, loses its own code."""
        code, target = canonical_written(str(entry.data.get("code"))), _target(entry.data)
        if target.to is None:
            return self._unbinding(code)
        names = self._named_by(code)
        if target.as_ == CodeType.ITEM:
            names.discard(target.to)
        states = self._states(names)
        for name in sorted(names):
            state = states.get(name)
            came = f"code.bind of {code} as {target.as_} to {target.to}"
            if self._released.get(name, state is not None and state.released_us is not None):
                expected = f"a code that is not the number of a released order: it is that of {name}"
                do = f"Bind another code. Scans of {name} would no longer reach the order."
                return Refusal(came, expected, do)
            if state is not None and _quantities(state) and not self._is_released(target):
                expected = f"a code without quantities of its own, or a released order as its target: {name} has some"
                do = f"Bind another code, or take the scans of {name} back first."
                return Refusal(came, expected, do)
        return None

    def _unbinding(self, code: str) -> Refusal | None:
        """Check the end of a binding: the code is bound, at a bench or by an entry, also by one that is not projected."""
        bound = self._bound.get(binding_key(code)) or self._projected_binding(self._spellings(code))
        if bound is not None and bound.to is not None:
            return None
        return Refusal(f"code.bind of {code} to nothing", "a code that is bound", "It is not bound.", unchanged=True)

    def _named_by(self, code: str) -> set[str]:
        """The items that a code names by its spelling, and those whose scans a pattern reads from it."""
        spellings = self._spellings(code)
        if binding_key(code) in self._bound or self._projected_binding(spellings) is not None:
            return spellings  # its scans keep the item of the earlier binding
        c = event_item.c
        scanned = select(c.item).where(c.code.in_(spellings)).distinct().limit(AT_ONCE)
        return spellings | set(self._connection.execute(scanned).scalars())

    def _is_released(self, target: BoundTo) -> bool:
        if target.as_ != CodeType.ITEM or target.to is None:
            return False
        state = self._states({target.to}).get(target.to)
        return self._released.get(target.to, state is not None and state.released_us is not None)

    def _states(self, names: set[str]) -> dict[str, ItemState]:
        rows = self._connection.execute(select(item.c.item, item.c.state).where(item.c.item.in_(sorted(names))))
        return {row.item: _STORED.decode(row.state).state for row in rows}

    def _spellings(self, code: str) -> set[str]:
        """A code, its key, the numbers that are this GTIN, and the recorded spellings of the key."""
        key = binding_key(code)
        return {code, plain_braces(code), key, *gtin_texts(key), *spellings_of(self._connection, key, MOST_SPELLINGS)}

    def _projected_binding(self, spellings: set[str]) -> BoundTo | None:
        """The newest projected binding of a code; None where it has none."""
        c = binding.c
        newest = select(c.as_, c.item).where(c.code.in_(sorted(spellings)))
        row = self._connection.execute(newest.order_by(c.key_us.desc(), c.log_id.desc(), c.seq.desc()).limit(1)).first()
        return None if row is None else BoundTo(row.as_, row.item)

    def _release(self, entry: Candidate) -> Refusal | None:
        """Check a release: the number of a new order is not bound to something else."""
        name = str(entry.data.get("order"))
        if name in self._released or self._states({name}):
            return None
        bound = self._bound.get(binding_key(name)) or self._projected_binding(self._spellings(name))
        if bound is None or bound.to is None or bound == BoundTo(CodeType.ITEM, name):
            return None
        return Refusal(
            f"order.release of {name}, a code that is bound as {bound.as_} to {bound.to}",
            "a number that is not bound to something else",
            "End that binding first, by a code.bind without `to`, or give the order another number.",
        )

    def _pattern(self, entry: Candidate) -> Refusal | None:
        """Check a pattern: the numbers of open orders keep their meaning, except where a pattern matches them already."""
        try:
            pattern = Pattern(str(entry.data.get("name")), str(entry.data.get("regex")), str(entry.data.get("as")))
        except PatternError:
            return None  # the schema gives the reason
        c = item.c
        query = select(c.item).where(and_(c.status == "open", c.released_us.is_not(None))).limit(MOST_MATCHED)
        orders = [
            *self._connection.execute(query).scalars(),
            *(name for name, is_open in self._released.items() if is_open),
        ]
        taken = [name for name in orders if (match := pattern.match(name)) and not _keeps(pattern, match[0], name)]
        if not taken:
            return None
        rows = (
            select(definition.c.name, definition.c.data).where(definition.c.what == PATTERN).order_by(definition.c.id)
        )
        newest = {row.name: msgspec.json.decode(row.data) for row in self._connection.execute(rows)}
        current = usable_patterns(newest.values()).patterns
        name = next((name for name in taken if not any(one.match(name) for one in current)), None)
        if name is None:
            return None
        return Refusal(
            f"pattern.define of {pattern.name} as {pattern.as_}, which matches the order {name}",
            "a pattern that matches no number of a released order",
            f"Write the expression so that it does not match {name}. Scans of {name} would no longer reach the order.",
        )


def _target(data: dict[str, Any]) -> BoundTo:
    """The target of a `code.bind` entry; an empty `to` ends the binding."""
    to, as_ = data.get("to"), data.get("as")
    if not isinstance(to, str) or not to:
        return BoundTo(CodeType.ITEM, None)
    named_as = as_ if isinstance(as_, str) else CodeType.ITEM.value
    return BoundTo(named_as, identity_of_written(to) if named_as == CodeType.ITEM else to)


def _keeps(pattern: Pattern, named: str, order: str) -> bool:
    return pattern.as_ == CodeType.ITEM and named == order


def _quantities(state: ItemState) -> bool:
    """Whether a quantity of an item is known: it was scanned or entered with one."""
    return any(parcel.qty_milli for parcel in state.parcels)
