"""The watchdog of a commit: an operator who hears nothing scans again, so a slow card has to be said.

While a commit hangs, the operator sees amber "wait" after 400 ms and red after 3 s. What was answered red gets no green
when it comes through after all; the recording thread learns that from `end`.
"""

import threading
from collections.abc import Callable

from station.feedback.messages import NOT_RECORDED, WAIT_TEXT, Answer, Notice, Reason, Red

WAIT_NS = 400_000_000
RED_NS = 3_000_000_000
HANGS_NS = 30_000_000_000
STEP_S = 0.05
REST_STEPS = 40  # so many steps without a commit, and the watchdog sleeps until there is one


class CommitWatchdog:
    """Watches one commit at a time. `say` answers the operator; `now_ns` is CLOCK_BOOTTIME."""

    def __init__(self, say: Callable[[Answer], None], now_ns: Callable[[], int]) -> None:
        self._say, self._now_ns = say, now_ns
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._since_ns = 0  # 0: no commit is under way
        self._code: str | None = None
        self._reader = ""
        self._waits: Callable[[], bool] | None = None
        self._said = ""
        self._stopped = False

    def begin(self, now_ns: int, code: str | None, waits: Callable[[], bool] | None = None, reader: str = "") -> None:
        """A commit begins for the scan of `code` at `reader`; or a chore, felt only while a scan `waits`."""
        with self._lock:
            self._since_ns, self._code, self._waits, self._said, self._reader = now_ns, code, waits, "", reader
        if not self._awake.is_set():
            self._awake.set()

    def end(self) -> bool:
        """The commit is over; True where the operator was told red."""
        with self._lock:
            self._since_ns = 0
            return self._said == Reason.NOT_SAVED

    def hangs(self) -> bool:
        """Whether a write has been hanging for so long that only a restart helps."""
        since_ns = self._since_ns
        return bool(since_ns) and self._now_ns() - since_ns > HANGS_NS

    def stop(self) -> None:
        """End `run`."""
        self._stopped = True
        self._awake.set()

    def run(self) -> None:
        """The watchdog's thread."""
        rested = 0
        pause = threading.Event()
        while True:
            if rested >= REST_STEPS:
                self._awake.clear()
                if not self._since_ns:
                    self._awake.wait()
                rested = 0
            if self._stopped:
                return
            rested = rested + 1 if self.check() else 0
            pause.wait(STEP_S)

    def check(self) -> bool:
        """Say what is due now; True while no commit is under way."""
        with self._lock:
            if not self._since_ns:
                return True
            if self._waits is not None and not self._waits():
                self._since_ns = self._now_ns()
            waited_ns = self._now_ns() - self._since_ns
            if waited_ns >= RED_NS and self._waits is None and self._said != Reason.NOT_SAVED:
                self._said = Reason.NOT_SAVED
                self._say(Red(Reason.NOT_SAVED, NOT_RECORDED, self._code, reader=self._reader))
            elif waited_ns >= WAIT_NS and not self._said:
                self._said = Reason.WAIT
                self._say(Notice(Reason.WAIT, WAIT_TEXT, self._code, reader=self._reader))
            return False
