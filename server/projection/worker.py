"""The projector: the one thread that folds the ledger into what the pages show, a little behind it.

It takes at most 500 events a transaction, fewer where that lasts longer than 50 ms, and writes with their rows how far it
has come. What an event changes about others (a void, a correction, a first anchor, a binding, a definition) makes their
items dirty; those are folded anew behind fresh work, from a queue that survives a restart.

No event stops it. After an error the transaction is rolled back and done again with half as much, until one event (item,
code) is left; that one is set aside with its reason, and the rest goes on.
"""

import threading
import time

import structlog
from sqlalchemy import Connection, func, select

from server.db.position_signal import PositionSignal
from server.db.schema import ledger
from server.db.store import Store
from server.projection.internal_tables import dirty_code
from server.projection.interpreter import MEANING, EventInterpreter
from server.projection.pipeline import ProjectionPipeline
from server.projection.pipeline import projected_pos as projected_pos  # noqa: PLC0414  pages ask the projector
from server.projection.rebuild import make_again
from server.projection.set_aside import (
    EVENT,
    RebuildNeeded,
    Unfoldable,
    by_other_software,
    events_aside,
    is_of_medium,
    put_aside,
)
from server.projection.tables import dirty
from station.core.ledger.fold import reason_of

MOST_EVENTS = 500
LONGEST_S = 0.050
LEAST_EVENTS = 20
REFOLDED_AT_ONCE = 50
LOOK_AGAIN_S = 1.0  # an append in another process rings no bell here
AFTER_ERROR_S = 5.0
LOG = structlog.get_logger("projector")


class Projector:
    """Folds behind the ledger of one store; `bell` rings with each position that the pages can show."""

    def __init__(self, store: Store, bell: PositionSignal, meaning: EventInterpreter = MEANING) -> None:
        self._store, self._bell, self._meaning = store, bell, meaning
        self._progress: ProjectionPipeline | None = None
        self._limit = MOST_EVENTS
        self._together = MOST_EVENTS  # waiting items or codes that are done again in one transaction
        self._opened = False  # what another version set aside has been tried again
        self._made_again = False  # after the tables could not be read

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
        """One transaction of work, fresh before old; False where nothing is left to do.

        1. Fold. 2. After an error that names its events, set those aside. 3. After another one, do half as much in the
        next step; with a single event, item or code left, set that aside. Raises what tells of the medium (a full disk),
        and what remains with nothing left to set aside.
        """
        at = _Attempt()
        try:
            return self._fold(at)
        except BaseException as error:
            self._progress = None  # what is in memory and what is in the tables may differ now
            if not isinstance(error, Exception) or is_of_medium(error) or not self._isolate(at, error):
                raise
            return True

    def _fold(self, at: "_Attempt") -> bool:
        with self._store.write() as connection:
            if not self._opened and by_other_software(connection):
                make_again(connection, self._meaning)
            self._opened = True
            known = self._progress = self._progress or ProjectionPipeline(connection, self._meaning)
            start = time.monotonic()
            at.pos, at.doing = known.pos, "fresh"
            fresh = known.project_batch(connection, self._limit)
            self._adapt(fresh, time.monotonic() - start)
            done = bool(fresh) or self._again(connection, known, at)
        if done and not fresh:
            self._together = min(MOST_EVENTS, 2 * self._together)
        self._bell.announce(known.pos)
        if done and not fresh:
            self._bell.ring_again()
        return done

    def _again(self, connection: Connection, known: ProjectionPipeline, at: "_Attempt") -> bool:
        items = min(self._together, REFOLDED_AT_ONCE)
        at.doing, (at.part, at.names) = "again", known.waiting(self._together, items)
        if known.link_again(connection, self._together, LONGEST_S):
            return True
        return known.fold_again(connection, items, LONGEST_S)

    def _events(self, pos: int) -> list[int]:
        """The positions that the transaction took which began behind `pos`."""
        wanted = select(ledger.c.pos).where(ledger.c.pos > pos).order_by(ledger.c.pos).limit(self._limit)
        with self._store.read() as connection:
            return list(connection.execute(wanted).scalars())

    def _isolate(self, at: "_Attempt", error: Exception) -> bool:
        """Prepare the next step so that it comes past an error, or nearer to its cause; False where nothing is left."""
        if isinstance(error, Unfoldable):
            return self._set_aside(error.reasons)
        if isinstance(error, RebuildNeeded):
            with self._store.write() as connection:
                make_again(connection, self._meaning, events_aside(connection))
            return True
        LOG.warning("a transaction of the projection failed", error=reason_of(error), doing=at.doing, pos=at.pos)
        events = self._events(at.pos) if at.doing == "fresh" else []
        if len(events) > 1:
            self._limit = len(events) // 2
            return True
        if events:
            return self._set_aside({events[0]: reason_of(error)})
        if at.names:
            return self._leave(at, error)
        if self._made_again:
            return False
        self._made_again = True  # the tables themselves cannot be read: once, they are made again from the ledger
        with self._store.write() as connection:
            make_again(connection, self._meaning)
        return True

    def _set_aside(self, reasons: dict[int, str]) -> bool:
        """Set events aside. Those that were projected before cannot be taken out again: all is folded anew without them."""
        with self._store.write() as connection:
            known = events_aside(connection)
            new = {pos: reason for pos, reason in reasons.items() if pos not in known}
            for pos, reason in new.items():
                LOG.error("an event was set aside", pos=pos, reason=reason)
            put_aside(connection, [(pos, EVENT, "", reason) for pos, reason in new.items()])
            if any(pos <= projected_pos(connection) for pos in new):
                make_again(connection, self._meaning, known | new)
        return bool(new)

    def _leave(self, at: "_Attempt", error: Exception) -> bool:
        if len(at.names) > 1:
            self._together = len(at.names) // 2
            return True
        LOG.error("set aside", part=at.part, name=at.names[0], reason=reason_of(error))
        with self._store.write() as connection:
            ProjectionPipeline(connection, self._meaning).set_aside(connection, at.part, at.names[0], reason_of(error))
        return True

    def _adapt(self, events: int, took_s: float) -> None:
        if took_s > LONGEST_S and events >= self._limit:
            self._limit = max(LEAST_EVENTS, self._limit * 3 // 4)
        elif took_s < LONGEST_S / 2:
            self._limit = min(MOST_EVENTS, self._limit * 5 // 4 + 1)

    def drain(self) -> None:
        """Fold everything there is, and every dirty item: for commands and tests."""
        while self.step():
            pass


class _Attempt:
    """What a step was doing when it failed: `doing` nothing yet, fresh events, or something again (`part`, `names`)."""

    def __init__(self) -> None:
        self.doing = ""
        self.pos = 0
        self.part = ""
        self.names: list[str] = []


def recalculating(connection: Connection) -> int:
    """How many items are to be folded anew: what pages show of them is a little old."""
    items = connection.execute(select(func.count()).select_from(dirty)).scalar_one()
    codes = connection.execute(select(func.count()).select_from(dirty_code)).scalar_one()
    return int(items) + int(codes)


def behind(connection: Connection) -> int:
    """How many events the projection has not folded yet."""
    last = connection.execute(select(func.coalesce(func.max(ledger.c.pos), 0))).scalar_one()
    return int(last) - projected_pos(connection)
