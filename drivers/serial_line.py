"""Driver for scanners on a serial line: USB CDC ("USB COM port") and RS-232.

The port is opened exclusively, so that no modem or terminal program can read a scan.
`drivers.decode.serial.serial_lines` decodes the text; this module holds the port.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

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
from drivers.platform.serial_ports import FLOWS, OpenSerialPort, SerialPort, open_port, present
from drivers.platform.sheet_listener import ByteSheetDetector, read_profile_setting, trimmed

HEAD_LOST = "The scanner was sending when its port was opened, and the head of the scan was lost."
BYTES_LOST = "The scanner sent faster than its port was read, and some bytes were lost."
_NS = 1_000_000_000


def open_device(settings: Settings) -> Driver:
    """Open the port at `path`, else the first that `match` names, else the first with a vendor id of a scanner maker.

    `baud` (9600), `parity` (none, even, odd) and `flow` (none, rtscts, xonxoff) must be set as in the scanner; over USB most
    scanners accept any. Raises `DriverError`.
    """
    path = settings.get("path")
    if path:
        return _open(path, settings)
    return open_first(present(), settings)


def open_first(
    ports: Iterable[DeviceInfo], settings: Settings, open_port: Callable[[str, Settings], OpenSerialPort] = open_port
) -> "SerialLine":
    """Open the first of these ports that fits the settings, as in `open_device`. Raises `DriverError`."""
    refusal = _nothing_there(settings)
    for info in ports:
        if _matches(info, settings):
            try:
                return _open(info.node, settings, open_port)
            except DriverError as error:
                refusal = error  # another device of the same kind may be free
    raise refusal


def _open(
    path: str, settings: Settings, open_port: Callable[[str, Settings], OpenSerialPort] = open_port
) -> "SerialLine":
    flow_control = settings.get("flow") in FLOWS
    port = open_port(path, settings)
    opened_ns = None if flow_control else boot_ns()
    return SerialLine(port, flow_control=flow_control, opened_ns=opened_ns, overruns=port.overruns)


def _matches(info: DeviceInfo, settings: Settings) -> bool:
    return named(info, settings) if settings.get("match") else info.vendor in SCANNER_VENDORS


def _nothing_there(settings: Settings) -> DriverError:
    match = settings.get("match")
    return DriverError(
        came=f"No serial scanner {match!r} is plugged in." if match else "No serial scanner is plugged in.",
        expected="Expected the serial port of a USB device that match names, or of a known maker of scanners.",
        do='Plug it in, or name its port: path = "/dev/serial/by-id/...", on RS-232 path = "/dev/ttyS0".',
    )


class SerialLine:
    """A scanner at an open port.

    With `flow_control` the scanner holds data back while the port is not read. `opened_ns` (CLOCK_BOOTTIME): the scanner may
    have been sending when the port was opened, and the rest of such a scan is dropped. `overruns` returns how often the
    port or the kernel has lost bytes.
    """

    kind = "serial_line"

    def __init__(
        self,
        port: SerialPort,
        *,
        flow_control: bool = False,
        opened_ns: int | None = None,
        hold: Hold = DeviceHandle,
        overruns: Callable[[], int] = lambda: 0,
    ) -> None:
        self._overruns, self._overrun_count = overruns, overruns()
        self._discard_until_ns = 0  # after a loss: until the scanner has been silent
        self._opened_ns = opened_ns
        self.reader = port.reader
        self.lossless = flow_control
        self._port: SerialPort = port
        self._handle = hold(port.close)
        self._sheet_detector: ByteSheetDetector | None = None
        self._profile = ScannerProfile()

    def record(self, writer: CaptureWriter) -> None:
        """Write everything that is read from now on to a capture."""
        writer.begin(self.kind, self.reader, opened_ns=self._opened_ns, profile=dict_of(self._profile))
        self._port = CapturingSerial(self._port, writer)

    def teach(self, sheets: Sequence[Sequence[str]], profile: str | None) -> None:
        """Set the setup sheets to recognise, and the profile that was learned before. Raises `DriverError`."""
        self._sheet_detector = ByteSheetDetector(sheets)
        self._profile = read_profile_setting(profile)

    def reads(self) -> Iterator[Outcome]:
        """Each scan when it is complete."""
        decoder = SerialLineDecoder()
        with self._handle.reading():
            while not self._handle.closed:
                due_ns = decoder.due_ns
                timeout_s = None if due_ns is None else max(0, due_ns - self._handle.now_ns()) / _NS
                if self._handle.wait(self._port.descriptor, timeout_s):
                    data = self._read_port(decoder)
                    if (losses := self._check_overruns(decoder)) or self._handle.now_ns() < self._discard_until_ns:
                        yield from losses
                        continue
                    if self._opened_ns is not None and data:
                        yield from self._check_head(decoder, data)
                    for scan in decoder.feed(data, self._handle.now_ns()):
                        yield from self._to_outcomes(scan)
                else:
                    for scan in decoder.quiet(self._handle.now_ns()):
                        yield from self._to_outcomes(scan)

    def _check_overruns(self, decoder: SerialLineDecoder) -> list[Dropped]:
        """The loss of bytes since the last read; one `Dropped` for each run of losses.

        The counter does not give the position of the lost bytes: it may be in the data just read or in data still to be
        read. Everything up to the next silence is discarded, or two halves could be decoded as one code.
        """
        now_ns, count = self._handle.now_ns(), self._overruns()
        increased, self._overrun_count = count != self._overrun_count, count
        discarding = now_ns < self._discard_until_ns
        if increased or discarding:
            decoder.drop()
            self._discard_until_ns = now_ns + int(GAP_S * _NS)
        if not increased or discarding:
            return []
        return [Dropped(self.kind, self.reader, now_ns, BYTES_LOST, many=True)]

    def close(self) -> None:
        """End `reads` and close the port."""
        self._handle.close()

    def _check_head(self, decoder: SerialLineDecoder, data: bytes) -> Iterator[Dropped]:
        """Discard the rest of a scan that had begun before the port was opened.

        The first bytes so soon after the opening cannot be the first of their scan.
        """
        opened_ns, self._opened_ns = self._opened_ns or 0, None
        if self._handle.now_ns() - opened_ns < JOINED_S * _NS:
            decoder.pass_over()
            if data.strip(b"\r\n\t\x03"):  # a terminator alone is no lost scan
                yield Dropped(self.kind, self.reader, self._handle.now_ns(), HEAD_LOST)

    def _read_port(self, decoder: SerialLineDecoder) -> bytes:
        try:
            return self._port.read()
        except DeviceLost as lost:
            if not decoder.begun:
                raise
            came = f"{lost.came[:-1]} in mid-scan, and half a scan was dropped (bytes: {decoder.begun})."
            raise DeviceLost(came, lost.expected, lost.do) from lost

    def _to_outcomes(self, sent: SerialScan) -> Iterator[Outcome]:
        """The outcomes of one scan: a learned profile first, so that it applies to this scan; a notice last."""
        result = self._sheet_detector.detect(sent.scan.raw) if self._sheet_detector else None
        if isinstance(result, ProfileResult):
            self._profile = result.profile
            yield ProfileLearned(self.kind, self.reader, sent.time_ns, result.evidence, text_of(result.profile))
        scan = trimmed(sent.scan, self._profile)
        yield read_of(scan, self.kind, self.reader, sent.time_ns)
        if isinstance(result, ProfileFailure):
            yield OperatorNotice(self.kind, self.reader, sent.time_ns, f"{result.why} {result.do}")
