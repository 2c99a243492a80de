"""Void resolution: which events count after voids, corrections and second copies; item events from those that count.

A void names one event and takes it out; a void of that void brings it back. Voids that name each other in a ring do
nothing, one whose target has not arrived waits. A correction puts other values in place of scanned ones; of two that set
the same field the later recorded one wins. An event that was sent again in a new log counts once, at its old place.

>>> first, undo, undo_of_undo = Place("a", 1), Place("a", 2), Place("b", 1)
>>> voided({undo: first})
frozenset({Place(log='a', seq=1)})
>>> voided({undo: first, undo_of_undo: undo})
frozenset({Place(log='a', seq=2)})
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeGuard

from station.core.bounds import out_of_bounds
from station.core.event import MAX_QTY_MILLI, Event, EventError, EventIdentity, FutureEvent, decode
from station.core.hash_chain import HASH_BYTES, LOG_ID_BYTES
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.times import EARLIEST_US, LATEST_US, OrderKey

CORRECTABLE = frozenset({"stage", "operator", "action", "item", "qty_milli"})
ACT_ON_THE_SET = frozenset({"void", "correct", "reread", "period.close", "period.reopen"})
# What a `checkin` says of a scan that was not made: the fields of a scan, by their own names.
CHECKIN_TEXTS = ("stage", "operator", "reason", "to", "caused_at", "carrier", "work_centre", "station")


class Place(NamedTuple):
    """A position in a log: the log's id in hex, and the sequence number."""

    log: str
    seq: int


class CountedIdentity(NamedTuple):
    """The identity under which an event counts once: where it first stood, and its hash there, in hex."""

    log: str
    seq: int
    hash: str

    @property
    def place(self) -> Place:
        """Where it counts."""
        return Place(self.log, self.seq)


class DecodedEvent(NamedTuple):
    """What the bytes at a place are: `status` ok, not_understood or future, the event to fold, and its counted identity.

    Of a salvage the event is the one inside, None where its bytes were lost.
    """

    status: str
    outer: Event | None
    event: Event | None
    counted: CountedIdentity


class Correction(NamedTuple):
    """An entry `correct`: these fields of the events from `from_seq` to `to_seq` of a log. `recorded`: its own order key."""

    recorded: tuple[int, str, int]
    log: str
    from_seq: int
    to_seq: int
    set: Mapping[str, Any]


def read(log: str, seq: int, event_hash: str, encoded: bytes) -> DecodedEvent:
    """Read what stands at a place of a log; never raises."""
    stored = CountedIdentity(log, seq, event_hash)
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
    return DecodedEvent("ok", outer, outer, counted)


def _counted(claim: EventIdentity) -> CountedIdentity | None:
    log, event_hash = claim.log.lower(), claim.hash.lower()
    fits = _is_hex(log, 2 * LOG_ID_BYTES) and _is_hex(event_hash, 2 * HASH_BYTES)
    return CountedIdentity(log, claim.seq, event_hash) if fits else None


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and not text.strip("0123456789abcdef")


def _salvaged(outer: Event, stored: CountedIdentity) -> DecodedEvent:
    counted = _counted(outer.from_) if outer.from_ else None
    if counted is None:
        return DecodedEvent("not_understood", outer, None, stored)
    if outer.body is None:
        return DecodedEvent("not_understood", outer, None, counted)
    # A salvage of a salvage repeats the inner ones, so there is one layer to take off.
    try:
        inner = decode(outer.body)
    except FutureEvent:
        return DecodedEvent("future", outer, None, counted)
    except EventError:
        return DecodedEvent("not_understood", outer, None, counted)
    if inner.origin is not None:
        counted = _counted(inner.origin) or counted
    understood = inner.kind != "salvage" and not out_of_bounds(inner, outer.body)
    return DecodedEvent("ok" if understood else "not_understood", outer, inner if understood else None, counted)


def named_by_void(event: Event) -> Place | None:
    """The place that a void means, scanned or entered; None for every other event; an end of a presence voids nothing."""
    if event.kind == "scan" and event.action == "void" and event.ref is not None and event.seen is None:
        return place_of(event.ref.log, event.ref.seq)
    if event.kind == "entry" and event.what == "void" and event.data is not None:
        return place_of(event.data.get("log"), event.data.get("seq"))
    return None


