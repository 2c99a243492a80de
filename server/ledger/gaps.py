"""Gaps: what a station had pruned before the hub had it, and what comes into such a gap all the same.

An event inside a gap that fits its neighbours is what was given up: it is taken, and the gap becomes smaller or two. One
that does not lead to what the ledger has behind the gap is of another branch, like an event at a place that is taken.

A place up to `accepted_thru` either is in the ledger or lies in a gap, and no gap holds a place that is in the ledger.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select

from server.db import schema


def note_gap(connection: Connection, log_id: bytes, from_seq: int, to_seq: int, now_us: int) -> None:
    """Write down that `from_seq` to `to_seq` are lost; the log then goes on behind them."""
    connection.execute(schema.gap.insert(), [_row(log_id, from_seq, to_seq, now_us)])
    # The next batch's own `prev` counts: the hash before it is not known here.
    moved = schema.log.update().where(schema.log.c.log_id == log_id)
    connection.execute(moved.values(accepted_thru=to_seq, tip=b""))


def hash_in_front(connection: Connection, log_id: bytes, seq: int) -> bytes | None:
    """What `prev` of an event at `seq` must be by the event in front of it; None where that lies in a gap."""
    row = schema.ledger.c
    found = connection.execute(select(row.hash).where(and_(row.log_id == log_id, row.seq == seq - 1))).scalar()
    return None if found is None else bytes(found)


def leads_on(connection: Connection, log_id: bytes, seq: int, event_hash: bytes) -> bool:
    """Whether an event at `seq` fits what the ledger has behind it; where that lies in a gap, any does."""
    row = schema.ledger.c
    behind = connection.execute(select(row.prev).where(and_(row.log_id == log_id, row.seq == seq + 1))).scalar()
    return behind is None or bytes(behind) == event_hash


def first_in_gap(connection: Connection, log_id: bytes, after: int, thru: int) -> int | None:
    """The first place behind `after` and up to `thru` that lies in a gap; None where none does."""
    row = schema.gap.c
    over = and_(row.log_id == log_id, row.to_seq > after, row.from_seq <= thru)
    found = connection.execute(select(row.from_seq).where(over).order_by(row.from_seq).limit(1)).scalar()
    return None if found is None else max(int(found), after + 1)


def fill(connection: Connection, log_id: bytes, seqs: Sequence[int]) -> None:
    """Take these places, which are consecutive, out of the log's gaps."""
    first, last, row = seqs[0], seqs[-1], schema.gap.c
    over = and_(row.log_id == log_id, row.from_seq <= last, row.to_seq >= first)
    for gap in connection.execute(select(schema.gap).where(over)).all():
        connection.execute(schema.gap.delete().where(and_(row.log_id == log_id, row.from_seq == gap.from_seq)))
        rest = [(gap.from_seq, first - 1), (last + 1, gap.to_seq)]
        left = [_row(log_id, low, high, gap.seen_us) for low, high in rest if low <= high]
        if left:
            connection.execute(schema.gap.insert(), left)


def runs(seqs: Sequence[int]) -> list[list[int]]:
    """Ascending numbers, the consecutive ones together.

    >>> runs([4, 5, 8])
    [[4, 5], [8]]
    """
    found: list[list[int]] = []
    for seq in seqs:
        if found and found[-1][-1] == seq - 1:
            found[-1].append(seq)
        else:
            found.append([seq])
    return found


def _row(log_id: bytes, from_seq: int, to_seq: int, seen_us: int) -> dict[str, object]:
    return {"log_id": log_id, "from_seq": from_seq, "to_seq": to_seq, "seen_us": seen_us}
