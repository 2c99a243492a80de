"""Group commit: writes of several threads in one transaction, so that they share one flush to the medium.

A thread that comes while another one writes waits anyway. The first of the waiting threads then runs the writes of all of
them in one transaction; none of the calls returns before that transaction is committed and flushed.

Shortly after a transaction the first thread lets others come first, as PostgreSQL's `commit_delay` does: a flush takes the
processor longer than such a pause.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

MOST_WRITES = 64  # in one transaction
BUSY_S = 0.25  # after a transaction, within which further writes are expected
PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.010
Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class _Write:
    """One write: what to execute, and its outcome after the commit."""

    execute: Callable[[Connection], Any]
    result: Any = None
    error: Exception | None = None
    done: bool = False


class GroupCommit:
    """Runs writes in transactions of `begin`, one transaction at a time. Thread-safe."""

    def __init__(
        self,
        begin: Callable[[], AbstractContextManager[Connection]],
        *,
        now_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`now_s`: the monotonic clock; `pause`: waits for so many seconds."""
        self._begin = begin
        self._now_s, self._pause = now_s, pause
        self._last_s = now_s() - BUSY_S  # when the last transaction began
        self._turn = threading.Lock()
        self._queue = threading.Lock()
        self._waiting: deque[_Write] = deque()

    @property
    def waiting(self) -> int:
        """The number of writes that no transaction has begun with."""
        return len(self._waiting)

    def run(self, execute: Callable[[Connection], Result]) -> Result:
        """Execute a write in a transaction that is committed and flushed when this returns. Raises its own error.

        1. Queue the write and wait for the turn. 2. Where no thread before this one ran it, run all queued writes, those
        that come shortly after it too.
        """
        own = _Write(execute)
        with self._queue:
            self._waiting.append(own)
        with self._turn:
            if not own.done:
                self._let_others_queue()
            while not own.done:
                self._run_waiting(own)
        if own.error is not None:
            raise own.error
        return cast("Result", own.result)

    def _let_others_queue(self) -> None:
        """Pause while further writes come, where a transaction began less than `BUSY_S` ago."""
        now_s, seen = self._now_s(), 0
        if now_s - self._last_s < BUSY_S:
            while seen < len(self._waiting) < MOST_WRITES and self._now_s() < now_s + LONGEST_PAUSE_S:
                seen = len(self._waiting)
                self._pause(PAUSE_S)
        self._last_s = self._now_s()

    def _run_waiting(self, own: _Write) -> None:
        """Run queued writes in one transaction; after an error each of them alone, so that it gets its own error.

        The writes are taken after the transaction began: those that were queued during the wait for it share it.
        """
        writes: list[_Write] = []
        try:
            with self._begin() as connection:
                writes = self._take(MOST_WRITES)
                for write in writes:
                    write.result = write.execute(connection)
        except Exception as error:  # noqa: BLE001  it is raised in the thread of its write
            if len(writes) > 1:
                for write in writes:
                    self._run_alone(write)
            else:
                # Nothing was taken where the transaction could not begin.
                (writes or [self._remove(own)])[0].error = error
        except BaseException:
            self._return(writes)  # the thread ends; another one runs the writes of the others
            raise
        for write in writes or [own]:
            write.done = True

    def _run_alone(self, write: _Write) -> None:
        try:
            with self._begin() as connection:
                write.result = write.execute(connection)
        except Exception as error:  # noqa: BLE001  as above
            write.error = error

    def _take(self, most: int) -> list[_Write]:
        with self._queue:
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _remove(self, write: _Write) -> _Write:
        with self._queue:
            self._waiting.remove(write)
        return write

    def _return(self, writes: list[_Write]) -> None:
        with self._queue:
            self._waiting.extendleft(reversed(writes))
