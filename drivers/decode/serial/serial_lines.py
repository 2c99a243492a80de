"""Scans from a serial scanner: a line of bytes with an end, or with silence after it.

The end is CR, LF, both, Tab or ETX, whichever comes; an STX in front goes with its ETX. A scanner that sends no end is
believed complete after `GAP_S` of silence; one that sent an end before, only after `PULLED_S` or with the next scan: it is
quiet as well when it is pulled out, and the kernel may be late to say so.

>>> line = SerialLineDecoder()
>>> [each.scan.raw for data in (b"WO-10", b"42\\r", b"\\nWO-7\\t") for each in line.feed(data, 0)]
[b'WO-1042', b'WO-7']
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.decode.scan import Scan, ScanBuffer

GAP_S = 0.5
"""Silence after which a scan without an end is complete: slow cordless scanners pause for less."""
PULLED_S = 5.0
_NS = 1_000_000_000
_GAP_NS, _PULLED_NS = int(GAP_S * _NS), int(PULLED_S * _NS)
_STX = b"\x02"
_END = re.compile(rb"[\r\n\t\x03]")


@dataclass(frozen=True, slots=True)
class SerialScan:
    """A whole scan, and when it was complete."""

    scan: Scan
    time_ns: int


class SerialLineDecoder:
    """What a scanner has sent so far; memory is bounded. Times are of any clock that does not step, in nanoseconds."""

    def __init__(self) -> None:
        self._text = ScanBuffer()
        self._ends = False  # its last scan came with an end
        self._last_ns = 0
        self._headless = False

    @property
    def begun(self) -> int:
        """Bytes of a scan that has begun and is not complete."""
        return len(self._text)

    @property
    def due_ns(self) -> int | None:
        """When silence will end what has begun, None while nothing has."""
        return self._last_ns + (_PULLED_NS if self._ends else _GAP_NS) if self._text else None

    def pass_over(self) -> None:
        """What comes next has lost its head: up to its end, or to silence, it is no scan."""
        self._headless = True

    def drop(self) -> None:
        """Forget what has begun: a part of it is lost."""
        self._text.clear()
        self._headless = False

    def feed(self, data: bytes, now_ns: int) -> Iterator[SerialScan]:
        """Take bytes as they arrive; yield each scan that is now complete. Empty lines are no scans."""
        if self._text and now_ns >= self._last_ns + _GAP_NS:
            yield from self._fall_silent()  # these are the first bytes of another scan
        self._last_ns = now_ns
        *ended, begun = _END.split(data)
        for piece in ended:
            self._add(piece)
            self._ends = True
            yield from self._end(now_ns)
        self._add(begun)

    def quiet(self, now_ns: int) -> Iterator[SerialScan]:
        """Nothing came until now: yield the scan that silence has ended."""
        due_ns = self.due_ns
        if due_ns is not None and now_ns >= due_ns:
            yield from self._fall_silent()

    def _fall_silent(self) -> Iterator[SerialScan]:
        self._ends = False
        yield from self._end(self._last_ns + _GAP_NS)

    def _add(self, piece: bytes) -> None:
        self._text.add(piece if self._text else piece.removeprefix(_STX))

    def _end(self, time_ns: int) -> Iterator[SerialScan]:
        scan = self._text.pop_scan()
        headless, self._headless = self._headless, False
        if scan is not None and not headless:
            yield SerialScan(scan, time_ns)
