"""Projector: the single thread that folds the ledger into the tables of the pages, shortly after each append.

A transaction processes at most 500 events, fewer where 500 take longer than 50 ms, and stores the projected position with
their rows. Where events arrive one by one, transactions begin at most every 100 ms, so that the events of that time share
one; an event after a quiet time is projected at once. An event that changes others (a void, a correction, a first anchor, a
binding, a definition) queues their items; the queue survives a restart and is processed after fresh work.

On PostgreSQL any number of processes serve one hub. One of them holds the lock of the projector and notifies the others of
each position; another one takes over within a second after it ends.

No event stops the projector. After an error the transaction is rolled back and repeated with half the work, until a single
event, item or code is left; that one is set aside with its reason, and the rest continues.
"""

import threading
import time
from collections.abc import Callable, Mapping

import structlog
from sqlalchemy import Connection, func, select

from server.db.listener import PROJECTED, REFOLDED
from server.db.long_work import REBUILD, published
from server.db.newer_database import NewerDatabase
from server.db.position_signal import PositionSignal
from server.db.schema import ledger
from server.db.store import ProjectedElsewhere, Store, projecting
from server.projection.dead_letters import (
    EVENT,
    RebuildNeeded,
    Unfoldable,
    add_dead_letters,
    by_other_software,
    dead_events,
    is_of_medium,
)
from server.projection.fold_version import refold_if_outdated
from server.projection.internal_tables import dirty_code
from server.projection.interpreter import DEFAULT_INTERPRETER, EventInterpreter
from server.projection.order_keys import ROWS_AT_ONCE
from server.projection.pipeline import ProjectionPipeline
from server.projection.pipeline import projected_pos as projected_pos  # noqa: PLC0414  public name for the pages
from server.projection.rebuild_beside import rebuilt
from server.projection.tables import dirty
from station.core.ledger.fold import reason_of
from station.system.progress import Progress

MOST_EVENTS = 500
LONGEST_S = 0.050
LEAST_EVENTS = 20
GATHER_S = 0.100  # between the begins of two transactions, unless one was full or queued work waits
REFOLDED_AT_ONCE = 50
POLL_S = 1.0  # an append in another process does not signal this one
AFTER_ERROR_S = 5.0
NEWER_S = 60.0  # pause of a process whose database a later version uses now
LOG = structlog.get_logger("projector")


class HubStops(BaseException):
    """The hub stops during a rebuild; no handler of an error may take it for one."""


