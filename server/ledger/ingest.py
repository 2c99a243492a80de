"""Ingest: append the batches of stations to the append-only ledger.

A batch is checked against the log's hash chain, gets ledger positions, is linked into the hub's own chain and is committed
before it is acknowledged. Ingest does not decode the content of an event, so no event can block its successors.

Verdicts: `ok`; `dup`, the same event again; `fork`, another event at an occupied place, stored in the table `fork`;
`damaged`, an event whose bytes do not give the hash that the station claims, stored with the claimed hash. No batch of a
station can cause a break that `verify` reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, func, select

from server.db import schema
from server.db.bulk_insert import insert_many
from server.db.driver_statement import DriverStatement
from server.db.store import GROWN
from server.ledger.gaps import fill, hash_in_front, leads_on, runs
from server.text import counted
from station.core.hash_chain import genesis, ledger_link, link
from station.core.protocol import EventVerdict

_AT_LEDGER = schema.counter.c.name == "ledger"
_STATE = DriverStatement(
    select(
        select(schema.counter.c.pos).where(_AT_LEDGER).scalar_subquery().label("pos"),
        schema.hub.c.epoch,
        schema.hub.c.head,
    )
)
_SET_POS = DriverStatement(schema.counter.update().where(_AT_LEDGER).values(pos=bindparam("to")))
_SET_HEAD = DriverStatement(schema.hub.update().values(head=bindparam("to")))
_ADVANCE = DriverStatement(
    schema.log.update()
    .where(schema.log.c.log_id == bindparam("of"))
    .values(accepted_thru=bindparam("thru"), tip=bindparam("last"), doubt_seq=bindparam("asked"))
)
MAX_FORKS = 10_000  # in one log: more than a copied card causes in a day; bounds the disk space that one device can use


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Consecutive events of one log from `from_seq` on; `prev` is the hash before the first event, `tip` the last hash.

    `hashes`, where given, are the claimed hashes of all events: a refusal can then name the damaged event.
    """

    log_id: bytes
    from_seq: int
    prev: bytes
    tip: bytes
    events: Sequence[bytes]
    hashes: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class BatchAppended:
    """An appended batch: verdicts in the batch's order, and the new state of the log and the ledger."""

    verdicts: tuple[EventVerdict, ...]
    accepted_thru: int
    durable_thru: int
    epoch: int
    head: bytes
    pos: int


@dataclass(frozen=True, slots=True)
class BatchRefused:
    """A refused batch, nothing appended: the first event that does not fit, the reason, and what to send next."""

    seq: int
    came: str
    expected: str
    do: str
    full: bool = False  # True: the log has too many forks; False: the hash chain does not fit


class _Link(msgspec.Struct, frozen=True, gc=False):
    """One event of a batch with its place in the chain, and the hash stored at that place (None: the place is free)."""

    seq: int
    encoded: bytes
    prev: bytes
    hash: bytes
    stored: bytes | None


def append(
    connection: Connection,
    batch: EventBatch,
    *,
    recv_us: int,
    device: int | None = None,
    max_forks: int = MAX_FORKS,
    log: Any = None,
) -> BatchAppended | BatchRefused:
    """Append a batch to the ledger inside the caller's transaction. Acknowledge it only after the commit.

    `max_forks`: events at occupied places that the hub keeps of one log. `log`: the log's row, where the caller has read it
    in this transaction.

    The transaction is one of `Store.write`, which run one after another, so the position is read without a lock. The log's
    row must exist (`server.ledger.station_logs`). Commit also after `BatchRefused`: the row of the log then names the event
    that the hub requested again.

    1. Read the state of the ledger: its last position, the epoch and the chain head.
    2. Check the batch against the hash chain; a batch that does not fit is refused.
    3. Sort its events: forks from the first foreign event on, duplicates, fresh ones.
    4. Store the forks, unless the log has too many.
    5. Insert the fresh events, close the gaps that they fill, and advance the log.
    """
    pos, epoch, head = _STATE.first(connection, {})
    if log is None:
        log = connection.execute(select(schema.log).where(schema.log.c.log_id == batch.log_id)).one()
    placed = _place(connection, batch, log)
    if isinstance(placed, BatchRefused):
        _remember(connection, batch.log_id, doubt_seq=placed.seq)
        return placed
    links, forked, claimed = placed
    fork_from = _fork_from(connection, batch.log_id, links, forked, log.accepted_thru)
    forks = [event for event in links if event.seq >= fork_from]
    fresh = [event for event in links if event.seq < fork_from and event.stored is None]
    verdicts = tuple(EventVerdict(event.seq, _verdict(event, fork_from, claimed)) for event in links)
    if forks:
        full = _keep_forks(connection, batch.log_id, forks, log.forks, recv_us, device, max_forks)
        if full is not None:
            return full
    if fresh:
        pos, head = _insert(connection, batch.log_id, fresh, pos, head, recv_us)
        _close_gaps(connection, log, fresh)
        _advance(connection, log, fresh[-1])
        if claimed:
            _keep_damage(connection, batch.log_id, fresh[0], recv_us)
        connection.info[GROWN] = (epoch, pos)
    accepted = max(log.accepted_thru, fresh[-1].seq) if fresh else log.accepted_thru
    durable = min(log.durable_thru, fresh[0].seq - 1) if fresh else log.durable_thru
    return BatchAppended(verdicts, accepted, durable, epoch, head, pos)


