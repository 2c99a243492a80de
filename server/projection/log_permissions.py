"""Log permissions: the owner of a log, and the events that the owner is permitted to record.

A log belongs to the device that first sent it, or to the hub; a log never passes from one station to another. Entries count
only in the hub's logs, including those of earlier epochs: the hub authorised the person before it wrote them. A station's
log may hold its own scans and undo them. Any other event in it, direct or as an event of another log (`origin`, `salvage`),
is stored and shown with the status `not_permitted`, and has no effect.
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
from station.core.ledger.void_resolution import PositionKey


class LogOwners:
    """The owner of each log, read from the table `log` on demand. `thru`: the projected position of the ledger."""

    def __init__(self, connection: Connection, thru: int) -> None:
        self._connection = connection
        self.thru = thru
        self._of: dict[str, tuple[bool, str]] = {}
        self._arrived: set[str] = set()

    def use(self, connection: Connection, thru: int) -> None:
        """Read from this connection from now on, with the ledger projected up to `thru`."""
        self._connection, self.thru = connection, thru

    def of(self, name: str) -> tuple[bool, str]:
        """(whether it is a log of the hub, the station) of a log; an unknown log gets a station name of its own."""
        owner = self._of.get(name)
        if owner is None:
            row = self._connection.execute(
                select(log.c.device, log.c.station).where(log.c.log_id == bytes.fromhex(name))
            ).first()
            if row is None:
                return (False, "\0" + name)
            owner = self._of[name] = (row.device is None and row.station == HUB, row.station)
        return owner

    def is_hubs(self, name: str) -> bool:
        """Whether a log is one of the hub's own."""
        return self.of(name)[0]

    def has_arrived(self, name: str) -> bool:
        """Whether any event of a log was projected; before that, the table `log` may not name it yet."""
        if name not in self._arrived:
            at = and_(ledger.c.log_id == bytes.fromhex(name), ledger.c.pos <= self.thru)
            if self._connection.execute(select(ledger.c.pos).where(at).limit(1)).first() is None:
                return False
            self._arrived.add(name)
        return True

    def hash_of(self, pos: int) -> bytes:
        """The hash of a stored event."""
        return bytes(self._connection.execute(select(ledger.c.hash).where(ledger.c.pos == pos)).scalar_one())

    def may_void(self, void: PositionKey, target: PositionKey) -> bool:
        """Whether the event stored at `void` may void the event stored at `target`."""
        voiding, voided = self.of(void.log), self.of(target.log)
        return voiding[0] or voiding == voided


def check_permission(row: LedgerRow, owners: LogOwners) -> None:
    """Mark an entry in a station's log, and an event there that claims a place in a hub's log, as not permitted."""
    event = row.event
    if event is None or owners.is_hubs(row.stored.log):
        return
    elsewhere = row.counted.log != row.stored.log
    if event.kind == "entry" or (elsewhere and owners.is_hubs(row.counted.log)):
        mark_inert(row, NOT_PERMITTED)


def claimed_by(row: LedgerRow, owners: LogOwners) -> str | None:
    """The station that an event names, where it is not the station that owns the log."""
    is_hubs, station = owners.of(row.stored.log)
    named = row.event.station if row.event is not None else None
    return named if named and not is_hubs and not station.startswith("\0") and named != station else None


class NotPermitted(NamedTuple):
    """Number of events in a station's log that are not permitted (`claimed` None), or that name the station `claimed`."""

    log: str
    station: str
    claimed: str | None
    events: int

    @property
    def item_event(self) -> str:
        """The fact of the alert: the sentence after the name of the station."""
        single = self.events == 1
        number = f"{self.events:,} event{'' if single else 's'}"
        if self.claimed is None:
            return f" sent {number} that it may not send: entries, or voids of what others recorded"
        return f" sent {number} that claim{'s' if single else ''} to be of station {self.claimed}"


def count_not_permitted(connection: Connection) -> list[NotPermitted]:
    """Count the events in station logs that are not permitted, and those that name another station."""
    state, owner = event_state.c, log.c
    refused = (
        select(ledger.c.log_id, func.count().label("events"))
        .join(event_state, state.pos == ledger.c.pos)
        .where(REFUSED)
        .group_by(ledger.c.log_id)
        .subquery()
    )
    claims = select(claim.c.log_id, claim.c.station, func.count().label("events"))
    claimed = claims.group_by(claim.c.log_id, claim.c.station).subquery()
    rows: list[Any] = [
        *connection.execute(
            select(refused.c.log_id, owner.station, null(), refused.c.events).join(
                log, owner.log_id == refused.c.log_id
            )
        ),
        *connection.execute(
            select(claimed.c.log_id, owner.station, claimed.c.station, claimed.c.events).join(
                log, owner.log_id == claimed.c.log_id
            )
        ),
    ]
    return sorted(
        (NotPermitted(row[0].hex(), *row[1:]) for row in rows),
        key=lambda count: (count.station, count.log, count.claimed or ""),
    )


def note_claims(connection: Connection, rows: Iterable[LedgerRow], owners: LogOwners) -> None:
    """Store the claims of these rows."""
    claims = [(row.pos, bytes.fromhex(row.stored.log), named) for row in rows if (named := claimed_by(row, owners))]
    insert_many(connection, claim, claims)
