"""Cache of the station snapshot and its version, until a definition or a binding changes.

`server.projection.station_snapshot` builds the body and reads every definition, which is too slow for each heartbeat.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from server.db.store import Store
from server.projection.station_snapshot import snapshot
from server.projection.tables import binding, definition


@dataclass(slots=True)
class CachedSnapshot:
    """The cached snapshot of one hub, rebuilt only after a change of a definition or a binding. Thread-safe."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    stamp: Any = None
    version: str = ""
    body: bytes = b""

    def current(self, store: Store, separators: tuple[str, str], zone: str | None = None) -> tuple[str, bytes]:
        """(version, body) of the current snapshot, with the separators of the hub's locale and the site's time zone."""
        now_us = store.clock.utc_us()
        with store.read() as connection:
            stamp = (*_stamp(connection, now_us), separators, zone)
            with self.lock:
                if self.stamp != stamp:
                    self.version, self.body = snapshot(connection, now_us, separators, zone)
                    self.stamp = stamp
                return self.version, self.body


def _stamp(connection: Connection, now_us: int) -> tuple[Any, ...]:
    """A value that differs after a definition or a binding was added or voided, or began to hold as planned."""
    ids, bound = definition.c.id, binding.c
    current_definitions = func.count().filter(definition.c.holds_from_us <= now_us)
    current_bindings = func.count().filter(bound.key_us <= now_us)
    return (
        *connection.execute(select(func.count(), func.max(ids), func.sum(ids), current_definitions)).one(),
        *connection.execute(select(func.count(), func.max(bound.key_us), func.sum(bound.seq), current_bindings)).one(),
    )
