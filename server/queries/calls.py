"""Calls: who called for help at which stage, who answered, when, and after how long.

A call is open until the next answer at its stage, in the order of effective times. One answer ends all open calls of the
stage; an answer before a call ends nothing. A call at a station without a stage is paired with the answers of that station.
Calls have no expiry: one stays open over midnight and over restarts.

>>> paired = pair([CallEvent("call", "saw", "saw-1", at_us=1), CallEvent("answer", "saw", "hub", by="Kim", at_us=3)])
>>> [(call.answered_us, call.answered_by) for call in paired]
[(3, 'Kim')]
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, String, and_, func, literal_column, or_, select

from server.db.schema import ledger
from server.projection.call_marks import ANSWER, CALL, VERBS
from server.projection.internal_tables import call_mark, correction, resent, word
from server.projection.tables import event_state
from station.core.ledger.void_resolution import Correction, PositionKey, corrected


class CallEvent(NamedTuple):
    """A call or an answer that has effect. `at_us`: effective time (UTC us); `log`, `seq`: where the event counts."""

    verb: str
    stage: str | None
    station: str
    reason: str | None = None
    by: str | None = None
    at_us: int = 0
    log: str = ""
    seq: int = 0
    approx: bool = False

    @property
    def place(self) -> tuple[str, str]:
        """The kind of place and its id: calls and answers of one place belong together."""
        return ("stage", self.stage) if self.stage else ("station", self.station)


class Call(NamedTuple):
    """A call, and its answer if there is one; `answered_at`: the station of the answer, or the hub."""

    call: CallEvent
    answered_us: int | None = None
    answered_by: str | None = None
    answered_at: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the call has no answer."""
        return self.answered_us is None

    def waited_s(self, now_us: int) -> int:
        """Seconds from the call to its answer, or to now."""
        return ((now_us if self.answered_us is None else self.answered_us) - self.call.at_us) // 1_000_000


def pair(events: Iterable[CallEvent]) -> list[Call]:
    """The calls among events that are in effective order, each with its answer, in the same order."""
    calls: list[Call] = []
    open_at: dict[tuple[str, str], list[int]] = {}
    for event in events:
        if event.verb == CALL:
            open_at.setdefault(event.place, []).append(len(calls))
            calls.append(Call(event))
            continue
        for index in open_at.pop(event.place, ()):
            calls[index] = Call(calls[index].call, event.at_us, event.by, event.station)
    return calls


def calls_until(connection: Connection, now_us: int) -> list[Call]:
    """All calls up to a time, in effective order, with the answers up to that time."""
    return pair(event for event in _events(connection) if event.at_us <= now_us)


def open_calls(connection: Connection, now_us: int) -> list[Call]:
    """The calls without an answer at a time, the oldest first."""
    if _is_corrected(connection):
        return [call for call in calls_until(connection, now_us) if call.is_open]
    return [call for call in pair(_events(connection, since_answer_us=now_us)) if call.is_open]


def _is_corrected(connection: Connection) -> bool:
    """Whether a correction may concern a call or an answer: then only the whole history gives its place."""
    mark, stored, change = call_mark.c, ledger.c, correction.c
    spans = and_(stored.log_id == change.of_log, stored.seq.between(change.from_seq, change.to_seq))
    named = select(mark.pos).join(ledger, stored.pos == mark.pos).join(correction, spans)
    sent_again = select(mark.pos).join(resent, resent.c.pos == mark.pos)
    return any(connection.execute(query.limit(1)).first() is not None for query in (sent_again, named))


def _events(connection: Connection, since_answer_us: int | None = None) -> list[CallEvent]:
    """The calls and answers that have effect, as corrected, in effective order.

    `since_answer_us`: only those from the last answer of their place before this time on, and none after it.
    """
    mark, state, row_of = call_mark.c, event_state.c, ledger.c
    query = (
        select(
            mark.verb, mark.stage, mark.station, mark.reason, mark.by, mark.holds_from_us,
            state.key_us, state.approx, row_of.log_id, row_of.seq, word.c.text.label("at_log"), state.at_seq,
            func.coalesce(state.at_hash, row_of.hash).label("at_hash"),
        )
        # An outer join, because SQLite may begin an inner one with all events of the shop.
        .outerjoin(event_state, and_(state.pos == mark.pos, state.status == "ok"))
        .outerjoin(ledger, row_of.pos == state.pos)
        .outerjoin(word, word.c.id == state.at_log)
    )  # fmt: skip
    if since_answer_us is not None:
        at_us, place = (
            func.coalesce(mark.holds_from_us, state.key_us),
            # Literals: PostgreSQL does not see that two bound parameters are the same, and refuses to group by them.
            func.coalesce(
                func.nullif(mark.stage, literal_column("''")), literal_column("'\x01'", String) + mark.station
            ),
        )
        answers = (
            select(place.label("place"), func.max(at_us).label("at_us"))
            .select_from(call_mark)
            .outerjoin(event_state, and_(state.pos == mark.pos, state.status == "ok"))
            .where(and_(mark.verb == ANSWER, state.key_us.is_not(None), at_us <= since_answer_us))
            .group_by(place)
            .subquery()
        )
        query = query.outerjoin(answers, answers.c.place == place).where(
            and_(at_us <= since_answer_us, or_(answers.c.at_us.is_(None), at_us >= answers.c.at_us))
        )
    rows = connection.execute(query).all()
    corrections = [_correction(row) for row in connection.execute(select(correction))] if rows else []
    found = []
    for row in rows:
        if row.key_us is None:
            continue  # void, a second copy, or not permitted
        own, counted = PositionKey(row.log_id.hex(), row.seq), PositionKey(row.at_log, row.at_seq)
        is_entry = row.holds_from_us is not None
        at_us = row.holds_from_us if is_entry else row.key_us
        event = CallEvent(
            row.verb, row.stage, row.station, row.reason, row.by, at_us, *counted, row.approx and not is_entry
        )
        put = corrected({own, counted}, corrections) if corrections else {}
        if put:
            event = _as_corrected(event, put)
        if event.verb in VERBS:
            found.append((event.at_us, event.log, event.seq, row.at_hash, event))
    found.sort(key=lambda entry: entry[:4])
    return [event for *_, event in found]


def _correction(row: Any) -> Correction:
    recorded = (row.key_us, row.log_id.hex(), row.seq)
    return Correction(recorded, row.of_log.hex(), row.from_seq, row.to_seq, msgspec.json.decode(row.put))


def _as_corrected(event: CallEvent, put: dict[str, Any]) -> CallEvent:
    """The event with its corrected stage, operator and action; another action makes it no call."""
    return event._replace(
        stage=put.get("stage", event.stage), by=put.get("operator", event.by), verb=put.get("action", event.verb) or ""
    )
