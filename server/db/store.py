"""Store: transactions on the hub's database, with one writer at a time and any number of readers.

`with store.write() as connection:` is one transaction, committed and flushed to the medium at the end of the block. `with
store.read() as connection:` is a read-only snapshot of the database. All SQL that is specific to SQLite is in this file, and
that of PostgreSQL in `server.db.postgresql`.
"""

import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import QueuePool

from server.clock.readings import HubClock
from server.db.group_commit import GroupCommit, Result
from server.db.position_signal import PositionSignal
from server.db.postgresql import (
    BACKUP_LOCK,
    HELD,
    PROJECTOR_LOCK,
    hold_lock,
    keeper_engine,
    lock_writers,
    notify,
    reader_engine,
    writer_engine,
)
from server.db.rollback_guard import RollbackGuard
from server.db.storage_errors import StorageTrouble, storage_trouble
from server.db.writer_lock import HubLocked, WriterLock
from server.ops import restore_swap
from server.ops.host import Host

if TYPE_CHECKING:
    from station.system.progress import Listener, Progress

# A value that is no int, float or str goes through sqlite3's search for an adapter, which takes twice as long where it finds
# none. These give the value itself (an int for a bool), as sqlite3 would: half of the values of a projection row are None.
_NOTHING: dict[None, None] = {}
sqlite3.register_adapter(type(None), _NOTHING.get)
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(bytes, bytes)

READERS = 104  # connections: the number of the web server's threads and some more
_log = logging.getLogger(__name__)
OTHER = "other"  # schema name of the file that `write_with` attaches
GROWN = "grown"  # key in `connection.info` of an append's (epoch, pos), read at the end of the transaction

# Set for each connection: the file stores only journal_mode.
_WRITER = (
    "PRAGMA journal_mode = WAL",
    # NORMAL may lose the last commits in a power cut; an acknowledged event must survive one.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA cache_size = -65536",
    "PRAGMA journal_size_limit = 67108864",
    # A checkpoint flushes both files; at the default of 4 MiB the projector would cause several a second.
    "PRAGMA wal_autocheckpoint = 8000",
)
_READER = (
    "PRAGMA query_only = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA busy_timeout = 10000",
)


def as_url(db: str | Path) -> URL:
    """The database URL of `--db` or hub.toml: a URL unchanged, any other text as the path of an SQLite file."""
    text = str(db)
    return make_url(text) if "://" in text else URL.create("sqlite", database=str(Path(text).absolute()))


def sqlite_path(db: str | Path) -> Path | None:
    """The real path of the SQLite file that `--db` or hub.toml names; None for another kind of database."""
    url = as_url(db)
    return Path(url.database or "").resolve() if url.get_backend_name() == "sqlite" else None


def _read_only(path: Path) -> URL:
    return URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})


class ProjectedElsewhere(HubLocked):
    """Another process folds the ledger of this database."""


