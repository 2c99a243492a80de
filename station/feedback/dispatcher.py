"""The voice: every answer to every signal, the quick ones at once and the slow ones from their own threads.

A quick signal costs the recording thread one write. A lamp, a sound or a screen may hang; it then hangs alone. A signal
that fails is told to the log once, and once when it works again; it never stops a scan.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from station.feedback.messages import Answer
from station.feedback.outputs import Output
from station.feedback.outputs.idle_state import IdleState

MOST_WAITING = 16  # answers a slow signal may be behind; older ones are no news any more
CLOSE_S = 2.5  # the longest that one signal plays what waits, and half a second
Failed = Callable[[Output, Exception | None], None]
"""Told when a signal begins to fail, and, without an error, when it works again."""


class OutputQueue:
    """A slow signal behind a queue of its own."""

    def __init__(self, signal: Output, failed: Failed) -> None:
        self._signal, self._failed, self._failing = signal, failed, False
        self._queue: SimpleQueue[tuple[Answer | IdleState, int] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"signal-{signal.kind}", daemon=True)
        self._thread.start()

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:
        """Show this when the signal comes to it; what is too far behind makes room."""
        while self._queue.qsize() >= MOST_WAITING:
            with suppress(Empty):
                self._queue.get_nowait()
        self._queue.put((news, boot_ns))

    def end(self) -> None:
        """Show what waits, then close. Nothing is shown after this."""
        self._queue.put(None)

    def join(self, wait_s: float) -> None:
        """Wait for that; a signal that hangs is left behind."""
        self._thread.join(wait_s)

    def _run(self) -> None:
        while (news := self._queue.get()) is not None:
            try:
                self._signal.show(*news)
            except Exception as error:  # noqa: BLE001 - whatever a lamp does, scanning goes on
                if not self._failing:
                    self._failing = True
                    self._failed(self._signal, error)
            else:
                if self._failing:
                    self._failing = False
                    self._failed(self._signal, None)
        self._signal.close()


class FeedbackDispatcher:
    """All signals of a station."""

    def __init__(self, signals: Sequence[Output], now_ns: Callable[[], int], failed: Failed) -> None:
        self._now_ns, self._failed = now_ns, failed
        self._quick = tuple(signal for signal in signals if signal.quick)
        self._slow = tuple(OutputQueue(signal, failed) for signal in signals if not signal.quick)
        self._failing: set[Output] = set()

    def dispatch(self, answer: Answer) -> None:
        """Answer the operator; any thread."""
        now_ns = self._now_ns()
        for signal in self._quick:
            try:
                signal.show(answer, now_ns)
            except Exception as error:  # noqa: BLE001 - whatever a signal does, scanning goes on
                if signal not in self._failing:
                    self._failing.add(signal)
                    self._failed(signal, error)
            else:
                if signal in self._failing:
                    self._failing.discard(signal)
                    self._failed(signal, None)
        for slow in self._slow:
            slow.show(answer, now_ns)

    def idle(self, idle: IdleState) -> None:
        """What stands on the screens between scans."""
        for slow in self._slow:
            slow.show(idle, self._now_ns())

    def close(self, wait_s: float = CLOSE_S) -> None:
        """Let the slow ones finish, all at the same time, then close them all."""
        until = time.monotonic() + wait_s
        for slow in self._slow:
            slow.end()
        for slow in self._slow:
            slow.join(max(0.0, until - time.monotonic()))
        for signal in self._quick:
            signal.close()
