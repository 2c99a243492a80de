"""Verify: check the hub's own hash chain and the chain of every log, and report each break.

It detects damage, missing rows, reordered rows, and every later edit of an acknowledged event or of the listing of a closed
period. Events that arrived damaged,
forks and gaps are no breaks: ingest recorded them on arrival.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, cast, select

from server.db import schema
from server.ledger.ingest import last_pos
from server.ledger.period_listings import CLOSE_BYTES, listing_breaks
from server.projection.ledger_row import LedgerRow, all_rows
from server.projection.log_permissions import LogOwners, claimed_by
from station.core.hash_chain import genesis, ledger_genesis, ledger_link, link
from station.core.ledger.void_resolution import named_by_void
from station.system.progress import Advance, unheard

CHUNK = 2_000  # rows in memory at once
SHOWN = 10  # sequence numbers in a note


@dataclass(frozen=True, slots=True)
class LedgerBreak:
    """A break in a chain: position in the ledger (0: the hub's row), log, seq, and a description."""

    pos: int
    log_id: bytes
    seq: int
    text: str

    def __str__(self) -> str:
        return f"pos {self.pos}, log {self.log_id.hex()} seq {self.seq}: {self.text}"


def verify(connection: Connection, advance: Advance = unheard) -> list[LedgerBreak]:
    """Every break of the hub's chain and of each log's; empty where the ledger is as it was acknowledged.

    `advance` counts the events, each of which is read for the hub's chain and for that of its log.
    """
    last = last_pos(connection)
    hub_chain = list(_hub_chain(connection, lambda done: advance(done, 2 * last)))
    return [*hub_chain, *_logs(connection, lambda done: advance(last + done, 2 * last))]


def _rows(connection: Connection, advance: Callable[[int], None], *order: Any) -> Iterator[Any]:
    wanted = _as_declared(schema.ledger).order_by(*order)
    done = 0
    for rows in connection.execution_options(yield_per=CHUNK).execute(wanted).partitions():
        yield from rows
        done += len(rows)
        advance(done)


def _as_declared(table: Table) -> Select[Any]:
    """Select a table with every value cast to its column's type: SQLite stores any type, a tampered text as well."""
    return select(*(cast(column, column.type).label(column.name) for column in table.columns))


def _hub_chain(connection: Connection, advance: Callable[[int], None]) -> Iterator[LedgerBreak]:
    owner = connection.execute(_as_declared(schema.hub)).one()
    counted = connection.execute(select(schema.counter.c.pos).where(schema.counter.c.name == "ledger")).scalar_one()
    head, expected, closes = ledger_genesis(owner.hub_id), 1, []
    for row in _rows(connection, advance, schema.ledger.c.pos):
        if row.pos != expected:
            yield LedgerBreak(row.pos, row.log_id, row.seq, f"positions {expected} to {row.pos - 1} are missing")
        if row.chain != ledger_link(head, row.pos, row.log_id, row.seq, row.hash):
            yield LedgerBreak(row.pos, row.log_id, row.seq, "the hub's chain breaks here")
        head, expected = row.chain, row.pos + 1
        if CLOSE_BYTES in row.bytes:
            closes.append(row)
    if counted != expected - 1 or owner.head != head:
        text = f"the ledger ends at {expected - 1}; the hub had acknowledged up to {counted}, head {owner.head.hex()}"
        yield LedgerBreak(0, owner.log_id, 0, text)
    yield from (LedgerBreak(*found) for found in listing_breaks(connection, closes))


def _logs(connection: Connection, advance: Callable[[int], None]) -> Iterator[LedgerBreak]:
    damaged = {(row.log_id, row.seq): row.sha256 for row in connection.execute(_as_declared(schema.damage))}
    gaps = {(row.log_id, row.to_seq) for row in connection.execute(select(schema.gap))}
    tips = {row.log_id: row for row in connection.execute(_as_declared(schema.log))}
    log_id, seq, tip, pos = b"", 0, b"", 0
    for row in _rows(connection, advance, schema.ledger.c.log_id, schema.ledger.c.seq):
        if row.log_id != log_id:
            yield from _end(tips.pop(log_id, None), seq, tip, pos)
            log_id, seq, tip = row.log_id, 0, genesis(row.log_id)
        behind_gap = (row.log_id, row.seq - 1) in gaps
        if row.seq != seq + 1 and not behind_gap:
            yield LedgerBreak(row.pos, log_id, row.seq, f"seq {seq + 1} to {row.seq - 1} are missing")
        elif row.prev != tip and not behind_gap:
            yield LedgerBreak(row.pos, log_id, row.seq, "its prev is not the hash of the event before it")
        text = _own(row, damaged.get((row.log_id, row.seq)))
        if text:
            yield LedgerBreak(row.pos, log_id, row.seq, text)
        seq, tip, pos = row.seq, row.hash, row.pos
    yield from _end(tips.pop(log_id, None), seq, tip, pos)
    for log in tips.values():
        yield from _end(log, 0, genesis(log.log_id), 0)


def _own(row: Any, received: bytes | None) -> str | None:
    if link(row.prev, row.bytes) == row.hash:
        return None
    if received is None:
        return "its bytes are not those that were acknowledged"
    return None if sha256(row.bytes).digest() == received else "it arrived damaged, and was changed again later"


def _end(log: Any, seq: int, tip: bytes, pos: int) -> Iterator[LedgerBreak]:
    if log is not None and log.tip and (log.accepted_thru != seq or log.tip != tip):
        text = f"the log ends at seq {seq}; the hub had acknowledged up to {log.accepted_thru}"
        yield LedgerBreak(pos, log.log_id, seq, text)


class LedgerNote(NamedTuple):
    """Events of a station's log that it is not permitted to record, or that name another station: stored, no break."""

    log: str
    station: str
    what: str  # "entry", "place", "void", or the station that is claimed
    seqs: tuple[int, ...]

    def __str__(self) -> str:
        single, number = len(self.seqs) == 1, len(self.seqs)
        claims = f"{number} event{'' if single else 's'} that claim{'s' if single else ''}"
        not_permitted = {
            "entry": f"{number} {'entry' if single else 'entries'}, which only the hub's own log may hold",
            "place": f"{claims} a place in the hub's own log",
            "void": f"{number} void{'' if single else 's'} of what another log recorded",
        }
        content = not_permitted.get(self.what, f"{claims} to be of station {self.what}")
        listed = ", ".join(map(str, self.seqs[:SHOWN])) + (" ..." if number > SHOWN else "")
        effect = f" {'It is' if single else 'They are'} stored without effect."
        end = effect if self.what in not_permitted else ""
        return f"Log {self.log} of station {self.station} holds {content}: seq {listed}.{end}"


def notes(connection: Connection) -> list[str]:
    """One sentence for each kind of event that a station's log is not permitted to record, or that names another station.

    Events that an earlier version of the hub applied are included. Reads the whole ledger.
    """
    owners = LogOwners(connection, last_pos(connection))
    seqs_of: dict[tuple[str, str], list[int]] = {}
    for row in chain.from_iterable(all_rows(connection)):
        if not owners.is_hubs(row.stored.log):
            for what in _not_permitted(row, owners):
                seqs_of.setdefault((row.stored.log, what), []).append(row.stored.seq)
    return [str(LedgerNote(log, owners.of(log)[1], what, tuple(seqs))) for (log, what), seqs in sorted(seqs_of.items())]


def _not_permitted(row: LedgerRow, owners: LogOwners) -> Iterator[str]:
    event = row.event
    if event is None:
        return
    named = named_by_void(event)
    if event.kind == "entry":
        yield "entry"
    elif row.counted.log != row.stored.log and owners.is_hubs(row.counted.log):
        yield "place"
    elif named is not None and owners.has_arrived(named.log) and not owners.may_void(row.stored, named):
        yield "void"
    claimed = claimed_by(row, owners)
    if claimed is not None and event.kind != "entry":
        yield claimed
