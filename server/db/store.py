"""The store: the hub's one door to its database, with one writer on SQLite and any number of readers.

`with store.write() as connection:` is one transaction, committed at the end of the block and flushed to the medium before
the block returns. `with store.read() as connection:` sees one moment of the database and cannot write. All SQL that only
SQLite knows stands in this file.
"""

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import QueuePool

from server.clock.readings import HubClock
from server.db.position_signal import PositionSignal
from server.db.rollback_guard import RollbackGuard
from server.db.storage_errors import StorageTrouble, storage_trouble
from server.db.writer_lock import WriterLock
from server.ops import restore_swap
from server.ops.host import Host

READERS = 56  # as many connections as the web server has threads, and some
_log = logging.getLogger(__name__)
GROWN = "grown"  # where an append leaves (epoch, pos) for the end of its transaction

# Per connection: the file remembers only journal_mode.
_WRITER = (
    "PRAGMA journal_mode = WAL",
    # NORMAL may lose the last commits when the power goes; an acknowledgement is a promise.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA cache_size = -65536",
    "PRAGMA journal_size_limit = 67108864",
    # Folding the log back into the file flushes both; the projector writes 4 MiB, the default, in a fraction of a second.
    "PRAGMA wal_autocheckpoint = 8000",
)
_READER = (
    "PRAGMA query_only = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA busy_timeout = 10000",
)


def as_url(db: str | Path) -> URL:
    """The database address of `--db` or hub.toml: a URL as it is, anything else the path of an SQLite file."""
    text = str(db)
    return make_url(text) if "://" in text else URL.create("sqlite", database=str(Path(text).absolute()))


def sqlite_path(db: str | Path) -> Path | None:
    """The real path of the SQLite file that `--db` or hub.toml names; None for another database."""
    url = as_url(db)
    return Path(url.database or "").resolve() if url.get_backend_name() == "sqlite" else None


def _read_only(path: Path) -> URL:
    return URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})


class Store:
    """The hub's database, open. On SQLite it holds `<db>.lock` unless `writing` is False.

    `lock` is one that this process or its parent holds already; the store then leaves it held. Raises `HubRuns` when
    another process writes. `host` is the machine whose clocks, ids and disks this hub uses.
    """

    def __init__(
        self, db: str | Path, *, writing: bool = True, lock: WriterLock | None = None, host: Host | None = None
    ) -> None:
        self.host = host or Host()
        self.url = as_url(db)
        # The real path: what lies beside the database is found by every name that leads to it.
        self.path = sqlite_path(db)
        self.trouble: StorageTrouble | None = (
            None  # of the last transaction; what lasts stays until the hub starts again
        )
        self.arrived = PositionSignal()  # rings with the ledger's last position after each append
        self._own_lock = WriterLock(self.path) if writing and lock is None and self.path is not None else None
        self._lock = lock or self._own_lock
        if self._lock is not None and self.path is not None:
            self._hold(self._lock, self.path)
        self._high = RollbackGuard(self.path) if writing and self.path is not None else None
        self._one_writer = threading.Lock()
        self._writer = self._engine(_WRITER, "BEGIN IMMEDIATE", pool_size=1) if writing else None
        # Beside a running hub the file is opened read-only: a second process must not even checkpoint.
        readable = None if writing or self.path is None else _read_only(self.path)
        self._reader = self._engine(_READER, "BEGIN", pool_size=READERS, url=readable)

    def _hold(self, lock: WriterLock, path: Path) -> None:
        """Finish a restore that was cut off, make sure that there is a file, and hold it: a lock guards no name alone."""
        try:
            restore_swap.finish(path)
            if not path.exists():
                path.touch(mode=0o600)  # it holds keys; what SQLite puts beside it gets the same rights
            lock.hold(path)
        except BaseException:
            if self._own_lock is not None:
                self._own_lock.release()
            raise

    def _engine(self, pragmas: tuple[str, ...], begin: str, *, pool_size: int, url: URL | None = None) -> Engine:
        if self.path is None:
            return create_engine(self.url, pool_pre_ping=True)
        engine = create_engine(
            url or URL.create("sqlite", database=str(self.path)),
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=0,
            # The driver's own idea of when a transaction begins is switched off; `begin` below says it.
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
    def write(self) -> Iterator[Connection]:
        """One writing transaction; on SQLite the only one of this process. Never nested: the inner would wait for ever."""
        if self._writer is None:
            msg = f"{self.url.render_as_string()} was opened for reading only."
            raise RuntimeError(msg)
        with self._noting():
            grown = yield from self._transaction(self._writer)
            if self.trouble is not None and not self.trouble.lasting:
                self.trouble = None
        if grown is not None:
            self._announce(*grown)

    def _transaction(self, writer: Engine) -> Generator[Connection, None, tuple[int, int] | None]:
        if self.path is None:
            with writer.begin() as connection:
                yield connection
                return connection.info.pop(GROWN, None)  # type: ignore[no-any-return]
        with self._one_writer, writer.connect() as connection:
            try:
                with connection.begin():
                    yield connection
            finally:
                # Also after a rollback: what it left there never happened.
                grown: tuple[int, int] | None = connection.info.pop(GROWN, None)
            return grown

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Keep what is wrong with the disk or the file, for healthz: a caller sees it once, and then no more."""
        try:
            yield
        except Exception as error:
            trouble = storage_trouble(error)
            if trouble is not None and not (self.trouble is not None and self.trouble.lasting):
                self.trouble = trouble
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One reading transaction: everything in it is seen as of one moment. Keep it short: it holds up the checkpoint."""
        with self._noting(), self._reader.connect() as connection, connection.begin():
            yield connection

    def _announce(self, epoch: int, pos: int) -> None:
        try:
            if self._high is not None:
                self._high.write(epoch, pos)
        except OSError:
            # The commit is done: an error now would make a person enter it twice. A mark that lags is on the safe side.
            _log.exception("the high-water file of the ledger could not be written")
        self.arrived.announce(pos)

    @property
    def clock(self) -> HubClock:
        """The clocks of the hub's machine."""
        return self.host.clock

    @property
    def high_water(self) -> RollbackGuard | None:
        """How far the ledger had come, as kept beside the database; none on PostgreSQL or when only reading."""
        return self._high

    def close(self) -> None:
        """Close every connection, and let go of the lock if the store took it itself."""
        self.arrived.close()
        self._reader.dispose()
        if self._writer is not None:
            self._writer.dispose()
        if self._high is not None:
            self._high.close()
        if self._own_lock is not None:
            self._own_lock.release()
            self._own_lock = None
