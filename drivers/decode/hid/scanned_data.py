"""Scanners of the USB "HID Point of Sale" class: whole scans out of their Scanned Data Reports.

Such a scanner types nothing: each report carries the AIM identifier of the symbol, some bytes of what was decoded, mostly
their number, and whether more follow. Where each stands is the maker's choice and told by the report descriptor, so it is
read from there. Source: USB-IF, HID Point of Sale Usage Tables 1.02, section 3.

>>> from drivers.decode.hid.report_descriptor import parsed
>>> tiny = parsed(bytes.fromhex("058C 0902 A101  8502 7508 9503 19FB 29FD 8102  9504 09FE 8102  9501 09FF 8102  C0"))
>>> scans = ScannedDataDecoder(tiny)
>>> [each.scan.raw for report in (b"\\x02]C1WO-1\\x01", b"\\x02]C1042\\x00\\x00") for each in scans.feed(report, 0)]
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
"""A scan that goes on does so within milliseconds; after so long without a report its rest does not come."""
MAX_JOINED_BYTES = 65_536
"""Bytes of continued reports that may still be one scan: no symbol holds a tenth of it."""
HEAD_LOST = "The scanner was sending when it was opened, and the head of the scan was lost."
_AIM_BYTES = 3
_END_BYTES = 2
# Most scanners are set to end a scan with a key or a line feed, in this class too, where it ends nothing.
_END = re.compile(rb"(?:\r\n|[\r\n\t])\Z")
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ReportLayout:
    """Where in one Scanned Data Report everything stands; `symbology` has three places or none."""

    report: Report
    data: tuple[FieldSlice, ...]
    length: FieldSlice | None
    symbology: tuple[FieldSlice, ...]
    continued: FieldSlice | None


@dataclass(frozen=True, slots=True)
class ReportPart:
    """What one report says: the AIM identifier ("" where it has none), some of the text, whether more follows."""

    aim: bytes
    text: bytes
    continued: bool


@dataclass(frozen=True, slots=True)
class MalformedReport:
    """A report that cannot be what it claims to be, and why; `continued`: more of its scan may follow."""

    why: str
    continued: bool


def layouts(descriptor: ReportDescriptor) -> dict[int, ReportLayout]:
    """The Scanned Data Reports of a device, by their id; none where it is no HID POS scanner."""
    found = {}
    for report in descriptor.reports:
        data = tuple(place for place in report.places(DECODED_DATA) if place.bits == 8)
        if report.sort is not ReportType.INPUT or not data or descriptor.numbered != bool(report.id):
            continue
        symbology = tuple(place for usage in SYMBOLOGY_IDENTIFIERS if (place := _first(report, usage, bits_max=8)))
        found[report.id] = ReportLayout(
            report=report,
            data=data,
            length=_first(report, BYTE_COUNT, bits_max=32),
            symbology=symbology if len(symbology) == _AIM_BYTES else (),
            continued=_first(report, DATA_CONTINUED, bits_max=8),
        )
    return found


def _first(report: Report, usage: int, bits_max: int) -> FieldSlice | None:
    return next((place for place in report.places(usage) if place.bits <= bits_max), None)


def read(layout: ReportLayout, body: bytes) -> ReportPart | MalformedReport:
    """What a report without its id says.

    A report that is longer by zeros alone was filled up to the size of a USB packet.
    """
    size = layout.report.size_bytes
    if len(body) < size or any(body[size:]):
        return MalformedReport(
            f"The scanner sent a report of {len(body)} bytes; its descriptor says {size}.", continued=True
        )
    bits = int.from_bytes(body, "little")
    text = b"".join(_row(bits, place).to_bytes(place.count, "little") for place in layout.data)
    signs = bytes(_value(bits, place) for place in layout.symbology)
    continued = layout.continued is not None and _value(bits, layout.continued) != 0
    aim = signs if aim_identifier(signs + b".") else b""
    if not aim and b"]" in signs[1:]:  # then the text is not where it should be either
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
    elif not continued:  # nothing says where the text ends, and the rest is filled with zeros
        text = text.rstrip(b"\0")
    return ReportPart(aim, text, continued)


def _value(bits: int, place: FieldSlice) -> int:
    """The first value of a place."""
    return bits >> place.bit & (1 << place.bits) - 1


def _row(bits: int, place: FieldSlice) -> int:
    """All values of a place, the first one lowest."""
    return bits >> place.bit & (1 << place.bits * place.count) - 1


class ScannedDataDecoder:
    """The reports of one scanner, joined to whole scans; memory is bounded.

    `ignored` counts reports that carry no scanned data. Times are of any clock that does not step, in nanoseconds. A scan of
    which a part is missing is `LostScan`, told once; what is left of it is passed over to its end, or until the scanner
    rests. `opened_ns`: when the device was opened; a scan may have begun before, and no report says whether it is the
    first of one.
    """

    def __init__(self, descriptor: ReportDescriptor, opened_ns: int | None = None) -> None:
        self.layouts: Mapping[int, ReportLayout] = layouts(descriptor)
        self.ignored = 0
        self._numbered = descriptor.numbered
        self._text = ScanBuffer()
        self._tail = b""  # of the text, not yet gathered: it may be the terminator
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
        """When rest will end what has begun, None while nothing has."""
        return self._last_ns + int(REST_S * _NS) if self._joining or self._lost else None

    def feed(self, report: bytes, now_ns: int) -> Iterator[SerialScan | LostScan]:
        """Take a report as the kernel gives it: led by its id where the device's reports have ids."""
        yield from self.quiet(now_ns)
        layout = self.layouts.get(report[0] if self._numbered else 0) if report else None
        if layout is None:
            self.ignored += 1
            return
        self._last_ns = now_ns
        part = read(layout, report[1:] if self._numbered else report)
        if self._joined(layout, now_ns):
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

    def _joined(self, layout: ReportLayout, now_ns: int) -> bool:
        """Whether this is the first report since the opening, and so soon after it that it may go on with a scan."""
        opened_ns, self._opened_ns = self._opened_ns, None
        return opened_ns is not None and now_ns - opened_ns < JOINED_S * _NS and layout.continued is not None

    def quiet(self, now_ns: int) -> Iterator[LostScan]:
        """Nothing came until now: what was to be continued will not be."""
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return
        yield from self._give_up("The scanner stopped in the middle of a scan.", due_ns)
        self._begin()

    def _begin(self) -> None:
        """The next report is the first of a scan."""
        self._text.clear()
        self._tail = self._aim = b""
        self._joining = self._lost = False

    def _give_up(self, why: str, time_ns: int) -> Iterator[LostScan]:
        told, half = self._lost, self.begun
        self._begin()
        self._lost = True
        if not told:
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
        """Move the text on; what may be the terminator waits until it is known to be none.

        The AIM identifier goes in front, unless the scanner is set to send it as text as well.
        """
        text = _END.sub(b"", self._tail) if last else self._tail[:-_END_BYTES]
        if not self._text and text:
            if not last and len(text) < _AIM_BYTES:
                return
            if not text.startswith(self._aim):
                self._text.add(self._aim)
        self._text.add(text)
        self._tail = self._tail[len(text) :]
