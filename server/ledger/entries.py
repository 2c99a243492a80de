"""Entries: events that a person makes on the hub, appended to the hub's own log and to the ledger like a scan.

A scan is never refused. An entry may be refused, because the person who enters it can correct it at once. Several entries
are written in one transaction: all of them or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from server.clock.readings import ClockReading, HubClock
from server.db import schema
from server.db.store import Store
from server.ledger.account_check import MAP
from server.ledger.binding_check import BindingChecks
from server.ledger.calendar_check import CALENDAR
from server.ledger.candidates import Candidate, candidate
from server.ledger.correction_check import CorrectionChecks
from server.ledger.count_check import ACCEPT
from server.ledger.entry_checks import EntryChecks
from server.ledger.entry_schema import mistakes
from server.ledger.hub_log import append_own, event_of, keep_time
from server.ledger.journal_check import JOURNALS, BalanceChecks
from server.ledger.period_listings import CLOSE
from server.ledger.reference_check import ReferenceChecks
from server.ledger.shop_names import ShopNames
from server.ledger.site_check import SiteChecks
from server.ledger.stage_check import unknown_stage
from server.projection.tables import definition
from server.text import utc_text, with_nul
from station.core.codes import usable_patterns
from station.core.event import EventError
from station.system.progress import Advance, unheard

PATTERN = "pattern.define"
FACTS = frozenset({"checkin", "adjust", "note", "answer", ACCEPT})  # what has happened: no time in the future
Check = ReferenceChecks | CorrectionChecks | BindingChecks | EntryChecks | SiteChecks | BalanceChecks
WITHOUT_VALUE = frozenset({MAP, CALENDAR})  # they change no value and no exported journal: also from before a close
OF_STOCK = FACTS | {"order.change", "order.close"}  # in the stock as of the very time that they hold from
ALONE = ("it alone", "Send it by itself.")
COMPUTED = {  # entries to which the hub adds figures: what is expected, what to do
    **dict.fromkeys((CLOSE, *JOURNALS), ALONE),
    ACCEPT: ("lines that the hub compares with the ledger", "Send them to /api/v1/counts/<count>/decisions."),
}
AHEAD_US = 60_000_000  # by which the clock of a client may be ahead of the hub's


class EntryRefused(ValueError):
    """An entry that is not accepted: what came, what was expected, what to do. Its whole group of entries is not written."""

    def __init__(self, came: str, expected: str, do: str, status: int = 400, unchanged: bool = False) -> None:
        super().__init__(f"{came}; expected {expected}. {do}")
        self.came, self.expected, self.do = came, expected, do
        self.unchanged = unchanged  # the hub has it so already
        self.status = status  # 409: valid, but it needs a decision about the present state


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its kind, its fields, the person who makes it, and the time from which it holds (UTC us; None: now).

    `figures`: the fields that the hub adds to an entry of a kind in COMPUTED, which is refused without them.
    """

    what: str
    data: dict[str, Any] = field(default_factory=dict)
    by: str = ""
    holds_from_us: int | None = None
    figures: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The place of an entry: log id, sequence number in that log, position in the ledger."""

    log_id: bytes
    seq: int
    pos: int


def record(
    store: Store, what: str, data: dict[str, Any], by: str, holds_from_us: int | None = None
) -> tuple[bytes, int, int]:
    """Write one entry and commit it. Returns its (log_id, seq, pos); raises `EntryRefused`."""
    written = record_all(store, [Entry(what, data, by, holds_from_us)])[0]
    return written.log_id, written.seq, written.pos


def record_all(store: Store, entries: Sequence[Entry]) -> list[Recorded]:
    """Write entries in one transaction: all of them, or none with `EntryRefused`."""
    with store.write() as connection:
        return write_all(connection, entries, store.clock)


def record_accepted(store: Store, entries: Sequence[Entry]) -> list[Recorded | EntryRefused]:
    """Write those of the entries that are not refused, in one transaction: for each its place, or its refusal."""
    results: list[Recorded | EntryRefused] = []
    with store.write() as connection:
        write_all(connection, entries, store.clock, results)
    return results


def record_changes(store: Store, entries: Sequence[Entry], advance: Advance = unheard) -> list[Recorded | None]:
    """Write entries as `record_all` does, without those that the hub has so already: for each its place, else None."""
    results: list[Recorded | EntryRefused] = []
    with store.write() as connection:
        write_all(connection, entries, store.clock, results, only_unchanged=True, advance=advance)
    return [place if isinstance(place, Recorded) else None for place in results]


def write_all(
    connection: Connection,
    entries: Sequence[Entry],
    clock: HubClock,
    results: list[Recorded | EntryRefused] | None = None,
    *,
    only_unchanged: bool = False,
    advance: Advance = unheard,
) -> list[Recorded]:
    """Write entries as `record_all` does, inside the caller's transaction.

    `results`: filled as `record_accepted` returns it; then a refused entry is left out, and the others are written. With
    `only_unchanged` that holds for an entry that the hub has so already, and any other refusal is raised.

    1. Write an anchor where one is due, so that the entries get an exact time.
    2. Check the number of code patterns and the references to stages for the whole group.
    3. Check and encode each entry, against the present state and the entries before it (`server.ledger.entry_checks`); a
       closed or reopened period counts for the entries after it.
    4. Append all events with one call: nothing is written where an earlier step raises `EntryRefused`.
    """
    if not entries:
        return []
    keep_time(connection, clock)
    now = clock.read()
    closed_us = last_close(connection)
    events = []
    checks = _checks(connection, entries, now.utc_us)
    outcomes: list[EntryRefused | None] = []
    for number, entry in enumerate(entries):
        advance(number, len(entries))
        try:
            _refuse(entry, closed_us, now.utc_us)
            _check(checks, entry)
            encoded = _encoded(entry, clock, now)
            closed_us = _note_period(connection, entry, now.utc_us, closed_us)
        except EntryRefused as error:
            if results is None or (only_unchanged and not error.unchanged):
                raise
            outcomes.append(error)
        else:
            events.append(encoded)
            outcomes.append(None)
    if not events:
        written = []
    else:
        log_id, seq, pos = append_own(connection, events, now.utc_us)
        written = [Recorded(log_id, seq + n, pos + n) for n in range(len(events))]
    if results is not None:
        places = iter(written)
        results += [next(places) if error is None else error for error in outcomes]
    return written


def _checks(connection: Connection, entries: Sequence[Entry], now_us: int) -> list[Check]:
    """The checks of each entry of a group. Raises `EntryRefused` for what the group as a whole must not have."""
    readable = [entry for entry in entries if with_nul(entry.data) is None]  # no statement may contain a NUL
    _refuse_patterns(connection, readable)
    _refuse_stages(connection, readable)
    candidates = [_candidate(entry) for entry in readable]
    names = ShopNames(connection, candidates)
    return [
        EntryChecks(connection, candidates, now_us),  # first: what the hub has so already needs no other check
        ReferenceChecks(connection, candidates, names),
        CorrectionChecks(connection, candidates, names),
        BindingChecks(connection, candidates),
        SiteChecks(connection),
        BalanceChecks(connection),
    ]


def last_close(connection: Connection) -> int | None:
    """The end of the last closed period in UTC us: no entry may hold from an earlier time. None: no period is closed."""
    period = schema.period.c
    return connection.execute(select(func.max(period.closed_us)).where(period.reopened.is_(False))).scalar()


def _check(checks: Sequence[Check], entry: Entry) -> None:
    for check in checks:
        refused = check.refusal(_candidate(entry))
        if refused is not None:
            raise EntryRefused(*refused)


def _candidate(entry: Entry) -> Candidate:
    return candidate(entry.what, {**entry.data, **(entry.figures or {})}, entry.holds_from_us)


def _refuse(entry: Entry, closed_us: int | None, now_us: int) -> None:
    problem = mistakes(entry.what, entry.data)
    if problem is not None:
        raise EntryRefused(*problem)
    if entry.what in COMPUTED and entry.figures is None:
        came = f"{entry.what} among other entries"
        raise EntryRefused(came, *COMPUTED[entry.what])
    if not entry.by:
        raise EntryRefused(
            came=f"{entry.what} without a person",
            expected="the name of the person who makes the entry",
            do="Sign in, or give a name.",
        )
    if "\0" in entry.by:
        raise EntryRefused(
            came=f"{entry.what} by a person with a NUL character in the name",
            expected="a name without control characters",
            do="Remove that character.",
        )
    if entry.holds_from_us is not None and closed_us is not None and entry.holds_from_us < _earliest(entry, closed_us):
        raise EntryRefused(
            came=f"{entry.what} that holds from {utc_text(entry.holds_from_us)}",
            expected=f"a time {_first(entry)} {utc_text(closed_us)}, where the last closed period ends",
            do="Enter it as of now, or reopen the period.",
        )
    if entry.what in FACTS and entry.holds_from_us is not None and entry.holds_from_us > now_us + AHEAD_US:
        raise EntryRefused(
            came=f"{entry.what} that holds from {utc_text(entry.holds_from_us)}, in the future",
            expected=f"a time that has passed; now it is {utc_text(now_us)}",
            do="Enter the time at which it happened.",
        )


def _earliest(entry: Entry, closed_us: int) -> int:
    """The first time that an entry may hold from (UTC us): what happened at the very end of a period belongs to it."""
    if entry.what in WITHOUT_VALUE:
        return 0
    return closed_us + (entry.what in OF_STOCK)


def _first(entry: Entry) -> str:
    return "after" if entry.what in OF_STOCK else "not before"


def _refuse_patterns(connection: Connection, entries: Sequence[Entry]) -> None:
    """Refuse a pattern above the shop's limit: each scan is matched against every pattern, so their number is bounded."""
    new = {str(entry.data.get("name")): entry.data for entry in entries if entry.what == PATTERN}
    if not new:
        return
    rows = select(definition.c.name, definition.c.data).where(definition.c.what == PATTERN)
    current = {row.name: msgspec.json.decode(row.data) for row in connection.execute(rows.order_by(definition.c.id))}
    refused_before = {pattern.name for pattern in usable_patterns(current.values()).refused} - new.keys()
    unusable = {name for name, data in new.items() if mistakes(PATTERN, data) is not None}  # `_refuse` gives the reason
    for pattern in usable_patterns((current | new).values()).refused:
        if pattern.name not in refused_before | unusable:
            raise EntryRefused(
                came="pattern.define of one more pattern", expected="no more than a shop may have", do=pattern.why
            )


