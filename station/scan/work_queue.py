"""Work queue of the recording thread: scans first, chores while no scan waits.

The number of waiting scans is bounded. A reader that can be kept waiting (a file, a pipe) waits for room. A device cannot
wait: its scan is refused when there is no room, and answered red. Chores are work that other threads submit to the owner of
the journal's writing connection: marks, pruning, anchors.

>>> queue = WorkQueue(2)
>>> queue.put("a", wait=False), queue.put("b", wait=False), queue.put("c", wait=False)
(True, True, False)
>>> queue.next_work(0), queue.next_work(0), queue.next_work(0)
('a', 'b', None)
"""

import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

QUEUE_READS = 64
Work = TypeVar("Work")
Result = TypeVar("Result")


class Chore(Generic[Result]):
    """A call to make in the recording thread, and its result for the submitter."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the call, in the recording thread. An error is raised here and in `wait`."""
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._done.set()

    def refuse(self) -> None:
        """End the chore without running it, because the station is stopping."""
        self._error = InterruptedError("The station is stopping.")
        self._done.set()

    def wait(self) -> Result:
        """Wait for the result; raises what the call raised, `InterruptedError` where it was refused."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[no-any-return]


class WorkQueue(Generic[Work]):
    """Scans and chores for one thread."""

    def __init__(self, room: int = QUEUE_READS) -> None:
        self._room = threading.Semaphore(room)
        self._count = threading.Lock()
        self._waiting = 0
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._chores: deque[Chore[Any]] = deque()
        self._closed = threading.Event()

    def put(self, work: Work, *, wait: bool) -> bool:
        """Enqueue a scan; False where there is no room and `wait` is False."""
        if not self._room.acquire(blocking=wait):
            return False
        with self._count:
            self._waiting += 1
        self._queue.put(work)
        return True

    def submit(self, work: Callable[[], Result]) -> Chore[Result]:
        """Submit a chore to the recording thread; `.wait()` on it returns the result."""
        chore = Chore(work)
        self._chores.append(chore)
        # After the append: either this thread sees that the queue is closed, or `refuse_rest` sees the chore.
        if self._closed.is_set():
            self._refuse()
        self._queue.put(None)  # wakes the thread; needs no room
        return chore

    def next_work(self, timeout_s: float | None) -> Work | None:
        """The next scan; None where only a chore waits or the timeout expired. `timeout_s` None waits without limit."""
        try:
            work = self._queue.get(timeout=timeout_s) if timeout_s else self._queue.get(block=timeout_s is None)
        except Empty:
            return None
        if work is not None:
            with self._count:
                self._waiting -= 1
            self._room.release()
        return work

    def chore(self) -> Chore[Any] | None:
        """Remove and return the next chore."""
        return self._chores.popleft() if self._chores else None

    @property
    def chores(self) -> int:
        """The number of waiting chores."""
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
        """Close the queue and wake the recording thread, which processes the waiting scans and then ends."""
        self._closed.set()
        self._queue.put(None)

    def _refuse(self) -> None:
        while self._chores:
            self._chores.popleft().refuse()

    def refuse_rest(self) -> None:
        """Refuse all waiting chores. The recording thread calls it last."""
        self._closed.set()
        self._refuse()
