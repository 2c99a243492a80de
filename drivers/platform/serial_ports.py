"""Serial ports: which are there, by what name they are known again, and one of them held open alone.

A port of a USB device is known by the device's ids and serial number, else by where it is plugged in; never by its number,
which the next device may get. Configure it by udev's name for it, /dev/serial/by-id/...

    line = opened(settings)             # DriverError says why not
    while held.wait(line.descriptor):
        data = line.read()              # DeviceLost when it is unplugged
"""

import errno
import fcntl
import os
import struct
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from drivers import DeviceLost, DriverError, Settings, missing
from drivers.decode.detect.device_info import DeviceInfo, named, reader_id

if TYPE_CHECKING:
    import serial

SYS_TTY = Path("/sys/class/tty")
DEV_SERIAL = Path("/dev/serial")
READ_BYTES = 4096
WRITE_TIMEOUT_S = 1.0
BAUDS = frozenset({1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600})
PARITIES = {"none": "N", "even": "E", "odd": "O"}
FLOWS = frozenset({"rtscts", "xonxoff"})
_TIOCGICOUNT = 0x545D
_ICOUNT = struct.Struct("@20i")
"""`struct serial_icounter_struct`, linux/serial.h: overrun is its 8th number, buf_overrun its 11th."""
_USB = 3
_LEVELS = 6  # from a port up to the USB device that it is part of


