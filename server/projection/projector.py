"""The projector: the one thread that folds the ledger into what the pages show, a little behind it.

It takes at most 500 events a transaction, fewer where that lasts longer than 50 ms, and writes with their rows how far it
has come. What an event changes about others (a void, a correction, a first anchor, a binding, a definition) makes their
items dirty; those are folded anew behind fresh work, from a queue that survives a restart.
"""

import threading
import time

import structlog
from sqlalchemy import Connection, func, select

from server.announce import Bell
from server.projection.own_tables import dirty_code
from server.projection.progress import Progress
from server.projection.tables import PROJECTED_POS, dirty, projection
from server.schema import ledger
from server.store import Store

MOST_EVENTS = 500
LONGEST_S = 0.050
LEAST_EVENTS = 20
REFOLDED_AT_ONCE = 50
LOOK_AGAIN_S = 1.0  # an append in another process rings no bell here
AFTER_ERROR_S = 5.0
LOG = structlog.get_logger("projector")


class Projector:
    """Folds behind the ledger of one store; `bell` rings with each position that the pages can show."""

    def __init__(self, store: Store, bell: Bell) -> None:
        self._store, self._bell = store, bell
        self._progress: Progress | None = None
        self._limit = MOST_EVENTS

    def run(self, stop: threading.Event) -> None:
        """Fold until `stop` is set. What goes wrong is logged and tried again: the ledger goes on without it."""
        while not stop.is_set() and not self._store.arrived.closed:
            try:
                if not self.step():
                    self._store.arrived.wait(self.pos, LOOK_AGAIN_S)
            except Exception:  # the one thread must not die; healthz shows how far it is behind
                LOG.exception("the projection stopped and starts again", pos=self.pos)
                self._progress = None
                stop.wait(AFTER_ERROR_S)

    @property
    def pos(self) -> int:
        """How far the projection has come."""
        return self._progress.pos if self._progress is not None else 0

    def step(self) -> bool:
        """One transaction of work, fresh before old; False where nothing is left to do."""
        try:
            with self._store.write() as connection:
                known = self._progress = self._progress or Progress(connection)
                start = time.monotonic()
                fresh = known.take(connection, self._limit)
                self._adapt(fresh, time.monotonic() - start)
                done = bool(fresh) or known.link_again(connection, MOST_EVENTS, LONGEST_S)
                done = done or known.fold_again(connection, REFOLDED_AT_ONCE, LONGEST_S)
        except BaseException:
            self._progress = None  # what is in memory and what is in the tables may differ now
            raise
        self._bell.ring(known.pos)
        if done and not fresh:
            self._bell.ring_again()
        return done

    def _adapt(self, events: int, took_s: float) -> None:
        if took_s > LONGEST_S and events >= self._limit:
            self._limit = max(LEAST_EVENTS, self._limit * 3 // 4)
        elif took_s < LONGEST_S / 2:
            self._limit = min(MOST_EVENTS, self._limit * 5 // 4 + 1)

    def drain(self) -> None:
        """Fold everything there is, and every dirty item: for commands and tests."""
        while self.step():
            pass


def projected_pos(connection: Connection) -> int:
    """The position in the ledger that the projection stands at."""
    found = connection.execute(select(projection.c.v).where(projection.c.k == PROJECTED_POS)).scalar_one_or_none()
    return int(found or 0)


def recalculating(connection: Connection) -> int:
    """How many items are to be folded anew: what pages show of them is a little old."""
    items = connection.execute(select(func.count()).select_from(dirty)).scalar_one()
    codes = connection.execute(select(func.count()).select_from(dirty_code)).scalar_one()
    return int(items) + int(codes)


def behind(connection: Connection) -> int:
    """How many events the projection has not folded yet."""
    last = connection.execute(select(func.coalesce(func.max(ledger.c.pos), 0))).scalar_one()
    return int(last) - projected_pos(connection)
