"""Ledger rows as the projector processes them: decoded, checked against their hash, with their order key and status."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, select

from server.db.schema import ledger
from server.projection.dead_letters import SET_ASIDE, attribute_error
from server.projection.tables import event_state
from station.core.codes import canonical, identity_of_recorded, identity_of_written
from station.core.event import Event
from station.core.hash_chain import link
from station.core.ledger.times import EventTime, OrderKey
from station.core.ledger.void_resolution import CountedIdentity, PositionKey, read

AT_ONCE = 500  # positions named in one statement
NOT_PERMITTED = "not_permitted"  # the status of an event that its log is not permitted to hold
COLUMNS = (ledger.c.pos, ledger.c.log_id, ledger.c.seq, ledger.c.bytes, ledger.c.prev, ledger.c.hash)
_ROWS_AFTER = (
    select(*COLUMNS)
    .where(ledger.c.pos > bindparam("after"))
    .order_by(ledger.c.pos)
    .limit(bindparam("most", type_=Integer))
)


@dataclass(slots=True)
class LedgerRow:
    """One row of the ledger. `event`: the event to fold, None for an inert row. `was`: its row in event_state, if any."""

    pos: int
    stored: PositionKey
    kind: str | None
    read_as: str
    event: Event | None
    counted: CountedIdentity
    stamp: EventTime  # its place in its log, and the clock values that it was recorded with
    own_hash: str = ""  # the hash of the stored event, in hex
    status: str = ""
    key: OrderKey = field(default_factory=OrderKey)
    was: Any = None
    code: str | None = None  # the canonical text of the scanned code, or of the code typed in place of a scan
    identity: str = ""  # what all spellings of this code have in common

    @property
    def ok(self) -> bool:
        """Whether the event has effect."""
        return self.status == "ok"

    @property
    def places(self) -> set[PositionKey]:
        """The place where the event is stored, and the place where it was first recorded."""
        return {self.stored, self.counted.place}

    @property
    def recorded(self) -> tuple[int, str, int]:
        """The recorded order key."""
        return (self.key.us, self.counted.log, self.counted.seq)


def inert_row(row: Any, status: str) -> LedgerRow:
    """Make an inert row from the columns of COLUMNS: it has no event and no effect."""
    stored = PositionKey(row.log_id.hex(), row.seq)
    own_hash = row.hash.hex()
    return LedgerRow(
        row.pos, stored, None, status, None, CountedIdentity(*stored, own_hash), EventTime(*stored), own_hash, status
    )


def mark_inert(row: LedgerRow, status: str) -> None:
    """Make a row inert: it has no event and no effect, and counts at the place where it is stored."""
    row.event = row.code = None
    row.identity = ""
    row.counted, row.stamp = CountedIdentity(*row.stored, row.own_hash), EventTime(*row.stored)
    row.status = row.read_as = status


def from_row(row: Any) -> LedgerRow:
    """Decode one row with the columns of COLUMNS."""
    pos, log_id, seq, encoded, prev, event_hash = row
    stored = PositionKey(log_id.hex(), seq)
    if link(prev, encoded) != event_hash:
        counted = CountedIdentity(*stored, event_hash.hex())
        return LedgerRow(pos, stored, None, "damaged", None, counted, EventTime(*stored), counted.hash, "damaged")
    decoded = read(stored.log, seq, event_hash.hex(), encoded)
    kind = None if decoded.outer is None or "\0" in decoded.outer.kind else decoded.outer.kind
    counted, event, status = decoded.counted, decoded.event, decoded.status
    own_hash = event_hash.hex()
    if event is None:
        stamp = EventTime(counted.log, counted.seq)
        return LedgerRow(pos, stored, kind, status, None, counted, stamp, own_hash, status)
    stamp = EventTime(counted.log, counted.seq, event.boot, event.mono_ns, event.since_ns)
    code = code_of(event)
    identity = "" if code is None else identity_of(event, code)
    return LedgerRow(pos, stored, kind, status, event, counted, stamp, own_hash, status, code=code, identity=identity)


def code_of(event: Event) -> str | None:
    """The canonical text of a scanned code, or of one typed in place of a scan; None where an event has no code."""
    if event.kind == "scan":
        return event.code or (canonical(event.raw) if event.raw else None)
    if event.what == "checkin" and event.data is not None:
        code = event.data.get("code")
        return code if isinstance(code, str) and code else None
    return None


def identity_of(event: Event, code: str) -> str:
    """The identity of the code of an event: that of a scan is read by its scheme, a typed one as it is written."""
    return identity_of_recorded(code, event.scheme, event.sym) if event.kind == "scan" else identity_of_written(code)


def rows_after(connection: Connection, pos: int, limit: int, aside: Container[int] = ()) -> list[LedgerRow]:
    """The next rows after a position, in ledger order; rows at the positions `aside` are inert.

    Raises `Unfoldable` for another row that cannot be decoded.
    """
    rows = connection.execute(_ROWS_AFTER, {"after": pos, "most": limit}).all()
    return [inert_row(row, SET_ASIDE) if row.pos in aside else attribute_error(row.pos, from_row, row) for row in rows]


def all_rows(connection: Connection, aside: Container[int] = ()) -> Iterator[LedgerRow]:
    """The whole ledger in order, a few thousand rows in memory at a time."""
    pos = 0
    while rows := rows_after(connection, pos, 5000, aside):
        yield from rows
        pos = rows[-1].pos


def rows_at(connection: Connection, positions: Iterable[int], source: Connection | None = None) -> list[LedgerRow]:
    """Projected rows at these positions with their current status and key, in ledger order.

    `source`: the connection to the ledger, where it is not in the database of the projection.
    """
    projected = []
    ordered = sorted(positions)
    for start in range(0, len(ordered), AT_ONCE):
        chunk = ordered[start : start + AT_ONCE]
        states = {
            row.pos: row for row in connection.execute(select(event_state).where(event_state.c.pos.in_(chunk))).all()
        }
        stored = select(*COLUMNS).where(ledger.c.pos.in_(chunk)).order_by(ledger.c.pos)
        for values in (source or connection).execute(stored).all():
            was = states[values.pos]
            row = inert_row(values, SET_ASIDE) if was.status == SET_ASIDE else from_row(values)
            if was.status == NOT_PERMITTED and row.event is not None and not _is_refused_void(row, was):
                mark_inert(row, NOT_PERMITTED)
            row.was = was
            row.status = was.status
            row.key = OrderKey(was.key_us, was.lo_us, was.hi_us, was.approx)
            projected.append(row)
    return projected


def _is_refused_void(row: LedgerRow, was: Any) -> bool:
    """Whether a row is not permitted because of the event that it voids.

    That reason may pass when the target's log arrives; a claimed place or a forbidden kind never becomes permitted.
    """
    at = PositionKey(was.at_log.hex(), was.at_seq)
    return row.event is not None and row.event.kind == "scan" and row.counted.place == at


def state_rows(rows: Sequence[LedgerRow]) -> list[tuple[Any, ...]]:
    """The rows of event_state, in the order of its columns."""
    raw = {log: bytes.fromhex(log) for row in rows for log in (row.stored.log, row.counted.log)}
    return [
        (
            row.pos, raw[row.stored.log], row.stored.seq, row.kind, row.status, *row.key,
            raw[row.counted.log], row.counted.seq, bytes.fromhex(row.counted.hash),
            row.stamp.boot, row.stamp.mono_ns, row.stamp.since_ns,
        )
        for row in rows
    ]  # fmt: skip
