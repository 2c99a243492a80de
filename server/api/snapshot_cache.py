"""The definitions that stations judge with, and their version, kept at hand until a definition changes.

The body is made by `server.projection.station_snapshot`; making it reads every definition, so it is made once for
each state of them and not for each heartbeat.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from server.db.store import Store
from server.projection.station_snapshot import snapshot
from server.projection.tables import binding, definition


@dataclass(slots=True)
class KeptSnapshot:
    """The snapshot of one hub, made again only where a definition or a binding changed. Used by many threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    stamp: Any = None
    version: str = ""
    body: bytes = b""

    def current(self, store: Store, separators: tuple[str, str]) -> tuple[str, bytes]:
        """(version, body) of the definitions that hold now, with the locale's separators."""
        now_us = store.clock.utc_us()
        with store.read() as connection:
            stamp = _stamp(connection, now_us)
            with self.lock:
                if self.stamp != stamp:
                    self.version, self.body = snapshot(connection, now_us, separators)
                    self.stamp = stamp
                return self.version, self.body


def _stamp(connection: Connection, now_us: int) -> tuple[Any, ...]:
    """What changes whenever a definition or a binding is added or voided, or one that was made ahead begins to hold."""
    ids, bound = definition.c.id, binding.c
    held = func.count().filter(definition.c.holds_from_us <= now_us)
    defined = connection.execute(select(func.count(), func.max(ids), func.sum(ids), held)).one()
    binds = func.count().filter(bound.key_us <= now_us)
    return (
        *defined,
        *connection.execute(select(func.count(), func.max(bound.key_us), func.sum(bound.seq), binds)).one(),
    )
