"""Unchanged entries: a definition, a price, a binding or a name that equals what holds already at its time.

What holds is the projected state, then the hub's own entries that are not projected yet, then the entries of the same
request. `server.ledger.entry_checks` checks orders and items, `server.ledger.entries` periods. Kinds of entries without such
a check, and why:

- `checkin`, `note`: a fact is recorded as often as it happened, and a note may be written twice.
- `correct`: it holds for a range of events, and a correction that repeats a value still decides over earlier ones of another
  person. `answer`: calls that a station sends later, from before the answer, are answered by it too.
- `rule.define` of a rule as it is delivered: it holds when a later version delivers it otherwise.
- `cost.actual`, `reread`: recorded, and not applied by this version.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, select

from server.ledger.account_check import MAP
from server.ledger.calendar_check import CALENDAR
from server.projection.ended_findings import finding_etag
from server.projection.tables import binding, definition, finding
from station.core.codes import CodeType, binding_key, canonical_written, identity_of_written
from station.core.master_data import NAMED_BY, name_of
from station.core.site import SITE

COST, BIND, NAME = "cost.set", "code.bind", "item.name"
WITHDRAWN = {COST: "a price", MAP: "an account", CALENDAR: "a calendar"}  # what an entry with `withdrawn` takes back
UNCHANGED = frozenset({*NAMED_BY, BIND, NAME})
MOST_LATER = 2_000  # bindings of other codes that are compared, behind the one that holds
_SAME = "It is so already: there is nothing to do."
# Fields that may be left out, and the value that they have then (`station.core.ledger.routing`, `costs`).
_DEFAULTS: dict[str, dict[str, Any]] = {
    "product.define": {"name": "", "unit": "pcs", "decimals": 0, "bom": [], "withdrawn": False},
    "stage.define": {"name": "", "type": "process", "strict": False},
    "person.define": {"roles": []},
    COST: {"basis": "unit", "withdrawn": False},
    MAP: {"withdrawn": False},
    CALENDAR: {"withdrawn": False, "exceptions": []},
}
_OF_OPERATION = {"optional": False, "scrap_ppm": 0}


class Unchanged(NamedTuple):
    """Why an entry has no effect: what came, what was expected, what to do."""

    came: str
    expected: str
    do: str = _SAME


class _Version(NamedTuple):
    """The fields of a definition, and from when they hold; `order`: the later recorded of two counts."""

    from_us: int
    order: tuple[int, ...]
    data: dict[str, Any]


class CurrentDefinitions:
    """The definitions and bindings at the time of each entry of a request, in the transaction that writes it."""

    def __init__(self, connection: Connection, now_us: int) -> None:
        self._connection, self._now_us = connection, now_us
        self._versions: dict[str, dict[str, list[_Version]]] = {}  # by kind and name
        self._followed: dict[str, list[tuple[dict[str, Any], int | None]]] = {}
        self._bound: dict[str, tuple[str | None, str]] = {}  # by key: bound by an entry of this request

    def defined(self, what: str, data: dict[str, Any], holds_from_us: int | None) -> Unchanged | None:
        """Check a definition or a price against the one of its name that holds at its time."""
        name = name_of(what, data)
        shown = " ".join(f"{field} {data[field]}" for field in NAMED_BY[what] if data.get(field) is not None)
        shown = shown or "the " + (name or "site")
        versions = self._of_kind(what).get(name, [])
        at_us = self._now_us if holds_from_us is None else holds_from_us
        place = bisect_right(versions, at_us, key=lambda version: version.from_us) - 1
        holds = versions[place].data if place >= 0 else None
        if what == SITE:  # a field that an entry leaves out stays as it was
            holds = {}
            for version in versions[: place + 1]:
                holds |= _plain(what, version.data)
            data = holds | _plain(what, data)
        if holds is not None and _plain(what, holds) == _plain(what, data):
            return Unchanged(f"{what} of {shown} as it is defined", "a field with a new value")
        if what in WITHDRAWN and data.get("withdrawn") and (not versions or (holds or {}).get("withdrawn")):
            expected = f"{WITHDRAWN[what]} that holds"
            return Unchanged(f"{what} of {shown}, withdrawn", expected, "There is none: nothing to withdraw.")
        return None

    def is_defined(self, what: str, name: str) -> bool:
        """Whether an entry of this kind has this name, at any time."""
        return name in self._of_kind(what)

    def bound(self, data: dict[str, Any], holds_from_us: int | None) -> Unchanged | None:
        """Check a binding against the one of its code that holds at its time. The ledger must be projected."""
        code, (item, as_) = str(data.get("code")), _target(data)
        written, key = canonical_written(code), binding_key(code)
        c = binding.c
        at_us = self._now_us if holds_from_us is None else holds_from_us
        query = select(c.item, c.as_, c.from_office, c.key_us).where(c.code == written)
        rows = self._connection.execute(query.order_by(c.key_us, c.pos)).all()
        before = [row for row in rows if row.key_us <= at_us]
        if key in self._bound:
            holds: tuple[str | None, str] | None = self._bound[key]
        elif before:
            last = before[-1]
            if not last.from_office or self._is_bound_later(key, written, last.key_us, at_us):
                return None  # an entry also holds for scans before it, a binding at a bench does not
            holds = last.item, last.as_
        elif rows or key != written:
            return None  # it is bound later, or perhaps under another spelling
        else:
            holds = None, CodeType.ITEM
        if holds != (item, as_):
            return None
        if item is None:
            return Unchanged(f"code.bind of {code} to nothing", "a code that is bound", "It is not bound.")
        return Unchanged(f"code.bind of {code} to {data.get('to')}", "a code that is not bound so")

    def _is_bound_later(self, key: str, written: str, after_us: int, until_us: int) -> bool:
        """Whether another spelling of a code is bound behind this binding; also where that is too much to compare."""
        c = binding.c
        later = and_(c.key_us >= after_us, c.key_us <= until_us, c.code != written)
        codes = self._connection.execute(select(c.code).where(later).limit(MOST_LATER + 1)).scalars().all()
        return len(codes) > MOST_LATER or any(binding_key(code) == key for code in codes)

    def follow(self, what: str, data: dict[str, Any], holds_from_us: int | None) -> None:
        """Count an accepted entry, or one that is not projected, for the checks after it."""
        if what == BIND and holds_from_us is None:
            self._bound[binding_key(str(data.get("code")))] = _target(data)
        elif what in NAMED_BY:
            self._followed.setdefault(what, []).append((data, holds_from_us))
            if what in self._versions:
                self._add(what, [(data, holds_from_us)])

    def _of_kind(self, what: str) -> dict[str, list[_Version]]:
        """All definitions of one kind, by name, ordered as they hold."""
        if what not in self._versions:
            c = definition.c
            query = select(c.holds_from_us, c.key_us, c.id, c.data).where(c.what == what)
            versions: dict[str, list[_Version]] = {}
            for row in self._connection.execute(query.order_by(c.holds_from_us, c.key_us, c.id)):
                data = msgspec.json.decode(row.data)
                version = _Version(row.holds_from_us, (row.key_us, row.id), data)
                versions.setdefault(name_of(what, data), []).append(version)
            self._versions[what] = versions
            self._add(what, self._followed.get(what, []))
        return self._versions[what]

    def _add(self, what: str, entries: Iterable[tuple[dict[str, Any], int | None]]) -> None:
        for data, holds_from_us in entries:
            from_us = self._now_us if holds_from_us is None else holds_from_us
            versions = self._versions[what].setdefault(name_of(what, data), [])
            versions.append(_Version(from_us, (2**63, len(versions)), data))
            versions.sort(key=lambda version: version[:2])


def answered(connection: Connection, data: dict[str, Any]) -> Unchanged | None:
    """Check an entry `finding.answer` against the finding that it names. The ledger must be projected."""
    name, rule, c = str(data["item"]), str(data["rule"]), finding.c
    place = and_(c.log_id == bytes.fromhex(data["log"]), c.seq == data["seq"])
    query = select(c.answered_us, c.answered_by, c.ended, c.args).where(and_(c.item == name, c.rule == rule, place))
    row = connection.execute(query).first()
    came = f"finding.answer of {rule} of {name}"
    if row is None:
        do = "Take rule, log and seq from the item's `findings` in the API."
        return Unchanged(came, "a finding of the item", do)
    if row.answered_us is not None:
        return Unchanged(f"{came}, answered by {row.answered_by}", "an open finding", "There is nothing to do.")
    if row.ended:
        return Unchanged(f"{came}, which has ended", "an open finding", "There is nothing to do.")
    if data.get("etag") not in (None, finding_etag(row.args)):
        return Unchanged(f"{came} with other arguments", "the finding as it is now", "Read it again, then answer it.")
    return None


def named(item: str, data: dict[str, Any], name: str | None) -> Unchanged | None:
    """Check an entry `item.name` against the item's present name, None where it has none."""
    new = data.get("name")
    if (new if isinstance(new, str) and new else None) != name:
        return None
    if name is None:
        return Unchanged(f"item.name of {item} without a name", "an item with a name", "It has no name.")
    return Unchanged(f"item.name of {item} {name!r}", "a new name")


def _target(data: dict[str, Any]) -> tuple[str | None, str]:
    """What a `code.bind` binds its code to, as the projection stores it (`server.projection.bindings.binds`)."""
    to, as_ = data.get("to"), data.get("as")
    kind = as_ if isinstance(as_, str) and to else CodeType.ITEM.value
    return (identity_of_written(str(to)) if to and kind == CodeType.ITEM else str(to) if to else None), kind


def _plain(what: str, data: dict[str, Any]) -> dict[str, Any]:
    """The fields without those that have no value or the value that they have when they are left out."""
    defaults = _DEFAULTS.get(what, {})
    plain = {name: value for name, value in data.items() if value is not None and defaults.get(name, ...) != value}
    if what == "routing.define":
        operations = [_without(operation, _OF_OPERATION) for operation in data["operations"]]
        plain["operations"] = sorted(operations, key=lambda operation: int(operation["op"]))
    if "bom" in plain:
        plain["bom"] = [_without(line, {}) for line in plain["bom"]]
    return plain


def _without(fields: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and defaults.get(name, ...) != value}
