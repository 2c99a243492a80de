"""What a running hub does by the clock: backups, and a look at the clock itself."""

import logging
import threading
from pathlib import Path

from server import clock
from server.backup import BackupError, back_up, thin_out
from server.hublog import hub_row, keep_time
from server.office import grant
from server.store import Store
from server.wish import Wish

LOOK_S = 60.0  # a step of the clock is noticed within a minute
_log = logging.getLogger(__name__)


class Clockwork:
    """Looks at the hub's clock once a minute: a step gets an anchor in the ledger, a clock in doubt gives none."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, stop: threading.Event) -> None:
        """Look until `stop`."""
        while not stop.wait(LOOK_S):
            try:
                with self._store.write() as connection:
                    keep_time(connection)
            except Exception:  # noqa: BLE001  the next look may do better
                _log.exception("the hub's clock could not be looked at")


class Backups:
    """Makes a backup every so often, verifies it, and lets stations prune what lies in it."""

    def __init__(self, folder: str | None, every_s: int, store: Store) -> None:
        self._folder = None if folder is None else Path(folder)
        self._every_s = every_s
        self._store = store

    def run(self, stop: threading.Event) -> None:
        """Back up until `stop`; the first one when it is due since the last."""
        if self._folder is None or self._store.path is None:
            return
        with self._store.read() as connection:
            last_us = hub_row(connection).backup_us or 0
        wait_s = max(0.0, self._every_s - (clock.utc_us() - last_us) / 1_000_000)
        while not stop.wait(min(wait_s, float(self._every_s))):
            self._once(self._folder, str(self._store.path))
            wait_s = float(self._every_s)

    def _once(self, folder: Path, db: str) -> None:
        try:
            made = back_up(db, folder, clock.utc_us())
            thin_out(folder)
        except (BackupError, OSError) as error:
            _log.error("no backup: %s", error)
            return
        grant(self._store, Wish("ledger checked", {"breaks": list(made.breaks)}))
        if made.off_disk:
            grant(self._store, Wish("backed up", {"epoch": made.epoch, "pos": made.pos}))
        else:
            _log.warning("%s is on the hub's own disk: stations go on keeping what they sent", made.path)
