"""The inbox of the one thread that records: scans first, chores when no scan waits.

Scans are bounded. A reader that can wait (a file, a pipe) waits for room; from a device nothing may wait, so a scan that
finds no room is refused and its operator is told. Chores are what others ask of the thread that owns the journal's only
writing connection: marks, pruning, anchors.

>>> inbox = WorkQueue(2)
>>> inbox.put("a", wait=False), inbox.put("b", wait=False), inbox.put("c", wait=False)
(True, True, False)
>>> inbox.next_work(0), inbox.next_work(0), inbox.next_work(0)
('a', 'b', None)
"""

import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

QUEUE_READS = 64
Thing = TypeVar("Thing")
Answered = TypeVar("Answered")


class Chore(Generic[Answered]):
    """Work for the recording thread, and its result for who asked."""

    def __init__(self, work: Callable[[], Answered]) -> None:
        self._work = work
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do it, in the recording thread. An error goes to who asked, and on to the caller."""
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._done.set()

    def refuse(self) -> None:
        """Nobody will do it any more: the station is stopping."""
        self._error = InterruptedError("The station is stopping.")
        self._done.set()

    def wait(self) -> Answered:
        """The result, once it is done; raises what the work raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[no-any-return]


class WorkQueue(Generic[Thing]):
    """Scans and chores for one thread."""

    def __init__(self, room: int = QUEUE_READS) -> None:
        self._room = threading.Semaphore(room)
        self._count = threading.Lock()
        self._waiting = 0
        self._queue: SimpleQueue[Thing | None] = SimpleQueue()
        self._chores: deque[Chore[Any]] = deque()
        self._closed = threading.Event()

    def put(self, thing: Thing, *, wait: bool) -> bool:
        """Hand a scan over; False where there is no room and it cannot wait."""
        if not self._room.acquire(blocking=wait):
            return False
        with self._count:
            self._waiting += 1
        self._queue.put(thing)
        return True

    def ask(self, work: Callable[[], Answered]) -> Chore[Answered]:
        """Ask the recording thread for a chore; `.wait()` on what comes back."""
        chore = Chore(work)
        self._chores.append(chore)
        if self._closed.is_set():
            self._refuse()
        self._queue.put(None)  # wakes the thread; costs no room
        return chore

    def next_work(self, timeout_s: float | None) -> Thing | None:
        """The next scan; None when only a chore waits or the time is over."""
        try:
            thing = self._queue.get(timeout=timeout_s) if timeout_s else self._queue.get(block=timeout_s is None)
        except Empty:
            return None
        if thing is not None:
            with self._count:
                self._waiting -= 1
            self._room.release()
        return thing

    def chore(self) -> Chore[Any] | None:
        """The next chore."""
        return self._chores.popleft() if self._chores else None

    @property
    def chores(self) -> int:
        """How many chores wait."""
        return len(self._chores)

    @property
    def quiet(self) -> bool:
        """Whether no scan waits."""
        return not self._waiting

    @property
    def closed(self) -> bool:
        """Whether the station is stopping."""
        return self._closed.is_set()

    def close(self) -> None:
        """No more: the thread is woken, and chores that nobody will do are refused."""
        self._closed.set()
        self._queue.put(None)

    def _refuse(self) -> None:
        while self._chores:
            self._chores.popleft().refuse()

    def refuse_rest(self) -> None:
        """Called by the recording thread as its last act."""
        self._closed.set()
        self._refuse()
