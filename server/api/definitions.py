"""The definitions that stations judge with, and their version, kept at hand until a definition changes.

The body is made by `server.projection.snapshot`; making it reads every definition, so it is made once for each state of
them and not for each heartbeat.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from server import clock
from server.projection.snapshot import snapshot
from server.projection.tables import binding, definition
from server.store import Store


@dataclass(slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    stamp: Any = None
    version: str = ""
    body: bytes = b""


_kept = _Kept()


def current(store: Store) -> tuple[str, bytes]:
    """(version, body) of the definitions that hold now."""
    with store.read() as connection:
        stamp = (store.url, _stamp(connection))
        with _kept.lock:
            if _kept.stamp != stamp:
                _kept.version, _kept.body = snapshot(connection)
                _kept.stamp = stamp
            return _kept.version, _kept.body


def version(store: Store) -> str:
    """The version of the definitions that hold now."""
    return current(store)[0]


def _stamp(connection: Connection) -> tuple[Any, ...]:
    """What changes whenever a definition or a binding is added or voided, or one that was made ahead begins to hold."""
    ids, bound = definition.c.id, binding.c
    held = func.count().filter(definition.c.holds_from_us <= clock.utc_us())
    defined = connection.execute(select(func.count(), func.max(ids), func.sum(ids), held)).one()
    binds = func.count().filter(bound.key_us <= clock.utc_us())
    return (
        *defined,
        *connection.execute(select(func.count(), func.max(bound.key_us), func.sum(bound.seq), binds)).one(),
    )
