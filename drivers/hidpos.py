"""Scanners of the USB "HID Point of Sale" class, read through /dev/hidrawN: they type nothing and name each symbol.

Which of the devices there are such scanners is said by their report descriptors, in sysfs, so a device without a USB parent
(Bluetooth, uhid) is known as well. `drivers.decode.hid.scanned_data` reads the reports; this file holds the device.

    for found in present():             # every HID device that is plugged in
        if found.speaks:
            open_driver("hidpos", {"path": found.facts.node})
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
from drivers.decode.hid.scanner_commands import CommandReport, ScannerUsage, enabling, orders
from drivers.decode.keyboard.keys import LostScan
from drivers.decode.serial.serial_lines import SerialScan
from drivers.platform.device_handle import DeviceHandle, Hold
from drivers.platform.errors import refused, unplugged

SYS_HIDRAW = Path("/sys/class/hidraw")
DEV = Path("/dev")
BEEPS = {
    "green": ScannerUsage.GOOD_READ_BEEP,
    "amber": ScannerUsage.NOT_ON_FILE_BEEP,
    "red": ScannerUsage.ERROR_BEEP,
}
"""How an answer sounds at the scanner."""
_SET_FEATURE = 0xC000_4806  # HIDIOCSFEATURE(0), linux/hidraw.h; the length stands in bits 16 to 29
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Hidraw:
    """A HID device that is plugged in. `speaks`: it sends scanned data, and can be opened; `why` says so or why not."""

    facts: DeviceInfo
    why: str
    descriptor: ReportDescriptor | None

    @property
    def speaks(self) -> bool:
        return self.descriptor is not None


def scanner_at(node: str) -> DeviceInfo | None:
    """What the kernel says of the HID POS scanner at this node; None where there is none, or another kind of device."""
    found = seen(node)
    return replace(found.facts, said=(found.why,)) if found is not None and found.speaks else None


def open_device(settings: Settings) -> Driver:
    """Open the scanner at `path`, else the first that `match` names, else the first that is plugged in."""
    path = settings.get("path")
    there = present()
    at_path = seen(path) if path else None
    why_not = _nothing_there(settings)
    for found in [at_path] if at_path else [] if path else there:
        if not named(found.facts, settings):
            continue
        if found.descriptor is None:
            why_not = _no_scanner(found) if path or settings.get("match") else why_not
            continue
        try:
            return _opened(found, found.descriptor, reader_id(found.facts, [each.facts for each in there]))
        except OSError as error:
            why_not = refused(found.facts, error)  # another like it may be free
    raise why_not


def present() -> list[Hidraw]:
    """Every HID device that is plugged in, in the order of their numbers, and whether it is a HID POS scanner."""
    nodes = [path.name for path in SYS_HIDRAW.glob("hidraw*") if path.name.removeprefix("hidraw").isdecimal()]
    nodes.sort(key=lambda name: int(name.removeprefix("hidraw")))
    return [found for name in nodes if (found := seen(str(DEV / name))) is not None]


def seen(path: str) -> Hidraw | None:
    """What the kernel says of the HID device behind `/dev/hidrawN` or a link to it; None where there is none."""
    node = Path(path).resolve()
    device = SYS_HIDRAW / node.name / "device"
    try:
        said = dict(line.partition("=")[::2] for line in (device / "uevent").read_text(errors="replace").splitlines())
        bus, vendor, product = (int(number, 16) for number in said["HID_ID"].split(":"))
        descriptor = (device / "report_descriptor").read_bytes()
    except (OSError, KeyError, ValueError):
        return None
    phys = said.get("HID_PHYS", "")
    facts = DeviceInfo(
        node=str(node),
        name=said.get("HID_NAME", node.name),
        bus=bus,
        vendor=vendor,
        product=product,
        serial=said.get("HID_UNIQ", ""),
        place=phys.rpartition("/input")[0] or phys or node.name,
        types=False,
        points=False,
        links=tuple({path} - {str(node)}),
        subsystem="hidraw",
    )
    return _judged(facts, descriptor)


def _judged(facts: DeviceInfo, descriptor: bytes) -> Hidraw:
    try:
        understood = parsed(descriptor)
    except DescriptorError as error:
        return Hidraw(facts, f"Its report descriptor is damaged. {error}", None)
    if not layouts(understood):
        return Hidraw(facts, "Its report descriptor has no Bar Code Scanner data (page 8C).", None)
    return Hidraw(facts, "Its report descriptor has Bar Code Scanner data (page 8C).", understood)


def _opened(found: Hidraw, descriptor: ReportDescriptor, reader: str) -> "HidPos":
    facts = found.facts
    device, opened_ns = _open(facts.node), boot_ns()
    try:
        # hidraw lets everybody read along; two stations would each record the scan.
        fcntl.flock(device, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _see_again(found)
    except OSError:
        os.close(device)
        raise
    order = enabling(descriptor, facts.vendor)
    if order is not None:
        with suppress(OSError):  # it may have been told before, and then reads all the same
            _send(device, order)
    return HidPos(device, reader, facts.name, descriptor, opened_ns=opened_ns)


def _see_again(found: Hidraw) -> None:
    """What was opened must be what was seen: the number may have gone to another device since, to a keyboard, say."""
    now = seen(found.facts.node)
    if now is None or now.descriptor != found.descriptor or now.facts != replace(found.facts, links=()):
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


def _open(node: str) -> int:
    try:
        return os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:  # one that may only be read gets no beeps
        return os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _send(device: int, order: CommandReport) -> None:
    if order.feature:
        fcntl.ioctl(device, _SET_FEATURE | len(order.report) << 16, bytearray(order.report))
    else:
        os.write(device, order.report)


def _nothing_there(settings: Settings) -> DriverError:
    wanted = settings.get("path") or settings.get("match")
    return DriverError(
        came=f"No HID POS scanner {wanted!r} is plugged in." if wanted else "No HID POS scanner is plugged in.",
        expected="Expected a device whose report descriptor has Bar Code Scanner data (page 8C).",
        do="Plug it in, and set the scanner to USB HID POS with the code in its manual; else correct path or match.",
    )


def _no_scanner(found: Hidraw) -> DriverError:
    facts = found.facts
    return DriverError(
        came=f"{facts.node} ({facts.name}, {reader_id(facts)}) is not read. {found.why}",
        expected="Expected a scanner in the mode USB HID POS.",
        do="Set the scanner to that mode with the code in its manual, or correct path or match.",
    )


class HidPos:
    """An open HID POS scanner. `device` yields one report a read, and is closed with the driver.

    `opened_ns`: when it was opened, while the scanner may have been sending.
    """

    kind = "hidpos"
    lossless = False

    def __init__(
        self,
        device: int,
        reader: str,
        name: str,
        descriptor: ReportDescriptor,
        take: Callable[[int, int], bytes] = os.read,
        *,
        opened_ns: int | None = None,
        hold: Hold = DeviceHandle,
    ) -> None:
        self.reader = reader
        self._device, self._name, self._take = device, name, take
        self._descriptor, self._opened_ns = descriptor.raw, opened_ns
        self._scans = ScannedDataDecoder(descriptor, opened_ns)
        self._orders = orders(descriptor)
        self._telling = threading.Lock()
        self._held = hold(self._let_go)

    def record(self, tape: CaptureWriter) -> None:
        """Write down every report from now on."""
        tape.begin(self.kind, self.reader, opened_ns=self._opened_ns, name=self._name, descriptor=self._descriptor)
        self._take = reports(self._take, tape)

    def reads(self) -> Iterator[Read | Dropped]:
        """Each scan when it is complete."""
        with self._held.reading():
            while not self._held.closed:
                due_ns = self._scans.due_ns
                timeout_s = None if due_ns is None else max(0, due_ns - self._held.now_ns()) / _NS
                if self._held.wait(self._device, timeout_s):
                    report = self._report()
                    if report is not None:
                        yield from map(self._told, self._scans.feed(report, self._held.now_ns()))
                else:
                    yield from map(self._told, self._scans.quiet(self._held.now_ns()))

    def close(self) -> None:
        """End `reads` and close the device."""
        self._held.close()

    def show_state(self, state: str) -> None:
        """Let the scanner beep for an answer: "green", "amber" or "red"; silent where it has no such beep.

        From any thread, also after `close`. A scanner that does not take it is not disturbed in its reading.
        """
        command = BEEPS.get(state)
        order = self._orders.get(command) if command is not None else None
        if order is None:
            return
        with suppress(OSError):  # if it is gone, reading says so
            with self._telling:
                if self._device < 0:
                    return
                # A descriptor of its own: a scanner that takes its time over a beep must not keep `close` waiting.
                device = os.dup(self._device)
            try:
                _send(device, order)
            finally:
                os.close(device)

    def _let_go(self) -> None:
        with self._telling:
            device, self._device = self._device, -1
        os.close(device)

    def _report(self) -> bytes | None:
        try:
            report = self._take(self._device, MAX_REPORT_BYTES + 1)
        except BlockingIOError:
            return None
        except OSError as error:  # EIO where hidraw says that it is gone, ENODEV elsewhere
            raise self._gone() from error
        if not report:
            raise self._gone()
        return report

    def _gone(self) -> DeviceLost:
        return unplugged(self.reader, self._name, self._scans.begun)

    def _told(self, outcome: SerialScan | LostScan) -> Read | Dropped:
        if isinstance(outcome, SerialScan):
            return read_of(outcome.scan, self.kind, self.reader, outcome.time_ns)
        return Dropped(self.kind, self.reader, outcome.time_ns, outcome.why)
