"""Void resolution: which events count after voids, corrections and second copies; item events from those that count.

A void cancels the one event that it names; a void of that void restores it. Voids that name each other in a ring have no
effect. A void takes effect when its target arrives. A correction replaces scanned values; of two corrections of the same
field the later recorded one has precedence. An event that was sent again in a new log counts once, at its old position.

>>> first, undo, undo_of_undo = PositionKey("a", 1), PositionKey("a", 2), PositionKey("b", 1)
>>> voided({undo: first})
frozenset({PositionKey(log='a', seq=1)})
>>> voided({undo: first, undo_of_undo: undo})
frozenset({PositionKey(log='a', seq=2)})
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeGuard

import msgspec

from station.core.bounds import out_of_bounds
from station.core.codes import identity_of_written
from station.core.event import MAX_QTY_MILLI, Event, EventError, EventIdentity, FutureEvent, decode
from station.core.hash_chain import HASH_BYTES, LOG_ID_BYTES
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.times import EARLIEST_US, LATEST_US, OrderKey

CORRECTABLE = frozenset({"stage", "operator", "action", "item", "qty_milli"})
ACT_ON_THE_SET = frozenset({"void", "correct", "reread", "period.close", "period.reopen"})
# A `checkin` replaces a scan that was not made. These are its fields, under the names of a scan's fields.
CHECKIN_TEXTS = ("stage", "operator", "reason", "to", "caused_at", "carrier", "work_centre", "station")


class PositionKey(NamedTuple):
    """A position in a log: the log's id in hex, and the sequence number."""

    log: str
    seq: int


class CountedIdentity(NamedTuple):
    """The identity under which an event counts once: its first position, and its hash there, in hex."""

    log: str
    seq: int
    hash: str

    @property
    def place(self) -> PositionKey:
        """The position at which it counts."""
        return PositionKey(self.log, self.seq)


class DecodedEvent(NamedTuple):
    """The decoded bytes at a position: `status` ok, not_understood or future, the event to fold, and its counted identity.

    `event` of a salvage event is the inner one; None where its bytes were lost.
    """

    status: str
    outer: Event | None
    event: Event | None
    counted: CountedIdentity


class Correction(NamedTuple):
    """A `correct` entry: new values for the events `from_seq` to `to_seq` of a log. `recorded`: the entry's order key."""

    recorded: tuple[int, str, int]
    log: str
    from_seq: int
    to_seq: int
    set: Mapping[str, Any]


def read(log: str, seq: int, event_hash: str, encoded: bytes) -> DecodedEvent:
    """Decode the event at a position of a log; never raises."""
    stored = tuple.__new__(CountedIdentity, (log, seq, event_hash))
    try:
        outer = decode(encoded)
    except FutureEvent:
        return DecodedEvent("future", None, None, stored)
    except EventError:
        return DecodedEvent("not_understood", None, None, stored)
    if outer.kind == "salvage":
        return _salvaged(outer, stored)
    counted = stored if outer.origin is None else _counted(outer.origin)
    if counted is None or out_of_bounds(outer, encoded):
        return DecodedEvent("not_understood", outer, None, stored)
    return tuple.__new__(DecodedEvent, ("ok", outer, outer, counted))  # a third of the time of its own constructor


def _counted(claim: EventIdentity) -> CountedIdentity | None:
    log, event_hash = claim.log.lower(), claim.hash.lower()
    is_valid = _is_hex(log, 2 * LOG_ID_BYTES) and _is_hex(event_hash, 2 * HASH_BYTES)
    return CountedIdentity(log, claim.seq, event_hash) if is_valid else None


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and not text.strip("0123456789abcdef")


