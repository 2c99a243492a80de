"""Scanners on a serial line: USB CDC ("USB COM port") and RS-232.

The port is opened exclusively, so that no modem or terminal program takes a scan away.
`drivers.decode.serial.serial_lines` decodes the text; this module holds the port.
"""

from collections.abc import Callable, Iterator, Sequence

from drivers import (
    DeviceLost,
    Driver,
    DriverError,
    Dropped,
    OperatorNotice,
    Outcome,
    ProfileLearned,
    Settings,
    boot_ns,
    read_of,
)
from drivers.capture.recorder import CaptureWriter, CapturingSerial
from drivers.decode.detect.device_info import DeviceInfo, named
from drivers.decode.detect.device_policy import SCANNER_VENDORS
from drivers.decode.keyboard.keys import JOINED_S
from drivers.decode.keyboard.profile import ScannerProfile, dict_of, text_of
from drivers.decode.serial.serial_lines import GAP_S, SerialLineDecoder, SerialScan
from drivers.decode.setup_sheet.sheet_detector import ProfileFailure, ProfileResult
from drivers.platform.device_handle import DeviceHandle, Hold
from drivers.platform.serial_ports import FLOWS, SerialPort, open_port, present
from drivers.platform.sheet_listener import ByteSheetDetector, taught, trimmed

HEAD_LOST = "The scanner was sending when its port was opened, and the head of the scan was lost."
BYTES_LOST = "The scanner sent faster than its port was read, and some bytes were lost."
_NS = 1_000_000_000


def open_device(settings: Settings) -> Driver:
    """Open the port at `path`, else the first that `match` names, else that of the first device of a maker of scanners.

    `baud` (9600), `parity` (none, even, odd) and `flow` (none, rtscts, xonxoff) are the scanner's; over USB most take any.
    """
    path = settings.get("path")
    if path:
        return _opened(path, settings)
    refused = _nothing_there(settings)
    for facts in present():
        if _meant(facts, settings):
            try:
                return _opened(facts.node, settings)
            except DriverError as error:
                refused = error  # another like it may be free
    raise refused


def _opened(path: str, settings: Settings) -> "SerialLine":
    waits = settings.get("flow") in FLOWS
    line = open_port(path, settings)
    return SerialLine(line, waits=waits, opened_ns=None if waits else boot_ns(), overruns=line.overruns)


def _meant(facts: DeviceInfo, settings: Settings) -> bool:
    return named(facts, settings) if settings.get("match") else facts.vendor in SCANNER_VENDORS


def _nothing_there(settings: Settings) -> DriverError:
    match = settings.get("match")
    return DriverError(
        came=f"No serial scanner {match!r} is plugged in." if match else "No serial scanner is plugged in.",
        expected="Expected the serial port of a USB device that match names, or of a known maker of scanners.",
        do='Plug it in, or name its port: path = "/dev/serial/by-id/...", on RS-232 path = "/dev/ttyS0".',
    )


class SerialLine:
    """A scanner at an open port.

    `waits`: it has flow control. `opened_ns`: when a port was opened on which a scanner may have been sending already; half
    a scan must not become an event. `overruns` counts how often bytes were lost on the way to the port's reader.
    """

    kind = "serial_line"

    def __init__(
        self,
        line: SerialPort,
        *,
        waits: bool = False,
        opened_ns: int | None = None,
        hold: Hold = DeviceHandle,
        overruns: Callable[[], int] = lambda: 0,
    ) -> None:
        self._overruns, self._overrun = overruns, overruns()
        self._deaf_until_ns = 0  # after a loss: until the scanner was silent
        self._opened_ns = opened_ns
        self.reader = line.reader
        self.lossless = waits  # with flow control the scanner keeps what it may not send yet
        self._line: SerialPort = line
        self._held = hold(line.close)
        self._ear: ByteSheetDetector | None = None
        self._profile = ScannerProfile()

    def record(self, tape: CaptureWriter) -> None:
        """Write down what comes from now on."""
        tape.begin(self.kind, self.reader, opened_ns=self._opened_ns, profile=dict_of(self._profile))
        self._line = CapturingSerial(self._line, tape)

    def teach(self, sheets: Sequence[Sequence[str]], profile: str | None) -> None:
        """The setup sheets that may be scanned, and what was learned of this scanner before."""
        self._ear = ByteSheetDetector(sheets)
        self._profile = taught(profile)

    def reads(self) -> Iterator[Outcome]:
        """Each scan when it is complete."""
        text = SerialLineDecoder()
        with self._held.reading():
            while not self._held.closed:
                due_ns = text.due_ns
                timeout_s = None if due_ns is None else max(0, due_ns - self._held.now_ns()) / _NS
                if self._held.wait(self._line.descriptor, timeout_s):
                    data = self._read(text)
                    if (lost := self._lost(text)) or self._held.now_ns() < self._deaf_until_ns:
                        yield from lost
                        continue
                    if self._opened_ns is not None and data:
                        yield from self._joined(text, data)
                    for sent in text.feed(data, self._held.now_ns()):
                        yield from self._told(sent)
                else:
                    for sent in text.quiet(self._held.now_ns()):
                        yield from self._told(sent)

    def _lost(self, text: SerialLineDecoder) -> list[Dropped]:
        """Whether bytes were lost since the last reading, told once for each run of losses.

        The counter says nothing of the place: the hole may be in what was just read, or in what still waits to be read. So
        nothing is a scan from here to the next silence, or two halves could be read as one code.
        """
        now_ns, count = self._held.now_ns(), self._overruns()
        grew, self._overrun = count != self._overrun, count
        told = now_ns < self._deaf_until_ns
        if grew or told:
            text.drop()
            self._deaf_until_ns = now_ns + int(GAP_S * _NS)
        return [Dropped(self.kind, self.reader, now_ns, BYTES_LOST, many=True)] if grew and not told else []

    def close(self) -> None:
        """End `reads` and give the port back."""
        self._held.close()

    def _joined(self, text: SerialLineDecoder, data: bytes) -> Iterator[Dropped]:
        """The first bytes since the port was opened: so soon after, they are not the first of their scan."""
        opened_ns, self._opened_ns = self._opened_ns or 0, None
        if self._held.now_ns() - opened_ns < JOINED_S * _NS:
            text.pass_over()
            if data.strip(b"\r\n\t\x03"):  # its end alone tells nobody anything
                yield Dropped(self.kind, self.reader, self._held.now_ns(), HEAD_LOST)

    def _read(self, text: SerialLineDecoder) -> bytes:
        try:
            return self._line.read()
        except DeviceLost as lost:
            if not text.begun:
                raise
            came = f"{lost.came[:-1]} in mid-scan, and half a scan was dropped (bytes: {text.begun})."
            raise DeviceLost(came, lost.expected, lost.do) from lost

    def _told(self, sent: SerialScan) -> Iterator[Outcome]:
        lesson = self._ear.hears(sent.scan.raw) if self._ear else None
        if isinstance(lesson, ProfileResult):
            self._profile = lesson.profile
            yield ProfileLearned(self.kind, self.reader, sent.time_ns, lesson.evidence, text_of(lesson.profile))
        scan = trimmed(sent.scan, self._profile)
        yield read_of(scan, self.kind, self.reader, sent.time_ns)
        if isinstance(lesson, ProfileFailure):
            yield OperatorNotice(self.kind, self.reader, sent.time_ns, f"{lesson.why} {lesson.do}")