class SerialPort(Protocol):
    """A serial line as who reads it needs it: an open port, one that is written down, or one that is played."""

    reader: str
    descriptor: int

    def read(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def set_speed(self, baud: int) -> None: ...
    def close(self) -> None: ...


class OpenSerialPort:
    """An open serial port that nobody else can open. `reader` is the name it is known by."""

    def __init__(self, port: "serial.Serial", path: str, reader: str) -> None:
        self.path, self.reader = path, reader
        self._port = port
        self.descriptor: int = port.fileno()

    def read(self) -> bytes:
        """What has come; to be called when the descriptor says that something has."""
        try:
            return bytes(self._port.read(READ_BYTES))
        except (OSError, termios.error, TypeError) as error:  # TypeError: closed in the middle of a read
            raise self._lost() from error

    def overruns(self) -> int:
        """How often the port or the kernel lost bytes for want of room, since the driver was loaded; 0 where none counts."""
        try:
            counts = fcntl.ioctl(self.descriptor, _TIOCGICOUNT, bytes(_ICOUNT.size))
        except OSError:
            return 0  # a pty and some USB adapters do not count
        return _overruns_in(counts)

    def write(self, data: bytes) -> None:
        """Send it to the device; one that takes nothing is not told, and is there all the same."""
        import serial

        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            self._take_back()
        except (OSError, termios.error) as error:
            raise self._lost() from error

    def set_speed(self, baud: int) -> None:
        """Speak at another speed; what came at the old one and was not read is thrown away."""
        if baud == self._port.baudrate:
            return
        try:
            self._port.baudrate = baud
            self._port.reset_input_buffer()
        except (OSError, termios.error) as error:
            raise self._lost() from error

    def close(self) -> None:
        """Give the port back, at once: a dead one that is kept open costs the next device its name."""
        with suppress(OSError, termios.error):
            fcntl.ioctl(self.descriptor, termios.TIOCNXCL)
        with suppress(OSError, termios.error):
            self._port.close()

    def _take_back(self) -> None:
        """What waits to be sent is thrown away: later it would answer no question any more."""
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
    """The bytes lost, of the kernel's counters of a port.

    >>> _overruns_in(_ICOUNT.pack(*range(20)))
    17
    """
    numbers = _ICOUNT.unpack(counts)
    return int(numbers[7] + numbers[10])


def open_port(path: str, settings: Settings, *, baud: int = 9600) -> OpenSerialPort:
    """Open this port alone, with the `baud`, `parity` and `flow` of the settings. Raises `DriverError`.

    Linux raises DTR and RTS in open(2) itself, before a program has a word: to lower them afterwards spares no Arduino its
    start, and a scanner that sends only while DTR is up would say nothing. So they stay up. `listen`: the device may be
    anybody's, and keeps them when the port is closed, so that the next opening is no rise that it could start anew at.
    """
    try:
        import serial
    except ImportError as error:
        raise missing(package="pyserial", debian="python3-serial") from error
    speed, parity, flow = _speed(settings, baud), _parity(settings), _flow(settings)
    _meant(path, settings)  # here, so that nothing that is not meant is disturbed
    try:
        port = serial.Serial(
            path, speed, parity=parity, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True,
            rtscts=flow == "rtscts", xonxoff=flow == "xonxoff",
        )  # fmt: skip
    except (OSError, ValueError, termios.error) as error:
        raise _refused(path, error) from error
    with suppress(OSError, termios.error):
        _hang_up(port.fileno(), at_close=not settings.get("listen"))
    with suppress(OSError, termios.error):  # the lock asks others to be polite, this keeps them out
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    try:
        facts = _meant(path, settings)  # and now, as it may have been another a moment ago; an open one keeps its name
    except DriverError:
        port.close()
        raise
    return OpenSerialPort(port, path, reader_id(facts, present()) if facts else f"serial-{path}")


def _meant(path: str, settings: Settings) -> DeviceInfo | None:
    """What is at this path now, which must be what `match` names, if that is given. Raises `DriverError`."""
    facts, match = facts_of(path), settings.get("match")
    if match and Path(path).exists() and not (facts and named(facts, {"match": match})):
        what = f"{facts.name} ({facts.ids})" if facts else "no USB device"
        raise DriverError(
            came=f"{path} is {what}, and not {match!r}.",
            expected="Expected the device that both path and match name.",
            do="Plug that one in, or correct path or match.",
        )
    return facts


def _hang_up(descriptor: int, *, at_close: bool) -> None:
    """Whether DTR and RTS fall when the port is closed: so a scanner with flow control keeps what it reads from then on."""
    attributes = termios.tcgetattr(descriptor)
    attributes[2] = attributes[2] | termios.HUPCL if at_close else attributes[2] & ~termios.HUPCL
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _speed(settings: Settings, otherwise: int) -> int:
    said = settings.get("baud")
    if said is None:
        return otherwise
    if not said.isdecimal() or int(said) not in BAUDS:
        raise DriverError(
            came=f"No serial port runs at {said!r} baud.",
            expected=f"Expected one of {', '.join(map(str, sorted(BAUDS)))}.",
            do="Correct the reader's baud.",
        )
    return int(said)


def _parity(settings: Settings) -> str:
    said = settings.get("parity") or "none"
    if said not in PARITIES:
        raise DriverError(
            came=f"There is no parity {said!r}.",
            expected=f"Expected one of {', '.join(PARITIES)}.",
            do="Correct the reader's parity.",
        )
    return PARITIES[said]


def _flow(settings: Settings) -> str:
    said = settings.get("flow") or "none"
    if said != "none" and said not in FLOWS:
        raise DriverError(
            came=f"There is no flow control {said!r}.",
            expected=f"Expected none, {' or '.join(sorted(FLOWS))}.",
            do="Correct the reader's flow.",
        )
    return said


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


def present() -> list[DeviceInfo]:
    """The serial ports of USB devices that are plugged in now."""
    nodes = sorted(each.name for each in SYS_TTY.glob("tty*") if (each / "device").exists())
    return [facts for name in nodes if (facts := facts_of(f"/dev/{name}")) is not None]


def facts_of(path: str) -> DeviceInfo | None:
    """What sysfs says of the USB device behind a port or a link to it; None where there is none."""
    node = Path(path).resolve()
    facts = usb_device((SYS_TTY / node.name / "device").resolve(), str(node), "tty")
    return facts and replace(facts, links=tuple(sorted({*_links(node), path} - {str(node)})))


def usb_device(part: Path, node: str, subsystem: str) -> DeviceInfo | None:
    """What sysfs says of the USB device that `part` of it belongs to, which programs reach at `node`.

    A device may have several ports, on interfaces of their own or on one; each but the first has the number of its interface
    or port in its serial number and place.
    """
    number = next((said for up in [part, *part.parents][:_LEVELS] if (said := _said(up / "bInterfaceNumber"))), "00")
    which = "" if number == "00" else f"-if{number}"
    port = _said(part / "port_number")
    which += "" if port in ("", "0") else f"-port{port}"
    for folder in [part, *part.parents][:_LEVELS]:
        if (folder / "idVendor").exists():
            break
    else:
        return None
    try:
        vendor, product = (int((folder / name).read_text(), 16) for name in ("idVendor", "idProduct"))
    except (OSError, ValueError):
        return None
    serial = _said(folder / "serial")
    return DeviceInfo(
        node=node,
        name=_said(folder / "product") or Path(node).name,
        bus=_USB,
        vendor=vendor,
        product=product,
        serial=serial and serial + which,
        place=f"usb-{folder.name}{which}",
        types=False,
        points=False,
        subsystem=subsystem,
    )


def _said(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _links(node: Path) -> Iterator[str]:
    for folder in ("by-id", "by-path"):
        with suppress(OSError):
            for link in (DEV_SERIAL / folder).iterdir():
                if link.readlink().name == node.name:
                    yield str(link)
