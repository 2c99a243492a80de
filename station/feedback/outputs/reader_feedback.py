"""Reader feedback: show an answer by the beep and light of the reader that scanned, where its driver supports it.

A handheld scanner beeps when it has decoded a code, not when the scan is recorded. A reader that supports feedback shows the
station's answer instead. Each such reader has a thread of its own, so one that hangs affects no other, and its waiting
answers are bounded (`station.feedback.outputs.priority_queue`). It needs no configuration; `beep = false` in a reader's
table disables it.
"""

import threading
from collections.abc import Callable

from drivers import Driver, SupportsFeedback
from station.feedback.messages import Answer
from station.feedback.outputs.priority_queue import AnswerQueue


class ReaderFeedback:
    """The open readers that support feedback. The beginning of each failure is logged."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._threads: dict[str, ReaderFeedbackThread] = {}
        self._lock = threading.Lock()

    def add(self, driver: Driver) -> None:
        """Add a reader that was opened. While its earlier thread hangs it gets no new one: it blocks one thread at most."""
        if not isinstance(driver, SupportsFeedback):
            return
        with self._lock:
            before = self._threads.get(driver.reader)
            if before is not None and before.hangs:
                self._log("a reader's beep hangs; it stays silent until it is opened again", reader=driver.reader)
                return
            # Of closed readers, only hanging ones are kept: a device may return under a new name each time.
            self._threads = {
                name: thread for name, thread in self._threads.items() if thread.hangs or not thread.is_ended
            }
            self._threads[driver.reader] = ReaderFeedbackThread(driver.show_state, driver.reader, self._log)

    def remove(self, driver: Driver) -> None:
        """Remove a reader that is closed or lost, unless another driver has been added under its name."""
        with self._lock:
            thread = self._threads.get(driver.reader)
            if thread is not None and isinstance(driver, SupportsFeedback) and thread.show_state == driver.show_state:
                thread.end()

    def enqueue(self, answer: Answer) -> None:
        """Enqueue an answer for the reader that it names; any thread, without waiting."""
        thread = self._threads.get(answer.reader)
        if thread is not None:
            thread.queue.put(answer)


class ReaderFeedbackThread:
    """The answers of one reader, shown by a thread of its own."""

    def __init__(self, show_state: Callable[[str], None], reader: str, log: Callable[..., None]) -> None:
        self.show_state, self._reader, self._log = show_state, reader, log
        self.queue = AnswerQueue()
        self._ended = self._showing = False
        self.thread = threading.Thread(target=self._run, name=f"beep-{reader}", daemon=True)
        self.thread.start()

    @property
    def is_ended(self) -> bool:
        """Whether it was ended, or its thread is over."""
        return self._ended or not self.thread.is_alive()

    @property
    def hangs(self) -> bool:
        """Whether its thread is inside `show_state`; one that has only not noticed its end yet does not hang."""
        return self.thread.is_alive() and self._showing

    def end(self) -> None:
        """Show no more answers; a call of `show_state` that hangs is abandoned."""
        self._ended = True
        self.queue.close()

    def _run(self) -> None:
        failing = False
        while (answer := self.queue.next_answer()) is not None:
            # Set before `_ended` is read: the thread that calls `end` then sees `_showing`, or no call follows.
            self._showing = True
            if self._ended:
                break
            try:
                self.show_state(answer.state.value)
            except Exception as error:  # noqa: BLE001 - scanning must not depend on a reader's beep
                if not failing and not self._ended:
                    failing = True
                    self._log("a reader cannot answer; scanning goes on", reader=self._reader, error=repr(error))
            else:
                failing = False
            self._showing = False
        self._showing = False
