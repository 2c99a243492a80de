"""Period listings: the stock that each `period.close` counted, kept as the bytes whose SHA-256 is in that entry.

They are no projection: neither a rebuild nor a reset touches them. `server.queries.stock_listing` makes their content.
"""

import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, inspect, select

from server.db import schema
from station.core.event import Event, EventError, decode

CLOSE = "period.close"
CLOSE_BYTES = b'"what":"period.close"'  # in every event that closes a period

FIGURES = ("pos", "head", "version", "listing", "value_micros", "items", "unvalued_items", "lines")


def close_figures(event: Event) -> dict[str, Any] | None:
    """The fields of a `period.close` that was stored with its figures; None for another event."""
    data = event.data or {}
    return data if event.kind == "entry" and event.what == CLOSE and all(name in data for name in FIGURES) else None


def store_listing(connection: Connection, pos: int, closed_us: int, content: bytes) -> None:
    """Store the listing of the close at a position of the ledger."""
    row = {"pos": pos, "closed_us": closed_us, "content": zlib.compress(content)}
    connection.execute(schema.period_listing.insert(), [row])


def listing_at(connection: Connection, pos: int) -> bytes | None:
    """The stored listing of the close at a position of the ledger; None where there is none, or it cannot be read."""
    table = schema.period_listing.c
    stored = connection.execute(select(table.content).where(table.pos == pos)).scalar()
    try:
        return None if stored is None else zlib.decompress(bytes(stored))
    except (zlib.error, TypeError, ValueError):
        return None


def listing_breaks(connection: Connection, closes: list[Any]) -> Iterator[tuple[int, bytes, int, str]]:
    """Each listing that is not the one which its entry names: position, log and number of that entry, and what is wrong.

    `closes`: the rows of the ledger that contain CLOSE_BYTES. Those of stations close nothing. A listing that no entry
    names has position, and number, 0.
    """
    log, listings = schema.log.c, schema.period_listing.c
    own = set(connection.execute(select(log.log_id).where(log.device.is_(None))).scalars())
    ends: dict[Any, Any] = {}
    if inspect(connection).has_table(schema.period_listing.name):  # a database that waits for its migration has none
        ends = {row.pos: row.closed_us for row in connection.execute(select(listings.pos, listings.closed_us))}
    for row in closes:
        event = _decoded(row.bytes) if row.log_id in own else None
        figures = None if event is None else close_figures(event)
        if event is None or figures is None:
            continue
        content = listing_at(connection, row.pos) if row.pos in ends else None
        end_us = ends.pop(row.pos, None)
        if content is None:
            yield row.pos, row.log_id, row.seq, "the listing of the closed period is missing or cannot be read"
        elif sha256(content).hexdigest() != figures["listing"] or end_us != event.holds_from_us:
            yield (
                row.pos,
                row.log_id,
                row.seq,
                "the listing of the closed period is not the one that was stored with it",
            )
    for pos in ends:
        yield 0, b"", 0, f"the listing at position {pos} is of no closed period"


def _decoded(encoded: bytes) -> Event | None:
    try:
        return decode(encoded)
    except EventError:
        return None
