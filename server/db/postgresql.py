"""PostgreSQL: the hub's connections to a database server. All SQL that is specific to PostgreSQL's sessions is in this file.

A writing transaction locks the table of the position counter first, so writers of all processes run one after another, as
they do on SQLite. Every transaction is REPEATABLE READ: it reads one snapshot. That of a writer is taken after its lock,
because `LOCK TABLE` takes no snapshot, so it contains what the writer before it committed.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

READERS = (8, 16)  # connections of one process that stay open, and further ones under load
WRITERS = (2, 4)  # more than one, so that a request waits in the server for its lock and not in the pool
# A process that hangs in a transaction loses it, so that the writers of other processes go on.
_SESSION = (
    "SET lock_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '60s'",
    "SET client_min_messages = warning",
)
# An acknowledged event must survive a crash, whatever the server's or the role's default is.
_FLUSHED = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
WRITERS_LOCK = "LOCK TABLE counter IN EXCLUSIVE MODE"  # readers of the counter pass


def with_driver(url: URL) -> URL:
    """The address with the driver that the hub uses."""
    return url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url


def writer_engine(url: URL) -> Engine:
    """Connections for writing transactions. The caller locks with WRITERS_LOCK."""
    return _engine(url, WRITERS, (*_SESSION, _FLUSHED), read_only=False)


def reader_engine(url: URL) -> Engine:
    """Connections for read-only transactions."""
    return _engine(url, READERS, _SESSION, read_only=True)


def lock_writers(connection: Connection) -> None:
    """Wait for the writers before this one; must be the first statement of the transaction."""
    connection.exec_driver_sql(WRITERS_LOCK)


def _engine(url: URL, sizes: tuple[int, int], session: Sequence[str], *, read_only: bool) -> Engine:
    try:
        from psycopg import IsolationLevel  # of an extra: a hub on SQLite has no driver
    except ImportError as error:
        msg = f"{url.render_as_string()} needs the driver psycopg. Install it: pip install 'wipline[hub,postgres]'"
        raise OSError(msg) from error
    engine = create_engine(
        with_driver(url),
        pool_size=sizes[0],
        max_overflow=sizes[1],
        pool_pre_ping=True,  # the server may have restarted since the last use
        connect_args={"application_name": "wipline-hub", "connect_timeout": 10},
    )

    def prepare(raw: Any, _record: object) -> None:
        raw.autocommit = True
        for statement in session:
            raw.execute(statement)
        raw.autocommit = False
        raw.isolation_level = IsolationLevel.REPEATABLE_READ
        raw.read_only = read_only

    event.listen(engine, "connect", prepare)
    return engine
