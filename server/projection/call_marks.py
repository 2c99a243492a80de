"""Call marks: the CALL and ANSWER scans and the `answer` entries of the ledger, for the pairing of calls with answers.

A mark is written once, when its event is projected, and never changes. Whether the event has effect, and when it took place,
is in `event_state`, so voids and later clock relations need no work here, and any order of arrival gives the same rows.
`server.queries.calls` pairs the marks.

>>> mark_of(Event(kind="entry", station="hub", sw="t", what="answer", by="Kim", data={"stage": "saw"}))
CallMark(verb='answer', stage='saw', station='hub', reason=None, by='Kim', holds_from_us=None)
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection

from server.db.bulk_insert import insert_many
from server.projection.internal_tables import call_mark
from server.projection.ledger_row import LedgerRow
from station.core.event import Event
from station.core.ledger.times import OrderKey
from station.core.ledger.void_resolution import effective

CALL, ANSWER = "call", "answer"
VERBS = frozenset({CALL, ANSWER})


class CallMark(NamedTuple):
    """A call or an answer: where, why and by whom; `holds_from_us`: the time of an entry that names one (UTC us).

    `station`: the station of a scan; of an entry the station whose calls without a stage it answers, else the hub.
    """

    verb: str
    stage: str | None
    station: str
    reason: str | None
    by: str | None
    holds_from_us: int | None


def mark_of(event: Event) -> CallMark | None:
    """The mark of an event; None for an event that neither calls nor answers, and for a repeat."""
    if event.kind == "scan":
        if event.action not in VERBS or event.repeat or event.seen is not None:
            return None
        return CallMark(event.action or "", event.stage, event.station, event.reason, event.operator, None)
    if event.kind != "entry" or event.what != ANSWER:
        return None
    data = event.data or {}
    stage, station = _name(data.get("stage")), _name(data.get("station"))
    if stage is None and station is None:
        return None  # an answer to something else, of an earlier version
    named_us = None if event.holds_from_us is None else effective(event, OrderKey()).us
    return CallMark(ANSWER, stage, station or event.station, None, event.by, named_us)


def note_calls(connection: Connection, rows: Iterable[LedgerRow]) -> None:
    """Store the marks of these new ledger rows, void ones included: a void may itself be voided."""
    marks = [(row.pos, *mark) for row in rows if row.event is not None and (mark := mark_of(row.event)) is not None]
    insert_many(connection, call_mark, marks)


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value and "\0" not in value else None
