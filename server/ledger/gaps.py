"""Gaps: ranges of sequence numbers that a station pruned before the hub had received them.

An event that arrives inside a gap and fits the hash chain on both sides is a lost event: it is appended, and the gap shrinks
or splits in two. An event that does not link to the first event after the gap belongs to another branch and is a fork.

Invariant: each sequence number up to `accepted_thru` is either in the ledger or in exactly one gap.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select

from server.db import schema


def note_gap(connection: Connection, log_id: bytes, from_seq: int, to_seq: int, now_us: int) -> None:
    """Record `from_seq` to `to_seq` as a gap; the log continues after it."""
    connection.execute(schema.gap.insert(), [_row(log_id, from_seq, to_seq, now_us)])
    # An empty tip accepts the next batch's own `prev`: the hub does not have the hash before it.
    moved = schema.log.update().where(schema.log.c.log_id == log_id)
    connection.execute(moved.values(accepted_thru=to_seq, tip=b""))


def hash_in_front(connection: Connection, log_id: bytes, seq: int) -> bytes | None:
    """The hash of the event before `seq`, which `prev` at `seq` must equal; None where that event lies in a gap."""
    row = schema.ledger.c
    event_hash = connection.execute(select(row.hash).where(and_(row.log_id == log_id, row.seq == seq - 1))).scalar()
    return None if event_hash is None else bytes(event_hash)


def leads_on(connection: Connection, log_id: bytes, seq: int, event_hash: bytes) -> bool:
    """Whether an event at `seq` links to the next event in the ledger; True where the next one lies in a gap."""
    row = schema.ledger.c
    next_prev = connection.execute(select(row.prev).where(and_(row.log_id == log_id, row.seq == seq + 1))).scalar()
    return next_prev is None or bytes(next_prev) == event_hash


def first_in_gap(connection: Connection, log_id: bytes, after: int, thru: int) -> int | None:
    """The first sequence number in (`after`, `thru`] that lies in a gap; None where there is none."""
    row = schema.gap.c
    overlaps = and_(row.log_id == log_id, row.to_seq > after, row.from_seq <= thru)
    from_seq = connection.execute(select(row.from_seq).where(overlaps).order_by(row.from_seq).limit(1)).scalar()
    return None if from_seq is None else max(int(from_seq), after + 1)


def fill(connection: Connection, log_id: bytes, seqs: Sequence[int]) -> None:
    """Remove consecutive sequence numbers from the log's gaps; a gap around them splits in two."""
    first, last, row = seqs[0], seqs[-1], schema.gap.c
    overlaps = and_(row.log_id == log_id, row.from_seq <= last, row.to_seq >= first)
    for gap in connection.execute(select(schema.gap).where(overlaps)).all():
        connection.execute(schema.gap.delete().where(and_(row.log_id == log_id, row.from_seq == gap.from_seq)))
        rest = [(gap.from_seq, first - 1), (last + 1, gap.to_seq)]
        remaining = [_row(log_id, low, high, gap.seen_us) for low, high in rest if low <= high]
        if remaining:
            connection.execute(schema.gap.insert(), remaining)


def runs(seqs: Sequence[int]) -> list[list[int]]:
    """Group ascending numbers into runs of consecutive numbers.

    >>> runs([4, 5, 8])
    [[4, 5], [8]]
    """
    groups: list[list[int]] = []
    for seq in seqs:
        if groups and groups[-1][-1] == seq - 1:
            groups[-1].append(seq)
        else:
            groups.append([seq])
    return groups


def _row(log_id: bytes, from_seq: int, to_seq: int, seen_us: int) -> dict[str, object]:
    return {"log_id": log_id, "from_seq": from_seq, "to_seq": to_seq, "seen_us": seen_us}
