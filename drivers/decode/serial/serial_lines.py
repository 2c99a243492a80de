"""Decoder for serial scanners: a scan is a line of bytes that ends with a terminator or with silence.

The terminator is CR, LF, both, Tab or ETX; an STX in front is removed. Without a terminator a scan is complete after `GAP_S`
of silence. If the scan before had a terminator, it is complete after `PULLED_S` or with the next scan: such a scanner has
probably been unplugged in mid-scan, and the kernel may report that late. A document of several lines is one scan with its
line breaks (`drivers.decode.label_lines`).

>>> decoder = SerialLineDecoder()
>>> [scan.scan.raw for data in (b"WO-10", b"42\\r", b"\\nWO-7\\t") for scan in decoder.feed(data, 0)]
[b'WO-1042', b'WO-7']
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.decode.label_lines import LabelLines
from drivers.decode.scan import Scan, ScanBuffer

GAP_S = 0.5
"""The silence that ends a scan without terminator; slow cordless scanners pause for less."""
PULLED_S = 5.0
_NS = 1_000_000_000
_GAP_NS, _PULLED_NS = int(GAP_S * _NS), int(PULLED_S * _NS)
MAX_BREAK_BYTES = 64  # of empty lines in a label
_STX = b"\x02"
_ETX = b"\x03"
_END = re.compile(rb"(\r\n|[\r\n\t\x03])")


@dataclass(frozen=True, slots=True)
class SerialScan:
    """A complete scan, and the time of its completion."""

    scan: Scan
    time_ns: int


class SerialLineDecoder:
    """Decodes the bytes of one scanner, in bounded memory. Times are of any clock that does not step, in nanoseconds."""

    def __init__(self) -> None:
        self._text = ScanBuffer()
        self._has_terminator = False  # the last scan had one
        self._last_ns = 0
        self._headless = False
        self._lines = LabelLines()
        self._break = b""  # behind the last line of a document, a part of the label only if another line follows

    @property
    def begun(self) -> int:
        """Bytes of a scan that has begun and is not complete."""
        return len(self._text)

    @property
    def due_ns(self) -> int | None:
        """When silence will end the scan that has begun, None without one."""
        is_pulled = self._has_terminator and not self._lines.is_open
        return self._last_ns + (_PULLED_NS if is_pulled else _GAP_NS) if self._text else None

    def pass_over(self) -> None:
        """Drop the next bytes up to a terminator or silence: they are the rest of a scan whose beginning is lost."""
        self._headless = True

    def drop(self) -> None:
        """Discard the scan that has begun, a part of which is lost."""
        self._text.clear()
        self._begin()
        self._headless = False

    def _begin(self) -> None:
        self._lines.reset()
        self._break = b""

    def feed(self, data: bytes, now_ns: int) -> Iterator[SerialScan]:
        """Process the next bytes; yield each scan that is now complete. Empty lines are no scans."""
        if self._text and now_ns >= self._last_ns + _GAP_NS:
            yield from self._end_with_silence()  # these are the first bytes of another scan
        self._last_ns = now_ns
        *complete, rest = _END.split(data)
        for part, end in zip(complete[::2], complete[1::2], strict=True):
            self._add(part)
            self._has_terminator = True
            if end != _ETX and self._has_more_lines():
                self._break = (self._break + end)[:MAX_BREAK_BYTES]
            else:
                yield from self._end(now_ns)
        self._add(rest)

    def _has_more_lines(self) -> bool:
        """Whether the label of the line that has just ended has another line; an empty line changes nothing."""
        return bool(self._text) and (bool(self._break) or self._lines.end_line())

    def quiet(self, now_ns: int) -> Iterator[SerialScan]:
        """Process silence until now: yield the scan that it has ended."""
        due_ns = self.due_ns
        if due_ns is not None and now_ns >= due_ns:
            yield from self._end_with_silence()

    def _end_with_silence(self) -> Iterator[SerialScan]:
        if self._break:  # the document was complete at its last terminator
            yield from self._end(self._last_ns)
            return
        self._has_terminator = False
        yield from self._end(self._last_ns + _GAP_NS)

    def _add(self, part: bytes) -> None:
        if not part:
            return
        part = part if self._text else part.removeprefix(_STX)
        self._text.add(self._break + part)
        self._lines.add(part)
        self._break = b""

    def _end(self, time_ns: int) -> Iterator[SerialScan]:
        scan = self._text.pop_scan()
        self._begin()
        headless, self._headless = self._headless, False
        if scan is not None and not headless:
            yield SerialScan(scan, time_ns)
