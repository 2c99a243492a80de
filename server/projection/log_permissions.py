"""Owners: whose log an event stands in, and so what it may say.

A log belongs to the device that first sent it, or to the hub; the list of logs is the hub's own and never changes hands from
one station to another. Entries count from the hub's logs alone, those of its earlier epochs among them: the hub asked who
enters before it wrote one. A station's log says what a bench can: its own scans, and undoing these. What it says beyond
that, plainly or as an event of another log (`origin`, `salvage`), is kept, shown and not permitted.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, null, select

from server.db.bulk_insert import insert_many
from server.db.schema import ledger, log
from server.ledger.hub_log import HUB
from server.projection.internal_tables import claim
from server.projection.ledger_row import NOT_PERMITTED, LedgerRow, mark_inert
from server.projection.tables import REFUSED, event_state
from station.core.ledger.void_resolution import Place


class LogOwners:
    """The owner of each log, read from the hub's list as it is asked for. `thru`: how far the ledger is projected."""

    def __init__(self, connection: Connection, thru: int) -> None:
        self._connection = connection
        self.thru = thru
        self._of: dict[str, tuple[bool, str]] = {}
        self._arrived: set[str] = set()

    def use(self, connection: Connection, thru: int) -> None:
        """Read from this connection from now on."""
        self._connection, self.thru = connection, thru

    def of(self, name: str) -> tuple[bool, str]:
        """(whether it is the hub's, the station) of a log; the log alone where the list does not have it."""
        known = self._of.get(name)
        if known is None:
            row = self._connection.execute(
                select(log.c.device, log.c.station).where(log.c.log_id == bytes.fromhex(name))
            ).first()
            if row is None:
                return (False, "\0" + name)
            known = self._of[name] = (row.device is None and row.station == HUB, row.station)
        return known

    def is_hubs(self, name: str) -> bool:
        """Whether a log is one of the hub's own."""
        return self.of(name)[0]

    def has_arrived(self, name: str) -> bool:
        """Whether anything of a log was projected: before that, the list may not have it yet."""
        if name not in self._arrived:
            at = and_(ledger.c.log_id == bytes.fromhex(name), ledger.c.pos <= self.thru)
            if self._connection.execute(select(ledger.c.pos).where(at).limit(1)).first() is None:
                return False
            self._arrived.add(name)
        return True

    def may_void(self, void: Place, target: Place) -> bool:
        """Whether the event in `void` may take out the one in `target`, both where they are stored."""
        own, of = self.of(void.log), self.of(target.log)
        return own[0] or own == of


def check_permission(each: LedgerRow, owners: LogOwners) -> None:
    """An entry in a station's log, and an event there that claims a place in a log of the hub's, count for nothing."""
    event = each.event
    if event is None or owners.is_hubs(each.stored.log):
        return
    elsewhere = each.counted.log != each.stored.log
    if event.kind == "entry" or (elsewhere and owners.is_hubs(each.counted.log)):
        mark_inert(each, NOT_PERMITTED)


def claimed_by(each: LedgerRow, owners: LogOwners) -> str | None:
    """The station that an event names, where that is not the one whose log it stands in."""
    is_hubs, station = owners.of(each.stored.log)
    named = each.event.station if each.event is not None else None
    return named if named and not is_hubs and not station.startswith("\0") and named != station else None


class NotPermitted(NamedTuple):
    """How many events of a station's log are not permitted (`claimed` None), or claim to be of the station `claimed`."""

    log: str
    station: str
    claimed: str | None
    events: int

    @property
    def fact(self) -> str:
        """What is said of the station, behind its name."""
        one = self.events == 1
        number = f"{self.events:,} event{'' if one else 's'}"
        if self.claimed is None:
            return f" sent {number} that it may not send: entries, or voids of what others recorded"
        return f" sent {number} that claim{'s' if one else ''} to be of station {self.claimed}"


def beyond(connection: Connection) -> list[NotPermitted]:
    """What the logs of stations hold that they may not say, and what they say of other stations."""
    state, of = event_state.c, log.c
    refused = select(state.log_id, func.count().label("events")).where(REFUSED).group_by(state.log_id).subquery()
    claims = select(claim.c.log_id, claim.c.station, func.count().label("events"))
    named = claims.group_by(claim.c.log_id, claim.c.station).subquery()
    rows: list[Any] = [
        *connection.execute(
            select(refused.c.log_id, of.station, null(), refused.c.events).join(log, of.log_id == refused.c.log_id)
        ),
        *connection.execute(
            select(named.c.log_id, of.station, named.c.station, named.c.events).join(log, of.log_id == named.c.log_id)
        ),
    ]
    return sorted(
        (NotPermitted(one[0].hex(), *one[1:]) for one in rows),
        key=lambda each: (each.station, each.log, each.claimed or ""),
    )


def note_claims(connection: Connection, rows: Iterable[LedgerRow], owners: LogOwners) -> None:
    """Keep the claims of these rows."""
    made = [(each.pos, bytes.fromhex(each.stored.log), named) for each in rows if (named := claimed_by(each, owners))]
    insert_many(connection, claim, made)
