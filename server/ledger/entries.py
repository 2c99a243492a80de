"""Entries: what a person enters on the hub, written into the hub's own log and taken into the ledger like any scan.

A scan is never refused; an entry may be, since a person is there to be told. Several entries are written together or not at
all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from server.clock.readings import ClockReading, HubClock
from server.db import schema
from server.db.store import Store
from server.ledger.entry_schema import mistakes
from server.ledger.hub_log import append_own, event_of, keep_time
from server.projection.tables import definition
from server.text import utc_text
from station.core.codes import usable_patterns
from station.core.event import EventError

PATTERN = "pattern.define"


class EntryRefused(ValueError):
    """An entry that cannot be taken: what came, what was expected, what to do. None of those given with it was written."""

    def __init__(self, came: str, expected: str, do: str) -> None:
        super().__init__(f"{came}; expected {expected}. {do}")
        self.came, self.expected, self.do = came, expected, do


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: what is said, the fields that say it, who says it, and from when it holds (UTC us; None: from now)."""

    what: str
    data: dict[str, Any] = field(default_factory=dict)
    by: str = ""
    holds_from_us: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where an entry stands: log id, sequence number there, position in the ledger."""

    log_id: bytes
    seq: int
    pos: int


def record(
    store: Store, what: str, data: dict[str, Any], by: str, holds_from_us: int | None = None
) -> tuple[bytes, int, int]:
    """Write one entry; (log_id, seq, pos) of it, once it is committed. Raises `EntryRefused`."""
    written = record_all(store, [Entry(what, data, by, holds_from_us)])[0]
    return written.log_id, written.seq, written.pos


def record_all(store: Store, entries: Sequence[Entry]) -> list[Recorded]:
    """Write entries in one transaction: all of them or, with `EntryRefused`, none."""
    with store.write() as connection:
        return write_all(connection, entries, store.clock)


def write_all(connection: Connection, entries: Sequence[Entry], clock: HubClock) -> list[Recorded]:
    """As `record_all`, inside the caller's transaction."""
    if not entries:
        return []
    keep_time(connection, clock)
    now = clock.read()
    closed_us = last_close(connection)
    events = []
    _refuse_patterns(connection, entries)
    for entry in entries:
        _refuse(entry, closed_us)
        events.append(_encoded(entry, clock, now))
        closed_us = _note_period(connection, entry, now.utc_us, closed_us)
    log_id, seq, pos = append_own(connection, events, now.utc_us)
    return [Recorded(log_id, seq + n, pos + n) for n in range(len(events))]


def last_close(connection: Connection) -> int | None:
    """UTC us before which nothing may be entered any more; None where no period is closed."""
    period = schema.period.c
    return connection.execute(select(func.max(period.closed_us)).where(period.reopened.is_(False))).scalar()


def _refuse(entry: Entry, closed_us: int | None) -> None:
    problem = mistakes(entry.what, entry.data)
    if problem is not None:
        raise EntryRefused(*problem)
    if not entry.by:
        raise EntryRefused(
            came=f"{entry.what} by nobody", expected="the name of who says it", do="Sign in, or name yourself."
        )
    if entry.holds_from_us is not None and closed_us is not None and entry.holds_from_us < closed_us:
        raise EntryRefused(
            came=f"{entry.what} that holds from {utc_text(entry.holds_from_us)}",
            expected=f"a time not before {utc_text(closed_us)}, where the last closed period ends",
            do="Enter it as of now, or reopen the period.",
        )


def _refuse_patterns(connection: Connection, entries: Sequence[Entry]) -> None:
    """A shop has a bounded number of patterns: every scan is tried against each of them."""
    new = {str(entry.data.get("name")): entry.data for entry in entries if entry.what == PATTERN}
    if not new:
        return
    rows = select(definition.c.name, definition.c.data).where(definition.c.what == PATTERN)
    held = {row.name: msgspec.json.decode(row.data) for row in connection.execute(rows.order_by(definition.c.id))}
    before = {each.name for each in usable_patterns(held.values()).refused} - new.keys()
    unusable = {name for name, data in new.items() if mistakes(PATTERN, data) is not None}  # `_refuse` says why
    for each in usable_patterns((held | new).values()).refused:
        if each.name not in before | unusable:
            raise EntryRefused(
                came="pattern.define of one more pattern", expected="no more than a shop may have", do=each.why
            )


def _encoded(entry: Entry, clock: HubClock, now: ClockReading) -> bytes:
    try:
        return event_of(
            "entry",
            clock,
            now,
            what=entry.what,
            data=entry.data,
            by=entry.by,
            holds_from_us=entry.holds_from_us,
        )
    except EventError as error:
        raise EntryRefused(
            came=f"{entry.what} that is no event", expected="fields that can be written", do=str(error)
        ) from error


def _note_period(connection: Connection, entry: Entry, now_us: int, closed_us: int | None) -> int | None:
    """Closing and reopening move the time before which nothing may be entered."""
    period = schema.period
    if entry.what == "period.close":
        until_us = entry.holds_from_us if entry.holds_from_us is not None else now_us
        if until_us != closed_us:
            connection.execute(period.delete().where(period.c.closed_us == until_us))
            connection.execute(period.insert(), [{"closed_us": until_us, "reopened": False}])
    elif entry.what == "period.reopen":
        if closed_us is None:
            raise EntryRefused(
                came="period.reopen", expected="a closed period", do="None is closed; nothing has to be reopened."
            )
        connection.execute(period.update().where(period.c.closed_us == closed_us).values(reopened=True))
    else:
        return closed_us
    return last_close(connection)
