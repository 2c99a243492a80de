"""Batch upload: recognise and buffer the stored scans of a cordless scanner that was out of range.

Such a scanner uploads its stored scans as a burst, faster than an operator can scan. Each of them was made at some time
since the reader's last contact. The first few of a burst cannot be told from scans made by hand, and keep their own time. A
reader that reads one label again and again, as a scanner on a stand does, uploads no stored scans.

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
"""An operator needs longer than this from one label to the next."""
OVER_NS = 1_000 * MS
"""A pause of this length ends a burst."""
QUICK_ONES = 3
"""This many quick scans in a row are a burst."""
SPOOL_READS = 4_096
SPOOL_BYTES = 2 * 1024 * 1024
"""The limit of one reader: with the most readers possible, all spools stay within the service's memory."""
Work = TypeVar("Work")


class ReadPace:
    """The last contact of one reader and the pace of its scans. Times are CLOCK_BOOTTIME in ns.

    `last_ns`: the last contact before the reader was opened, also before the station's start; None where it is unknown.
    """

    def __init__(self, last_ns: int | None = None) -> None:
        self._last_ns = last_ns
        self._last_raw = b""
        self._before_ns = 0  # the last contact before the present sequence of quick scans
        self._quick = 0

    @property
    def bursts(self) -> bool:
        """Whether the reader is uploading stored scans."""
        return self._quick >= QUICK_ONES

    def record_read(self, raw: bytes, boot_ns: int) -> int | None:
        """Record a scan; for a stored one, returns the earliest time at which it may have been made, else None.

        0 where there was no contact in this boot: the scan may be older than this boot's clock.
        """
        pause_ns = OVER_NS if self._last_ns is None else boot_ns - self._last_ns
        if pause_ns < QUICK_NS:
            self._quick += raw != self._last_raw or self.bursts
        elif pause_ns >= OVER_NS or not self.bursts:
            self._quick, self._before_ns = 0, self._last_ns or 0
        self._last_ns, self._last_raw = boot_ns, raw
        return self._before_ns if self.bursts else None


class ReadSpool(Generic[Work]):
    """A bounded FIFO for scans that arrive faster than they are recorded, emptied by a thread of its own.

    `put_next` passes one scan on and waits until there is room for it. `size_of` returns its size in bytes.
    """

    def __init__(
        self,
        put_next: Callable[[Work], object],
        name: str,
        room: int = SPOOL_READS,
        size_of: Callable[[Work], int] = lambda _work: 0,
    ) -> None:
        self._put_next, self._name, self._room, self._size_of = put_next, name, room, size_of
        self._bytes = 0
        self._waiting: deque[Work] = deque()
        self._lock = threading.Lock()
        self._has_thread = False

    def __len__(self) -> int:
        """The number of waiting scans."""
        return len(self._waiting)

    def put(self, work: Work) -> bool:
        """Append a scan; False where there is no room."""
        with self._lock:
            size = self._size_of(work)
            if len(self._waiting) >= self._room or self._bytes + size > SPOOL_BYTES:
                return False
            self._waiting.append(work)
            self._bytes += size
            if not self._has_thread:
                threading.Thread(target=self._empty, name=f"spool-{self._name}", daemon=True).start()
                self._has_thread = True  # only after the start: if it fails, the next scan starts a thread
        return True

    def _empty(self) -> None:
        """Pass the scans on in their order; ends when the spool is empty.

        A scan stays in the spool until it has been passed on: else the next one could overtake it (`ReaderThread._put`).
        """
        while True:
            with self._lock:
                if not self._waiting:
                    self._has_thread = False
                    return
                work = self._waiting[0]
            self._put_next(work)
            with self._lock:
                self._waiting.popleft()
                self._bytes -= self._size_of(work)
