"""Ended findings: mark the findings that later events ended, and those that a person answered.

Runs in the transaction that writes the items, so that a list of open findings reads no state of an item.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, select

from server.projection.item_rows import BIGGEST
from server.projection.tables import OPEN, finding
from station.core.ledger.finding_ends import ENDS, has_ended
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import ItemState

FINDING_ANSWER = "finding.answer"
ITEMS_A_QUERY = 500
_ARGS = msgspec.json.Decoder(dict[str, Any])


def mark_answered(connection: Connection, item: str, answers: Iterable[ItemEvent]) -> None:
    """Store the answers of persons with the findings that they name; one that names none has no effect."""
    c = finding.c
    for answer in answers:
        data = answer.data or {}
        log, seq, note = _log_id(data.get("log")), data.get("seq"), data.get("note")
        if log is None or not isinstance(seq, int) or not 0 < seq <= BIGGEST:
            continue
        named = and_(c.item == item, c.rule == str(data.get("rule")), c.log_id == log, c.seq == seq)
        connection.execute(
            finding.update()
            .where(and_(named, c.answered_us.is_(None)))
            .values(
                answered_us=answer.key_us,
                answered_by=answer.operator or "",
                note=note if isinstance(note, str) and note else None,
            )
        )


def mark_ended(connection: Connection, states: Sequence[ItemState]) -> None:
    """Mark the open findings of these items that have ended: by later events, or because the order was closed later."""
    c = finding.c
    for start in range(0, len(states), ITEMS_A_QUERY):
        state_of = {state.item: state for state in states[start : start + ITEMS_A_QUERY]}
        query = select(c.id, c.item, c.rule, c.args).where(and_(c.item.in_(state_of), c.rule.in_(ENDS), OPEN))
        ended = [
            row.id
            for row in connection.execute(query)
            if has_ended(row.rule, _ARGS.decode(row.args), state_of[row.item])
        ]
        if ended:
            connection.execute(finding.update().where(c.id.in_(ended)).values(ended=True))
        for state in state_of.values():
            if state.closed_us is not None:
                earlier = and_(c.item == state.item, c.key_us < state.closed_us, c.ended.is_(False))
                connection.execute(finding.update().where(earlier).values(ended=True))


def _log_id(text: Any) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        return None
