"""Queries that the journal's writer and its readers share: state for a session, definitions, open items, newest events."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from station.journal import metadata
from station.journal.records import LogState, OpenItems, StoredEvent

NEWEST = 500
END = 2**63 - 1  # SQLite's largest sequence number
Result = TypeVar("Result")


class JournalQueries(ABC):
    """The shared queries; a subclass runs them on its connection."""

    @abstractmethod
    def run_query(self, query: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a query on the journal's connection; returns its result."""

    def state(self) -> LogState:
        """The fields that introduce this log in a session with the hub."""
        return self.run_query(metadata.state)

    def snapshot(self) -> tuple[str, bytes] | None:
        """The stored definitions of the hub, (version, body), or None."""
        return self.run_query(metadata.snapshot)

    def items(self) -> OpenItems:
        """The stored open items of the hub."""
        return self.run_query(metadata.items)

    def items_cursor(self) -> str:
        """The cursor of the last answer with items."""
        return self.run_query(metadata.items_cursor)

    def events_after(self, after: int) -> list[StoredEvent]:
        """The next events behind a sequence number; none at the end."""
        return self.run_query(lambda db: metadata.following(db, NEWEST, after))

    def newest(self, limit: int = NEWEST, before: int = END) -> list[StoredEvent]:
        """The last events with a sequence number below `before`, newest first."""
        return self.run_query(lambda db: metadata.newest(db, limit, before))
