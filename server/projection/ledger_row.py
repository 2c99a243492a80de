"""Rows of the ledger as the projector takes them: read, checked against their hash, with their time and standing."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from server.db.schema import ledger
from server.projection.set_aside import SET_ASIDE, blame
from server.projection.tables import event_state
from station.core.codes import canonical
from station.core.event import Event
from station.core.hash_chain import link
from station.core.ledger.times import EventTime, OrderKey
from station.core.ledger.void_resolution import CountedIdentity, Place, read

AT_ONCE = 500  # positions named in one statement
NOT_PERMITTED = "not_permitted"  # the status of what may not be said in its log
COLUMNS = (ledger.c.pos, ledger.c.log_id, ledger.c.seq, ledger.c.bytes, ledger.c.prev, ledger.c.hash)


@dataclass(slots=True)
class LedgerRow:
    """One row of the ledger. `event`: the one to fold, None where nothing can be. `was`: its row in event_state, if any."""

    pos: int
    stored: Place
    kind: str | None
    read_as: str
    event: Event | None
    counted: CountedIdentity
    stamp: EventTime  # its place in the order, and the clock that it read
    own_hash: str = ""  # where it is stored, in hex
    status: str = ""
    key: OrderKey = field(default_factory=OrderKey)
    was: Any = None
    code: str | None = None  # the canonical text of what was scanned, or typed in place of a scan

    @property
    def ok(self) -> bool:
        """Whether it counts."""
        return self.status == "ok"

    @property
    def places(self) -> set[Place]:
        """Where it stands, and where it stood first."""
        return {self.stored, self.counted.place}

    @property
    def recorded(self) -> tuple[int, str, int]:
        """Its recorded order key."""
        return (self.key.us, self.counted.log, self.counted.seq)


def inert_row(row: Any, status: str) -> LedgerRow:
    """A row with the columns of COLUMNS as one that counts for nothing and says nothing."""
    stored = Place(row.log_id.hex(), row.seq)
    own_hash = row.hash.hex()
    return LedgerRow(
        row.pos, stored, None, status, None, CountedIdentity(*stored, own_hash), EventTime(*stored), own_hash, status
    )


def mark_inert(each: LedgerRow, status: str) -> None:
    """Make a row one that counts for nothing and says nothing, at the place where it is stored."""
    each.event = each.code = None
    each.counted, each.stamp = CountedIdentity(*each.stored, each.own_hash), EventTime(*each.stored)
    each.status = each.read_as = status


def from_row(row: Any) -> LedgerRow:
    """Read one row with the columns of COLUMNS."""
    pos, log_id, seq, encoded, prev, event_hash = row
    stored = Place(log_id.hex(), seq)
    if link(prev, encoded) != event_hash:
        counted = CountedIdentity(*stored, event_hash.hex())
        return LedgerRow(pos, stored, None, "damaged", None, counted, EventTime(*stored), counted.hash, "damaged")
    found = read(stored.log, seq, event_hash.hex(), encoded)
    kind = None if found.outer is None else found.outer.kind
    counted, event = found.counted, found.event
    own_hash = event_hash.hex()
    if event is None:
        at = EventTime(counted.log, counted.seq)
        return LedgerRow(pos, stored, kind, found.status, None, counted, at, own_hash, found.status)
    stamp = EventTime(counted.log, counted.seq, event.boot, event.mono_ns, event.since_ns)
    return LedgerRow(
        pos, stored, kind, found.status, event, counted, stamp, own_hash, found.status, code=code_of(event)
    )


def code_of(event: Event) -> str | None:
    """The canonical text of what was scanned, or typed in place of a scan; None where an event has no code."""
    if event.kind == "scan":
        return event.code or (canonical(event.raw) if event.raw else None)
    if event.what == "checkin" and event.data is not None:
        code = event.data.get("code")
        return code if isinstance(code, str) and code else None
    return None


def rows_after(connection: Connection, pos: int, limit: int, aside: Container[int] = ()) -> list[LedgerRow]:
    """The next rows behind a position, in the ledger's order; those at the positions `aside` are set aside.

    Raises `Unfoldable` for another one that cannot even be read.
    """
    wanted = select(*COLUMNS).where(ledger.c.pos > pos).order_by(ledger.c.pos).limit(limit)
    rows = connection.execute(wanted).all()
    return [inert_row(row, SET_ASIDE) if row.pos in aside else blame(row.pos, from_row, row) for row in rows]


def all_rows(connection: Connection, aside: Container[int] = ()) -> Iterator[LedgerRow]:
    """The whole ledger, in its order, a few thousand rows in memory at a time."""
    pos = 0
    while rows := rows_after(connection, pos, 5000, aside):
        yield from rows
        pos = rows[-1].pos


def rows_at(connection: Connection, positions: Iterable[int], source: Connection | None = None) -> list[LedgerRow]:
    """Rows that were projected before, with the standing and the key that they have now, in the ledger's order.

    `source`: where the ledger is, if not beside the projection.
    """
    found = []
    wanted = sorted(positions)
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        states = {row.pos: row for row in connection.execute(select(event_state).where(event_state.c.pos.in_(some)))}
        rows = select(*COLUMNS).where(ledger.c.pos.in_(some)).order_by(ledger.c.pos)
        for row in (source or connection).execute(rows):
            was = states[row.pos]
            one = inert_row(row, SET_ASIDE) if was.status == SET_ASIDE else from_row(row)
            if was.status == NOT_PERMITTED and one.event is not None and not _is_refused_void(one, was):
                mark_inert(one, NOT_PERMITTED)
            one.was = was
            one.status = was.status
            one.key = OrderKey(was.key_us, was.lo_us, was.hi_us, was.approx)
            found.append(one)
    return found


def _is_refused_void(one: LedgerRow, was: Any) -> bool:
    """Whether a row is not permitted for what it voids, which may change: not for what it is or where it claims to be."""
    at = Place(was.at_log.hex(), was.at_seq)
    return one.event is not None and one.event.kind == "scan" and one.counted.place == at


def state_rows(rows: Sequence[LedgerRow]) -> list[tuple[Any, ...]]:
    """The rows of event_state, in the order of its columns."""
    raw = {log: bytes.fromhex(log) for each in rows for log in (each.stored.log, each.counted.log)}
    return [
        (
            each.pos, raw[each.stored.log], each.stored.seq, each.kind, each.status, *each.key,
            raw[each.counted.log], each.counted.seq, bytes.fromhex(each.counted.hash),
            each.stamp.boot, each.stamp.mono_ns, each.stamp.since_ns,
        )
        for each in rows
    ]  # fmt: skip
