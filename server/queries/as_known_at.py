"""What was known at an earlier position of the ledger: the same shop, folded from only the events that were there by then.

Voids, corrections, anchors and definitions that came later are not there, so the answer is the one that was given then. The
beginning of the ledger is folded anew for each such question, beside the database, so it is answered for short ledgers only.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, select
from sqlalchemy.pool import StaticPool

from server.db import schema
from server.db.bulk_insert import insert_many
from server.projection.rebuild import fold_all
from server.projection.tables import TABLES

MOST_EVENTS = 20_000  # some seconds of folding
_one_at_a_time = threading.Lock()  # a question that costs seconds must not be asked of all processors at once


@contextmanager
def projection_at(connection: Connection, pos: int) -> Iterator[Connection]:
    """A projection of the ledger up to `pos`, at most MOST_EVENTS, to be read like the real one while the block lasts."""
    scratch = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with _one_at_a_time, scratch.begin() as beside:
            schema.metadata.create_all(beside, tables=[schema.hub, schema.log, schema.ledger, *TABLES])
            until = select(schema.ledger).where(schema.ledger.c.pos <= pos).order_by(schema.ledger.c.pos)
            kept = ((schema.hub, select(schema.hub)), (schema.log, select(schema.log)), (schema.ledger, until))
            for table, rows in kept:
                insert_many(beside, table, [tuple(row) for row in connection.execute(rows)])
            fold_all(beside, beside)
            yield beside
    finally:
        scratch.dispose()
