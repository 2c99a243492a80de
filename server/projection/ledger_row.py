"""Ledger rows as the projector processes them: decoded, checked against their hash, with their order key and status."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, and_, bindparam, select

from server.db.given_values import in_parts, is_one_of
from server.db.schema import ledger
from server.projection.dead_letters import SET_ASIDE, unfoldable
from server.projection.internal_tables import word
from server.projection.tables import event_state
from station.core.codes import canonical, identity_of_recorded, identity_of_written
from station.core.event import Event
from station.core.hash_chain import link
from station.core.ledger.times import EventTime, OrderKey
from station.core.ledger.void_resolution import CountedIdentity, PositionKey, read

AT_ONCE = 500  # positions named in one statement
ROWS_AT_ONCE = 2000  # rows in memory while all of them are read
NOT_PERMITTED = "not_permitted"  # the status of an event that its log is not permitted to hold
COLUMNS = (ledger.c.pos, ledger.c.log_id, ledger.c.seq, ledger.c.bytes, ledger.c.prev, ledger.c.hash)
STATES = event_state.c["pos", "kind", "status", "key_us", "lo_us", "hi_us", "approx", "at_log", "at_seq"]
_ROWS_AFTER = (
    select(*COLUMNS)
    .where(ledger.c.pos > bindparam("after"))
    .order_by(ledger.c.pos)
    .limit(bindparam("most", type_=Integer))
)

NO_KEY = OrderKey()
MOST_CODES, LONG_LABEL = 4096, 256  # labels whose code is in memory, none of more bytes
_log_text = lru_cache(maxsize=1024)(bytes.hex)
_tuple = tuple.__new__  # makes a named tuple in a third of the time of its own constructor


class LedgerRow(msgspec.Struct):
    """One row of the ledger. `event`: the event to fold, None for an inert row. `was`: its row in event_state, if any."""

    pos: int
    stored: PositionKey
    kind: str | None
    read_as: str
    event: Event | None
    counted: CountedIdentity
    own_hash: str = ""  # the hash of the stored event, in hex
    status: str = ""
    key: OrderKey = NO_KEY
    was: Any = None
    code: str | None = None  # the canonical text of the scanned code, or of the code typed in place of a scan
    identity: str = ""  # what all spellings of this code have in common

    @property
    def ok(self) -> bool:
        """Whether the event has effect."""
        return self.status == "ok"

    @property
    def stamp(self) -> EventTime:
        """Its place in its log, and the clock values that it was recorded with."""
        event, (log, seq, _) = self.event, self.counted
        if event is None:
            return EventTime(log, seq)
        return _tuple(EventTime, (log, seq, event.boot, event.mono_ns, event.since_ns))

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
    return LedgerRow(row.pos, stored, None, status, None, CountedIdentity(*stored, own_hash), own_hash, status)


def mark_inert(row: LedgerRow, status: str) -> None:
    """Make a row inert: it has no event and no effect, and counts at the place where it is stored."""
    row.event = row.code = None
    row.identity = ""
    row.counted = CountedIdentity(*row.stored, row.own_hash)
    row.status = row.read_as = status


def from_row(row: Any, *, damaged: bool | None = None) -> LedgerRow:
    """Decode one row with the columns of COLUMNS. `damaged`: whether its bytes give another hash; None: compute it."""
    pos, log_id, seq, encoded, prev, event_hash = row
    log, own_hash = _log_text(log_id), event_hash.hex()
    stored = _tuple(PositionKey, (log, seq))
    if (link(prev, encoded) != event_hash) if damaged is None else damaged:
        return LedgerRow(pos, stored, None, "damaged", None, CountedIdentity(*stored, own_hash), own_hash, "damaged")
    status, outer, event, counted = read(log, seq, own_hash, encoded)
    kind = None if outer is None or "\0" in outer.kind else outer.kind
    if event is None:
        return LedgerRow(pos, stored, kind, status, None, counted, own_hash, status)
    code, identity = _code_of(event)
    return LedgerRow(pos, stored, kind, status, event, counted, own_hash, status, NO_KEY, None, code, identity)


def _code_of(event: Event) -> tuple[str | None, str]:
    """The canonical text of a scanned code, or of one typed in place of a scan, and its identity; (None, "") without one.

    The identity of a scan is read by its scheme, a typed code as it is written.
    """
    if event.kind == "scan":
        is_long = len(event.raw or b"") > LONG_LABEL or len(event.code or "") > LONG_LABEL
        read = _scanned_code.__wrapped__ if is_long else _scanned_code
        return read(event.code, event.raw, event.scheme, event.sym)
    code = event.data.get("code") if event.what == "checkin" and event.data is not None else None
    return (code, identity_of_written(code)) if isinstance(code, str) and code else (None, "")


@lru_cache(maxsize=MOST_CODES)
def _scanned_code(code: str | None, raw: bytes | None, scheme: str | None, sym: str | None) -> tuple[str | None, str]:
    text = code or (canonical(raw) if raw else None)
    return text, "" if text is None else identity_of_recorded(text, scheme, sym)


def rows_after(connection: Connection, pos: int, limit: int, aside: Container[int] = ()) -> list[LedgerRow]:
    """The next rows after a position, in ledger order; rows at the positions `aside` are inert.

    Raises `Unfoldable` for another row that cannot be decoded.
    """
    rows = []
    for row in connection.execute(_ROWS_AFTER, {"after": pos, "most": limit}).all():
        try:
            rows.append(inert_row(row, SET_ASIDE) if row[0] in aside else from_row(row))
        except Exception as error:
            raise unfoldable(row[0], error) from error
    return rows


def all_rows(
    connection: Connection, aside: Container[int] = (), rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[list[LedgerRow]]:
    """The whole ledger in order, some thousand rows at a time."""
    pos = 0
    while rows := rows_after(connection, pos, rows_at_once, aside):
        yield rows
        pos = rows[-1].pos


def stored_at(source: Connection, places: Iterable[PositionKey]) -> Iterator[list[tuple[int, PositionKey]]]:
    """The positions of the ledger at these places, each with its place, AT_ONCE at a time."""
    log_of: dict[str, list[int]] = {}
    for place in places:
        log_of.setdefault(place.log, []).append(place.seq)
    c = ledger.c
    for log, numbers in log_of.items():
        for start in range(0, len(numbers), AT_ONCE):
            here = and_(c.log_id == bytes.fromhex(log), c.seq.in_(numbers[start : start + AT_ONCE]))
            yield [(row.pos, PositionKey(log, row.seq)) for row in source.execute(select(c.pos, c.seq).where(here))]


def rows_at(connection: Connection, positions: Iterable[int], source: Connection | None = None) -> list[LedgerRow]:
    """Projected rows at these positions with their current status and key, in ledger order.

    `source`: the connection to the ledger, where it is not in the database of the projection.
    """
    ordered = sorted(positions)
    states: dict[int, Any] = {}
    for part in in_parts(ordered):
        query = select(*STATES).where(is_one_of(connection, event_state.c.pos, part))
        states.update((row.pos, row) for row in connection.execute(query).all())
    return rows_of(connection, states, source)


def rows_of(connection: Connection, states: Mapping[int, Any], source: Connection | None = None) -> list[LedgerRow]:
    """The projected rows at these positions, in ledger order. `states`: their columns STATES of event_state."""
    projected = []
    ordered = sorted(states)
    ledger_of = source or connection
    for part in in_parts(ordered):
        stored = select(*COLUMNS).where(is_one_of(ledger_of, ledger.c.pos, part)).order_by(ledger.c.pos)
        rows = ledger_of.execute(stored).all()
        projected += [_projected(connection, values, states[values[0]]) for values in rows]
    return projected


def projected_rows(
    connection: Connection, source: Connection | None = None, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[list[LedgerRow]]:
    """All projected rows as `rows_at` returns them, in ledger order, some thousand at a time."""
    c, last = event_state.c, 0
    while states := connection.execute(select(*STATES).where(c.pos > last).order_by(c.pos).limit(rows_at_once)).all():
        span = ledger.c.pos.between(last + 1, states[-1].pos)
        stored = (source or connection).execute(select(*COLUMNS).where(span).order_by(ledger.c.pos)).all()
        yield [_projected(connection, values, was) for values, was in zip(stored, states, strict=True)]
        last = states[-1].pos


def _projected(connection: Connection, values: Any, was: Any) -> LedgerRow:
    """The row of the ledger with these columns of COLUMNS; `was`: its columns STATES of event_state."""
    status = was[2]
    row = inert_row(values, SET_ASIDE) if status == SET_ASIDE else from_row(values, damaged=status == "damaged")
    if status == NOT_PERMITTED and row.event is not None and not _is_refused_void(connection, row, was):
        mark_inert(row, NOT_PERMITTED)
    row.was, row.status, row.key = was, status, _tuple(OrderKey, was[3:7])  # the order of STATES
    return row


def _is_refused_void(connection: Connection, row: LedgerRow, was: Any) -> bool:
    """Whether a row is not permitted because of the event that it voids.

    That reason may pass when the target's log arrives; a claimed place or a forbidden kind never becomes permitted.
    """
    if row.event is None or row.event.kind != "scan" or row.counted.seq != was.at_seq:
        return False
    at_log = connection.execute(select(word.c.text).where(word.c.id == was.at_log)).scalar_one()
    return bool(row.counted.log == at_log)


def words_of(rows: Sequence[LedgerRow]) -> Iterator[str]:
    """The words in the rows of event_state of these ledger rows."""
    for row in rows:
        yield row.counted.log
        if row.event is not None and row.event.boot is not None:
            yield row.event.boot


def state_rows(rows: Sequence[LedgerRow], word_ids: Mapping[str, int]) -> list[tuple[Any, ...]]:
    """The rows of event_state, in the order of its columns. `word_ids`: the numbers of `words_of`."""
    states = []
    for row in rows:
        log, seq, boot, mono_ns, since_ns = row.stamp
        hash_there = row.counted.hash
        states.append((
            row.pos, row.kind, row.status, *row.key, word_ids[log], seq,
            None if hash_there == row.own_hash else bytes.fromhex(hash_there),
            None if boot is None else word_ids[boot], mono_ns, since_ns,
        ))  # fmt: skip
    return states
