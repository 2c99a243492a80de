"""Journal reader: a read-only connection beside the writer, for the sync thread and the commands.

Each query is one short read transaction, so that a reader does not keep the writer from checkpointing its write-ahead log.
When a new log has taken the journal's place, the reader opens that one.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from station.journal import metadata
from station.journal.other_file import refuse_other_file
from station.journal.queries import JournalQueries, Result
from station.journal.records import ChainBreak, HubMark, JournalDenied, JournalError, LogChanged, StoredEvent, Tip
from station.journal.schema import UNREADABLE, connect_reading, refuse_newer
from station.journal.verify_chain import MOST_BREAKS, walk
from station.system.access import DO, EXPECTED, denied
from station.system.progress import Advance, unheard

MOST_EVENTS = 500
MOST_BYTES = 1024 * 1024
SLICE = 1_000  # events verified in one read
_AFTER = "SELECT seq, bytes, prev, hash FROM event WHERE seq > ? ORDER BY seq LIMIT ?"


def read_events(connection: sqlite3.Connection, after: int, limit: int, max_bytes: int) -> list[StoredEvent]:
    """The events behind `after`: at most `limit`, at most `max_bytes` together, but at least one."""
    events: list[StoredEvent] = []
    left = max_bytes
    cursor = connection.execute(_AFTER, (after, limit))
    for row in cursor:
        event = StoredEvent(*row)
        left -= len(event.encoded)
        if events and left < 0:
            break
        events.append(event)
    cursor.close()
    return events


def _not_this_user(path: Path) -> str:
    return f"The journal {denied(path)}. {EXPECTED} {DO}"


class JournalReader(JournalQueries):
    """A journal opened for reading. Raises `JournalError` where there is none, it cannot be read or is of later software,
    `JournalDenied` for a user that may not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inode = 0
        self._connection: sqlite3.Connection | None = None
        self.run_query(metadata.log_id)

    def run_query(self, query: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a query in one read transaction; returns its result. Raises `JournalError` where it cannot be read."""
        try:
            inode = self.path.stat().st_ino
            if self._connection is None or inode != self._inode:
                self.close()
                self._connection, self._inode = connect_reading(self.path), 0
                refuse_newer(self._connection)
                self._inode = inode  # only now, so that a further query of a refused journal is refused too
            with self._connection:  # all statements of a query see the same snapshot of the database
                self._connection.execute("BEGIN")
                return query(self._connection)
        except FileNotFoundError as error:
            msg = f"There is no journal at {self.path}. Start the station once, or name another with --config."
            raise JournalError(msg) from error
        except PermissionError as error:
            raise JournalDenied(_not_this_user(self.path)) from error
        except UNREADABLE as error:
            if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CANTOPEN", "SQLITE_PERM")):
                raise JournalDenied(_not_this_user(self.path)) from error
            refuse_other_file(self.path)
            msg = f"The journal {self.path} cannot be read: {error}. Restart the station: it moves damaged files aside."
            raise JournalError(msg) from error

    @property
    def log_id(self) -> bytes:
        """The 16 bytes that name this log."""
        return self.run_query(metadata.log_id)

    @property
    def tip(self) -> Tip:
        """The last event's position and hash."""
        return self.run_query(metadata.tip)

    def mark(self) -> HubMark | None:
        """The hub's cursors in its present epoch; None before the first contact."""
        return self.run_query(metadata.mark)

    def events(
        self, after: int = 0, limit: int = MOST_EVENTS, max_bytes: int = MOST_BYTES, log_id: bytes | None = None
    ) -> list[StoredEvent]:
        """The next events behind `after`, at least one if there is one. Raises `LogChanged` if this is not log `log_id`."""

        def query(db: sqlite3.Connection) -> list[StoredEvent]:
            if log_id is not None and (present := metadata.log_id(db)) != log_id:
                msg = f"The log is now {present.hex()}, no longer {log_id.hex()}. Begin a new session."
                raise LogChanged(msg)
            return read_events(db, after, limit, max_bytes)

        return self.run_query(query)

    def verify(self, advance: Advance = unheard) -> list[ChainBreak]:
        """Verify the whole chain from the prune point, in many short reads; returns the breaks, none when it holds.

        `advance` counts the events.
        """
        log_id, last = self.log_id, self.run_query(metadata.prune_point)
        breaks: list[ChainBreak] = []
        first, end = last.seq, self.tip.seq
        try:
            for events in self._slices(log_id, last.seq):
                slice_breaks, last = walk(events, last)
                breaks += slice_breaks
                advance(last.seq - first, max(end, last.seq) - first)
                if len(breaks) >= MOST_BREAKS:
                    break
        except (JournalDenied, LogChanged):
            raise
        except JournalError as error:
            breaks.append(ChainBreak(last.seq + 1, str(error)))
        return breaks

    def _slices(self, log_id: bytes, after: int) -> Iterator[list[StoredEvent]]:
        while events := self.events(after, SLICE, MOST_BYTES, log_id):
            yield events
            after = events[-1].seq

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
