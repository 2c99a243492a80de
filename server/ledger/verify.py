"""Verify: walk the hub's own chain and the chain of every log, and name each place where something does not fit.

It shows damage, rows cut out of the middle, reordering, and every later edit of anything acknowledged. Events that came
damaged, forks and gaps are no breaks: they were seen and written down when they came.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, cast, select

from server.db import schema
from server.ledger.ingest import last_pos
from server.projection.ledger_row import LedgerRow, all_rows
from server.projection.log_permissions import LogOwners, claimed_by
from station.core.hash_chain import genesis, ledger_genesis, ledger_link, link
from station.core.ledger.void_resolution import named_by_void

CHUNK = 2_000  # rows held at once
SHOWN = 10  # sequence numbers in a note


@dataclass(frozen=True, slots=True)
class LedgerBreak:
    """A place that does not fit: position in the ledger (0: the hub's row), log, seq, and what is wrong."""

    pos: int
    log_id: bytes
    seq: int
    text: str

    def __str__(self) -> str:
        return f"pos {self.pos}, log {self.log_id.hex()} seq {self.seq}: {self.text}"


def verify(connection: Connection) -> list[LedgerBreak]:
    """Every break of the hub's chain and of each log's; an empty list means that all is as it was acknowledged."""
    return [*_hub_chain(connection), *_logs(connection)]


def _rows(connection: Connection, *order: Any) -> Iterator[Any]:
    wanted = _as_declared(schema.ledger).order_by(*order)
    yield from connection.execution_options(yield_per=CHUNK).execute(wanted)


def _as_declared(table: Table) -> Select[Any]:
    """A table's rows with every value of its column's own type: SQLite holds what it was given, a tampered text as well."""
    return select(*(cast(column, column.type).label(column.name) for column in table.columns))


def _hub_chain(connection: Connection) -> Iterator[LedgerBreak]:
    owner = connection.execute(_as_declared(schema.hub)).one()
    counted = connection.execute(select(schema.counter.c.pos).where(schema.counter.c.name == "ledger")).scalar_one()
    head, expected = ledger_genesis(owner.hub_id), 1
    for row in _rows(connection, schema.ledger.c.pos):
        if row.pos != expected:
            yield LedgerBreak(row.pos, row.log_id, row.seq, f"positions {expected} to {row.pos - 1} are missing")
        if row.chain != ledger_link(head, row.pos, row.log_id, row.seq, row.hash):
            yield LedgerBreak(row.pos, row.log_id, row.seq, "the hub's chain breaks here")
        head, expected = row.chain, row.pos + 1
    if counted != expected - 1 or owner.head != head:
        text = f"the ledger ends at {expected - 1}; the hub had acknowledged up to {counted}, head {owner.head.hex()}"
        yield LedgerBreak(0, owner.log_id, 0, text)


def _logs(connection: Connection) -> Iterator[LedgerBreak]:
    damaged = {(row.log_id, row.seq): row.sha256 for row in connection.execute(_as_declared(schema.damage))}
    gaps = {(row.log_id, row.to_seq) for row in connection.execute(select(schema.gap))}
    tips = {row.log_id: row for row in connection.execute(_as_declared(schema.log))}
    log_id, seq, tip, pos = b"", 0, b"", 0
    for row in _rows(connection, schema.ledger.c.log_id, schema.ledger.c.seq):
        if row.log_id != log_id:
            yield from _end(tips.pop(log_id, None), seq, tip, pos)
            log_id, seq, tip = row.log_id, 0, genesis(row.log_id)
        behind_gap = (row.log_id, row.seq - 1) in gaps
        if row.seq != seq + 1 and not behind_gap:
            yield LedgerBreak(row.pos, log_id, row.seq, f"seq {seq + 1} to {row.seq - 1} are missing")
        elif row.prev != tip and not behind_gap:
            yield LedgerBreak(row.pos, log_id, row.seq, "it does not stand behind the event before it")
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
    return None if sha256(row.bytes).digest() == received else "it came damaged, and was changed again since"


def _end(log: Any, seq: int, tip: bytes, pos: int) -> Iterator[LedgerBreak]:
    if log is not None and log.tip and (log.accepted_thru != seq or log.tip != tip):
        text = f"the log ends at seq {seq}; the hub had acknowledged up to {log.accepted_thru}"
        yield LedgerBreak(pos, log.log_id, seq, text)


class LedgerNote(NamedTuple):
    """What a station's log holds that it may not say, or says of another: kept, and no break."""

    log: str
    station: str
    what: str  # "entry", "place", "void", or the station that is claimed
    seqs: tuple[int, ...]

    def __str__(self) -> str:
        one, number = len(self.seqs) == 1, len(self.seqs)
        claims = f"{number} event{'' if one else 's'} that claim{'s' if one else ''}"
        refused = {
            "entry": f"{number} {'entry' if one else 'entries'}, which only the hub's own log may hold",
            "place": f"{claims} a place in the hub's own log",
            "void": f"{number} void{'' if one else 's'} of what another log recorded",
        }
        held = refused.get(self.what, f"{claims} to be of station {self.what}")
        listed = ", ".join(map(str, self.seqs[:SHOWN])) + (" ..." if number > SHOWN else "")
        kept = f"{'It is' if one else 'They are'} kept and count{'s' if one else ''} for nothing."
        end = f" {kept}" if self.what in refused else ""
        return f"Log {self.log} of station {self.station} holds {held}: seq {listed}.{end}"


def notes(connection: Connection) -> list[str]:
    """What logs of stations hold that they may not say, and what names another station: one sentence for each kind.

    Events that an earlier version of the hub let count are among them. Reads the whole ledger.
    """
    owners = LogOwners(connection, last_pos(connection))
    found: dict[tuple[str, str], list[int]] = {}
    for each in all_rows(connection):
        if not owners.is_hubs(each.stored.log):
            for what in _beyond(each, owners):
                found.setdefault((each.stored.log, what), []).append(each.stored.seq)
    return [str(LedgerNote(log, owners.of(log)[1], what, tuple(seqs))) for (log, what), seqs in sorted(found.items())]


def _beyond(each: LedgerRow, owners: LogOwners) -> Iterator[str]:
    event = each.event
    if event is None:
        return
    named = named_by_void(event)
    if event.kind == "entry":
        yield "entry"
    elif each.counted.log != each.stored.log and owners.is_hubs(each.counted.log):
        yield "place"
    elif named is not None and owners.has_arrived(named.log) and not owners.may_void(each.stored, named):
        yield "void"
    claimed = claimed_by(each, owners)
    if claimed is not None and event.kind != "entry":
        yield claimed
