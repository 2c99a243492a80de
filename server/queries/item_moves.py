"""Moves of one item: its postings with their events, and all its stays as intervals of time."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, or_, select

from server.projection.internal_tables import word
from server.projection.tables import event_state, move, parcel
from station.core.ledger.parcels import LIVE

MOST = 200


class ItemMove(NamedTuple):
    """A quantity that went from one account to another by an event; times UTC us.

    An account is a state at an operation or a stage; the empty state is that of pieces which no scan had seen before. `log`,
    `seq`, `pos`: the event. `qty_milli` None: unknown quantity.
    """

    number: int
    at_us: int
    qty_milli: int | None
    from_state: str
    from_operation: int | None
    from_stage: str | None
    to_state: str
    to_operation: int | None
    to_stage: str | None
    pos: int
    log: str
    seq: int


class Stay(NamedTuple):
    """A quantity at an operation or a stage in one state, from the event at `pos` on; `until_us` None: still there."""

    operation: int | None
    stage: str | None
    state: str
    qty_milli: int | None
    since_us: int
    until_us: int | None
    pos: int


def _of_accounts(name: str) -> Any:
    c = move.c
    same = and_(c.from_state == c.to_state, *(
        or_(a == b, and_(a.is_(None), b.is_(None)))
        for a, b in ((c.from_operation, c.to_operation), (c.from_stage, c.to_stage))
    ))  # fmt: skip
    return and_(c.item == name, or_(~c.restated, ~same))


def item_moves(connection: Connection, name: str, most: int | None = MOST) -> tuple[list[ItemMove], int]:
    """The newest moves of an item from one account to another, newest first, at most `most`; and the number of all."""
    c, e = move.c, event_state.c
    columns = (c.n, c.at_us, c.qty_milli, c.from_state, c.from_operation, c.from_stage, c.to_state, c.to_operation,
               c.to_stage, c.pos, word.c.text, e.at_seq)  # fmt: skip
    events = move.join(event_state, e.pos == c.pos).join(word, word.c.id == e.at_log)
    query = select(*columns).select_from(events).where(_of_accounts(name))
    rows = connection.execute(query.order_by(c.n.desc()).limit(most)).all()
    total = connection.execute(select(func.count()).where(_of_accounts(name))).scalar_one()
    return [ItemMove._make(row) for row in rows], int(total)


def item_stays(connection: Connection, name: str) -> list[Stay]:
    """All stays of an item's pieces in process, by their begin. A restated piece stays on under its new operation."""
    c, put = move.c, move.alias("put_by")
    begin = func.coalesce(c.placed_us, c.since_us)
    ended = (
        select(c.from_operation, c.from_stage, c.from_state, c.qty_milli, begin, c.at_us, put.c.pos)
        .select_from(move.join(put, and_(put.c.item == c.item, put.c.n == c.put)))
        .where(and_(c.item == name, c.from_state.in_(LIVE)))
    )
    p = parcel.c
    present = (
        select(p.operation, p.stage, p.state, p.qty_milli, func.coalesce(p.placed_us, p.since_us), put.c.pos)
        .select_from(parcel.join(put, and_(put.c.item == p.item, put.c.n == p.put)))
        .where(and_(p.item == name, p.state.in_(LIVE)))
    )
    stays = [Stay(*row) for row in connection.execute(ended)]
    stays += [Stay(*row[:-1], until_us=None, pos=row[-1]) for row in connection.execute(present)]
    return sorted(stays, key=lambda stay: (stay.since_us, stay.pos))
