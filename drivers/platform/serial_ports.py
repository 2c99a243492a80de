"""Serial ports: the ports of USB devices, their stable ids, and exclusive access to one port.

The id of a port has the USB device's ids and serial number, or the place where it is plugged in; never the tty number, which
the next device may get. Configure a port by its udev link, /dev/serial/by-id/...

    port = open_port(path, settings)    # raises DriverError
    while handle.wait(port.descriptor):
        data = port.read()              # raises DeviceLost when it is unplugged
"""

import errno
import fcntl
import os
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from drivers import DeviceLost, DriverError, Settings, missing
from drivers.decode.detect.device_info import DeviceInfo, named, reader_id
from drivers.platform import ROOT

if TYPE_CHECKING:
    import serial

READ_BYTES = 4096
WRITE_TIMEOUT_S = 1.0
BAUD = 9600
BAUDS = frozenset({1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600})
PARITIES = {"none": "N", "even": "E", "odd": "O"}
FLOWS = frozenset({"rtscts", "xonxoff"})
_TIOCGICOUNT = 0x545D
_ICOUNT = struct.Struct("@20i")
"""`struct serial_icounter_struct`, linux/serial.h: overrun is its 8th number, buf_overrun its 11th."""
_USB = 3
_LEVELS = 6  # folders from a port up to its USB device


