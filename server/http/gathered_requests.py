"""Gathered requests: pass the requests of stations that arrive shortly after each other to threads together.

A request alone costs the processor more than one beside others: it wakes threads, and has a transaction and a flush of its
own. So while stations send one after another, their requests wait for at most `GATHER_S`. A request after a quiet time is
passed on at once, and so is each one of a station that sends alone, such as a long backlog. Pages never wait. A station
shows green before it sends, so nobody waits for these answers.

>>> gathered = GatheredRequests(0.05)
>>> gathered.add("first")
>>> gathered.take(10.0)
['first']
>>> gathered.add("second")
>>> gathered.take(10.01), round(gathered.wait_s(10.01, 1.0), 3)
([], 0.04)
>>> gathered.add("third")
>>> gathered.take(10.05), gathered.wait_s(10.05, 1.0)
(['second', 'third'], 1.0)

The connection of the only request of the last turn waits for no other one:

>>> gathered.add("third")
>>> gathered.take(10.11)
['third']
>>> gathered.add("third")
>>> gathered.take(10.12)
['third']
"""

from typing import Generic, TypeVar

GATHER_S = 0.050
Request = TypeVar("Request")


class GatheredRequests(Generic[Request]):
    """The requests that wait for the end of a turn of `every_s` seconds; a request is its connection. For one thread."""

    def __init__(self, every_s: float = GATHER_S) -> None:
        self._every_s = every_s
        self._next_s = 0.0
        self._waiting: list[Request] = []
        self._last: list[Request] = []  # those of the last turn

    def add(self, request: Request) -> None:
        """Let a request wait for `take`."""
        self._waiting.append(request)

    def take(self, now_s: float, *, at_once: bool = False) -> list[Request]:
        """All waiting requests where a turn has ended, or `at_once`; else none. `now_s`: monotonic seconds."""
        alone = len(self._waiting) == 1 and self._waiting == self._last
        if not self._waiting or not (at_once or alone or now_s >= self._next_s):
            return []
        self._next_s = now_s + self._every_s
        self._last, self._waiting = self._waiting, []
        return self._last

    def wait_s(self, now_s: float, most_s: float) -> float:
        """Seconds until requests can be taken, at most `most_s`."""
        return min(most_s, max(0.0, self._next_s - now_s)) if self._waiting else most_s
