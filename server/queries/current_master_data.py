"""Cache of the shop's master data, read again from the projection when a definition has changed."""

import threading
from typing import Any

from sqlalchemy import Connection, select

from server.projection.definitions import read_row
from server.projection.tables import definition
from station.core.master_data import MasterData

_KEPT = 4  # databases per process of which the last catalogue is kept: one, and some in tests
_catalogues: dict[str, tuple[tuple[Any, ...], MasterData]] = {}
_lock = threading.Lock()


def catalogue(connection: Connection) -> MasterData:
    """Every definition that stands, ready to be asked for as of a time. Costs one read of some hundred keys."""
    c = definition.c
    keys = tuple(tuple(row) for row in connection.execute(select(c.id, c.holds_from_us, c.key_us).order_by(c.id)))
    name = str(connection.engine.url)
    with _lock:
        known = _catalogues.get(name)
    if known is not None and known[0] == keys:
        return known[1]
    made = MasterData(read_row(row) for row in connection.execute(select(definition)))
    with _lock:
        while len(_catalogues) >= _KEPT:
            _catalogues.pop(next(iter(_catalogues)))
        _catalogues[name] = (keys, made)
    return made
