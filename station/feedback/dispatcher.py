"""Feedback dispatcher: show every answer at every output, quick ones at once, slow ones in threads of their own.

A quick output costs the recording thread one write. A lamp, a sound device or a screen may hang; only its own thread then
hangs. A failing output is logged once, and once more when it works again. It never stops a scan.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from station.feedback.messages import Answer
from station.feedback.outputs import Output
from station.feedback.outputs.idle_state import IdleState

MOST_WAITING = 16  # answers that may wait for a slow output; older ones are dropped
CLOSE_S = 2.5  # the longest time one output needs for its waiting answers, plus half a second
Failed = Callable[[Output, Exception | None], None]
"""Called when an output begins to fail, and with None when it works again."""


class OutputQueue:
    """A slow output with a queue and a thread of its own."""

    def __init__(self, output: Output, failed: Failed) -> None:
        self._output, self._failed, self._failing = output, failed, False
        self._queue: SimpleQueue[tuple[Answer | IdleState, int] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"signal-{output.kind}", daemon=True)
        self._thread.start()

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:
        """Enqueue this; beyond `MOST_WAITING` the oldest entries are dropped."""
        while self._queue.qsize() >= MOST_WAITING:
            with suppress(Empty):
                self._queue.get_nowait()
        self._queue.put((news, boot_ns))

    def end(self) -> None:
        """Show the waiting entries, then close the output. Later entries are not shown."""
        self._queue.put(None)

    def join(self, wait_s: float) -> None:
        """Wait until the output is closed; one that hangs longer is abandoned."""
        self._thread.join(wait_s)

    def _run(self) -> None:
        while (news := self._queue.get()) is not None:
            try:
                self._output.show(*news)
            except Exception as error:  # noqa: BLE001 - scanning must not depend on an output
                if not self._failing:
                    self._failing = True
                    self._failed(self._output, error)
            else:
                if self._failing:
                    self._failing = False
                    self._failed(self._output, None)
        self._output.close()


class FeedbackDispatcher:
    """All outputs of a station."""

    def __init__(self, outputs: Sequence[Output], now_ns: Callable[[], int], failed: Failed) -> None:
        self._now_ns, self._failed = now_ns, failed
        self._quick = tuple(output for output in outputs if output.quick)
        self._slow = tuple(OutputQueue(output, failed) for output in outputs if not output.quick)
        self._failing: set[Output] = set()

    def dispatch(self, answer: Answer) -> None:
        """Show an answer at all outputs; any thread."""
        now_ns = self._now_ns()
        for output in self._quick:
            try:
                output.show(answer, now_ns)
            except Exception as error:  # noqa: BLE001 - scanning must not depend on an output
                if output not in self._failing:
                    self._failing.add(output)
                    self._failed(output, error)
            else:
                if output in self._failing:
                    self._failing.discard(output)
                    self._failed(output, None)
        for slow in self._slow:
            slow.show(answer, now_ns)

    def idle(self, idle: IdleState) -> None:
        """Update what screens show between scans."""
        for slow in self._slow:
            slow.show(idle, self._now_ns())

    def close(self, wait_s: float = CLOSE_S) -> None:
        """Let all slow outputs show their waiting entries at the same time, then close all outputs."""
        until = time.monotonic() + wait_s
        for slow in self._slow:
            slow.end()
        for slow in self._slow:
            slow.join(max(0.0, until - time.monotonic()))
        for output in self._quick:
            output.close()
