"""Cache of the station snapshot and its version, until a definition or a binding changes.

`server.projection.station_snapshot` builds the body and reads every definition, which is too slow for each heartbeat.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from server.projection.definitions import change_count
from server.projection.station_snapshot import snapshot
from server.projection.tables import binding, definition

Display = tuple[tuple[str, str], str | None]  # the separators of the hub's locale, and the site's time zone


@dataclass(slots=True)
class CachedSnapshot:
    """The cached snapshot of one hub, rebuilt only after a change of a definition or a binding. Thread-safe.

    `holds_us`: UTC us from the build to the first definition or binding that is planned for later.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    changes: int | None = None
    holds_us: range = range(0)
    version: str = ""
    body: bytes = b""

    def current(
        self, connection: Connection, now_us: int, display: Callable[[Connection, int], Display]
    ) -> tuple[str, bytes]:
        """(version, body) of the current snapshot. `display` is called where it is built; its result follows definitions."""
        changes = change_count(connection)
        with self.lock:
            if self.changes != changes or now_us not in self.holds_us:
                self.version, self.body = snapshot(connection, now_us, *display(connection, now_us))
                self.changes, self.holds_us = changes, range(now_us, _next_us(connection, now_us))
            return self.version, self.body


def _next_us(connection: Connection, now_us: int) -> int:
    """When the next definition or binding begins to hold as planned, UTC us; the largest number where none is planned."""
    planned = [
        connection.execute(select(func.min(from_us)).where(from_us > now_us)).scalar()
        for from_us in (definition.c.holds_from_us, binding.c.key_us)
    ]
    return min((from_us for from_us in planned if from_us is not None), default=2**63 - 1)