def _verdict(event: _Link, fork_from: int, claimed: bool) -> str:
    if event.seq >= fork_from:
        return "fork"
    if event.stored is not None:
        return "dup"
    return "damaged" if claimed else "ok"


def _place(connection: Connection, batch: EventBatch, log: Any) -> tuple[list[_Link], bool, bool] | BatchRefused:
    """Check a batch against the chain: its events with their hashes, whether it continues a known fork, and whether
    its single event is stored with the claimed hash.
    """
    if batch.from_seq > log.accepted_thru + 1:
        return BatchRefused(
            log.accepted_thru + 1,
            f"events from seq {batch.from_seq}",
            f"seq {log.accepted_thru + 1}: the log is complete here up to {log.accepted_thru}",
            "Send from accepted_thru + 1, in order.",
        )
    stored = _stored(connection, batch, log.accepted_thru)
    before = _hash_before(connection, batch, log, stored)
    forked = False
    if before not in (batch.prev, b""):
        forked = _is_fork(connection, batch.log_id, batch.from_seq - 1, batch.prev)
        if not forked:
            return BatchRefused(
                max(1, batch.from_seq - 1),
                f"prev {batch.prev.hex()} before seq {batch.from_seq}",
                f"{before.hex()}, the hash of the event before it in the hub's ledger",
                "Open a session; unless its answer asks for a new log, send the named event alone with its own hash.",
            )
    links = _chain(batch, stored)
    if links[-1].hash == batch.tip:
        return links, forked, False
    return _claim(batch, log, links, forked)


def _claim(
    batch: EventBatch, log: Any, links: list[_Link], forked: bool
) -> tuple[list[_Link], bool, bool] | BatchRefused:
    """Handle a batch whose bytes do not give its tip: request one event again; store it with the claimed hash then."""
    last = links[-1]
    alone = len(links) == 1
    if alone and (log.doubt_seq == last.seq or last.stored == batch.tip):
        return [_Link(last.seq, last.encoded, last.prev, batch.tip, last.stored)], forked, True
    bad = next(
        (event for event, claimed in zip(links, batch.hashes, strict=False) if event.hash != claimed),
        next((event for event in links if event.stored != event.hash), last),
    )
    return BatchRefused(
        bad.seq,
        f"tip {batch.tip.hex()} at seq {last.seq}",
        f"{last.hash.hex()}, the hash of these bytes; the first event in doubt is seq {bad.seq}",
        f"Send the events before it, then seq {bad.seq} alone with its hash in your log: it is stored with that hash.",
    )


def _chain(batch: EventBatch, stored: dict[int, Any]) -> list[_Link]:
    links = []
    before = batch.prev
    for seq, encoded in enumerate(batch.events, batch.from_seq):
        row = stored.get(seq)
        # A repeated batch claims the same hash again for an event that was stored with a claimed hash.
        repeated = row is not None and row.bytes == encoded and row.prev == before
        event_hash = bytes(row.hash) if row is not None and repeated else link(before, encoded)
        links.append(_Link(seq, encoded, before, event_hash, None if row is None else row.hash))
        before = event_hash
    return links


def _stored(connection: Connection, batch: EventBatch, accepted_thru: int) -> dict[int, Any]:
    if batch.from_seq > accepted_thru:
        return {}
    rows = schema.ledger.c
    last = batch.from_seq + len(batch.events) - 1
    wanted = select(rows.seq, rows.bytes, rows.prev, rows.hash).where(
        and_(rows.log_id == batch.log_id, rows.seq.between(batch.from_seq, last))
    )
    return {row.seq: row for row in connection.execute(wanted)}


def _hash_before(connection: Connection, batch: EventBatch, log: Any, stored: dict[int, Any]) -> bytes:
    """The hash before the batch in the hub's ledger; empty where that place lies in a gap."""
    if batch.from_seq == 1:
        return genesis(batch.log_id)
    if batch.from_seq == log.accepted_thru + 1:
        return bytes(log.tip)
    first = stored.get(batch.from_seq)
    if first is not None:
        return bytes(first.prev)
    return hash_in_front(connection, batch.log_id, batch.from_seq) or b""


