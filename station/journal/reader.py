"""Reading the journal beside its writer: for the sync thread, for the commands, for anyone.

A connection of its own that cannot write. Every question is one short read, so that no reader
keeps the writer from folding its write-ahead log. Where a new log took the journal's place, the reader follows it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from station.journal import metadata
from station.journal.records import ChainBreak, HubMark, JournalError, LogChanged, LogState, OpenItems, StoredEvent, Tip
from station.journal.schema import UNREADABLE, connect_reading
from station.journal.verify_chain import MOST_BREAKS, walk

MOST_EVENTS = 500
MOST_BYTES = 1024 * 1024
SLICE = 1_000  # events verified in one read
_AFTER = "SELECT seq, bytes, prev, hash FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
_END = 2**63 - 1
Answer = TypeVar("Answer")


def read_events(connection: sqlite3.Connection, after: int, limit: int, max_bytes: int) -> list[StoredEvent]:
    """The events behind `after`: at most `limit`, at most `max_bytes` of them, but one at least."""
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


class JournalReader:
    """A journal opened for reading; raises `JournalError` where there is none or it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inode = 0
        self._connection: sqlite3.Connection | None = None
        self._ask(metadata.log_id)

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            inode = self.path.stat().st_ino
            if self._connection is None or inode != self._inode:
                self.close()
                self._connection, self._inode = connect_reading(self.path), inode
            with self._connection:  # one moment for all statements of a question
                self._connection.execute("BEGIN")
                return question(self._connection)
        except FileNotFoundError as error:
            msg = f"There is no journal at {self.path}. Start the station once, or name another with --config."
            raise JournalError(msg) from error
        except UNREADABLE as error:
            msg = f"The journal {self.path} cannot be read: {error}. Restart the station: it moves damaged files aside."
            raise JournalError(msg) from error

    @property
    def log_id(self) -> bytes:
        """The 16 bytes that name this log."""
        return self._ask(metadata.log_id)

    @property
    def tip(self) -> Tip:
        """The last event's place and hash."""
        return self._ask(metadata.tip)

    def state(self) -> LogState:
        """Everything a session with the hub begins with."""
        return self._ask(metadata.state)

    def mark(self) -> HubMark | None:
        """Where the hub stands in its present epoch; None before the first contact."""
        return self._ask(metadata.mark)

    def events(
        self, after: int = 0, limit: int = MOST_EVENTS, max_bytes: int = MOST_BYTES, log_id: bytes | None = None
    ) -> list[StoredEvent]:
        """The next events behind `after`, one at least if there is one; raises `LogChanged` if this is not log `log_id`."""

        def question(db: sqlite3.Connection) -> list[StoredEvent]:
            if log_id is not None and (found := metadata.log_id(db)) != log_id:
                msg = f"The log is now {found.hex()}, no longer {log_id.hex()}. Begin a new session."
                raise LogChanged(msg)
            return read_events(db, after, limit, max_bytes)

        return self._ask(question)

    def newest(self, limit: int = MOST_EVENTS, before: int = _END) -> list[StoredEvent]:
        """The last events in front of `before`, newest first."""
        return self._ask(lambda db: metadata.newest(db, limit, before))

    def snapshot(self) -> tuple[str, bytes] | None:
        """The definitions the hub last sent, (version, body), or None."""
        return self._ask(metadata.snapshot)

    def items(self) -> OpenItems:
        """The open items as the hub last told them."""
        return self._ask(metadata.items)

    def verify(self) -> list[ChainBreak]:
        """Walk the whole chain from the prune point; the breaks, none when it holds. Many short reads."""
        log_id, last = self.log_id, self._ask(metadata.prune_point)
        breaks: list[ChainBreak] = []
        try:
            for events in self._slices(log_id, last.seq):
                found, last = walk(events, last)
                breaks += found
                if len(breaks) >= MOST_BREAKS:
                    break
        except LogChanged:
            raise
        except JournalError as error:
            breaks.append(ChainBreak(last.seq + 1, str(error)))
        return breaks

    def _slices(self, log_id: bytes, after: int) -> Iterator[list[StoredEvent]]:
        while events := self.events(after, SLICE, MOST_BYTES, log_id):
            yield events
            after = events[-1].seq

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
