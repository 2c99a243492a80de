"""Long work: what runs for long in any process of the hub, how far it is and what is left, for pages, healthz and commands.

A process keeps its own work in memory, and writes it into the table `long_work`, so that the other processes of one hub on
PostgreSQL, and a command on the same machine, read it too. On SQLite a row is written only while no transaction is open: an
import is one transaction, and its progress is then in the memory of the hub alone.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from server.db.schema import long_work
from server.db.store import Store
from station.system.progress import Listener, Meter, Progress

REBUILD, IMPORT, BACKUP, EXPORT = "rebuild", "import", "backup", "export"  # keys of the table
WRITTEN_S = 3.0  # between two writes; work that ends before the first one is never written
SHOWN_S = 2.0  # work that has run for less is not shown
STALE_US = 5 * 60 * 1_000_000  # an older row is of a process that was killed
_log = logging.getLogger(__name__)


@contextmanager
def published(
    store: Store, key: str, work: str, unit: str, *listeners: Listener, now_s: Callable[[], float] = time.monotonic
) -> Iterator[Meter]:
    """A meter whose progress is published under `key` until the end of the block, and passed to the listeners."""
    publisher = _Publisher(store, key)
    try:
        yield Meter(work, unit, publisher, *store.listeners, *listeners, now_s=now_s)
    finally:
        publisher.end()


class _Publisher:
    """Keeps the progress of one work in memory and, every WRITTEN_S, in the table."""

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        self._next_s, self._written = WRITTEN_S, False

    def __call__(self, progress: Progress) -> None:
        self._store.running[self._key] = progress
        if progress.elapsed_s < self._next_s:
            return
        self._next_s = progress.elapsed_s + WRITTEN_S
        now_us = self._store.clock.utc_us()
        row = {
            "work": self._key,
            "title": progress.work,
            "unit": progress.unit,
            "done": progress.done,
            "total": progress.total,
            "started_us": now_us - round(progress.elapsed_s * 1_000_000),
            "seen_us": now_us,
        }
        self._written |= self._write(lambda connection: connection.execute(insert(long_work), [row]))

    def end(self) -> None:
        """Remove the work; also from the table, where a killed process may have left the same key."""
        if self._store.running.pop(self._key, None) is not None and self._written:
            self._write(lambda _connection: None)

    def _write(self, change: Callable[[Connection], object]) -> bool:
        """Replace the row, beside all other writes; an error is logged, because the work itself goes on."""

        def replace(connection: Connection) -> None:
            connection.execute(delete(long_work).where(long_work.c.work == self._key))
            change(connection)
            self._store.notify(connection, "refolded", 0)

        try:
            done = self._store.write_if_free(replace)
        except SQLAlchemyError as error:
            _log.warning("the progress of %s was not written: %s", self._key, error)
            done = False
        self._store.on_progress()
        return done


def running(store: Store, connection: Connection) -> dict[str, Progress]:
    """The long work of every process of this hub by its key, that of this process first."""
    own = dict(store.running)
    found = own | {key: work for key, work in _written(connection, store.clock.utc_us()) if key not in own}
    return {key: work for key, work in found.items() if work.elapsed_s >= SHOWN_S}


def forget(connection: Connection, *keys: str) -> None:
    """Remove the rows of these keys, or all: of processes that were killed."""
    rows = delete(long_work)
    connection.execute(rows.where(long_work.c.work.in_(keys)) if keys else rows)


def _written(connection: Connection, now_us: int) -> Iterator[tuple[str, Progress]]:
    if connection.dialect.name == "sqlite":
        tables = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'long_work'")
        if tables.first() is None:
            return  # a command that reads a database of an earlier version
    for row in connection.execute(select(long_work).where(long_work.c.seen_us > now_us - STALE_US)):
        elapsed_s = (row.seen_us - row.started_us) / 1_000_000
        yield row.work, Progress(row.title, row.unit, row.done, row.total, elapsed_s)
