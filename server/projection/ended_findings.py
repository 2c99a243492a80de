"""Ended findings: mark the findings that ended, and those that a person answered.

Runs in the transaction that writes the items, so that a list of open findings reads no state of an item. Whether a finding
has ended depends on the present state of its item alone, so that a rebuild marks the same.

>>> finding_etag('{"qty_milli":2000,"op":10}') == finding_etag('{"op":10,"qty_milli":2000}')
True
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, or_, select

from server.projection.item_rows import BIGGEST
from server.projection.tables import finding
from station.core.ledger.finding_ends import ENDS, has_ended
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import ItemState
from station.core.ledger.rules import CHARGED

FINDING_ANSWER = "finding.answer"
ITEMS_A_QUERY = 500
ETAG_CHARACTERS = 16
_ARGS = msgspec.json.Decoder(dict[str, Any])
_SORTED = msgspec.json.Encoder(order="deterministic")


def finding_etag(args: str) -> str:
    """What tells the arguments of a stored finding (JSON) from others: an answer holds for those that the person saw.

    What is charged is left out: its money follows the prices, and answers from before it was recorded stay valid.
    """
    seen = {name: value for name, value in _ARGS.decode(args).items() if name != CHARGED}
    return sha256(_SORTED.encode(seen)).hexdigest()[:ETAG_CHARACTERS]


def mark_answered(connection: Connection, item: str, answers: Iterable[ItemEvent]) -> None:
    """Store the answers of persons with the findings that they name; one that names none has no effect.

    An answer with `etag` names a finding with these arguments only: where a correction changed them, it is open again.
    """
    c = finding.c
    for answer in answers:
        data = answer.data or {}
        log, seq, note = _log_id(data.get("log")), data.get("seq"), data.get("note")
        if log is None or not isinstance(seq, int) or not 0 < seq <= BIGGEST:
            continue
        named = and_(c.item == item, c.rule == str(data.get("rule")), c.log_id == log, c.seq == seq)
        rows = connection.execute(select(c.id, c.args).where(and_(named, c.answered_us.is_(None)))).all()
        etag = data.get("etag")
        ids = [row.id for row in rows if etag is None or finding_etag(row.args) == etag]
        if ids:
            connection.execute(
                finding.update()
                .where(c.id.in_(ids))
                .values(
                    answered_us=answer.key_us,
                    answered_by=answer.operator or "",
                    note=note if isinstance(note, str) and note else None,
                )
            )


def mark_ended(connection: Connection, states: Sequence[ItemState]) -> None:
    """Mark which findings of these items have ended, by later events or because the order was closed later."""
    c = finding.c
    for start in range(0, len(states), ITEMS_A_QUERY):
        state_of = {state.item: state for state in states[start : start + ITEMS_A_QUERY]}
        closed = [state.item for state in state_of.values() if state.closed_us is not None]
        # Of rules without an end only the closing counts: the rows of an open order need no look unless they have ended.
        may_differ = or_(c.rule.in_(ENDS), c.ended, c.item.in_(closed))
        query = select(c.id, c.item, c.rule, c.key_us, c.args, c.ended).where(and_(c.item.in_(state_of), may_differ))
        now: dict[bool, list[int]] = {True: [], False: []}
        for row in connection.execute(query):
            ended = _has_ended(row, state_of[row.item])
            if ended != row.ended:
                now[ended].append(row.id)
        for ended, ids in now.items():
            if ids:
                connection.execute(finding.update().where(c.id.in_(ids)).values(ended=ended))


def _has_ended(row: Any, state: ItemState) -> bool:
    if state.closed_us is not None and row.key_us < state.closed_us:
        return True
    return row.rule in ENDS and has_ended(row.rule, _ARGS.decode(row.args), state)


def _log_id(text: Any) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        return None
