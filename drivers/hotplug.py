"""Devices that come and go: what is plugged in now, and each change from then on, as udev tells it.

Told are devices with keys, serial ports of USB devices, scanners of the HID point-of-sale page and readers of smart cards.
udev speaks after its rules have run, so a device that is announced may be opened. When a reader is pulled out, its driver
notices first (`DeviceLost`) and `DeviceRemoved` follows; when it comes back it is `DeviceAdded`, often under another node.

    hotplug = Hotplug()
    for change in hotplug.watch():      # in a thread of its own; hotplug.close() ends it
        match change:
            case Added(facts) if verdict(facts, rows).take: open_driver("keyboard", {"path": facts.node})
            case Removed(facts): ...    # nothing to close: the driver has closed itself
"""

import errno
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drivers import hidpos, missing
from drivers.decode.detect.device_info import DeviceInfo, is_pointer, keys_in, types_codes
from drivers.decode.detect.device_policy import CARDS_TOO, DevicePolicy, verdict
from drivers.decode.detect.security_tokens import ICCD
from drivers.platform import serial_ports, usb_sysfs
from drivers.platform.device_handle import DeviceHandle

if TYPE_CHECKING:
    import pyudev

__all__ = ["DeviceAdded", "DeviceInfo", "DevicePolicy", "DeviceRemoved", "Hotplug", "facts_of", "present", "verdict"]

SYS = Path("/sys")
SYS_INPUT = Path("/sys/class/input")
DEV_INPUT = Path("/dev/input")
SMART_CARD_CLASS = "0b"
ICCD_PROTOCOLS = frozenset({"01", "02"})
LINKS_MAX = 8  # from a path to its node
_LONG_BITS = struct.calcsize("l") * 8  # the kernel writes its bitmaps in longs of the reading process


@dataclass(frozen=True, slots=True)
class DeviceAdded:
    """A device is there; told again when udev has finished with one that was there before it."""

    facts: DeviceInfo


@dataclass(frozen=True, slots=True)
class DeviceRemoved:
    """It is gone. The facts are those it was added with."""

    facts: DeviceInfo


class Hotplug:
    """Watches the devices of this machine that may be readers. `DriverError` where pyudev or libudev is missing.

    `known`: what a watch before this one told, kept up to date from now on: what went in between is told as `DeviceRemoved`.
    """

    def __init__(self, known: dict[str, DeviceInfo] | None = None) -> None:
        try:
            import pyudev

            self._context = pyudev.Context()
        except ImportError as error:  # pyudev raises it for a libudev that is not there, too
            raise missing(package="pyudev", debian="python3-pyudev libudev1") from error
        self._monitor = pyudev.Monitor.from_netlink(self._context)
        for subsystem in LOOKS:
            self._monitor.filter_by(subsystem)
        self._monitor.start()  # before anything is listed, so that nothing comes in between unseen
        self._known: dict[str, DeviceInfo] = {} if known is None else known
        self._held = DeviceHandle(self._forget)

    def watch(self) -> Iterator[DeviceAdded | DeviceRemoved]:
        """What is there, then what changes; blocks in between, ends after `close`. Raises OSError where udev fails."""
        with self._held.reading():
            if self._held.closed:
                return
            yield from self._compare()
            while self._held.wait(self._monitor.fileno()):
                try:
                    device = self._monitor.poll(timeout=0)
                except (
                    OSError,
                    ValueError,
                    OverflowError,
                ) as error:  # pyudev has exceptions of its own for some numbers
                    # The queue of the socket ran over (ENOBUFS), or udev told of a device in words that libudev does not
                    # take (EINVAL), of one that was gone at once, say: what was told is lost, so look for ourselves.
                    if isinstance(error, OSError) and error.errno != errno.ENOBUFS:
                        raise  # this socket may fail for ever; the next watch begins with a look
                    yield from self._compare()
                    continue
                if device is not None:
                    yield from self._change(device)

    def close(self) -> None:
        """End `watch`, from any thread."""
        self._held.close()

    def _change(self, device: "pyudev.Device") -> Iterator[DeviceAdded | DeviceRemoved]:
        key = _key(device)
        if key is None:
            return
        if device.action == "remove":
            if key in self._known:
                yield DeviceRemoved(self._known.pop(key))
        elif device.action == "add":
            yield from self._add(key, device)

    def _add(self, key: str, device: "pyudev.Device") -> Iterator[DeviceAdded | DeviceRemoved]:
        facts = LOOKS[device.subsystem](key)
        if facts is None:
            return  # gone again before we looked, or nothing that could be a reader
        facts = replace(facts, links=tuple(sorted({*facts.links, *device.device_links})))
        before = self._known.get(key)
        if before is not None and replace(before, links=()) != replace(facts, links=()):
            yield DeviceRemoved(before)
        self._known[key] = facts
        yield DeviceAdded(facts)

    def _compare(self) -> Iterator[DeviceAdded | DeviceRemoved]:
        """Everything that differs between what is known and what is there."""
        there = {
            key: device
            for subsystem in LOOKS
            for device in self._context.list_devices(subsystem=subsystem)
            if (key := _key(device)) is not None
        }
        for key in sorted(self._known.keys() - there.keys()):
            yield DeviceRemoved(self._known.pop(key))
        for key in sorted(there):  # what was there is told again; another one may be under its node
            yield from self._add(key, there[key])

    def _forget(self) -> None:
        # pyudev closes the socket when the last reference to the monitor goes.
        del self._monitor


