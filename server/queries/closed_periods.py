"""Closed periods: each `period.close` that was stored with its figures, and the figures of its listing."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from server.db.schema import ledger, period, period_listing
from server.ledger.period_listings import FIGURES, close_figures, listing_at
from server.queries.stock_listing import ListedStock, read_listing
from station.core.event import decode


class ClosedPeriod(NamedTuple):
    """A stored close. Times UTC us. `pos`: of its entry; `known`: the position up to which it counted; hashes in hex.

    `holds`: it is neither reopened nor replaced by a later close of the same time.
    """

    pos: int
    closed_us: int
    recorded_us: int
    by: str
    why: str
    holds: bool
    known: int
    head: str
    version: str
    listing: str
    value_micros: int
    items: int
    unvalued_items: int
    lines: int


def closed_periods(connection: Connection) -> list[ClosedPeriod]:
    """All stored closes, the newest end first; of one end the newest entry first."""
    return list(_closed(connection))


def closed_period(connection: Connection, pos: int) -> ClosedPeriod | None:
    """The close whose entry is at a position of the ledger."""
    return next((closed for closed in _closed(connection) if closed.pos == pos), None)


def close_that_holds(connection: Connection, at_us: int) -> ClosedPeriod | None:
    """The close of the period that ends at a time (UTC us), where it holds."""
    return next((closed for closed in _closed(connection, at_us) if closed.holds), None)


def stored_listing(connection: Connection, closed: ClosedPeriod) -> bytes | None:
    """The bytes of the listing of a close; None where their hash is not the stored one, which `wipline-hub verify` names."""
    content = listing_at(connection, closed.pos)
    return None if content is None or sha256(content).hexdigest() != closed.listing else content


def stored_lines(connection: Connection, closed: ClosedPeriod) -> list[ListedStock] | None:
    """The lines of the listing of a close; None where it is not the stored one."""
    content = stored_listing(connection, closed)
    return None if content is None else read_listing(content)


def _closed(connection: Connection, at_us: int | None = None) -> Iterator[ClosedPeriod]:
    c = period_listing.c
    query = (
        select(c.pos, c.closed_us, ledger.c.recv_us, ledger.c.bytes, period.c.reopened)
        .join(ledger, ledger.c.pos == c.pos)
        .outerjoin(period, period.c.closed_us == c.closed_us)
        .order_by(c.closed_us.desc(), c.pos.desc())
    )
    above: int | None = None
    for row in connection.execute(query if at_us is None else query.where(c.closed_us == at_us)):
        closed = _made(row, holds=row.reopened is False and row.closed_us != above)
        if closed is not None:
            yield closed
            above = closed.closed_us


def _made(row: Any, *, holds: bool) -> ClosedPeriod | None:
    """The close of a listing; None for a listing whose entry closes another period, or none."""
    event = decode(row.bytes)
    data = close_figures(event)
    if data is None or event.holds_from_us != row.closed_us:
        return None
    figures = {name: data[name] for name in FIGURES if name != "pos"}
    return ClosedPeriod(row.pos, row.closed_us, row.recv_us, event.by or "", data["why"], holds, data["pos"], **figures)
