"""Hotplug: the devices that are plugged in now, and each later change, as udev reports it.

Reported are devices with keys, serial ports of USB devices, HID POS scanners, and smart card readers. udev reports a device
after its rules have run, so the device may be opened at once. When a reader is unplugged, its driver raises `DeviceLost`
first and `DeviceRemoved` follows. When it is plugged in again, `DeviceAdded` follows, often with another node.

    hotplug = Hotplug()
    for change in hotplug.watch():      # in a thread of its own; hotplug.close() ends it
        match change:
            case DeviceAdded(info) if verdict(info, rows).take: open_driver("keyboard", {"path": info.node})
            case DeviceRemoved(info): ...    # nothing to close: the driver has closed the device
"""

import errno
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drivers import hidpos, missing
from drivers.decode.detect.device_info import DeviceInfo, is_pointer, keys_in, types_codes
from drivers.decode.detect.device_policy import CARDS_TOO, DevicePolicy, verdict
from drivers.decode.detect.security_tokens import ICCD
from drivers.platform import ROOT, serial_ports, usb_sysfs
from drivers.platform.device_handle import DeviceHandle

if TYPE_CHECKING:
    import pyudev

__all__ = [
    "DeviceAdded",
    "DeviceInfo",
    "DevicePolicy",
    "DeviceRemoved",
    "Hotplug",
    "present",
    "read_device_info",
    "verdict",
]

SMART_CARD_CLASS = "0b"
ICCD_PROTOCOLS = frozenset({"01", "02"})
LINKS_MAX = 8  # symbolic links from a path to its node
_LONG_BITS = struct.calcsize("l") * 8  # sysfs prints bitmaps in longs of the reading process


@dataclass(frozen=True, slots=True)
class DeviceAdded:
    """A device is plugged in. A device that was listed before udev had processed it is reported again."""

    info: DeviceInfo


@dataclass(frozen=True, slots=True)
class DeviceRemoved:
    """A device is unplugged. `info` are those of its `DeviceAdded`."""

    info: DeviceInfo


def present(root: Path = ROOT) -> list[DeviceInfo]:
    """Every input device that is plugged in now, from sysfs alone."""
    folders = (root / "sys/class/input").glob("event*")
    names = sorted((path.name for path in folders), key=lambda name: int(name.removeprefix("event")))
    return [info for name in names if (info := read_device_info(str(root / "dev/input" / name), root)) is not None]


def read_device_info(node: str, root: Path = ROOT) -> DeviceInfo | None:
    """The input device behind `/dev/input/eventN` or a link to it, from sysfs; None if there is none.

    sysfs also has the ids of devices for which udev has none (Bluetooth, uhid).
    """
    real = _event_node(Path(node), root)
    folder = root / "sys/class/input" / real.name / "device"
    attributes: dict[str, str] = {}
    for name in ("name", "id/bustype", "id/vendor", "id/product", "capabilities/key"):
        try:
            attributes[name] = (folder / name).read_text(errors="replace").strip()
        except OSError:
            return None
    for name in ("uniq", "phys", "capabilities/rel", "capabilities/abs"):
        with suppress(OSError):
            attributes[name] = (folder / name).read_text(errors="replace").strip()
    keys, relative, absolute = (
        keys_in(attributes.get(f"capabilities/{kind}", ""), _LONG_BITS) for kind in ("key", "rel", "abs")
    )
    return DeviceInfo(
        node=str(real),
        name=attributes["name"],
        bus=int(attributes["id/bustype"], 16),
        vendor=int(attributes["id/vendor"], 16),
        product=int(attributes["id/product"], 16),
        serial=attributes.get("uniq", ""),
        place=attributes.get("phys", "").rpartition("/input")[0] or attributes.get("phys", "") or real.name,
        types=types_codes(keys),
        points=is_pointer(relative, absolute),
        links=tuple(sorted({*_links(real, root), node} - {str(real)})),
        hints=(CARDS_TOO,) if usb_sysfs.reads_cards(folder.resolve()) else (),
    )


def smart_card_reader_of(path: str, root: Path = ROOT) -> DeviceInfo | None:
    """The USB device of the smart card interface (class 0B) at this sysfs path; None for any other interface."""
    interface = root / "sys" / path.lstrip("/")
    with suppress(OSError):
        if (interface / "bInterfaceClass").read_text().strip() == SMART_CARD_CLASS:
            info = serial_ports.usb_device(interface, str(interface), "usb")
            protocol = (interface / "bInterfaceProtocol").read_text().strip()
            return replace(info, hints=(ICCD,)) if info is not None and protocol in ICCD_PROTOCOLS else info
    return None


def _links(node: Path, root: Path) -> Iterator[str]:
    """udev's links to the node: by id and by path."""
    for folder in ("by-id", "by-path"):
        with suppress(OSError):  # udev may remove a link at this moment
            for link in (root / "dev/input" / folder).iterdir():
                if link.readlink().name == node.name:
                    yield str(link)