def _salvaged(outer: Event, stored: CountedIdentity) -> DecodedEvent:
    counted = _counted(outer.from_) if outer.from_ else None
    if counted is None:
        return DecodedEvent("not_understood", outer, None, stored)
    if outer.body is None:
        return DecodedEvent("not_understood", outer, None, counted)
    # A salvage of a salvage contains the inner event itself, so there is one layer to remove.
    try:
        inner = decode(outer.body)
    except FutureEvent:
        return DecodedEvent("future", outer, None, counted)
    except EventError:
        return DecodedEvent("not_understood", outer, None, counted)
    if inner.origin is not None:
        counted = _counted(inner.origin) or counted
    is_understood = inner.kind != "salvage" and not out_of_bounds(inner, outer.body)
    return DecodedEvent("ok" if is_understood else "not_understood", outer, inner if is_understood else None, counted)


def named_by_void(event: Event) -> PositionKey | None:
    """The target of a void, scanned or entered; None for every other event. The end of a tag session voids nothing."""
    if event.kind == "scan" and event.action == "void" and event.ref is not None and event.seen is None:
        return place_of(event.ref.log, event.ref.seq)
    if event.kind == "entry" and event.what == "void" and event.data is not None:
        return place_of(event.data.get("log"), event.data.get("seq"))
    return None


def _is_whole_number(value: object) -> TypeGuard[int]:
    """Whether a field of an entry is a whole number; JSON's true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def place_of(log: object, seq: object) -> PositionKey | None:
    """The position in two fields of an entry; None where they contain no valid one."""
    if not isinstance(log, str) or not _is_whole_number(seq) or not 0 < seq < 2**63:
        return None
    return PositionKey(log.lower(), seq) if _is_hex(log.lower(), 2 * LOG_ID_BYTES) else None


def correction(event: Event, recorded: tuple[int, str, int]) -> Correction | None:
    """The correction of a `correct` entry; None for every other event, and where no field or position is valid."""
    if event.kind != "entry" or event.what != "correct" or event.data is None:
        return None
    data = event.data
    first = place_of(data.get("log"), data.get("from_seq", data.get("seq")))
    values = data.get("set")
    if first is None or not isinstance(values, dict):
        return None
    last = place_of(first.log, data.get("to_seq", first.seq))
    fields = {name: value for name, value in values.items() if name in CORRECTABLE and _is_valid(name, value)}
    if not fields or last is None:
        return None
    return Correction(recorded, first.log, first.seq, last.seq, fields)


def _is_valid(name: str, value: object) -> bool:
    if value is None:
        return True
    if name == "qty_milli":
        return _is_whole_number(value) and 0 < value <= MAX_QTY_MILLI
    return isinstance(value, str) and value != ""


def voided(
    names: Mapping[PositionKey, PositionKey], protected: frozenset[PositionKey] = frozenset()
) -> frozenset[PositionKey]:
    """The targets of all voids that are not voided themselves. `names`: void -> target.

    `protected`: targets that no void affects. They are closed periods, which are reopened and never voided.
    """
    targets = {void: target for void, target in names.items() if target not in protected}
    unresolved: dict[PositionKey, int] = {}  # for each target, the number of its voids that are not resolved yet
    for target in targets.values():
        unresolved[target] = unresolved.get(target, 0) + 1
    voided_places: set[PositionKey] = set()
    # Topological order: begin with the voids that no void names. Those that remain form rings, which have no effect.
    resolved = [void for void in targets if void not in unresolved]
    while resolved:
        place = resolved.pop()
        named = targets.get(place)
        if named is None:
            continue
        if place not in voided_places:
            voided_places.add(named)
        unresolved[named] -= 1
        if not unresolved[named]:
            resolved.append(named)
    return frozenset(voided_places)


def corrected(places: Iterable[PositionKey], corrections: Iterable[Correction]) -> dict[str, Any]:
    """The corrected fields of an event; for each field the correction with the greatest recorded key has precedence.

    `places`: the position of the event and, where it was sent again, its first position.
    """
    fields: dict[str, Any] = {}
    for entry in sorted(corrections, key=lambda entry: entry.recorded):
        if any(entry.log == place.log and entry.from_seq <= place.seq <= entry.to_seq for place in places):
            fields.update(entry.set)
    return fields


def first_copies(copies: Iterable[tuple[CountedIdentity, PositionKey]]) -> dict[CountedIdentity, PositionKey]:
    """The stored copy that counts for each identity: the one at the identity's position, else the least position."""
    first: dict[CountedIdentity, PositionKey] = {}
    for counted, stored in copies:
        other = first.get(counted)
        if other is None or (stored != counted.place, stored) < (other != counted.place, other):
            first[counted] = stored
    return first