def present() -> list[DeviceInfo]:
    """Every device with keys or axes that is plugged in now, without asking udev."""
    nodes = sorted(SYS_INPUT.glob("event*"), key=lambda path: int(path.name.removeprefix("event")))
    return [facts for path in nodes if (facts := facts_of(f"/dev/input/{path.name}")) is not None]


def facts_of(node: str) -> DeviceInfo | None:
    """What the kernel says of the device behind `/dev/input/eventN` or a link to it; None where there is none.

    All of it comes from sysfs, which knows devices that udev has no ids for (Bluetooth, uhid).
    """
    real = _behind(Path(node))
    device = SYS_INPUT / real.name / "device"
    said: dict[str, str] = {}
    for name in ("name", "id/bustype", "id/vendor", "id/product", "capabilities/key"):
        try:
            said[name] = (device / name).read_text(errors="replace").strip()
        except OSError:
            return None
    for name in ("uniq", "phys", "capabilities/rel", "capabilities/abs"):
        with suppress(OSError):
            said[name] = (device / name).read_text(errors="replace").strip()
    keys, relative, absolute = (
        keys_in(said.get(f"capabilities/{kind}", ""), _LONG_BITS) for kind in ("key", "rel", "abs")
    )
    return DeviceInfo(
        node=str(real),
        name=said["name"],
        bus=int(said["id/bustype"], 16),
        vendor=int(said["id/vendor"], 16),
        product=int(said["id/product"], 16),
        serial=said.get("uniq", ""),
        place=said.get("phys", "").rpartition("/input")[0] or said.get("phys", "") or real.name,
        types=types_codes(keys),
        points=is_pointer(relative, absolute),
        links=tuple(sorted({*_links(real), node} - {str(real)})),
        said=(CARDS_TOO,) if usb_sysfs.reads_cards(device.resolve()) else (),
    )


def smart_card_reader_of(path: str) -> DeviceInfo | None:
    """The USB device whose interface at this path of sysfs is one for smart cards (class 0B); None for all others."""
    interface = SYS / path.lstrip("/")
    with suppress(OSError):
        if (interface / "bInterfaceClass").read_text().strip() == SMART_CARD_CLASS:
            facts = serial_ports.usb_device(interface, str(interface), "usb")
            protocol = (interface / "bInterfaceProtocol").read_text().strip()
            return replace(facts, said=(ICCD,)) if facts is not None and protocol in ICCD_PROTOCOLS else facts
    return None


def _key(device: "pyudev.Device") -> str | None:
    """What a device is known by while it is there: its node, or for an interface of a USB device its path in sysfs."""
    if device.subsystem == "usb":
        return str(device.device_path) if device.device_type == "usb_interface" else None
    prefix = {"input": "event", "tty": "tty", "hidraw": "hidraw"}[device.subsystem]
    return str(device.device_node) if device.device_node and device.sys_name.startswith(prefix) else None


LOOKS: Mapping[str, Callable[[str], DeviceInfo | None]] = {
    "input": facts_of,
    "tty": serial_ports.facts_of,
    "hidraw": hidpos.scanner_at,
    "usb": smart_card_reader_of,
}
"""How to look at a device of each of udev's subsystems; the order is that of the first listing."""


def _links(node: Path) -> Iterator[str]:
    """The names that udev gave the node: by what it is, and by where it is plugged in."""
    for folder in ("by-id", "by-path"):
        with suppress(OSError):  # udev may be taking a link away at this moment
            for link in (DEV_INPUT / folder).iterdir():
                if link.readlink().name == node.name:
                    yield str(link)


def _behind(path: Path) -> Path:
    """The event node that a path leads to, by the links' own words: who may not open the node may still name it."""
    for _ in range(LINKS_MAX):
        if (SYS_INPUT / path.name).exists() or not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return DEV_INPUT / path.name
