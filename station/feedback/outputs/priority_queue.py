"""Priority queue of one output: show the newest answer, but never before a more urgent one.

The ranks are red, stop, amber, green. A new answer cuts off a playing one of the same or a lower rank, and replaces all
waiting ones of the same or a lower rank. Behind a playing answer of a higher rank it waits. So the waiting answers have
descending ranks, one of each rank at most: there is no backlog, and red is always shown.

>>> from station.feedback.messages import Notice, Red
>>> queue = AnswerQueue()
>>> for answer in (Red("not_saved", "scan again"), Notice("wait", "wait"), Notice("card", "card forgotten")):
...     queue.put(answer)
>>> queue.next_answer().text, queue.cut(), queue.next_answer().text
('scan again', False, 'card forgotten')
"""

import threading
from collections.abc import Callable

from station.feedback.messages import Answer, AnswerForm, form_of
from station.system.clock import boot_ns

RANKS = {
    AnswerForm.SAVED: 0,
    AnswerForm.TAKEN: 0,
    AnswerForm.LOOK: 1,
    AnswerForm.UNREAD: 1,
    AnswerForm.STOP: 2,
    AnswerForm.RED: 3,
}
MOST_WAITING = len(set(RANKS.values()))  # one waiting answer of each rank
_NOTHING = -1
S = 10**9


class AnswerQueue:
    """The answers that wait for one output. `pause` sleeps in its thread: until woken, or so many seconds."""

    def __init__(
        self, now_ns: Callable[[], int] = boot_ns, pause: Callable[[float | None], object] | None = None
    ) -> None:
        self._changed = threading.Condition()
        self._now_ns, self._pause = now_ns, pause or self._changed.wait
        self._waiting: list[Answer] = []
        self._playing = _NOTHING  # the rank of the answer that is being shown
        self._closed = False

    @property
    def waiting(self) -> int:
        """The number of waiting answers."""
        return len(self._waiting)

    def put(self, answer: Answer) -> None:
        """Enqueue an answer; any thread, without waiting."""
        rank = RANKS[form_of(answer)]
        with self._changed:
            self._waiting = [other for other in self._waiting if RANKS[form_of(other)] > rank] + [answer]
            self._changed.notify()

    def close(self) -> None:
        """Accept no more answers; those that wait are still shown."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def next_answer(self) -> Answer | None:
        """Wait for the next answer and return it; None once the queue is closed and empty."""
        with self._changed:
            self._playing = _NOTHING
            while not self._waiting:
                if self._closed:
                    return None
                self._pause(None)
            answer = self._waiting.pop(0)
            self._playing = RANKS[form_of(answer)]
            return answer

    def cut(self, within_s: float = 0) -> bool:
        """Wait up to `within_s`; True as soon as the playing answer must end."""
        with self._changed:
            until_ns = self._now_ns() + int(within_s * S)
            while not self._must_end():
                left_ns = until_ns - self._now_ns()
                if left_ns <= 0:
                    return False
                self._pause(left_ns / S)
            return True

    def mark_shown(self) -> None:
        """The essential part of the playing answer is over: any answer may cut off the rest."""
        with self._changed:
            self._playing = _NOTHING

    def _must_end(self) -> bool:
        if self._waiting:
            return RANKS[form_of(self._waiting[0])] >= self._playing
        return self._closed and self._playing == _NOTHING
