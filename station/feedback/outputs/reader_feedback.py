"""The reader's own beep and light: the answer at the very place where the operator looks, for readers that can.

A scanner in the hand beeps when it has read, not when the scan is safe. One that its driver can make answer says what the
station says, and only then. Each such reader has a thread of its own, so one that hangs disturbs nobody, and what waits for
it is bounded (`station.feedback.outputs.priority_queue`). No configuration is needed;
`beep = false` at a reader keeps it silent.
"""

import threading
from collections.abc import Callable

from drivers import Driver, SupportsFeedback
from station.feedback.messages import Answer
from station.feedback.outputs.priority_queue import AnswerQueue


class ReaderFeedback:
    """The open readers that can answer. `log` is told of each that fails, once."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._beeps: dict[str, ReaderFeedbackThread] = {}
        self._lock = threading.Lock()

    def add(self, driver: Driver) -> None:
        """A reader was opened. One whose last beep still hangs stays silent, so that a bad one takes one thread alone."""
        if not isinstance(driver, SupportsFeedback):
            return
        with self._lock:
            before = self._beeps.get(driver.reader)
            if before is not None and before.hangs:
                self._log("a reader's beep hangs; it stays silent until it is opened again", reader=driver.reader)
                return
            # Of those that are gone, only what hangs is remembered: a device may come back under a new name for ever.
            self._beeps = {name: each for name, each in self._beeps.items() if each.hangs or not each.is_ended}
            self._beeps[driver.reader] = ReaderFeedbackThread(driver.show_state, driver.reader, self._log)

    def remove(self, driver: Driver) -> None:
        """A reader is closed, or gone."""
        with self._lock:
            beep = self._beeps.get(driver.reader)
            if beep is not None and isinstance(driver, SupportsFeedback) and beep.tell == driver.show_state:
                beep.end()

    def enqueue(self, answer: Answer) -> None:
        """Let the reader that this answer is for say it in its turn; any thread, and none waits."""
        beep = self._beeps.get(answer.reader)
        if beep is not None:
            beep.turns.arrive(answer)


class ReaderFeedbackThread:
    """One reader's answers, told by a thread of its own."""

    def __init__(self, tell: Callable[[str], None], reader: str, log: Callable[..., None]) -> None:
        self.tell, self._reader, self._log = tell, reader, log
        self.turns = AnswerQueue()
        self._gone = self._telling = False
        self.thread = threading.Thread(target=self._run, name=f"beep-{reader}", daemon=True)
        self.thread.start()

    @property
    def is_ended(self) -> bool:
        """Whether it was ended, or its thread has."""
        return self._gone or not self.thread.is_alive()

    @property
    def hangs(self) -> bool:
        """Whether its thread is in the reader's `tell`: one that only has not noticed its end yet does not hang."""
        return self.thread.is_alive() and self._telling

    def end(self) -> None:
        """Tell no more; a `tell` that hangs is left behind."""
        self._gone = True
        self.turns.close()

    def _run(self) -> None:
        failing = False
        while (answer := self.turns.next_answer()) is not None:
            self._telling = (
                True  # before `_gone` is read: the thread that ended it sees either this, or no more telling
            )
            if self._gone:
                break
            try:
                self.tell(answer.state.value)
            except Exception as error:  # noqa: BLE001 - whatever a reader does, scanning goes on
                if not failing and not self._gone:
                    failing = True
                    self._log("a reader cannot answer; scanning goes on", reader=self._reader, error=repr(error))
            else:
                failing = False
            self._telling = False
        self._telling = False