class SerialPort(Protocol):
    """A serial port as a driver uses it: an open port, a port that is captured, or a capture that is played back."""

    reader: str
    descriptor: int

    def read(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def set_speed(self, baud: int) -> None: ...
    def close(self) -> None: ...


class OpenSerialPort:
    """A serial port, opened exclusively. `reader` is its stable id."""

    def __init__(self, port: "serial.Serial", path: str, reader: str) -> None:
        self.path, self.reader = path, reader
        self._port = port
        self.descriptor: int = port.fileno()

    def read(self) -> bytes:
        """The bytes received; call it when poll(2) reports the descriptor as readable. Raises `DeviceLost`."""
        try:
            return bytes(self._port.read(READ_BYTES))
        except (OSError, termios.error, TypeError) as error:  # TypeError: closed in the middle of a read
            raise self._lost() from error

    def overruns(self) -> int:
        """Overruns of the port and of the kernel buffer since the tty driver was loaded; 0 if it does not count them."""
        try:
            counts = fcntl.ioctl(self.descriptor, _TIOCGICOUNT, bytes(_ICOUNT.size))
        except OSError:
            return 0  # a pty and some USB adapters have no counters
        return _overruns_in(counts)

    def write(self, data: bytes) -> None:
        """Send bytes. If the device does not accept them in time, they are discarded; that is no loss of the device."""
        import serial

        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            self._discard_output()
        except (OSError, termios.error) as error:
            raise self._lost() from error

    def set_speed(self, baud: int) -> None:
        """Set the speed; bytes received at the old speed and not read yet are discarded."""
        if baud == self._port.baudrate:
            return
        try:
            self._port.baudrate = baud
            self._port.reset_input_buffer()
        except (OSError, termios.error) as error:
            raise self._lost() from error

    def close(self) -> None:
        """Close the port. A removed port must be closed at once, or the next device gets another tty number."""
        with suppress(OSError, termios.error):
            fcntl.ioctl(self.descriptor, termios.TIOCNXCL)
        with suppress(OSError, termios.error):
            self._port.close()

    def _discard_output(self) -> None:
        """Discard bytes that were not sent: a probe that is sent late would be out of turn."""
        try:
            self._port.reset_output_buffer()
        except (OSError, termios.error) as error:
            raise self._lost() from error

    def _lost(self) -> DeviceLost:
        return DeviceLost(
            f"{self.reader} ({self.path}) was unplugged.",
            "Scans are read while it is plugged in.",
            "Plug it in again; it is used again at once.",
        )


def _overruns_in(counts: bytes) -> int:
    """The overruns in the kernel's counters of a port.

    >>> _overruns_in(_ICOUNT.pack(*range(20)))
    17
    """
    numbers = _ICOUNT.unpack(counts)
    return int(numbers[7] + numbers[10])


def present(root: Path = ROOT) -> list[DeviceInfo]:
    """The serial ports of USB devices that are plugged in now."""
    nodes = sorted(folder.name for folder in (root / "sys/class/tty").glob("tty*") if (folder / "device").exists())
    return [info for name in nodes if (info := read_device_info(str(root / "dev" / name), root)) is not None]


def read_device_info(path: str, root: Path = ROOT) -> DeviceInfo | None:
    """The USB device behind a port or a link to it, from sysfs; None if there is none."""
    node = Path(path).resolve()
    info = usb_device((root / "sys/class/tty" / node.name / "device").resolve(), str(node), "tty")
    return info and replace(info, links=tuple(sorted({*_links(node, root), path} - {str(node)})))


def usb_device(part: Path, node: str, subsystem: str) -> DeviceInfo | None:
    """The USB device that has `part`, a folder of sysfs, and is used through `node`; None if there is none.

    A device may have several ports, on one interface or on several. For each but the first, serial number and place end with
    the number of the interface or port.
    """
    folders = [part, *part.parents][:_LEVELS]
    number = next((text for folder in folders if (text := _read(folder / "bInterfaceNumber"))), "00")
    which = "" if number == "00" else f"-if{number}"
    port = _read(part / "port_number")
    which += "" if port in ("", "0") else f"-port{port}"
    for folder in folders:
        if (folder / "idVendor").exists():
            break
    else:
        return None
    try:
        vendor, product = (int((folder / name).read_text(), 16) for name in ("idVendor", "idProduct"))
    except (OSError, ValueError):
        return None
    serial = _read(folder / "serial")
    return DeviceInfo(
        node=node,
        name=_read(folder / "product") or Path(node).name,
        bus=_USB,
        vendor=vendor,
        product=product,
        serial=serial and serial + which,
        place=f"usb-{folder.name}{which}",
        types=False,
        points=False,
        subsystem=subsystem,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _links(node: Path, root: Path) -> Iterator[str]:
    for folder in ("by-id", "by-path"):
        with suppress(OSError):
            for link in (root / "dev/serial" / folder).iterdir():
                if link.readlink().name == node.name:
                    yield str(link)


def open_port(
    path: str,
    settings: Settings,
    *,
    device_at: Callable[[str], DeviceInfo | None] = read_device_info,
    write_timeout_s: float = WRITE_TIMEOUT_S,
) -> OpenSerialPort:
    """Open this port exclusively, with the `baud`, `parity` and `flow` of the settings. Raises `DriverError`.

    `device_at` returns the USB device at a path.

    Linux raises DTR and RTS inside open(2). They stay up: lowering them afterwards does not prevent the reset of an Arduino,
    and some scanners send only while DTR is up. With `listen` the device may be no reader: the lines also stay up at close,
    so that the next opening causes no edge that could reset it.
    """
    try:
        import serial
    except ImportError as error:
        raise missing(package="pyserial", debian="python3-serial") from error
    speed, parity, flow = _speed(settings), _parity(settings), _flow(settings)
    _check_match(path, settings, device_at(path))  # before the opening, which may disturb a device
    try:
        port = serial.Serial(
            path, speed, parity=parity, timeout=0, write_timeout=write_timeout_s, exclusive=True,
            rtscts=flow == "rtscts", xonxoff=flow == "xonxoff",
        )  # fmt: skip
    except (OSError, ValueError, termios.error) as error:
        raise _refused(path, error) from error
    with suppress(OSError, termios.error):
        _hang_up(port.fileno(), at_close=not settings.get("listen"))
    with suppress(OSError, termios.error):  # flock is advisory; TIOCEXCL makes other opens fail
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    try:
        info = device_at(path)  # again: the node may have changed until it was open, from now on it cannot
        _check_match(path, settings, info)
    except DriverError:
        port.close()
        raise
    return OpenSerialPort(port, path, reader_id(info, present()) if info else f"serial-{path}")


def _check_match(path: str, settings: Settings, info: DeviceInfo | None) -> None:
    """Raise `DriverError` if `match` names another device than that at this path; `info` is None if there is none."""
    match = settings.get("match")
    if match and Path(path).exists() and not (info and named(info, {"match": match})):
        device = f"{info.name} ({info.ids})" if info else "no USB device"
        raise DriverError(
            came=f"{path} is {device}, and not {match!r}.",
            expected="Expected the device that both path and match name.",
            do="Plug that one in, or correct path or match.",
        )


def _hang_up(descriptor: int, *, at_close: bool) -> None:
    """Set whether DTR and RTS fall at close. A scanner with flow control then holds its scans while the port is closed."""
    attributes = termios.tcgetattr(descriptor)
    attributes[2] = attributes[2] | termios.HUPCL if at_close else attributes[2] & ~termios.HUPCL
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _speed(settings: Settings) -> int:
    baud = settings.get("baud")
    if baud is None:
        return BAUD
    if not baud.isdecimal() or int(baud) not in BAUDS:
        raise DriverError(
            came=f"No serial port runs at {baud!r} baud.",
            expected=f"Expected one of {', '.join(map(str, sorted(BAUDS)))}.",
            do="Correct the reader's baud.",
        )
    return int(baud)


def _parity(settings: Settings) -> str:
    parity = settings.get("parity") or "none"
    if parity not in PARITIES:
        raise DriverError(
            came=f"There is no parity {parity!r}.",
            expected=f"Expected one of {', '.join(PARITIES)}.",
            do="Correct the reader's parity.",
        )
    return PARITIES[parity]


def _flow(settings: Settings) -> str:
    flow = settings.get("flow") or "none"
    if flow != "none" and flow not in FLOWS:
        raise DriverError(
            came=f"There is no flow control {flow!r}.",
            expected=f"Expected none, {' or '.join(sorted(FLOWS))}.",
            do="Correct the reader's flow.",
        )
    return flow


def _refused(path: str, error: Exception) -> DriverError:
    number = getattr(error, "errno", None)
    if number in (errno.EBUSY, errno.EAGAIN):
        return DriverError(
            f"{path} is held by another program.",
            "A reader is read by one program alone.",
            f"End the other one, perhaps ModemManager or a second station; this finds it: sudo fuser -v {path}",
        )
    why = os.strerror(number) if number else str(error)
    if number in (errno.EACCES, errno.EPERM):
        do = "Let the station's user read it, then start the station again: sudo usermod -aG dialout wipline"
    elif number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        do = "Plug it in, or correct the path; its lasting names are in /dev/serial/by-id."
    else:
        do = "Correct path, baud or parity."
    return DriverError(f"{path} cannot be opened: {why}.", "Expected a serial port.", do)
