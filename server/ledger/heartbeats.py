"""Heartbeats: the last reported state of each station, kept in memory for at most a second and written together.

A heartbeat is no event: the next one replaces it, and no acknowledgement depends on it. So the heartbeats of all stations in
a second share one transaction, and a hub that is killed loses at most those of its last second.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from server.db import schema
from server.db.bulk_insert import insert_text, run_many
from server.db.store import Store

WRITE_S = 1.0
AFTER_ERROR_S = 10.0
_COLUMNS = tuple(column.name for column in schema.heartbeat.columns)
_REPLACE = ", ".join(f'"{name}" = excluded."{name}"' for name in _COLUMNS if name != "station")
_log = logging.getLogger(__name__)


class WaitingHeartbeats:
    """The heartbeats of one hub that are not in the table yet. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._rows: dict[str, Mapping[str, Any]] = {}  # station -> row of the table

    def keep(self, row: Mapping[str, Any]) -> None:
        """Keep a heartbeat, a row of the table, in place of the station's last one."""
        with self._lock:
            self._rows[row["station"]] = row

    def run(self, stop: threading.Event) -> None:
        """Write what waits once a second, and at `stop`; after an error later again."""
        pause_s = WRITE_S
        while not stop.wait(pause_s):
            pause_s = WRITE_S if self._write() else AFTER_ERROR_S
        self._write()

    def _write(self) -> bool:
        """Write what waits; False where it waits on after an error."""
        with self._lock:
            rows, self._rows = self._rows, {}
        try:
            if rows:
                write(self._store, rows.values())
        except Exception:  # noqa: BLE001  the thread must survive; /healthz names a fault of the medium
            _log.exception("the heartbeats of the stations could not be written")
            with self._lock:
                self._rows = rows | self._rows
            return False
        return True


def write(store: Store, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write heartbeats, one a station at most, in one transaction."""
    with store.write() as connection:
        text = insert_text(schema.heartbeat.name, _COLUMNS, connection.dialect.paramstyle)
        values = [tuple(row[name] for name in _COLUMNS) for row in rows]
        run_many(connection, f"{text} ON CONFLICT (station) DO UPDATE SET {_REPLACE}", values)