def _refuse_stages(connection: Connection, entries: Sequence[Entry]) -> None:
    """Refuse a reference to a stage that the shop has not defined, where it has defined any."""
    problem = unknown_stage(connection, [(entry.what, entry.data) for entry in entries])
    if problem is not None:
        raise EntryRefused(*problem)


def _encoded(entry: Entry, clock: HubClock, now: ClockReading) -> bytes:
    data = entry.data
    if entry.figures is not None:
        data = {**data, **entry.figures}
    try:
        return event_of(
            "entry",
            clock,
            now,
            what=entry.what,
            data=data,
            by=entry.by,
            holds_from_us=entry.holds_from_us,
        )
    except EventError as error:
        raise EntryRefused(
            came=f"{entry.what} that cannot be encoded", expected="fields that an event can hold", do=str(error)
        ) from error


def _note_period(connection: Connection, entry: Entry, now_us: int, closed_us: int | None) -> int | None:
    """Apply `period.close` and `period.reopen` to the table of periods; returns the end of the last closed period."""
    period = schema.period
    if entry.what == CLOSE:
        until_us = entry.holds_from_us if entry.holds_from_us is not None else now_us
        if until_us == closed_us:
            raise EntryRefused(
                came=f"period.close at {utc_text(until_us)}",
                expected="a time after the end of the last closed period",
                do="It is closed already: there is nothing to do.",
                unchanged=True,
            )
        _refuse_unseen(entry, closed_us)
        connection.execute(period.delete().where(period.c.closed_us == until_us))
        connection.execute(period.insert(), [{"closed_us": until_us, "reopened": False}])
    elif entry.what == "period.reopen":
        if closed_us is None:
            raise EntryRefused(
                came="period.reopen", expected="a closed period", do="No period is closed, so none can be reopened."
            )
        _refuse_unseen(entry, closed_us)
        connection.execute(period.update().where(period.c.closed_us == closed_us).values(reopened=True))
    else:
        return closed_us
    return last_close(connection)


def _refuse_unseen(entry: Entry, closed_us: int | None) -> None:
    """Refuse what a person decided on a page before another person closed or reopened a period."""
    seen_us = entry.data.get("last_us")
    if seen_us is not None and seen_us != (closed_us or 0):
        now = "no period is closed" if closed_us is None else f"the last closed period ends at {utc_text(closed_us)}"
        seen = f"a period that ends at {utc_text(seen_us)} as the last closed one" if seen_us else "no closed period"
        came = f"{entry.what} that expects {seen}"
        raise EntryRefused(came, f"what is there: {now}", "Look at it again.", status=409)
