"""PostgreSQL: the hub's connections to a database server. All SQL that is specific to PostgreSQL's sessions is in this file.

A writing transaction locks the table of the position counter first, so writers of all processes run one after another, as
they do on SQLite. The projector writes beside them, in the session that holds its advisory lock. Every transaction is
REPEATABLE READ: it reads one snapshot. That of a writer is taken after its lock, because `LOCK TABLE` takes no snapshot, so
it contains what the writer before it committed.
"""

import select
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError

from server.db.rollback_guard import DatabaseLocation

CHANNEL = "wipline"
PROJECTOR_LOCK = (2002874992, 1)  # advisory locks of the hub's database; the first number only tells them from others'
BACKUP_LOCK = (2002874992, 2)
USED = "used_s"  # key in the `info` of a pooled connection: when it was last given back, monotonic seconds
QUIET_S = 5.0  # a connection that was not used for so long is asked whether its server answers
HELD = "held"  # key in `connection.info`: an object of its own for each session that took its lock
READERS = (8, 16)  # connections of one process that stay open, and further ones under load
WRITERS = (2, 4)  # more than one, so that a request waits in the server for its lock and not in the pool
# A process that hangs in a transaction loses it, so that the writers of other processes go on.
_SESSION = (
    "SET lock_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '60s'",
    "SET client_min_messages = warning",
)
_LONGER = "SET idle_in_transaction_session_timeout = '15min'"  # a rebuild folds in memory between two statements
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


def keeper_engine(url: URL) -> Engine:
    """A single connection, whose session holds an advisory lock: that of the projector, or of the backups."""
    return _engine(url, (1, 0), (*_SESSION, _LONGER, _FLUSHED), read_only=False)


def hold_lock(connection: Connection, lock: tuple[int, int]) -> bool:
    """Hold an advisory lock until the session ends; False where another session has it.

    In a transaction of its own: one that took its snapshot before the lock would miss what the holder before it wrote.
    """
    if HELD not in connection.info:
        with connection.begin():
            took = connection.execute(text("SELECT pg_try_advisory_lock(:a, :b)"), _numbers(lock)).scalar_one()
        if not took:
            return False
        connection.info[HELD] = object()
    return True


def server_location(connection: Connection) -> DatabaseLocation:
    """The identity of the database: the number of its ledger's table, and the server with its timeline.

    A restored dump has other numbers, and a server that was set back to an earlier time or replaced has another timeline.
    """
    query = """
        SELECT 'ledger'::regclass::oid::bigint AS ledger_table,
            (SELECT oid FROM pg_database WHERE datname = current_database()) AS db,
            (SELECT system_identifier FROM pg_control_system()) AS server,
            (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline"""
    row = connection.execute(text(query)).one()
    return DatabaseLocation(row.ledger_table, f"{row.server} database {row.db} timeline {row.timeline}")


def notify(connection: Connection, payload: str) -> None:
    """Send a line to the listening processes at the commit of the transaction."""
    connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (CHANNEL, payload))


def notifications(url: URL, listening: Callable[[], None], wait_s: float) -> Iterator[str | None]:
    """The lines of other sessions; None after each `wait_s` without one. `listening` is called before the first.

    Raises `OSError` where the server ends the connection.
    """
    import psycopg

    engine = _engine(url, (1, 0), _SESSION, read_only=False)
    try:
        with engine.connect() as pooled:
            raw: Any = pooled.connection.driver_connection
            raw.autocommit = True
            raw.execute(f"LISTEN {CHANNEL}").close()
            listening()
            while True:
                for note in raw.notifies(timeout=wait_s):
                    yield note.payload
                yield None
    except (psycopg.Error, DBAPIError) as error:
        msg = f"the database server ended the connection: {error}"
        raise OSError(msg) from error
    finally:
        engine.dispose()


def _numbers(lock: tuple[int, int]) -> dict[str, int]:
    return {"a": lock[0], "b": lock[1]}


def lock_writers(connection: Connection) -> None:
    """Wait for the writers before this one; must be the first statement of the transaction."""
    connection.exec_driver_sql(WRITERS_LOCK)


def is_doubtful(raw: Any, quiet_s: float) -> bool:
    """Whether a driver connection that was not used for `quiet_s` may have lost its server.

    A server that ends a session sends a message or closes the socket, so something can be read from it. A question to the
    server would be the dearest statement of a short transaction, so it is asked only then, or after a quiet time.
    """
    if quiet_s > QUIET_S or raw.closed:
        return True
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _engine(url: URL, sizes: tuple[int, int], session: Sequence[str], *, read_only: bool) -> Engine:
    try:
        from psycopg import IsolationLevel  # of an extra: a hub on SQLite has no driver
    except ImportError as error:
        msg = (
            f"{url.render_as_string()} needs the driver psycopg. Install it in the clone: pip install '.[hub,postgres]'"
        )
        raise OSError(msg) from error
    engine = create_engine(
        with_driver(url),
        pool_size=sizes[0],
        max_overflow=sizes[1],
        connect_args={"application_name": "wipline-hub", "connect_timeout": 10},
    )

    def prepare(raw: Any, _record: object) -> None:
        raw.autocommit = True
        raw.execute("; ".join(session)).close()
        raw.autocommit = False
        raw.isolation_level = IsolationLevel.REPEATABLE_READ
        raw.read_only = read_only

    def give_back(_raw: Any, record: Any) -> None:
        record.info[USED] = time.monotonic()

    def check(raw: Any, record: Any, _proxy: object) -> None:
        """Refuse a connection that a restart of the server ended; the pool opens a new one in its place."""
        if not is_doubtful(raw, time.monotonic() - record.info.get(USED, time.monotonic())):
            return
        try:
            engine.dialect.do_ping(raw)
        except engine.dialect.loaded_dbapi.Error as error:
            msg = "the session ended"
            raise InvalidatePoolError(msg) from error

    event.listen(engine, "connect", prepare)
    event.listen(engine, "checkin", give_back)
    event.listen(engine, "checkout", check)
    return engine