def effective(event: Event, recorded: OrderKey) -> OrderKey:
    """The key at which an event takes effect: an entry's `holds_from_us`, else the recorded one.

    The entries in `ACT_ON_THE_SET` always take effect at the recorded key.
    """
    holds_from_us = event.holds_from_us
    if event.kind != "entry" or holds_from_us is None or event.what in ACT_ON_THE_SET:
        return recorded
    us = min(max(holds_from_us, EARLIEST_US), LATEST_US)
    return OrderKey(us, us, us, approx=False)


def item_event(
    event: Event, counted: CountedIdentity, key: OrderKey, put: Mapping[str, Any], *, unknown: bool = False
) -> ItemEvent:
    """The item event of an event, at its effective `key`; the corrected fields `put` replace its own."""
    us, lo_us, hi_us, _ = key
    log, seq, _ = counted
    if event.kind == "entry":
        made = ItemEvent(key_us=us, lo_us=lo_us, hi_us=hi_us, log=log, seq=seq, unknown=unknown, **_entry_fields(event))
    else:
        made = ItemEvent(
            key_us=us,
            lo_us=lo_us,
            hi_us=hi_us,
            log=log,
            seq=seq,
            unknown=unknown,
            verb=event.action or "",
            station=event.station,
            stage=event.stage,
            operator=event.operator,
            qty_milli=event.qty_milli,
            all=event.all,
            reason=event.reason,
            to=event.to,
            caused_at=event.caused_at,
            carrier=event.carrier,
            work_centre=event.bench,
            repeat=event.repeat,
            seen=event.seen is not None,
            unread=event.unread,
        )
    return msgspec.structs.replace(made, **_corrected_fields(put)) if put else made


def _corrected_fields(put: Mapping[str, Any]) -> dict[str, Any]:
    """Corrected fields under the names of an item event. `item` is none of them: it decides whose event it is."""
    fields: dict[str, Any] = {}
    for name, value in put.items():
        if name == "action":
            fields["verb"] = value or ""
        elif name != "item":
            fields[name] = value
            if name == "qty_milli":
                fields["all"] = False
    return fields


def _entry_fields(event: Event) -> dict[str, Any]:
    data = event.data or {}
    if event.what != "checkin":
        named = names_by_identity(data)
        return {"verb": event.what or "", "station": event.station, "operator": event.by, "data": named}
    fields: dict[str, Any] = {name: data[name] for name in CHECKIN_TEXTS if isinstance(data.get(name), str)}
    fields.setdefault("station", event.station)
    fields.setdefault("operator", event.by)
    fields["verb"] = data["action"] if isinstance(data.get("action"), str) else ""
    fields["all"] = data.get("all") is True
    qty_milli = data.get("qty_milli")
    fields["qty_milli"] = qty_milli if _is_whole_number(qty_milli) and 0 < qty_milli <= MAX_QTY_MILLI else None
    fields["data"] = data
    return fields


def names_by_identity(data: dict[str, Any]) -> dict[str, Any]:
    """The fields of an entry with its order and its item named by the identity of their codes."""
    written = {name: data[name] for name in ("order", "item") if isinstance(data.get(name), str)}
    return {**data, **{name: identity_of_written(code) for name, code in written.items()}} if written else data


def is_fact(event: Event) -> bool:
    """Whether an event can be an item event: a scan of an item, or an entry."""
    if event.kind == "scan":
        return event.action not in {"void", "call", "answer"} and event.scheme not in {"command", "badge"}
    return event.kind == "entry"
