"""Commit watchdog: answer the operator while a journal commit is slow.

An operator who gets no answer scans again. While a commit hangs, the watchdog therefore answers amber "wait" after 400 ms
and red after 3 s. A scan that was answered red gets no green answer when its commit succeeds later: `end` returns this to
the recording thread.
"""

import threading
from collections.abc import Callable

from station.feedback.messages import NOT_RECORDED, WAIT_TEXT, Answer, Notice, Reason, Red

WAIT_NS = 400_000_000
RED_NS = 3_000_000_000
HANGS_NS = 30_000_000_000
STEP_S = 0.05
REST_STEPS = 40  # after so many steps without a commit, the thread sleeps until the next one


class CommitWatchdog:
    """Watches one commit at a time. `answer` shows an answer to the operator; `now_ns` is CLOCK_BOOTTIME."""

    def __init__(self, answer: Callable[[Answer], None], now_ns: Callable[[], int]) -> None:
        self._answer, self._now_ns = answer, now_ns
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._since_ns = 0  # 0: no commit is running
        self._code: str | None = None
        self._reader = ""
        self._scan_waits: Callable[[], bool] | None = None
        self._answered = ""
        self._stopped = False

    def begin(
        self, now_ns: int, code: str | None, scan_waits: Callable[[], bool] | None = None, reader: str = ""
    ) -> None:
        """Start timing a commit for the scan of `code` at `reader`, or a chore that counts only while `scan_waits()`."""
        with self._lock:
            self._since_ns, self._code, self._scan_waits = now_ns, code, scan_waits
            self._answered, self._reader = "", reader
        if not self._awake.is_set():
            self._awake.set()

    def end(self) -> bool:
        """Stop timing; True where the operator was answered red meanwhile."""
        with self._lock:
            self._since_ns = 0
            return self._answered == Reason.NOT_SAVED

    def hangs(self) -> bool:
        """Whether a write has been hanging for longer than `HANGS_NS`: only a restart helps."""
        since_ns = self._since_ns
        return bool(since_ns) and self._now_ns() - since_ns > HANGS_NS

    def stop(self) -> None:
        """End `run`."""
        self._stopped = True
        self._awake.set()

    def run(self) -> None:
        """The watchdog's thread."""
        idle_steps = 0
        pause = threading.Event()
        while True:
            if idle_steps >= REST_STEPS:
                self._awake.clear()
                # Read again after the clear: a commit that began before it has set the event for nothing.
                if not self._since_ns:
                    self._awake.wait()
                idle_steps = 0
            if self._stopped:
                return
            idle_steps = idle_steps + 1 if self.check() else 0
            pause.wait(STEP_S)

    def check(self) -> bool:
        """Give the answer that is due now; True while no commit is running."""
        with self._lock:
            if not self._since_ns:
                return True
            if self._scan_waits is not None and not self._scan_waits():
                self._since_ns = self._now_ns()
            waited_ns = self._now_ns() - self._since_ns
            if waited_ns >= RED_NS and self._scan_waits is None and self._answered != Reason.NOT_SAVED:
                self._answered = Reason.NOT_SAVED
                self._answer(Red(Reason.NOT_SAVED, NOT_RECORDED, self._code, reader=self._reader))
            elif waited_ns >= WAIT_NS and not self._answered:
                self._answered = Reason.WAIT
                self._answer(Notice(Reason.WAIT, WAIT_TEXT, self._code, reader=self._reader))
            return False
