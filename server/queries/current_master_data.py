"""Cache of the shop's master data, read again from the projection after a change of a definition."""

import threading
from typing import Any

from sqlalchemy import Connection, select

from server.projection.definitions import read_row
from server.projection.tables import definition
from station.core.master_data import MasterData

_MAX_CACHED = 4  # databases with a cached value in this process: one, several in tests
_cached: dict[str, tuple[tuple[Any, ...], MasterData]] = {}
_lock = threading.Lock()


def master_data(connection: Connection) -> MasterData:
    """All unvoided definitions, for lookups as of any time. A cached value costs one query of some hundred keys."""
    c = definition.c
    if connection.engine.url.database is None:  # a database in memory: its address does not tell it from others
        return MasterData(read_row(row) for row in connection.execute(select(definition)))
    keys = tuple(tuple(row) for row in connection.execute(select(c.id, c.holds_from_us, c.key_us).order_by(c.id)))
    name = str(connection.engine.url)
    with _lock:
        cached = _cached.get(name)
    if cached is not None and cached[0] == keys:
        return cached[1]
    master_data = MasterData(read_row(row) for row in connection.execute(select(definition)))
    with _lock:
        while len(_cached) >= _MAX_CACHED:
            _cached.pop(next(iter(_cached)))
        _cached[name] = (keys, master_data)
    return master_data
