"""Driver for scanners of the USB class "HID Point of Sale", read through /dev/hidrawN.

Such a scanner types no keys and sends the AIM identifier of each symbol. It is recognised by its report descriptor, which
is read from sysfs; that works also for a device without a USB parent (Bluetooth, uhid). `drivers.decode.hid.scanned_data`
decodes the reports; this module holds the device.

    for device in present():            # every HID device that is plugged in
        if device.is_scanner:
            open_driver("hidpos", {"path": device.info.node})
"""

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from drivers import DeviceLost, Driver, DriverError, Dropped, Read, Settings, boot_ns, read_of
from drivers.capture.recorder import CaptureWriter, reports
from drivers.decode.detect.device_info import DeviceInfo, named, reader_id
from drivers.decode.hid.report_descriptor import MAX_REPORT_BYTES, DescriptorError, ReportDescriptor, parsed
from drivers.decode.hid.scanned_data import ScannedDataDecoder, layouts
from drivers.decode.hid.scanner_commands import CommandReport, ScannerUsage, command_reports, enabling
from drivers.decode.keyboard.keys import LostScan
from drivers.decode.serial.serial_lines import SerialScan
from drivers.platform import ROOT
from drivers.platform.device_handle import DeviceHandle, Hold
from drivers.platform.errors import refused, unplugged

BEEPS = {
    "green": ScannerUsage.GOOD_READ_BEEP,
    "amber": ScannerUsage.NOT_ON_FILE_BEEP,
    "red": ScannerUsage.ERROR_BEEP,
}
"""The beep of the scanner for each answer."""
_SET_FEATURE = 0xC000_4806  # HIDIOCSFEATURE(0), linux/hidraw.h; bits 16 to 29 are the length
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Hidraw:
    """A HID device that is plugged in. `descriptor` is None unless it is a scanner; `why` gives the reason in a sentence."""

    info: DeviceInfo
    why: str
    descriptor: ReportDescriptor | None

    @property
    def is_scanner(self) -> bool:
        """Whether its report descriptor has Bar Code Scanner data."""
        return self.descriptor is not None


def scanner_at(node: str) -> DeviceInfo | None:
    """The HID POS scanner at this node, from sysfs; None if there is no device or it is no such scanner."""
    device = hid_device_at(node)
    return replace(device.info, hints=(device.why,)) if device is not None and device.is_scanner else None


def open_device(settings: Settings, root: Path = ROOT) -> Driver:
    """Open the scanner at `path`, else the first that `match` names, else the first that is plugged in.

    Raises `DriverError`.
    """
    path = settings.get("path")
    connected = present(root)
    at_path = hid_device_at(path, root) if path else None
    refusal = _nothing_there(settings)
    for device in [at_path] if at_path else [] if path else connected:
        if not named(device.info, settings):
            continue
        if device.descriptor is None:
            refusal = _no_scanner(device) if path or settings.get("match") else refusal
            continue
        try:
            return open_hidraw(device, reader_id(device.info, [other.info for other in connected]), root)
        except OSError as error:
            refusal = refused(device.info, error)  # another device of the same kind may be free
    raise refusal


def present(root: Path = ROOT) -> list[Hidraw]:
    """Every HID device that is plugged in, by its number."""
    folders = (root / "sys/class/hidraw").glob("hidraw*")
    nodes = [path.name for path in folders if path.name.removeprefix("hidraw").isdecimal()]
    nodes.sort(key=lambda name: int(name.removeprefix("hidraw")))
    return [device for name in nodes if (device := hid_device_at(str(root / "dev" / name), root)) is not None]


def hid_device_at(path: str, root: Path = ROOT) -> Hidraw | None:
    """The HID device behind `/dev/hidrawN` or a link to it, from sysfs; None if there is none."""
    node = Path(path).resolve()
    folder = root / "sys/class/hidraw" / node.name / "device"
    try:
        uevent = dict(line.partition("=")[::2] for line in (folder / "uevent").read_text(errors="replace").splitlines())
        bus, vendor, product = (int(number, 16) for number in uevent["HID_ID"].split(":"))
        descriptor = (folder / "report_descriptor").read_bytes()
    except (OSError, KeyError, ValueError):
        return None
    phys = uevent.get("HID_PHYS", "")
    info = DeviceInfo(
        node=str(node),
        name=uevent.get("HID_NAME", node.name),
        bus=bus,
        vendor=vendor,
        product=product,
        serial=uevent.get("HID_UNIQ", ""),
        place=phys.rpartition("/input")[0] or phys or node.name,
        types=False,
        points=False,
        links=tuple({path} - {str(node)}),
        subsystem="hidraw",
    )
    return _classify(info, descriptor)


def _classify(info: DeviceInfo, descriptor: bytes) -> Hidraw:
    try:
        report_descriptor = parsed(descriptor)
    except DescriptorError as error:
        return Hidraw(info, f"Its report descriptor is damaged. {error}", None)
    if not layouts(report_descriptor):
        return Hidraw(info, "Its report descriptor has no Bar Code Scanner data (page 8C).", None)
    return Hidraw(info, "Its report descriptor has Bar Code Scanner data (page 8C).", report_descriptor)


