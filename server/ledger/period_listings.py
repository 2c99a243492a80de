"""Period listings: the stock that each `period.close` counted, kept as the bytes whose SHA-256 is in that entry.

They are no projection: neither a rebuild nor a reset touches them. `server.queries.stock_listing` makes their content.
"""

import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from server.db import schema
from station.core.event import EventError, decode

CLOSE = "period.close"
CLOSE_BYTES = b'"what":"period.close"'  # in every event that closes a period


def store_listing(connection: Connection, pos: int, closed_us: int, content: bytes) -> None:
    """Store the listing of the close at a position of the ledger."""
    row = {"pos": pos, "closed_us": closed_us, "content": zlib.compress(content)}
    connection.execute(schema.period_listing.insert(), [row])


def listing_at(connection: Connection, pos: int) -> bytes | None:
    """The listing of the close at a position of the ledger; None where there is none, or its bytes cannot be read."""
    table = schema.period_listing.c
    stored = connection.execute(select(table.content).where(table.pos == pos)).scalar()
    try:
        return None if stored is None else zlib.decompress(bytes(stored))
    except (zlib.error, TypeError, ValueError):
        return None


def listing_hash(encoded: bytes) -> str | None:
    """The SHA-256 (hex) of the listing that an event of the ledger names; None where it closes no period with figures."""
    try:
        event = decode(encoded)
    except EventError:
        return None
    named = (event.data or {}).get("listing") if event.kind == "entry" and event.what == CLOSE else None
    return named if isinstance(named, str) else None


def listing_breaks(connection: Connection, closes: list[Any]) -> Iterator[tuple[Any, str]]:
    """For each close whose listing does not have the hash that its entry names: its row of the ledger, and what is wrong.

    `closes`: the rows of the ledger that contain CLOSE_BYTES. Those of stations close nothing.
    """
    log = schema.log.c
    own = set(connection.execute(select(log.log_id).where(log.device.is_(None))).scalars())
    for row in closes:
        named = listing_hash(row.bytes) if row.log_id in own else None
        if named is None:
            continue
        content = listing_at(connection, row.pos)
        if content is None:
            yield row, "the listing of the closed period is missing or cannot be read"
        elif sha256(content).hexdigest() != named:
            yield row, "the listing of the closed period is not the one that was stored with it"