def _fork_from(connection: Connection, log_id: bytes, links: Sequence[_Link], forked: bool, accepted_thru: int) -> int:
    """The first seq of a batch that belongs to another branch; one after its end where none does.

    Events inside a gap belong to another branch where they do not link to the first event after the gap.
    """
    if forked:
        return links[0].seq
    end = next(
        (event.seq for event in links if event.stored is not None and event.stored != event.hash), links[-1].seq + 1
    )
    for run in runs(
        [event.seq for event in links if event.stored is None and event.seq <= min(accepted_thru, end - 1)]
    ):
        if not leads_on(connection, log_id, run[-1], links[run[-1] - links[0].seq].hash):
            return run[0]
    return end


def _close_gaps(connection: Connection, log: Any, fresh: Sequence[_Link]) -> None:
    """Remove the fresh events from the gaps; a log that ended in a gap continues after the last of them.

    No backup holds these events yet: `durable_thru` falls back before the first of them until the next backup.
    """
    inside = [event for event in fresh if event.seq <= log.accepted_thru]
    if inside and inside[0].seq <= log.durable_thru:
        _remember(connection, log.log_id, durable_thru=inside[0].seq - 1)
    for run in runs([event.seq for event in inside]):
        fill(connection, log.log_id, run)
    if inside and inside[-1].seq == log.accepted_thru:
        _remember(connection, log.log_id, tip=inside[-1].hash)
    if any(event.seq == log.doubt_seq for event in inside):
        _remember(connection, log.log_id, doubt_seq=None)


def _is_fork(connection: Connection, log_id: bytes, seq: int, fork_hash: bytes) -> bool:
    fork = schema.fork.c
    query = select(fork.id).where(and_(fork.log_id == log_id, fork.seq == seq, fork.hash == fork_hash))
    return connection.execute(query).first() is not None


def _insert(
    connection: Connection, log_id: bytes, fresh: list[_Link], pos: int, head: bytes, recv_us: int
) -> tuple[int, bytes]:
    rows = []
    for event in fresh:
        pos += 1
        head = ledger_link(head, pos, log_id, event.seq, event.hash)
        rows.append((pos, log_id, event.seq, event.encoded, event.prev, event.hash, recv_us, head))
    insert_many(connection, schema.ledger, rows)
    _SET_POS.run(connection, {"to": pos})
    _SET_HEAD.run(connection, {"to": head})
    return pos, head


def _keep_forks(
    connection: Connection,
    log_id: bytes,
    forks: list[_Link],
    kept: int,
    recv_us: int,
    device: int | None,
    max_forks: int,
) -> BatchRefused | None:
    table = schema.fork
    places = and_(table.c.log_id == log_id, table.c.seq.between(forks[0].seq, forks[-1].seq))
    known = {(row.seq, row.hash) for row in connection.execute(select(table.c.seq, table.c.hash).where(places))}
    rows = [
        (log_id, event.seq, event.encoded, event.prev, event.hash, device, recv_us)
        for event in forks
        if (event.seq, event.hash) not in known
    ]
    if kept + len(rows) > max_forks:
        return BatchRefused(
            forks[0].seq,
            f"{counted(len(rows), 'more event')} at occupied places",
            f"at most {max_forks} in a log",
            "Two devices write this log: give one of them a new card and a new token.",
            full=True,
        )
    insert_many(connection, table, rows, "log_id", "seq", "bytes", "prev", "hash", "device", "recv_us")
    _remember(connection, log_id, state="forked", forks=kept + len(rows))
    return None


def _keep_damage(connection: Connection, log_id: bytes, event: _Link, recv_us: int) -> None:
    row = {"log_id": log_id, "seq": event.seq, "sha256": sha256(event.encoded).digest(), "recv_us": recv_us}
    connection.execute(schema.damage.insert(), [row])


def _advance(connection: Connection, log: Any, last: _Link) -> None:
    if last.seq <= log.accepted_thru:
        return  # the events filled a gap
    asked = log.doubt_seq if log.doubt_seq is not None and log.doubt_seq > last.seq else None
    _ADVANCE.run(connection, {"of": log.log_id, "thru": last.seq, "last": last.hash, "asked": asked})


def _remember(connection: Connection, log_id: bytes, **changes: Any) -> None:
    connection.execute(schema.log.update().where(schema.log.c.log_id == log_id).values(**changes))


def last_pos(connection: Connection) -> int:
    """The position of the last event in the ledger; 0 where there is none."""
    return int(connection.execute(select(func.coalesce(func.max(schema.ledger.c.pos), 0))).scalar_one())
