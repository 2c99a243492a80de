"""Roles that one entry needs: the role of its own kind, or for an undoing the role of what it undoes.

`void` and `correct` change what another event does. They need the same roles as that event: voiding a `cost.set` needs
`account`, voiding the void of a `cost.set` needs `account` too. An event that is not in the ledger cannot be judged, and its
void would wait for it; that needs `administer`.

The targets are read from the ledger and never from the projection, which may lag behind. The ledger is append-only, so the
answer for an event that is in it does not change between this check and the write.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from sqlalchemy import Connection, and_, func, select

from server.auth.roles import Role, needed_for
from server.db import schema
from server.projection.internal_tables import resent
from station.core.event import Event
from station.core.ledger.void_resolution import DecodedEvent, Place, correction, named_by_void, read

UNDOING = frozenset({"void", "correct"})
ROWS_AT_ONCE = 2_000
_ADMINISTER = frozenset({Role.ADMINISTER})
_ANY_TIME = (0, "", 0)  # the order key of a correction decides nothing here


def needed_to_enter(connection: Connection, what: str, data: Mapping[str, Any]) -> frozenset[Role]:
    """Every role that a person needs for this entry; all of them are needed together.

    An undoing that names no event needs the role of its own kind; `server.ledger.entries` then refuses it.
    """
    if what not in UNDOING:
        return frozenset({needed_for(what)})
    event = Event(kind="entry", station="", sw="", what=what, data=dict(data))
    return _roles_of_undoing(connection, event) or frozenset({needed_for(what)})


def _roles_of_undoing(connection: Connection, event: Event) -> frozenset[Role]:
    """Follow voids and corrections to the innermost events; collect the roles of those.

    Each place is read once, so voids that name each other in a ring end too. `ADMINISTER` includes every other role, so the
    search ends at the first event that needs it.
    """
    roles: set[Role] = set()
    seen: set[Place] = set()
    waiting = [event]
    while waiting:
        for target in _targets(connection, waiting.pop(), seen):
            if target is None:
                return _ADMINISTER
            if _undoes(target):
                waiting.append(target)
            else:
                roles.add(_role_of(target))
            if Role.ADMINISTER in roles:
                return _ADMINISTER
    return frozenset(roles)


def _undoes(event: Event) -> bool:
    return named_by_void(event) is not None or correction(event, _ANY_TIME) is not None


def _role_of(event: Event) -> Role:
    if event.kind == "scan":
        return Role.SUPERVISE
    if event.kind == "entry" and event.what is not None:
        return needed_for(event.what)
    return Role.ADMINISTER  # anchors and the openings of logs: clocks and histories hang on them


def _targets(connection: Connection, event: Event, seen: set[Place]) -> Iterator[Event | None]:
    """The events that a void or a correction acts on; None for one that is absent or cannot be read."""
    named = named_by_void(event)
    if named is not None:
        if named not in seen:
            seen.add(named)
            yield from _voided(connection, named)
        return
    found = correction(event, _ANY_TIME)
    if found is not None:
        yield from _corrected(connection, found.log, found.from_seq, found.to_seq)


def _voided(connection: Connection, named: Place) -> Iterator[Event | None]:
    """The event at a place, and its copies that were sent again in other logs."""
    readings = [*_stored(connection, named.log, named.seq, named.seq), *_copies(connection, named.log, named.seq)]
    if not readings:
        yield None
    for reading in readings:
        yield reading.event


def _corrected(connection: Connection, log: str, first: int, last: int) -> Iterator[Event | None]:
    """The scans and entries in a range of a log. A correction changes nothing about other kinds, voids and corrections.

    A number that is missing below the end of a station's log is a declared gap: only scans can have been there. Everything
    else that is not in the ledger is unknown.
    """
    ledger = schema.ledger.c
    wanted = and_(ledger.log_id == bytes.fromhex(log), ledger.seq >= first, ledger.seq <= last)
    here = connection.execute(select(func.count()).where(wanted)).scalar_one()
    if here < last - first + 1:
        row = connection.execute(select(schema.log).where(schema.log.c.log_id == bytes.fromhex(log))).first()
        if row is None or row.device is None or last > row.accepted_thru:
            yield None
            return
    for reading in chain(_copies(connection, log, first, last), _stored(connection, log, first, last)):
        event = reading.event
        if event is None or (event.kind in ("scan", "entry") and not _undoes(event)):
            yield event


def _stored(connection: Connection, log: str, first: int, last: int) -> Iterator[DecodedEvent]:
    ledger = schema.ledger.c
    after = first - 1
    while True:
        wanted = and_(ledger.log_id == bytes.fromhex(log), ledger.seq > after, ledger.seq <= last)
        rows = connection.execute(
            select(ledger.seq, ledger.bytes, ledger.hash).where(wanted).order_by(ledger.seq).limit(ROWS_AT_ONCE)
        ).all()
        if not rows:
            return
        for row in rows:
            yield read(log, row.seq, row.hash.hex(), row.bytes)
        after = rows[-1].seq


def _copies(connection: Connection, log: str, first: int, last: int | None = None) -> Iterator[DecodedEvent]:
    """What was sent again in another log and counts at these places."""
    ledger = schema.ledger
    at = and_(resent.c.at_log == bytes.fromhex(log), resent.c.at_seq >= first, resent.c.at_seq <= (last or first))
    wanted = select(ledger.c.log_id, ledger.c.seq, ledger.c.bytes, ledger.c.hash).join(
        resent, and_(resent.c.log_id == ledger.c.log_id, resent.c.seq == ledger.c.seq)
    )
    for row in connection.execute(wanted.where(at)):
        yield read(row.log_id.hex(), row.seq, row.hash.hex(), row.bytes)


def lacking(
    connection: Connection, entries: Iterable[tuple[str, Mapping[str, Any]]], roles: frozenset[Role]
) -> tuple[str, Role] | None:
    """The first entry for which these roles do not suffice, and the role that is missing; None where all may be written."""
    for what, data in entries:
        missing = needed_to_enter(connection, what, data) - roles
        if missing:
            return what, min(missing)
    return None