def _event_node(path: Path, root: Path) -> Path:
    """The event node that a path leads to. Links are read, not opened, so no permission on the node is needed."""
    for _ in range(LINKS_MAX):
        if (root / "sys/class/input" / path.name).exists() or not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return root / "dev/input" / path.name


DeviceReaders = Mapping[str, Callable[[str], DeviceInfo | None]]
"""For each udev subsystem, the function that reads a device from sysfs."""
DEVICE_READERS: DeviceReaders = {
    "input": read_device_info,
    "tty": serial_ports.read_device_info,
    "hidraw": hidpos.scanner_at,
    "usb": smart_card_reader_of,
}
"""The subsystems of all devices that may be readers, in the order of the first listing."""


def _key(device: "pyudev.Device") -> str | None:
    """The key of a device while it is plugged in: its node, or the sysfs path of a USB interface."""
    if device.subsystem == "usb":
        return str(device.device_path) if device.device_type == "usb_interface" else None
    prefix = {"input": "event", "tty": "tty", "hidraw": "hidraw"}[device.subsystem]
    return str(device.device_node) if device.device_node and device.sys_name.startswith(prefix) else None


def connect(subsystems: Iterable[str]) -> "tuple[pyudev.Context, pyudev.Monitor]":
    """Connect to udev: its context, and a started monitor of these subsystems. Raises `DriverError`."""
    try:
        import pyudev

        context = pyudev.Context()
    except ImportError as error:  # pyudev raises it for a missing libudev as well
        raise missing(package="pyudev", debian="python3-pyudev libudev1") from error
    monitor = pyudev.Monitor.from_netlink(context)
    for subsystem in subsystems:
        monitor.filter_by(subsystem)
    monitor.start()
    return context, monitor


class Hotplug:
    """Watches the devices of this machine that may be readers. Raises `DriverError` if pyudev or libudev is missing.

    `known`: the devices that an earlier watch reported, by key; this watch updates it. Devices removed in between are
    reported as `DeviceRemoved`.

    `device_readers` has the udev subsystems to watch. `connect` returns udev's context, and a started monitor of them.
    """

    def __init__(
        self,
        known: dict[str, DeviceInfo] | None = None,
        *,
        device_readers: DeviceReaders = DEVICE_READERS,
        connect: Callable[[Iterable[str]], "tuple[pyudev.Context, pyudev.Monitor]"] = connect,
    ) -> None:
        self._device_readers = device_readers
        # Connected before the first listing, so that no change in between is missed.
        self._context, self._monitor = connect(device_readers)
        self._known: dict[str, DeviceInfo] = {} if known is None else known
        self._handle = DeviceHandle(self._release_monitor)

    def watch(self) -> Iterator[DeviceAdded | DeviceRemoved]:
        """Yield the devices that are plugged in, then each change. Blocks; ends after `close`.

        Raises OSError if the udev socket fails; start a new watch with the same `known` then.
        """
        with self._handle.reading():
            if self._handle.closed:
                return
            yield from self._compare()
            while self._handle.wait(self._monitor.fileno()):
                try:
                    device = self._monitor.poll(timeout=0)
                except (OSError, ValueError, OverflowError) as error:  # pyudev maps some error numbers to the last two
                    # Messages are lost: the socket queue overflowed (ENOBUFS), or libudev rejected a message (EINVAL),
                    # as for a device that was removed at once. List the devices again and report the differences.
                    if isinstance(error, OSError) and error.errno != errno.ENOBUFS:
                        raise  # this socket may fail for good; the next watch lists the devices first
                    yield from self._compare()
                    continue
                if device is not None:
                    yield from self._change(device)

    def close(self) -> None:
        """End `watch`. May be called from any thread."""
        self._handle.close()

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
        info = self._device_readers[device.subsystem](key)
        if info is None:
            return  # removed meanwhile, or no possible reader
        info = replace(info, links=tuple(sorted({*info.links, *device.device_links})))
        before = self._known.get(key)
        if before is not None and replace(before, links=()) != replace(info, links=()):
            yield DeviceRemoved(before)
        self._known[key] = info
        yield DeviceAdded(info)

    def _compare(self) -> Iterator[DeviceAdded | DeviceRemoved]:
        """List all devices and yield the differences from `known`: removals first, then every listed device."""
        listed = {
            key: device
            for subsystem in self._device_readers
            for device in self._context.list_devices(subsystem=subsystem)
            if (key := _key(device)) is not None
        }
        for key in sorted(self._known.keys() - listed.keys()):
            yield DeviceRemoved(self._known.pop(key))
        for key in sorted(listed):  # known ones too: a node may belong to another device by now
            yield from self._add(key, listed[key])

    def _release_monitor(self) -> None:
        # pyudev closes the socket when the last reference to the monitor is dropped.
        del self._monitor