def open_hidraw(device: Hidraw, reader: str, root: Path = ROOT) -> "HidPos":
    """Open, lock, check and enable a scanner that was found in sysfs; `reader` is its id.

    Raises OSError: ENODEV if it is no scanner, or its node belongs to another device by now. The device is then closed.
    """
    info, descriptor = device.info, device.descriptor
    if descriptor is None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    opened, opened_ns = _open_node(info.node), boot_ns()
    try:
        # hidraw has no exclusive open: without the lock two stations would each record the scan.
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _check_unchanged(device, root)
    except OSError:
        os.close(opened)
        raise
    command = enabling(descriptor, info.vendor)
    if command is not None:
        with suppress(OSError):  # a scanner that was enabled before sends reports all the same
            _send(opened, command)
    return HidPos(opened, reader, info.name, descriptor, opened_ns=opened_ns)


def _check_unchanged(device: Hidraw, root: Path) -> None:
    """Raise OSError if the node belongs to another device by now, a keyboard for instance."""
    now = hid_device_at(device.info.node, root)
    if now is None or now.descriptor != device.descriptor or now.info != replace(device.info, links=()):
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


def _open_node(node: str) -> int:
    try:
        return os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:  # a read-only device can be read, and sounds no beeps
        return os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _send(device: int, command: CommandReport) -> None:
    if command.feature:
        fcntl.ioctl(device, _SET_FEATURE | len(command.report) << 16, bytearray(command.report))
    else:
        os.write(device, command.report)


def _nothing_there(settings: Settings) -> DriverError:
    wanted = settings.get("path") or settings.get("match")
    return DriverError(
        came=f"No HID POS scanner {wanted!r} is plugged in." if wanted else "No HID POS scanner is plugged in.",
        expected="Expected a device whose report descriptor has Bar Code Scanner data (page 8C).",
        do="Plug it in, and set the scanner to USB HID POS with the code in its manual; else correct path or match.",
    )


def _no_scanner(device: Hidraw) -> DriverError:
    info = device.info
    return DriverError(
        came=f"{info.node} ({info.name}, {reader_id(info)}) is not read. {device.why}",
        expected="Expected a scanner in the mode USB HID POS.",
        do="Set the scanner to that mode with the code in its manual, or correct path or match.",
    )


class HidPos:
    """An open HID POS scanner. `device` yields one report at each read, and is closed with the driver.

    `opened_ns` (CLOCK_BOOTTIME): the scanner may have been sending when the device was opened.
    """

    kind = "hidpos"
    lossless = False

    def __init__(
        self,
        device: int,
        reader: str,
        name: str,
        descriptor: ReportDescriptor,
        read_report: Callable[[int, int], bytes] = os.read,
        *,
        opened_ns: int | None = None,
        hold: Hold = DeviceHandle,
    ) -> None:
        self.reader = reader
        self._device, self._name, self._read_report = device, name, read_report
        self._descriptor, self._opened_ns = descriptor.raw, opened_ns
        self._decoder = ScannedDataDecoder(descriptor, opened_ns)
        self._commands = command_reports(descriptor)
        self._sending = threading.Lock()  # `show_state` may run while another thread closes the device
        self._handle = hold(self._release)

    def record(self, writer: CaptureWriter) -> None:
        """Write every report from now on to a capture."""
        writer.begin(self.kind, self.reader, opened_ns=self._opened_ns, name=self._name, descriptor=self._descriptor)
        self._read_report = reports(self._read_report, writer)

    def reads(self) -> Iterator[Read | Dropped]:
        """Each scan when it is complete."""
        with self._handle.reading():
            while not self._handle.closed:
                due_ns = self._decoder.due_ns
                timeout_s = None if due_ns is None else max(0, due_ns - self._handle.now_ns()) / _NS
                if self._handle.wait(self._device, timeout_s):
                    report = self._next_report()
                    if report is not None:
                        yield from map(self._to_read, self._decoder.feed(report, self._handle.now_ns()))
                else:
                    yield from map(self._to_read, self._decoder.quiet(self._handle.now_ns()))

    def close(self) -> None:
        """End `reads` and close the device."""
        self._handle.close()

    def show_state(self, state: str) -> None:
        """Sound the scanner's beep for "green", "amber" or "red"; no effect if the scanner has no such beep.

        May be called from any thread, also after `close`. A command that the scanner rejects does not disturb reading.
        """
        beep = BEEPS.get(state)
        command = self._commands.get(beep) if beep is not None else None
        if command is None:
            return
        with suppress(OSError):  # a lost device is reported by `reads`
            with self._sending:
                if self._device < 0:
                    return
                # The write may block. With a descriptor of its own it does not keep `close` waiting for the lock.
                device = os.dup(self._device)
            try:
                _send(device, command)
            finally:
                os.close(device)

    def _release(self) -> None:
        with self._sending:
            device, self._device = self._device, -1
        os.close(device)

    def _next_report(self) -> bytes | None:
        try:
            report = self._read_report(self._device, MAX_REPORT_BYTES + 1)
        except BlockingIOError:
            return None
        except OSError as error:  # a removed device: EIO from hidraw, ENODEV from others
            raise self._lost() from error
        if not report:
            raise self._lost()
        return report

    def _lost(self) -> DeviceLost:
        return unplugged(self.reader, self._name, self._decoder.begun)

    def _to_read(self, outcome: SerialScan | LostScan) -> Read | Dropped:
        if isinstance(outcome, SerialScan):
            return read_of(outcome.scan, self.kind, self.reader, outcome.time_ns)
        return Dropped(self.kind, self.reader, outcome.time_ns, outcome.why)
