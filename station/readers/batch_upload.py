"""Stored scans: a cordless scanner that was out of reach hands over at once what it read meanwhile.

Codes that follow each other faster than a hand can scan were not made now: each was made at some moment since this reader
was heard last. The first few of such a burst cannot be told from scans made by hand and keep their own time. A reader that
reads one label over and over, as a scanner on a stand does, hands over no stored scans.

>>> pace = ReadPace()
>>> times_ms = (1_000, 60_000, 60_050, 60_100, 60_150, 60_200)
>>> since = [pace.record_read(b"WO-%d" % n, at_ms * MS) for n, at_ms in enumerate(times_ms)]
>>> [since_ns and since_ns // MS for since_ns in since]
[None, None, None, None, 1000, 1000]
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

MS = 1_000_000
QUICK_NS = 250 * MS
"""No hand puts one label after another before a scanner so quickly."""
OVER_NS = 1_000 * MS
"""A pause that ends a burst."""
QUICK_ONES = 3
"""So many quick scans one after another, and it is no coincidence."""
SPOOL_READS = 4_096
SPOOL_BYTES = 2 * 1024 * 1024
"""Of one reader: all that may be read at once stay within the service's memory, whatever they send."""
Thing = TypeVar("Thing")


class ReadPace:
    """When one reader was heard, and how fast its codes follow each other. Times: CLOCK_BOOTTIME in ns.

    `last_ns`: when it was heard last, before it was opened anew or the station was; None where nobody knows.
    """

    def __init__(self, last_ns: int | None = None) -> None:
        self._last_ns = last_ns
        self._last_raw = b""
        self._before_ns = 0  # the contact before the scans that follow each other now
        self._quick = 0

    @property
    def bursts(self) -> bool:
        """Whether the reader is handing over stored scans."""
        return self._quick >= QUICK_ONES

    def record_read(self, raw: bytes, boot_ns: int) -> int | None:
        """A scan came: since when it may have been made where it is a stored one, else None.

        0 where the reader was not heard since this machine was started: it may be older than all that a clock here can say.
        """
        pause_ns = OVER_NS if self._last_ns is None else boot_ns - self._last_ns
        if pause_ns < QUICK_NS:
            self._quick += raw != self._last_raw or self.bursts
        elif pause_ns >= OVER_NS or not self.bursts:
            self._quick, self._before_ns = 0, self._last_ns or 0
        self._last_ns, self._last_raw = boot_ns, raw
        return self._before_ns if self.bursts else None


class ReadSpool(Generic[Thing]):
    """What a reader hands over faster than it can be recorded, in its order; bounded, and emptied by a thread of its own.

    `hand_over` waits until there is room behind it; `weigh` says how many bytes a thing is.
    """

    def __init__(
        self,
        hand_over: Callable[[Thing], object],
        name: str,
        room: int = SPOOL_READS,
        weigh: Callable[[Thing], int] = lambda _thing: 0,
    ) -> None:
        self._hand_over, self._name, self._room, self._weigh = hand_over, name, room, weigh
        self._bytes = 0
        self._things: deque[Thing] = deque()
        self._lock = threading.Lock()
        self._emptied = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._things)

    def put(self, thing: Thing) -> bool:
        """Keep it behind what waits; False where there is no room."""
        with self._lock:
            weight = self._weigh(thing)
            if len(self._things) >= self._room or self._bytes + weight > SPOOL_BYTES:
                return False
            self._things.append(thing)
            self._bytes += weight
            if not self._emptied:
                threading.Thread(target=self._empty, name=f"spool-{self._name}", daemon=True).start()
                self._emptied = True  # only now: where there is no thread to be had, the next scan asks again
        return True

    def _empty(self) -> None:
        while True:
            with self._lock:
                if not self._things:
                    self._emptied = False
                    return
                thing = self._things[0]
            self._hand_over(thing)
            with self._lock:
                self._things.popleft()
                self._bytes -= self._weigh(thing)
