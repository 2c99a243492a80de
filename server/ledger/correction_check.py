"""Correction check: `correct` gives scans and check-ins other values, `void` names an event of the ledger.

The fold applies a correction to the fields of a scan. A correction of any other entry would be recorded and shown, and
change nothing; the refusal names the entry to use instead.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, select

from server.db import schema
from server.ledger.candidates import MOST_PENDING, Candidate, Refusal, pending_entries
from server.ledger.journal_check import JOURNALS
from server.ledger.shop_names import ShopNames
from server.projection.internal_tables import correction, resent
from server.projection.tables import event_item, item
from station.core.codes import identity_of_written
from station.core.event import Event
from station.core.ledger.void_resolution import Correction, DecodedEvent, PositionKey, corrected, read

CORRECT, VOID = "correct", "void"
MOST_READ = 5_000  # events of one correction that are read
DEFINE_AGAIN = "Enter it again with the right fields: the later definition has precedence."
INSTEAD = {
    "order.release": "Use order.change for its quantity, due day or priority, or void the release.",
    "order.change": "Use another order.change.",
    "order.close": "Void the closing, and close the order again.",
    "adjust": "Void it and enter the right one.",
    "account.map": "Use another account.map with the same `holds_from_us`.",
    "account.balance": "Use another account.balance of this account and period.",
    "cost.set": "Use another cost.set with the same `holds_from_us`.",
    "code.bind": "Use another code.bind of this code.",
    "item.name": "Use another item.name.",
    "void": "Void the void.",
    "correct": "Correct the scan again, or void the correction.",
    "period.close": "Use period.reopen.",
    "period.reopen": "Use period.close.",
    "journal.export": "Use journal.reverse.",
    "journal.reverse": "Export the journal of the period again.",
}
NEVER_VOIDED = frozenset({"period.close", "period.reopen", *JOURNALS})  # a void would leave what they did


class CorrectionChecks:
    """The checks of the corrections and voids of one request."""

    def __init__(
        self,
        connection: Connection,
        entries: Sequence[Candidate],
        names: ShopNames,
        most_pending: int = MOST_PENDING,
    ) -> None:
        self._connection, self._names = connection, names
        self._certain = True
        if any(entry.what == CORRECT for entry in entries):
            self._certain = not pending_entries(connection, most_pending, frozenset({CORRECT, VOID}))

    def refusal(self, entry: Candidate) -> Refusal | None:
        """The reason to refuse an entry; None for an accepted one."""
        if entry.what == VOID:
            log, seq = entry.data["log"], entry.data["seq"]
            return self._absent(VOID, log, seq) or self._never_voided(log, seq)
        if entry.what != CORRECT:
            return None
        refused = self._correction(entry.data)
        if refused is None:
            self._certain = False  # what is there now is known when this correction is projected
        return refused

    def _absent(self, what: str, log: str, seq: int) -> Refusal | None:
        """The refusal of a place that is not in the ledger, neither as it is stored nor as an event that was sent again."""
        for table, log_id, at_seq in (
            (schema.ledger, schema.ledger.c.log_id, schema.ledger.c.seq),
            (resent, resent.c.at_log, resent.c.at_seq),
        ):
            same = and_(log_id == bytes.fromhex(log), at_seq == seq)
            if self._connection.execute(select(at_seq).select_from(table).where(same).limit(1)).first() is not None:
                return None
        return Refusal(
            f"{what} of {log}:{seq}, which is not in the ledger",
            "the place of an event in the ledger",
            "Take log and seq from the item's `events` in the API; wait until the station has sent the event.",
        )

    def _never_voided(self, log: str, seq: int) -> Refusal | None:
        """The refusal of a void of an entry that closed or reopened a period, or that gave the number of a journal away."""
        ledger = schema.ledger.c
        at = and_(ledger.log_id == bytes.fromhex(log), ledger.seq == seq)
        row = self._connection.execute(select(schema.ledger).where(at)).first()
        event = None if row is None else read(log, seq, row.hash.hex(), row.bytes).event
        if event is None or event.kind != "entry" or event.what not in NEVER_VOIDED:
            return None
        came = f"void of {log}:{seq}, a {event.what}"
        return Refusal(came, "an event that a void takes back", INSTEAD[event.what])

    def _correction(self, data: dict[str, Any]) -> Refusal | None:
        log, first, last, values = data["log"], data["from_seq"], data["to_seq"], data["set"]
        refused = self._absent(CORRECT, log, first) or self._absent(CORRECT, log, last)
        if refused is not None:
            return refused
        came = f"correct of {log}:{first}" + (f" to {last}" if last != first else "")
        events = self._events(log, first, last)
        refused = _not_correctable(came, [reading.event for _, reading in events if reading.event is not None])
        if refused is None and values.get("operator") is not None:
            refused = self._names.unknown_person(CORRECT, values["operator"])
        if refused is not None:
            return refused
        return self._quantity(came, events, values) or self._unchanged(came, events, values)

    def _events(self, log: str, first: int, last: int) -> list[tuple[int, DecodedEvent]]:
        """(position, decoded event) of the events in a range: as stored there, and as sent again in another log."""
        ledger = schema.ledger.c
        rows: list[Any] = []
        stored = and_(ledger.log_id == bytes.fromhex(log), ledger.seq >= first, ledger.seq <= last)
        copied = and_(resent.c.at_log == bytes.fromhex(log), resent.c.at_seq >= first, resent.c.at_seq <= last)
        copies = select(resent.c.pos).where(copied).limit(MOST_READ)
        for condition in (stored, ledger.pos.in_(copies)):
            rows += self._connection.execute(select(schema.ledger).where(condition).limit(MOST_READ)).all()
        return [(row.pos, read(row.log_id.hex(), row.seq, row.hash.hex(), row.bytes)) for row in rows]

    def _quantity(self, came: str, events: list[tuple[int, DecodedEvent]], values: dict[str, Any]) -> Refusal | None:
        """Check the corrected quantity against the unit of the product of each item."""
        quantity = values.get("qty_milli")
        if quantity is None:
            return None
        if isinstance(values.get("item"), str):
            named = item.c.item == identity_of_written(values["item"])
        else:
            at = event_item.c.pos.in_([pos for pos, _ in events][:MOST_READ])
            named = item.c.item.in_(select(event_item.c.item).where(at))
        for product in self._connection.execute(select(item.c.product).where(named).distinct()).scalars():
            refused = self._names.part_unit(came, product, quantity)
            if refused is not None:
                return refused
        return None

    def _unchanged(self, came: str, events: list[tuple[int, DecodedEvent]], values: dict[str, Any]) -> Refusal | None:
        """The refusal of a correction whose values are equal to what is there, in every event of the range."""
        scans = [(pos, one) for pos, one in events if one.event is not None and one.event.kind in ("scan", "entry")]
        if not self._certain or not scans or len(scans) >= MOST_READ:
            return None
        for pos, reading in scans:
            now = self._values(pos, reading)
            if any(name not in now or now[name] != _canonical(name, value) for name, value in values.items()):
                return None
        return Refusal(f"{came} without effect", "a field with a new value", "It is so already.")

    def _values(self, pos: int, reading: DecodedEvent) -> dict[str, Any]:
        """The correctable fields of an event as they count now: recorded, then corrected."""
        event, place, c = reading.event, reading.counted.place, correction.c
        assert event is not None
        source = event.data or {} if event.kind == "entry" else {}
        now = {
            name: source.get(name) if event.kind == "entry" else getattr(event, name)
            for name in ("stage", "operator", "action", "qty_milli")
        }
        if event.kind == "entry" and now["operator"] is None:
            now["operator"] = event.by
        items = self._connection.execute(select(event_item.c.item).where(event_item.c.pos == pos)).scalars().all()
        if len(items) == 1:
            now["item"] = items[0]
        same = and_(c.of_log == bytes.fromhex(place.log), c.from_seq <= place.seq, c.to_seq >= place.seq)
        changes = [_correction_of(row) for row in self._connection.execute(select(correction).where(same))]
        put = corrected([PositionKey(*place)], changes)
        return now | {name: _canonical(name, value) for name, value in put.items()}


def _correction_of(row: Any) -> Correction:
    recorded = (row.key_us, row.log_id.hex(), row.seq)
    return Correction(recorded, row.of_log.hex(), row.from_seq, row.to_seq, msgspec.json.decode(row.put))


def _canonical(name: str, value: Any) -> Any:
    return identity_of_written(value) if name == "item" and isinstance(value, str) else value


def _not_correctable(came: str, events: list[Event]) -> Refusal | None:
    """The refusal of a range with an entry that is no check-in, or without any scan or check-in."""
    expected = "a scan or a check-in"
    other = next((event for event in events if event.kind == "entry" and event.what != "checkin"), None)
    if other is not None:
        what = other.what or ""
        do = INSTEAD.get(what, DEFINE_AGAIN if what.endswith(".define") else "Void it and enter it again.")
        return Refusal(f"{came}, an {what}" if what[:1] in "aeio" else f"{came}, a {what}", expected, do)
    if not any(event.kind in ("scan", "entry") for event in events):
        kinds = ", ".join(sorted({event.kind for event in events})) or "nothing that is decoded"
        return Refusal(
            f"{came}: {kinds}", expected, "Take log and seq of the scan from the item's `events` in the API."
        )
    return None
