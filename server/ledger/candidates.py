"""Candidates: entries to check before they are written, and those of the hub that are not projected yet."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select

from server.db import schema
from server.projection.pipeline import projected_pos
from station.core.event import EventError, decode
from station.core.ledger.void_resolution import names_by_identity

MOST_PENDING = 5_000  # own entries without projection that are read for the checks of one request


class Refusal(NamedTuple):
    """The reason of a refusal. `status` 409: the entry is valid, but needs a decision about the present state."""

    came: str
    expected: str
    do: str
    status: int = 400
    unchanged: bool = False  # it holds already


class Candidate(NamedTuple):
    """An entry to check: its kind, its fields, and the time from which it holds (UTC us; None: now)."""

    what: str
    data: dict[str, Any]
    holds_from_us: int | None = None


def candidate(what: str, data: dict[str, Any], holds_from_us: int | None = None) -> Candidate:
    """An entry to check, with its order and its item named as in the projection, by the identity of their codes."""
    return Candidate(what, names_by_identity(data), holds_from_us)


def pending_entries(connection: Connection, most: int, kinds: frozenset[str]) -> list[Candidate]:
    """The hub's own entries of these kinds that are not projected, in ledger order; at most `most` + 1."""
    ledger, log = schema.ledger.c, schema.log.c
    own = and_(ledger.pos > projected_pos(connection), log.device.is_(None))
    query = select(ledger.bytes).join(schema.log, log.log_id == ledger.log_id).where(own)
    quoted = [f'"{kind}"'.encode() for kind in kinds]
    entries: list[Candidate] = []
    for encoded in connection.execute(query.order_by(ledger.pos)).scalars():
        if len(entries) > most:
            break
        if not any(kind in encoded for kind in quoted):
            continue
        try:
            event = decode(encoded)
        except EventError:
            continue  # an entry of a later version
        if event.kind == "entry" and event.what in kinds:
            entries.append(candidate(event.what, event.data or {}, event.holds_from_us))
    return entries
