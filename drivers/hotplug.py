"""Readers that come and go: what is plugged in now, and each change from then on, as udev tells it.

udev speaks after its rules have run, so a device that is announced may be opened. When a reader is pulled out, its driver
notices first (`DeviceLost`) and `Removed` follows; when it comes back it is `Added`, often under another node.

    hotplug = Hotplug()
    for change in hotplug.watch():      # in a thread of its own; hotplug.close() ends it
        match change:
            case Added(facts) if verdict(facts, rows).take: open_driver("keyboard", {"path": facts.node})
            case Removed(facts): ...    # nothing to close: the driver has closed itself
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drivers import missing
from drivers.decode.plugged import Facts, Verdict, is_pointer, keys_in, types_codes, verdict
from drivers.held import Held

if TYPE_CHECKING:
    import pyudev

__all__ = ["Added", "Facts", "Hotplug", "Removed", "Verdict", "facts_of", "present", "verdict"]

SYS_INPUT = Path("/sys/class/input")
DEV_INPUT = Path("/dev/input")
LINKS_MAX = 8  # from a path to its node
_LONG_BITS = struct.calcsize("l") * 8  # the kernel writes its bitmaps in longs of the reading process


@dataclass(frozen=True, slots=True)
class Added:
    """A device with keys is there; told again when udev has finished with one that was there before it."""

    facts: Facts


@dataclass(frozen=True, slots=True)
class Removed:
    """It is gone. The facts are those it was added with."""

    facts: Facts


class Hotplug:
    """Watches the input devices of this machine. `DriverError` where pyudev or libudev is missing."""

    def __init__(self) -> None:
        try:
            import pyudev

            self._context = pyudev.Context()
        except ImportError as error:  # pyudev raises it for a libudev that is not there, too
            raise missing(package="pyudev", debian="python3-pyudev libudev1") from error
        self._monitor = pyudev.Monitor.from_netlink(self._context)
        self._monitor.filter_by("input")
        self._monitor.start()  # before anything is listed, so that nothing comes in between unseen
        self._known: dict[str, Facts] = {}
        self._held = Held(self._forget)

    def watch(self) -> Iterator[Added | Removed]:
        """What is there, then what changes; blocks in between, ends after `close`."""
        with self._held.reading():
            if self._held.closed:
                return
            yield from self._compare()
            while self._held.wait(self._monitor.fileno()):
                try:
                    device = self._monitor.poll(timeout=0)
                except OSError:
                    # The queue of the socket ran over (ENOBUFS): what it held is lost, so look for ourselves.
                    yield from self._compare()
                    continue
                if device is not None:
                    yield from self._change(device)

    def close(self) -> None:
        """End `watch`, from any thread."""
        self._held.close()

    def _change(self, device: "pyudev.Device") -> Iterator[Added | Removed]:
        node = device.device_node
        if node is None or not device.sys_name.startswith("event"):
            return
        if device.action == "remove":
            if node in self._known:
                yield Removed(self._known.pop(node))
        elif device.action == "add":
            yield from self._add(device)

    def _add(self, device: "pyudev.Device") -> Iterator[Added | Removed]:
        facts = facts_of(device.device_node)
        if facts is None:
            return  # gone again before we looked
        facts = replace(facts, links=tuple(sorted({*facts.links, *device.device_links})))
        before = self._known.get(facts.node)
        if before is not None and replace(before, links=()) != replace(facts, links=()):
            yield Removed(before)
        self._known[facts.node] = facts
        yield Added(facts)

    def _compare(self) -> Iterator[Added | Removed]:
        """Everything that differs between what is known and what is there."""
        there = {
            device.device_node: device
            for device in self._context.list_devices(subsystem="input")
            if device.device_node and device.sys_name.startswith("event")
        }
        for node in sorted(self._known.keys() - there.keys()):
            yield Removed(self._known.pop(node))
        for node in sorted(there.keys() - self._known.keys()):
            yield from self._add(there[node])

    def _forget(self) -> None:
        # pyudev closes the socket when the last reference to the monitor goes.
        del self._monitor


def present() -> list[Facts]:
    """Every device with keys or axes that is plugged in now, without asking udev."""
    nodes = sorted(SYS_INPUT.glob("event*"), key=lambda path: int(path.name.removeprefix("event")))
    return [facts for path in nodes if (facts := facts_of(f"/dev/input/{path.name}")) is not None]


def facts_of(node: str) -> Facts | None:
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
    return Facts(
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
    )


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
