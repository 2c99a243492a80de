"""Shared board: the snapshot of the present with its alerts, computed once for all viewers of a hub process.

A viewer who opens the board gets an answer of the newest position. The pages that follow the shop ask again after each scan;
they share an answer of the last `every_s` seconds even where a scan came since, and are told so (`behind`), and ask again.
No answer is computed sooner than `every_s` after the one before.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from server.db.store import Store
from server.projection.tables import PROJECTED_POS, item, projection
from server.queries.alerts import BoardState
from server.queries.board_state import AlertList
from server.queries.lag import Lag
from server.queries.live_shop import LiveShop
from server.queries.stage_summary import StockSummary

EVERY_S = 0.25
KEEP_S = 2.0


class BoardAnswer(NamedTuple):
    """The board now: the line, the alerts, what was finished today, the numbers of late orders and of those due today."""

    shop: BoardState
    listed: AlertList
    finished: StockSummary
    late: int
    due_today: int
    lag: Lag
    behind: bool = False


Stamp = tuple[int, int | None]
_STAMP = select(
    select(projection.c.v).where(projection.c.k == PROJECTED_POS).scalar_subquery(),
    select(func.max(item.c.changed)).scalar_subquery(),
)


def stamp_of(connection: Connection) -> Stamp:
    """What changes with each projected event and with each refold of an item."""
    pos, changed = connection.execute(_STAMP).one()
    return pos or 0, changed


@dataclass(slots=True)
class SharedBoard:
    """The last answer of one hub process. Thread-safe.

    `every_s`: the least time between two computations. `keep_s`: the time for which a page that follows shares an answer
    while nothing is projected; ages and the state of stations change without an event. `now_s`: a monotonic clock.
    """

    every_s: float = EVERY_S
    keep_s: float = KEEP_S
    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    computed: int = 0
    live: LiveShop = field(default_factory=LiveShop)  # for a computation only, which has its lock
    _live_lock: threading.Lock = field(default_factory=threading.Lock)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: tuple[float, Stamp, BoardAnswer] | None = None
    _compare_lock: threading.Lock = field(default_factory=threading.Lock)
    _compared: tuple[float, Stamp] | None = None  # when the database was asked for its stamp, and this

    def answer(self, store: Store, compute: Callable[[Connection], BoardAnswer], *, follows: bool) -> BoardAnswer:
        """The answer for one viewer. `follows`: a page that asks again by itself.

        1. Share the last answer where it is young enough.
        2. Else take the lock. Whoever waited for it shares the answer that was begun meanwhile.
        3. Wait until `every_s` after the begin of the last computation, and compute. The stamp is of the same snapshot.
        """
        arrived_s = self.now_s()
        shared = self._shared(store, arrived_s, follows=follows)
        if shared is not None:
            return shared
        with self._lock:
            shared = self._shared(store, arrived_s, follows=follows)
            if shared is not None:
                return shared
            if self._last is not None:
                self.sleep(max(0.0, self._last[0] + self.every_s - self.now_s()))
            began_s = self.now_s()
            with self._live_lock, store.read() as connection:
                stamp = stamp_of(connection)
                answer = compute(connection)
            self.computed += 1
            self._last = (began_s, stamp, answer)
            return answer

    @contextmanager
    def newest(self, store: Store) -> Iterator[tuple[Connection, LiveShop]]:
        """A snapshot of the database, and what the process has in memory, which may be brought to that snapshot.

        No other board is computed within the block. Hold no other snapshot: whoever computes one needs a second connection.
        """
        with self._live_lock, store.read() as connection:
            yield connection, self.live

    def _shared(self, store: Store, arrived_s: float, *, follows: bool) -> BoardAnswer | None:
        last = self._last
        if last is None:
            return None
        began_s, stamp, answer = last
        if began_s >= arrived_s:
            return answer
        age_s = self.now_s() - began_s
        if age_s >= (self.keep_s if follows else self.every_s):
            return None
        if self._stamp(store, arrived_s) == stamp:
            return answer
        return answer._replace(behind=True) if follows and age_s < self.every_s else None

    def _stamp(self, store: Store, arrived_s: float) -> Stamp:
        """The stamp of the database after a viewer arrived; viewers who wait for one that was asked for since share it."""
        with self._compare_lock:
            if self._compared is None or self._compared[0] <= arrived_s:
                asked_s = self.now_s()
                with store.read() as connection:
                    self._compared = asked_s, stamp_of(connection)
            return self._compared[1]
