"""Whose turn it is, where answers come faster than they can be heard or seen: the newest, but never before a worse one.

Red stands before stop, stop before amber, amber before green. A newer answer cuts off what is no worse than itself, and
takes the place of all that wait and are no worse; behind a worse one it waits. So what waits gets better from one to the
next, and there are at most as many as there are ranks: no backlog, and red is always heard.

>>> from station.feedback.messages import Notice, Red
>>> turns = AnswerQueue()
>>> for answer in (Red("not_saved", "scan again"), Notice("wait", "wait"), Notice("card", "card forgotten")):
...     turns.arrive(answer)
>>> turns.next_answer().text, turns.cut(), turns.next_answer().text
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
MOST_WAITING = len(set(RANKS.values()))  # answers that wait at one time, one of each rank
_NOBODY = -1
S = 10**9


class AnswerQueue:
    """The answers that wait for one signal. `pause` is how its thread sleeps: until woken, or so many seconds."""

    def __init__(
        self, now_ns: Callable[[], int] = boot_ns, pause: Callable[[float | None], object] | None = None
    ) -> None:
        self._changed = threading.Condition()
        self._now_ns, self._pause = now_ns, pause or self._changed.wait
        self._waiting: list[Answer] = []
        self._playing = _NOBODY
        self._closed = False

    def arrive(self, answer: Answer) -> None:
        """An answer comes in; any thread, and none waits."""
        rank = RANKS[form_of(answer)]
        with self._changed:
            self._waiting = [each for each in self._waiting if RANKS[form_of(each)] > rank] + [answer]
            self._changed.notify()

    def close(self) -> None:
        """No more answers: those that wait are still taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def next_answer(self) -> Answer | None:
        """The next answer, waited for; None once there will be none."""
        with self._changed:
            self._playing = _NOBODY
            while not self._waiting:
                if self._closed:
                    return None
                self._pause(None)
            answer = self._waiting.pop(0)
            self._playing = RANKS[form_of(answer)]
            return answer

    def cut(self, within_s: float = 0) -> bool:
        """Wait so long; True as soon as what is being played has to make way."""
        with self._changed:
            until_ns = self._now_ns() + int(within_s * S)
            while not self._makes_way():
                left_ns = until_ns - self._now_ns()
                if left_ns <= 0:
                    return False
                self._pause(left_ns / S)
            return True

    def mark_shown(self) -> None:
        """What matters of the answer is over: the rest of it makes way for whatever comes."""
        with self._changed:
            self._playing = _NOBODY

    def _makes_way(self) -> bool:
        if self._waiting:
            return RANKS[form_of(self._waiting[0])] >= self._playing
        return self._closed and self._playing == _NOBODY
