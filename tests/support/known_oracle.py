"""The shop as known at an earlier ledger position: a projection of only the events up to that position.

Later voids, corrections, anchors and definitions are excluded, so the answer equals the one that was given at that position.
Each query folds the beginning of the ledger into a scratch database, so it is limited to short ledgers.
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
_one_at_a_time = threading.Lock()  # a query of some seconds must not occupy all processors at once


@contextmanager
def projection_at(connection: Connection, pos: int) -> Iterator[Connection]:
    """A projection of the ledger up to `pos`, at most MOST_EVENTS; it is readable like the live one within the block."""
    scratch = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with _one_at_a_time, scratch.begin() as scratch_tables:
            schema.metadata.create_all(scratch_tables, tables=[schema.hub, schema.log, schema.ledger, *TABLES])
            until = select(schema.ledger).where(schema.ledger.c.pos <= pos).order_by(schema.ledger.c.pos)
            copied = ((schema.hub, select(schema.hub)), (schema.log, select(schema.log)), (schema.ledger, until))
            for table, rows in copied:
                insert_many(scratch_tables, table, [tuple(row) for row in connection.execute(rows)])
            fold_all(scratch_tables, scratch_tables)
            yield scratch_tables
    finally:
        scratch.dispose()
