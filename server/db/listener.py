"""Listener: announce the positions that other processes of one hub on PostgreSQL reached, as they notify of them.

A notification is a line: the name of the sending store, what it reached, and its numbers. A listener that was away reads the
positions from the tables first, because a server keeps no notification for it.
"""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import select

from server.db import schema
from server.db.position_signal import PositionSignal
from server.db.postgresql import notifications
from server.db.store import GROWN, Store

PROJECTED, REFOLDED = "projected", "refolded"
WAIT_S = 1.0
_log = logging.getLogger(__name__)


class PositionListener:
    """Announces on `store.arrived` and `projected`. `projected_pos`: reads the projected position."""

    def __init__(self, store: Store, projected: PositionSignal, projected_pos: Callable[[], int]) -> None:
        self._store, self._projected, self._projected_pos = store, projected, projected_pos

    def run(self, stop: threading.Event) -> None:
        """Listen until `stop` is set; a lost connection is opened again."""
        while not stop.is_set():
            try:
                for line in notifications(self._store.url, self.catch_up, WAIT_S):
                    if stop.is_set():
                        return
                    if line is not None:
                        self.apply(line)
            except OSError as error:
                _log.warning("listening for positions: %s", error)
            except Exception:  # noqa: BLE001  the only listener must survive; the projector's thread polls meanwhile
                _log.exception("listening for positions failed")
            stop.wait(WAIT_S)

    def catch_up(self) -> None:
        """Announce the positions of the tables; pages reload, because a refold may have been missed."""
        counter = schema.counter.c
        with self._store.read() as connection:
            pos = connection.execute(select(counter.pos).where(counter.name == "ledger")).scalar_one()
        self._store.arrived.announce(pos)
        self._projected.announce(self._projected_pos())
        self._projected.announce_refold()

    def apply(self, line: str) -> None:
        """Announce what another store reached. A line of another form is of another version, and ignored."""
        sender, _, rest = line.partition(" ")
        what, *numbers = rest.split(" ")
        if sender == self._store.name or not numbers or not numbers[-1].isdecimal():
            return
        if what == GROWN:
            self._store.arrived.announce(int(numbers[-1]))
        elif what == PROJECTED:
            self._projected.announce(int(numbers[-1]))
        elif what == REFOLDED:
            self._projected.announce_refold()
