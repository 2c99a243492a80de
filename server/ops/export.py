"""Export: the whole ledger as JSON lines, one event a line."""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from server.db.schema import ledger


def lines(connection: Connection) -> Iterator[bytes]:
    """Each event of the ledger in order as a JSON line; hashes in hex, bytes in base64."""
    rows = connection.execution_options(yield_per=2_000).execute(select(ledger).order_by(ledger.c.pos))
    for row in rows:
        yield msgspec.json.encode(_fields(row)) + b"\n"


def _fields(row: Any) -> dict[str, Any]:
    return {
        "pos": row.pos,
        "log": row.log_id.hex(),
        "seq": row.seq,
        "prev": row.prev.hex(),
        "hash": row.hash.hex(),
        "recv_us": row.recv_us,
        "chain": row.chain.hex(),
        "bytes": row.bytes,
    }
