"""Device access: the functions that find and open readers on this machine, and the pauses between two attempts.

By default they are those of `drivers`. All reader threads of a station and its hotplug monitor share one `DeviceAccess`.

>>> DeviceAccess().open_driver("telepathy", {})  # doctest: +ELLIPSIS
Traceback (most recent call last):
    ...
drivers.DriverError: There is no reader of kind 'telepathy'. Expected one of hidpos, keyboard, ...
>>> other = DeviceAccess(serial_ports=lambda: [], pauses=ReaderPauses(first_s=5.0))
>>> other.serial_ports(), other.pauses.first_s, other.pauses.longest_s
([], 5.0, 30.0)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers import Driver, Settings, open_driver
from drivers.decode.detect.device_info import DeviceInfo
from drivers.hotplug import DeviceAdded, DeviceRemoved, Hotplug
from drivers.platform import serial_ports


@dataclass(frozen=True, slots=True)
class ReaderPauses:
    """The pauses before a reader or the hotplug monitor is opened again, in seconds.

    A pause begins at `first_s` and doubles with each attempt, up to `longest_s`. For a device that udev reported it begins
    at `plugged_s`: pcscd and services that probe new ports release it within a moment. A reader that is lost before
    `lasted_s` does not reset the pause: it may fail at every attempt. A lost device was most likely unplugged, so the thread
    first waits up to `unplugged_s` for udev's removal event.
    """

    first_s: float = 0.5
    plugged_s: float = 0.1
    longest_s: float = 30.0
    lasted_s: float = 10.0
    unplugged_s: float = 2.0


class HotplugMonitor(Protocol):
    """An open monitor of the connected devices, as `drivers.hotplug.Hotplug` is one."""

    def watch(self) -> Iterator[DeviceAdded | DeviceRemoved]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class DeviceAccess:
    """How the devices of one machine are found and opened.

    `open_driver` takes a reader's kind and settings; raises `DriverError`. `open_monitor` takes the devices that the
    monitor before it reported, by key, and keeps that mapping up to date; raises `DriverError` or OSError. `serial_ports`
    returns the serial ports of the connected USB devices.
    """

    open_driver: Callable[[str, Settings], Driver] = open_driver
    open_monitor: Callable[[dict[str, DeviceInfo]], HotplugMonitor] = Hotplug
    serial_ports: Callable[[], Sequence[DeviceInfo]] = serial_ports.present
    pauses: ReaderPauses = ReaderPauses()


THIS_MACHINE = DeviceAccess()
