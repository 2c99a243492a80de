"""Entry rights: the roles that an entry requires. `void` and `correct` require the roles of the events that they change.

Voiding a `cost.set` requires `account`, and so does voiding the void of a `cost.set`. The void of an event that is not in
the ledger would apply when that event arrives, and its kind is unknown: it requires `administer`.

The targets are read from the ledger and never from the projection, which may lag. The ledger is append-only, so the result
for an event in it does not change between this check and the write.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from sqlalchemy import Connection, and_, func, select

from server.auth.roles import Role, needed_for
from server.db import schema
from server.ledger.count_check import ACCEPT
from server.projection.internal_tables import resent
from station.core.event import Event
from station.core.ledger.void_resolution import DecodedEvent, PositionKey, correction, named_by_void, read

UNDOING = frozenset({"void", "correct"})
ROWS_AT_ONCE = 2_000
_ADMINISTER = frozenset({Role.ADMINISTER})
_ANY_TIME = (0, "", 0)  # the order key of a correction has no effect on the roles


def needed_to_enter(connection: Connection, what: str, data: Mapping[str, Any]) -> frozenset[Role]:
    """The roles that an entry requires, all of them together.

    A void or correction that names no event requires the role of its own kind; `server.ledger.entries` then refuses it.
    """
    if what not in UNDOING:
        return frozenset({_needed_for(what, data)})
    event = Event(kind="entry", station="", sw="", what=what, data=dict(data))
    return _roles_of_undoing(connection, event) or frozenset({needed_for(what)})


def _roles_of_undoing(connection: Connection, event: Event) -> frozenset[Role]:
    """Follow voids and corrections to the innermost events, and collect the roles of those.

    Each place is read once, so a cycle of voids ends. `ADMINISTER` includes every other role, so the search stops at the
    first event that requires it.
    """
    roles: set[Role] = set()
    seen: set[PositionKey] = set()
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
        return _needed_for(event.what, event.data or {})
    return Role.ADMINISTER  # anchors and `open` events: they determine the times and the order of other events


def _needed_for(what: str, data: Mapping[str, Any]) -> Role:
    """The role of an entry; a difference of a count above the shop's limit is that of an accountant."""
    return Role.ACCOUNT if what == ACCEPT and data.get("above") is True else needed_for(what)


def _targets(connection: Connection, event: Event, seen: set[PositionKey]) -> Iterator[Event | None]:
    """The events that a void or a correction changes; None for an absent or undecodable one."""
    named = named_by_void(event)
    if named is not None:
        if named not in seen:
            seen.add(named)
            yield from _voided(connection, named)
        return
    corrects = correction(event, _ANY_TIME)
    if corrects is not None:
        yield from _corrected(connection, corrects.log, corrects.from_seq, corrects.to_seq)


def _voided(connection: Connection, named: PositionKey) -> Iterator[Event | None]:
    """The event at a place, and its copies that were resent in other logs."""
    readings = [*_stored(connection, named.log, named.seq, named.seq), *_copies(connection, named.log, named.seq)]
    if not readings:
        yield None
    for reading in readings:
        yield reading.event


def _corrected(connection: Connection, log: str, first: int, last: int) -> Iterator[Event | None]:
    """The scans and entries in a range of a log. A correction has no effect on other kinds, on voids and on corrections.

    A missing number below the end of a station's log lies in a gap, which can only have held scans. Any other missing event
    is unknown (None).
    """
    ledger = schema.ledger.c
    in_range = and_(ledger.log_id == bytes.fromhex(log), ledger.seq >= first, ledger.seq <= last)
    present = connection.execute(select(func.count()).where(in_range)).scalar_one()
    if present < last - first + 1:
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
    """The events that were resent in another log and count at these places."""
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
    """The first entry for which the roles do not suffice, with the missing role; None where all entries are permitted."""
    for what, data in entries:
        missing = needed_to_enter(connection, what, data) - roles
        if missing:
            return what, min(missing)
    return None
