"""The voice: every answer to every signal, the quick ones at once and the slow ones from their own threads.

A quick signal costs the recording thread one write. A lamp, a sound or a screen may hang; it then hangs alone. A signal
that fails is told to the log once and never stops a scan.
"""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from station.answers import Answer
from station.signals import Signal
from station.signals.model import Idle

MOST_WAITING = 16  # answers a slow signal may be behind; older ones are no news any more


class Slow:
    """A slow signal behind a queue of its own."""

    def __init__(self, signal: Signal, failed: Callable[[Signal, Exception], None]) -> None:
        self._signal, self._failed = signal, failed
        self._queue: SimpleQueue[tuple[Answer | Idle, int] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"signal-{signal.kind}", daemon=True)
        self._thread.start()

    def show(self, news: Answer | Idle, boot_ns: int) -> None:
        """Show this when the signal comes to it."""
        self._queue.put((news, boot_ns))

    def close(self, wait_s: float) -> None:
        """Show what waits, then close; a signal that hangs is left behind after `wait_s`."""
        self._queue.put(None)
        self._thread.join(wait_s)

    def _run(self) -> None:
        while (news := self._queue.get()) is not None:
            if self._queue.qsize() > MOST_WAITING:
                continue
            try:
                self._signal.show(*news)
            except Exception as error:  # noqa: BLE001 - whatever a lamp does, scanning goes on
                self._failed(self._signal, error)
        self._signal.close()


class Voice:
    """All signals of a station."""

    def __init__(
        self, signals: Sequence[Signal], now_ns: Callable[[], int], failed: Callable[[Signal, Exception], None]
    ) -> None:
        self._now_ns, self._failed = now_ns, failed
        self._quick = tuple(signal for signal in signals if signal.quick)
        self._slow = tuple(Slow(signal, failed) for signal in signals if not signal.quick)

    def say(self, answer: Answer) -> None:
        """Answer the operator; any thread."""
        now_ns = self._now_ns()
        for signal in self._quick:
            try:
                signal.show(answer, now_ns)
            except Exception as error:  # noqa: BLE001 - whatever a signal does, scanning goes on
                self._failed(signal, error)
        for slow in self._slow:
            slow.show(answer, now_ns)

    def idle(self, idle: Idle) -> None:
        """What stands on the screens between scans."""
        for slow in self._slow:
            slow.show(idle, self._now_ns())

    def close(self, wait_s: float = 1.0) -> None:
        """Let the slow ones finish, then close them all."""
        for slow in self._slow:
            slow.close(wait_s)
        for signal in self._quick:
            signal.close()