def _is_whole(value: object) -> TypeGuard[int]:
    """Whether a field of an entry is a whole number: JSON's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def place_of(log: object, seq: object) -> Place | None:
    """The place that two fields of an entry name; None where they name none."""
    if not isinstance(log, str) or not _is_whole(seq) or not 0 < seq < 2**63:
        return None
    return Place(log.lower(), seq) if _is_hex(log.lower(), 2 * LOG_ID_BYTES) else None


def correction(event: Event, recorded: tuple[int, str, int]) -> Correction | None:
    """What a `correct` says, None for every other event and for one that says nothing that can be done."""
    if event.kind != "entry" or event.what != "correct" or event.data is None:
        return None
    data = event.data
    first = place_of(data.get("log"), data.get("from_seq", data.get("seq")))
    put = data.get("set")
    if first is None or not isinstance(put, dict):
        return None
    last = place_of(first.log, data.get("to_seq", first.seq))
    fields = {name: value for name, value in put.items() if name in CORRECTABLE and _fits(name, value)}
    if not fields or last is None:
        return None
    return Correction(recorded, first.log, first.seq, last.seq, fields)


def _fits(name: str, value: object) -> bool:
    if value is None:
        return True
    if name == "qty_milli":
        return _is_whole(value) and 0 < value <= MAX_QTY_MILLI
    return isinstance(value, str) and value != ""


def voided(names: Mapping[Place, Place], protected: frozenset[Place] = frozenset()) -> frozenset[Place]:
    """The places that an unvoided void names. `names`: void -> target; `protected`: targets that no void reaches.

    A protected place is a closed period: it is reopened, never voided.
    """
    edges = {void: target for void, target in names.items() if target not in protected}
    unsettled: dict[Place, int] = {}
    for target in edges.values():
        unsettled[target] = unsettled.get(target, 0) + 1
    void: set[Place] = set()
    # Peel from the voids that nobody names; what is left when none can be peeled are rings, and those have no effect.
    settled = [place for place in edges if place not in unsettled]
    while settled:
        place = settled.pop()
        named = edges.get(place)
        if named is None:
            continue
        if place not in void:
            void.add(named)
        unsettled[named] -= 1
        if not unsettled[named]:
            settled.append(named)
    return frozenset(void)


def corrected(places: Iterable[Place], corrections: Iterable[Correction]) -> dict[str, Any]:
    """The fields put in place of the recorded ones; for each field the correction with the greatest recorded key wins.

    `places`: where the event stands and, for one sent again, where it stood first.
    """
    fields: dict[str, Any] = {}
    for each in sorted(corrections, key=lambda one: one.recorded):
        if any(each.log == place.log and each.from_seq <= place.seq <= each.to_seq for place in places):
            fields.update(each.set)
    return fields


def first_copies(copies: Iterable[tuple[CountedIdentity, Place]]) -> dict[CountedIdentity, Place]:
    """Which stored copy stands for each counted identity: the one at its own place, else the least place."""
    chosen: dict[CountedIdentity, Place] = {}
    for counted, stored in copies:
        held = chosen.get(counted)
        if held is None or (stored != counted.place, stored) < (held != counted.place, held):
            chosen[counted] = stored
    return chosen


def effective(event: Event, recorded: OrderKey) -> OrderKey:
    """The key at which an event acts: an entry's `holds_from_us`, except for what acts on the set; else the recorded one."""
    holds_from_us = event.holds_from_us
    if event.kind != "entry" or holds_from_us is None or event.what in ACT_ON_THE_SET:
        return recorded
    us = min(max(holds_from_us, EARLIEST_US), LATEST_US)
    return OrderKey(us, us, us, approx=False)


def fact(
    event: Event, counted: CountedIdentity, key: OrderKey, put: Mapping[str, Any], *, unknown: bool = False
) -> ItemEvent:
    """The fact that an event states, at its effective `key`, with the corrected fields `put` in place of its own."""
    if event.kind == "entry":
        said = _entry_fields(event)
    else:
        said = {
            "verb": event.action or "",
            "station": event.station,
            "stage": event.stage,
            "operator": event.operator,
            "qty_milli": event.qty_milli,
            "all": event.all,
            "reason": event.reason,
            "to": event.to,
            "caused_at": event.caused_at,
            "carrier": event.carrier,
            "work_centre": event.bench,
            "repeat": event.repeat,
            "seen": event.seen is not None,
            "unread": event.unread,
        }
    for name, value in put.items():
        if name == "action":
            said["verb"] = value or ""
        elif name != "item":
            said[name] = value
            if name == "qty_milli":
                said["all"] = False
    return ItemEvent(
        key_us=key.us, lo_us=key.lo_us, hi_us=key.hi_us, log=counted.log, seq=counted.seq, unknown=unknown, **said
    )


def _entry_fields(event: Event) -> dict[str, Any]:
    data = event.data or {}
    if event.what != "checkin":
        return {"verb": event.what or "", "station": event.station, "operator": event.by, "data": data}
    said: dict[str, Any] = {name: data[name] for name in CHECKIN_TEXTS if isinstance(data.get(name), str)}
    said.setdefault("station", event.station)
    said.setdefault("operator", event.by)
    said["verb"] = data["action"] if isinstance(data.get("action"), str) else ""
    said["all"] = data.get("all") is True
    qty_milli = data.get("qty_milli")
    said["qty_milli"] = qty_milli if _is_whole(qty_milli) and 0 < qty_milli <= MAX_QTY_MILLI else None
    said["data"] = data
    return said


def is_fact(event: Event) -> bool:
    """Whether an event can state something about an item: a scan of a thing, or an entry that names one."""
    if event.kind == "scan":
        return event.action not in {"void", "call"} and event.scheme not in {"command", "badge"}
    return event.kind == "entry"