class Store:
    """The open database of the hub. On SQLite it holds the writer's lock unless `writing` is False.

    `lock`: a lock that this process or its parent already holds; the store does not release it. `host`: the machine whose
    clocks, ids and disks the hub uses. Raises `HubLocked` when another process writes, and `OSError` for a folder, a pipe
    or a device.
    """

    def __init__(
        self, db: str | Path, *, writing: bool = True, lock: WriterLock | None = None, host: Host | None = None
    ) -> None:
        self.host = host or Host()
        self.url = as_url(db)
        # The real path, so that the files beside the database are found through any link to it.
        self.path = sqlite_path(db)
        if self.path is not None and self.path.exists() and not self.path.is_file():
            msg = f"{self.path} is no file"  # an open would wait for the writer of a named pipe
            raise OSError(msg)
        self.trouble: StorageTrouble | None = None  # of the last transaction; a permanent one stays until a restart
        self.name = secrets.token_hex(4)  # of this store in notifications to the others
        self.arrived = PositionSignal()  # announces the ledger's last position after each append
        self.running: dict[str, Progress] = {}  # the long work of this process by its key (`server.db.long_work`)
        self.listeners: list[Listener] = []  # of each progress, for a command that shows it in the terminal
        self.on_progress: Callable[[], None] = lambda: None  # called after each written progress
        self._own_lock = WriterLock(self.path) if writing and lock is None and self.path is not None else None
        self._lock = lock or self._own_lock
        if self._lock is not None and self.path is not None:
            self._hold(self._lock, self.path)
        self._high = RollbackGuard(self.path) if writing and self.path is not None else None
        self._one_writer = threading.Lock()
        self._group = GroupCommit(self.write)
        self._writer = self._engine(_WRITER, "BEGIN IMMEDIATE", pool_size=1) if writing else None
        self._projector = keeper_engine(self.url) if writing and self.path is None else None
        self._backups = keeper_engine(self.url) if writing and self.path is None else None
        # Read-only where a hub may run: a second process must not even checkpoint.
        readable = None if writing or self.path is None else _read_only(self.path)
        self._reader = self._engine(_READER, "BEGIN", pool_size=READERS, url=readable)

    def _hold(self, lock: WriterLock, path: Path) -> None:
        """Lock the database file itself, because a lock on a path alone does not guard other names of the file.

        1. Finish an interrupted restore, which replaces the file. 2. Create a missing file. 3. Lock it.
        """
        try:
            restore_swap.finish(path)
            if not path.exists():
                path.touch(mode=0o600)  # it holds keys; SQLite gives the files beside it the same permissions
            lock.hold(path)
        except BaseException:
            if self._own_lock is not None:
                self._own_lock.release()
            raise

    def _engine(self, pragmas: tuple[str, ...], begin: str, *, pool_size: int, url: URL | None = None) -> Engine:
        if self.path is None:
            return writer_engine(self.url) if pragmas is _WRITER else reader_engine(self.url)
        engine = create_engine(
            url or URL.create("sqlite", database=str(self.path)),
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=0,
            # The driver begins no transactions by itself; `start` below does.
            connect_args={"check_same_thread": False, "isolation_level": None, "cached_statements": 256},
        )

        def prepare(raw: Any, _record: object) -> None:
            for pragma in pragmas:
                raw.execute(pragma).close()

        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        event.listen(engine, "connect", prepare)
        event.listen(engine, "begin", start)
        return engine

    @contextmanager
    def write(self, *, lock: bool = True) -> Iterator[Connection]:
        """One writing transaction; the only one of all processes. Do not nest it: the inner one would deadlock.

        `lock` False: on PostgreSQL beside the writers, for a new hub, which has no tables to lock yet.
        """
        if self._writer is None:
            msg = f"{self.url.render_as_string()} is open for reading only."
            raise RuntimeError(msg)
        with self._recording_trouble():
            grown = yield from self._transaction(self._writer, lock)
            if self.trouble is not None and not self.trouble.lasting:
                self.trouble = None
        if grown is not None:
            self._announce(*grown)

    def write_with_others(self, execute: Callable[[Connection], Result]) -> Result:
        """Execute a write in a transaction with those of other threads; it is committed and flushed when this returns.

        For requests of stations. `execute` may be called twice: where another write of the transaction fails, all are
        rolled back and each is executed alone.
        """
        return self._group.run(execute)

    @contextmanager
    def write_with(self, other: Path) -> Iterator[Connection]:
        """As `write` on SQLite, with the file `other` attached as the schema OTHER."""
        assert self._writer is not None
        try:
            with self.write() as connection:
                connection.exec_driver_sql(f"ATTACH DATABASE ? AS {OTHER}", (str(other),))
                yield connection
        finally:
            # Only outside a transaction; nothing is attached where the statement above failed.
            with self._one_writer, self._writer.connect() as connection, suppress(sqlite3.OperationalError):
                raw: Any = connection.connection.driver_connection
                raw.execute(f"DETACH DATABASE {OTHER}").close()

    def write_if_free(self, work: Callable[[Connection], None]) -> bool:
        """Run a short write of which nothing else depends, without waiting; False where it was not run.

        On SQLite that is while another thread, or this one, has a transaction open; PostgreSQL runs it beside the writers.
        """
        if self._writer is None or (self.path is not None and self._one_writer.locked()):
            return False
        with self.write(lock=False) as connection:
            work(connection)
        return True

    @contextmanager
    def project(self) -> Iterator[Connection]:
        """A writing transaction of the projector; on PostgreSQL beside the writers, under the lock of the only projector.

        Raises `ProjectedElsewhere` where another process has that lock. See `projecting` for a lock that was lost meanwhile.
        """
        if self._projector is None:
            with self.write() as connection:
                yield connection
            return
        with self._recording_trouble(), self._projector.connect() as connection:
            if not hold_lock(connection, PROJECTOR_LOCK):
                msg = f"Another process folds the ledger in {self.url.render_as_string()}. Stop the hub first."
                raise ProjectedElsewhere(msg)
            with connection.begin():
                yield connection

    def leave_projection(self) -> None:
        """Release the lock of the only projector, so that another process can take it."""
        if self._projector is not None:
            self._projector.dispose()

    def keeps_backups(self) -> bool:
        """Whether this process makes the backups: on PostgreSQL the first one that asks, until it ends."""
        if self._backups is None:
            return True
        with self._backups.connect() as connection:
            return hold_lock(connection, BACKUP_LOCK)

    def notify(self, connection: Connection, what: str, *numbers: int) -> None:
        """Notify the other processes of this database at the commit; on SQLite there are none."""
        if self.path is None:
            notify(connection, " ".join([self.name, what, *map(str, numbers)]))

    def _transaction(self, writer: Engine, lock: bool) -> Generator[Connection, None, tuple[int, int] | None]:
        # On PostgreSQL the threads of all processes wait in the server.
        with nullcontext() if self.path is None else self._one_writer, writer.connect() as connection:
            try:
                with connection.begin():
                    if self.path is None and lock:
                        lock_writers(connection)
                    yield connection
                    if GROWN in connection.info:
                        self.notify(connection, GROWN, *connection.info[GROWN])
            finally:
                # Removed after a rollback too, because that append did not happen.
                grown: tuple[int, int] | None = connection.info.pop(GROWN, None)
            return grown

    @contextmanager
    def _recording_trouble(self) -> Iterator[None]:
        """Record a storage fault for /healthz; the failing request alone would report it only once."""
        try:
            yield
        except Exception as error:
            trouble = storage_trouble(error)
            if trouble is not None and not (self.trouble is not None and self.trouble.lasting):
                self.trouble = trouble
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One reading transaction on one snapshot of the database. Keep it short: it blocks the checkpoint."""
        with self._recording_trouble(), self._reader.connect() as connection, connection.begin():
            yield connection

    def _announce(self, epoch: int, pos: int) -> None:
        try:
            if self._high is not None:
                self._high.write(epoch, pos)
        except OSError:
            # The commit is done: an error now would make a person repeat the entry. A lagging file is safe.
            _log.exception("the high-water file of the ledger could not be written")
        self.arrived.announce(pos)

    @property
    def clock(self) -> HubClock:
        """The clocks of the hub's machine."""
        return self.host.clock

    @property
    def rollback_guard(self) -> RollbackGuard | None:
        """The guard with the last ledger position; None for a read-only store, and on PostgreSQL before `guard_server`."""
        return self._high

    def guard_server(self, hub_id: bytes) -> RollbackGuard | None:
        """Guard a database server by a file in the state folder of the service. None without such a folder."""
        folder = self.host.state_folder()
        if self._high is None and folder is not None:
            self._high = RollbackGuard(folder / hub_id.hex())
        return self._high

    def close(self) -> None:
        """Close every connection, and release the lock if the store acquired it."""
        self.arrived.close()
        self._reader.dispose()
        for engine in (self._writer, self._projector, self._backups):
            if engine is not None:
                engine.dispose()
        if self._high is not None:
            self._high.close()
        if self._own_lock is not None:
            self._own_lock.release()
            self._own_lock = None


def projecting(connection: Connection) -> object:
    """What stays the same while no other process can have projected; compare it by identity."""
    return connection.info.get(HELD)