class Projector:
    """Folds the ledger of one store; `signal` announces each position that the pages can show.

    `rows_at_once`: rows of one log that a statement of the timeline reads. `after_error_s`: the pause of the thread after an
    error. `now_s`: the monotonic clock that measures a transaction. `pause`: waits for so many seconds or until the event is
    set.
    """

    def __init__(
        self,
        store: Store,
        signal: PositionSignal,
        interpreter: EventInterpreter = DEFAULT_INTERPRETER,
        *,
        rows_at_once: int = ROWS_AT_ONCE,
        after_error_s: float = AFTER_ERROR_S,
        now_s: Callable[[], float] = time.monotonic,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._store, self._signal, self._interpreter = store, signal, interpreter
        self._rows_at_once, self._after_error_s, self._now_s = rows_at_once, after_error_s, now_s
        self._pause = pause
        self._gathers = False  # the last transaction had all fresh events, and no queued work waits
        self._pipeline: ProjectionPipeline | None = None
        self._loaded_under: object = None  # of `projecting`: another process may have written since it changed
        self._fresh_limit = MOST_EVENTS  # events in one transaction
        self._queue_limit = MOST_EVENTS  # queued items or codes in one transaction
        self._retried = False  # events that another version set aside were retried
        self._rebuilt = False  # the tables could not be read and were rebuilt once
        self._stop: threading.Event | None = None

    def run(self, stop: threading.Event) -> None:
        """Fold until `stop` is set. An error is logged and the step retried; ingest continues meanwhile."""
        self._stop = stop
        while not stop.is_set() and not self._store.arrived.closed:
            begin_s = self._now_s()
            try:
                if not self.step():
                    self._store.arrived.wait(self.pos, POLL_S)
                elif self._gathers:
                    self._pause(stop, max(0.0, begin_s + GATHER_S - self._now_s()))
            except HubStops:
                return  # nothing was changed; the next start begins the rebuild again
            except ProjectedElsewhere:
                self._follow()
                stop.wait(POLL_S)
            except NewerDatabase as error:
                LOG.warning("the projection is left to the newer version", error=str(error))
                self._pipeline = None
                self._store.leave_projection()
                stop.wait(NEWER_S)
            except Exception:  # the only projector thread must survive; healthz reports its lag
                LOG.exception("the projection stopped and starts again", pos=self.pos)
                self._pipeline = None
                stop.wait(self._after_error_s)

    def _follow(self) -> None:
        """Announce the position that another process projected; its notification may have been lost."""
        self._signal.announce(self.read_pos())

    def read_pos(self) -> int:
        """The projected position in the tables, whichever process projects."""
        with self._store.read() as connection:
            return projected_pos(connection)

    @property
    def pos(self) -> int:
        """The projected ledger position; 0 before the first step."""
        return self._pipeline.pos if self._pipeline is not None else 0

    def step(self) -> bool:
        """Run one transaction of work, fresh events before queued items; False where nothing is left to do.

        1. Fold.
        2. After an error that names its events, set those events aside.
        3. After another error, halve the work of the next step; a single event, item or code is set aside.
        Raises `ProjectedElsewhere`, errors of the medium (a full disk), and any error that remains with nothing left to set
        aside.
        """
        attempt = _Attempt()
        try:
            return self._fold(attempt)
        except (HubStops, ProjectedElsewhere, NewerDatabase):
            raise
        except BaseException as error:
            self._pipeline = None  # its caches may differ from the tables after the rollback
            if not isinstance(error, Exception) or is_of_medium(error) or not self._isolate(attempt, error):
                raise
            return True

    def _fold(self, attempt: "_Attempt") -> bool:
        """Project fresh events, or process the queues where there are none; announce the position after the commit."""
        if self._pipeline is None:
            self._prepare_tables()
        with self._store.project() as connection:
            if self._loaded_under is not projecting(connection):
                self._pipeline, self._loaded_under = None, projecting(connection)
                return True  # another process may have projected since, by other rules too
            if self._pipeline is None:
                self._pipeline = ProjectionPipeline(connection, self._interpreter, self._rows_at_once)
            pipeline, start = self._pipeline, self._now_s()
            attempt.pos, attempt.doing = pipeline.pos, "fresh"
            fresh = pipeline.project_batch(connection, self._fresh_limit)
            self._gathers = 0 < fresh < self._fresh_limit and not pipeline.waiting(1, 1)[1]
            self._adapt(fresh, self._now_s() - start)
            done = bool(fresh) or self._process_queues(connection, pipeline, attempt)
            if done:
                self._store.notify(connection, PROJECTED if fresh else REFOLDED, pipeline.pos)
        if done and not fresh:
            self._queue_limit = min(MOST_EVENTS, 2 * self._queue_limit)
        self._signal.announce(pipeline.pos)
        if done and not fresh:
            self._signal.announce_refold()
        return done

    def _prepare_tables(self) -> None:
        """Rebuild the tables where other rules folded them, or another version set events aside that this one can read."""
        with published(self._store, REBUILD, "Rebuild", "event", self._check_stop) as advance:
            refolded = refold_if_outdated(self._store, self._interpreter, advance)
        if not (refolded or self._retried):
            with self._store.read() as connection:
                retry = by_other_software(connection)
            if retry:
                self._rebuild()
        self._retried = True
        if refolded:
            self._signal.announce_refold()

    def _rebuild(self, aside: Mapping[int, str] | None = None) -> None:
        """Rebuild the tables beside the writers. `aside`: events that stay set aside, pos -> reason."""
        with (
            published(self._store, REBUILD, "Rebuild", "event", self._check_stop) as advance,
            rebuilt(self._store, self._interpreter, aside, advance),
        ):
            pass
        self._signal.announce_refold()

    def _check_stop(self, _progress: Progress) -> None:
        if self._stop is not None and self._stop.is_set():
            raise HubStops

    def _process_queues(self, connection: Connection, pipeline: ProjectionPipeline, attempt: "_Attempt") -> bool:
        items = min(self._queue_limit, REFOLDED_AT_ONCE)
        attempt.doing, (attempt.part, attempt.names) = "again", pipeline.waiting(self._queue_limit, items)
        if pipeline.relink_codes(connection, self._queue_limit, LONGEST_S):
            return True
        return pipeline.refold_queued(connection, items, LONGEST_S)

    def _events(self, pos: int) -> list[int]:
        """The positions of the events in a failed transaction that began after `pos`."""
        query = select(ledger.c.pos).where(ledger.c.pos > pos).order_by(ledger.c.pos).limit(self._fresh_limit)
        with self._store.read() as connection:
            return list(connection.execute(query).scalars())

    def _isolate(self, attempt: "_Attempt", error: Exception) -> bool:
        """Prepare the next step so that it passes the error or narrows down its cause; False where nothing is left.

        1. Events that the error names are set aside. 2. A needed rebuild is run. 3. Several events: halve their number.
        4. A single event is set aside. 5. Queued work: halve it, or set the single name aside. 6. With no work at all the
        tables themselves cannot be read: rebuild them once.
        """
        if isinstance(error, Unfoldable):
            return self._set_aside(error.reasons)
        if isinstance(error, RebuildNeeded):
            with self._store.read() as connection:
                aside = dead_events(connection)
            self._rebuild(aside)
            return True
        LOG.warning(
            "a transaction of the projection failed", error=reason_of(error), doing=attempt.doing, pos=attempt.pos
        )
        events = self._events(attempt.pos) if attempt.doing == "fresh" else []
        if len(events) > 1:
            self._fresh_limit = len(events) // 2
            return True
        if events:
            return self._set_aside({events[0]: reason_of(error)})
        if attempt.names:
            return self._isolate_queued(attempt, error)
        if self._rebuilt:
            return False
        self._rebuilt = True
        self._rebuild()
        return True

    def _set_aside(self, reasons: dict[int, str]) -> bool:
        """Set events aside; False where all of them are already. A projected event requires a rebuild without it."""
        with self._store.project() as connection:
            aside = dead_events(connection)
            new = {pos: reason for pos, reason in reasons.items() if pos not in aside}
            for pos, reason in new.items():
                LOG.error("an event was set aside", pos=pos, reason=reason)
            without = any(pos <= projected_pos(connection) for pos in new)
            if not without:
                add_dead_letters(connection, [(pos, EVENT, "", reason) for pos, reason in new.items()])
        if without:  # the rebuild sets them aside in the transaction that removes their effects
            self._rebuild(aside | new)
        return bool(new)

    def _isolate_queued(self, attempt: "_Attempt", error: Exception) -> bool:
        """Halve the queued work of the next step; a single item or code is set aside."""
        if len(attempt.names) > 1:
            self._queue_limit = len(attempt.names) // 2
            return True
        name, reason = attempt.names[0], reason_of(error)
        LOG.error("an item or code was set aside", part=attempt.part, name=name, reason=reason)
        with self._store.project() as connection:
            ProjectionPipeline(connection, self._interpreter).set_aside(connection, attempt.part, name, reason)
        return True

    def _adapt(self, events: int, took_s: float) -> None:
        """Adapt the number of events of a transaction to its duration."""
        if took_s > LONGEST_S and events >= self._fresh_limit:
            self._fresh_limit = max(LEAST_EVENTS, self._fresh_limit * 3 // 4)
        elif took_s < LONGEST_S / 2:
            self._fresh_limit = min(MOST_EVENTS, self._fresh_limit * 5 // 4 + 1)

    def drain(self) -> None:
        """Process all events and both queues: for commands and tests."""
        while self.step():
            pass


class _Attempt:
    """The work of a step, for its error: `doing` "" (none yet), "fresh" (events) or "again" (queue `part`, `names`)."""

    def __init__(self) -> None:
        self.doing = ""
        self.pos = 0
        self.part = ""
        self.names: list[str] = []


def recalculating(connection: Connection) -> int:
    """The number of queued items and codes: their rows are out of date until they are refolded."""
    items = connection.execute(select(func.count()).select_from(dirty)).scalar_one()
    codes = connection.execute(select(func.count()).select_from(dirty_code)).scalar_one()
    return int(items) + int(codes)


def behind(connection: Connection) -> int:
    """The number of ledger events that the projection does not include yet."""
    last = connection.execute(select(func.coalesce(func.max(ledger.c.pos), 0))).scalar_one()
    return int(last) - projected_pos(connection)
