"""Decoder for the Scanned Data Reports of scanners of the USB class "HID Point of Sale".

Each report has the AIM identifier of the symbol, some bytes of the decoded data, mostly their count, and whether more data
follows. The place of each field is the maker's choice; it is taken from the report descriptor. Source: USB-IF, HID Point of
Sale Usage Tables 1.02, section 3.

>>> from drivers.decode.hid.report_descriptor import parsed
>>> tiny = parsed(bytes.fromhex("058C 0902 A101  8502 7508 9503 19FB 29FD 8102  9504 09FE 8102  9501 09FF 8102  C0"))
>>> decoder = ScannedDataDecoder(tiny)
>>> [scan.scan.raw for report in (b"\\x02]C1WO-1\\x01", b"\\x02]C1042\\x00\\x00") for scan in decoder.feed(report, 0)]
[b']C1WO-1042']
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drivers.decode.hid.report_descriptor import FieldSlice, Report, ReportDescriptor, ReportType
from drivers.decode.keyboard.keys import JOINED_S, LostScan
from drivers.decode.scan import ScanBuffer, aim_identifier
from drivers.decode.serial.serial_lines import SerialScan

BYTE_COUNT = 0x01_003B
SYMBOLOGY_IDENTIFIERS = (0x8C_00FB, 0x8C_00FC, 0x8C_00FD)
DECODED_DATA = 0x8C_00FE
DATA_CONTINUED = 0x8C_00FF

REST_S = 0.5
"""The time without a report after which the rest of a scan is lost. Reports of one scan follow within milliseconds."""
MAX_JOINED_BYTES = 65_536
"""The most bytes of continued reports in one scan: ten times the data of any symbol."""
HEAD_LOST = "The scanner was sending when it was opened, and the head of the scan was lost."
_AIM_BYTES = 3
_END_BYTES = 2
# Most scanners add a carriage return, line feed or tab to each scan, in this class too; it is no data here.
_END = re.compile(rb"(?:\r\n|[\r\n\t])\Z")
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ReportLayout:
    """The fields of one Scanned Data Report; `symbology` has three slices or none."""

    report: Report
    data: tuple[FieldSlice, ...]
    length: FieldSlice | None
    symbology: tuple[FieldSlice, ...]
    continued: FieldSlice | None


@dataclass(frozen=True, slots=True)
class ReportPart:
    """The content of one report: the AIM identifier (b"" without one), some of the text, whether more follows."""

    aim: bytes
    text: bytes
    continued: bool


@dataclass(frozen=True, slots=True)
class MalformedReport:
    """A report that contradicts its descriptor, with the reason. `continued`: more of its scan may follow."""

    why: str
    continued: bool


def layouts(descriptor: ReportDescriptor) -> dict[int, ReportLayout]:
    """The Scanned Data Reports of a device by report id; empty if it is no HID POS scanner."""
    by_id = {}
    for report in descriptor.reports:
        data = tuple(field for field in report.places(DECODED_DATA) if field.bits == 8)
        if report.sort is not ReportType.INPUT or not data or descriptor.numbered != bool(report.id):
            continue
        symbology = tuple(field for usage in SYMBOLOGY_IDENTIFIERS if (field := _first(report, usage, bits_max=8)))
        by_id[report.id] = ReportLayout(
            report=report,
            data=data,
            length=_first(report, BYTE_COUNT, bits_max=32),
            symbology=symbology if len(symbology) == _AIM_BYTES else (),
            continued=_first(report, DATA_CONTINUED, bits_max=8),
        )
    return by_id


def _first(report: Report, usage: int, bits_max: int) -> FieldSlice | None:
    return next((field for field in report.places(usage) if field.bits <= bits_max), None)


def read(layout: ReportLayout, body: bytes) -> ReportPart | MalformedReport:
    """Parse a report without its id.

    A report that is longer than its descriptor says may be padded with zeros to the size of a USB packet.
    """
    size = layout.report.size_bytes
    if len(body) < size or any(body[size:]):
        return MalformedReport(
            f"The scanner sent a report of {len(body)} bytes; its descriptor says {size}.", continued=True
        )
    bits = int.from_bytes(body, "little")
    text = b"".join(_values(bits, field).to_bytes(field.count, "little") for field in layout.data)
    symbology = bytes(_value(bits, field) for field in layout.symbology)
    continued = layout.continued is not None and _value(bits, layout.continued) != 0
    aim = symbology if aim_identifier(symbology + b".") else b""
    if not aim and b"]" in symbology[1:]:  # the descriptor is wrong; the text is displaced as well
        return MalformedReport(
            "The symbology identifier stands in another place than the scanner's descriptor says.", continued
        )
    if layout.length is not None:
        length = _value(bits, layout.length)
        if length > len(text):
            return MalformedReport(
                f"The scanner spoke of {length} bytes in a report with room for {len(text)}.", continued
            )
        text = text[:length]
    elif not continued:  # without a byte count, the end of the text is where the padding of zeros begins
        text = text.rstrip(b"\0")
    return ReportPart(aim, text, continued)


def _value(bits: int, field: FieldSlice) -> int:
    """The first value of a field."""
    return bits >> field.bit & (1 << field.bits) - 1


def _values(bits: int, field: FieldSlice) -> int:
    """All values of a field as one number, the first one in the lowest bits."""
    return bits >> field.bit & (1 << field.bits * field.count) - 1


class ScannedDataDecoder:
    """Joins the reports of one scanner to complete scans, in bounded memory.

    `ignored` counts reports without scanned data. Times are of any clock that does not step, in nanoseconds. A scan that is
    lost in part is reported as one `LostScan`; its other reports are dropped, up to its end or until no report has come for
    `REST_S`. `opened_ns` is the time of the opening: a scan may have begun before, and no report says whether it is the
    first of a scan.
    """

    def __init__(self, descriptor: ReportDescriptor, opened_ns: int | None = None) -> None:
        self.layouts: Mapping[int, ReportLayout] = layouts(descriptor)
        self.ignored = 0
        self._numbered = descriptor.numbered
        self._text = ScanBuffer()
        self._tail = b""  # the end of the text, held back: it may be the terminator
        self._aim = b""
        self._joining = self._lost = False
        self._last_ns = 0
        self._opened_ns = opened_ns

    @property
    def begun(self) -> int:
        """Bytes of a scan that has begun and is not complete."""
        return len(self._text) + len(self._tail)

    @property
    def due_ns(self) -> int | None:
        """When the rest of a scan counts as lost, None if no scan has begun."""
        return self._last_ns + int(REST_S * _NS) if self._joining or self._lost else None

    def feed(self, report: bytes, now_ns: int) -> Iterator[SerialScan | LostScan]:
        """Process a report as read from hidraw: it begins with its id if the device's reports have ids."""
        yield from self.quiet(now_ns)
        layout = self.layouts.get(report[0] if self._numbered else 0) if report else None
        if layout is None:
            self.ignored += 1
            return
        self._last_ns = now_ns
        part = read(layout, report[1:] if self._numbered else report)
        if self._may_lack_head(layout, now_ns):
            yield LostScan(HEAD_LOST, now_ns)
            self._lost = part.continued
            return
        if isinstance(part, MalformedReport):
            yield from self._give_up(part.why, now_ns)
            self._lost = part.continued
            return
        if self._joining and part.aim and self._aim and part.aim != self._aim:
            yield from self._give_up("Another scan began in the middle of one.", now_ns)
            self._begin()
        if not self._lost:
            yield from self._join(part, now_ns)
        elif not part.continued:
            self._begin()

    def _may_lack_head(self, layout: ReportLayout, now_ns: int) -> bool:
        """Whether this is the first report since the opening, so soon after it that it may continue a scan."""
        opened_ns, self._opened_ns = self._opened_ns, None
        return opened_ns is not None and now_ns - opened_ns < JOINED_S * _NS and layout.continued is not None

    def quiet(self, now_ns: int) -> Iterator[LostScan]:
        """Process silence until now: a scan that was to be continued is lost."""
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return
        yield from self._give_up("The scanner stopped in the middle of a scan.", due_ns)
        self._begin()

    def _begin(self) -> None:
        """Discard what has begun; the next report is the first of a scan."""
        self._text.clear()
        self._tail = self._aim = b""
        self._joining = self._lost = False

    def _give_up(self, why: str, time_ns: int) -> Iterator[LostScan]:
        reported, half = self._lost, self.begun
        self._begin()
        self._lost = True
        if not reported:
            yield LostScan(f"{why} Half a scan was dropped (bytes: {half})." if half else why, time_ns)

    def _join(self, part: ReportPart, now_ns: int) -> Iterator[SerialScan | LostScan]:
        self._aim = self._aim or part.aim
        self._joining = part.continued
        self._tail += part.text
        self._gather(last=not part.continued)
        if part.continued:
            if self.begun > MAX_JOINED_BYTES:
                yield from self._give_up("The scanner went on and on.", now_ns)
            return
        scan = self._text.pop_scan()
        self._begin()
        if scan is not None:
            yield SerialScan(scan, now_ns)

    def _gather(self, *, last: bool) -> None:
        """Add the text to the scan; hold back bytes that may be the terminator until the `last` report.

        The AIM identifier is put in front, unless the scanner sends it as text as well.
        """
        text = _END.sub(b"", self._tail) if last else self._tail[:-_END_BYTES]
        if not self._text and text:
            if not last and len(text) < _AIM_BYTES:
                return
            if not text.startswith(self._aim):
                self._text.add(self._aim)
        self._text.add(text)
        self._tail = self._tail[len(text) :]
