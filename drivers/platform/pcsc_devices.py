"""The devices behind pcscd's readers: grouping of slots, choice of a device by the settings, and slots in use.

pcscd lists each slot as a reader. One open reader holds a device with all its card slots, so that no two readers of this
process share a device and each card is read once.
"""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from drivers import DriverError, Settings
from drivers.decode.detect.device_info import DeviceInfo, harmless, named
from drivers.decode.detect.device_policy import verdict
from drivers.decode.tags.pcsc_slots import device_of, for_cards, short
from drivers.platform import ROOT, usb_sysfs
from drivers.platform.pcsc_interface import PcscService, ServiceGone, ServiceRefuses

__all__ = ["HOST", "ChosenDevice", "PcscDevice", "PcscHost", "lasting_name"]


@dataclass(frozen=True, slots=True)
class PcscDevice:
    """The readers of pcscd that are one device. `at`: its USB bus and device number, None if its driver reports none."""

    slots: tuple[str, ...]
    at: tuple[int, int] | None
    info: DeviceInfo | None


@dataclass(frozen=True, slots=True)
class ChosenDevice:
    """A device that was claimed: the stable id of the reader, and the names of the slots to read.

    `whole`: all card slots of the device are chosen, also those that pcscd finds later.
    """

    reader: str
    names: tuple[str, ...]
    at: tuple[int, int] | None
    whole: bool


class PcscHost:
    """The smart card devices of this machine: their USB devices in sysfs, and the slots that this process reads."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._in_use: set[str] = set()
        self._lock = threading.Lock()

    def claim(self, names: Collection[str]) -> bool:
        """Claim all of these slots, or none if one is in use; whether they were claimed."""
        with self._lock:
            if not names or not self._in_use.isdisjoint(names):
                return False
            self._in_use.update(names)
            return True

    def release(self, names: Collection[str]) -> None:
        """Give these slots back."""
        with self._lock:
            self._in_use.difference_update(names)

    def is_claimed(self, name: str) -> bool:
        """Whether this process reads the slot."""
        return name in self._in_use

    def devices(self, service: PcscService, names: Iterable[str]) -> list[PcscDevice]:
        """These readers of pcscd, grouped by device. Raises `ServiceGone`."""
        slots: dict[tuple[int, int] | str, list[str]] = {}
        for name in names:
            slots.setdefault(service.usb(name) or device_of(name), []).append(name)
        grouped = []
        for key, names_of_device in slots.items():
            at = key if isinstance(key, tuple) else None
            info = None if at is None else usb_sysfs.facts_at(at, self._root)
            grouped.append(PcscDevice(tuple(names_of_device), at, info))
        return grouped

    def choose(self, service: PcscService, settings: Settings) -> ChosenDevice:
        """Claim the first free device that matches: by `path`, by `match`, or any reader. Raises `DriverError`.

        `path` is the folder of its USB interface in /sys. `match` is a part of a slot's name, or of the device's name, or
        its ids; if it matches one slot of several, only that slot is read. `alone`: read one slot only, as a capture
        requires.
        """
        try:
            service.connect()
            names_listed = service.readers()
            listed = self.devices(service, names_listed)
        except ServiceRefuses as error:
            raise DriverError(
                came="The smart card service pcscd lets this user not in.",
                expected="Debian 13's asks polkit, where a rule lets in the user that the station runs as.",
                do="Install the rule config/polkit/50-wipline-pcscd.rules in /etc/polkit-1/rules.d, then restart pcscd.",
            ) from error
        except ServiceGone as error:
            raise DriverError(
                came="The smart card service pcscd is not running here.",
                expected="Readers of kind 'pcsc' are reached through it.",
                do="Install and start it: sudo apt-get install pcscd, then sudo systemctl enable --now pcscd.socket",
            ) from error
        matching = self._matching(listed, settings)
        for device, names in matching:
            if settings.get("alone") and len(names) > 1:
                raise _several(names)
            if self.claim(names):
                whole = set(names) >= set(for_cards(device.slots))
                others = [name for other in listed if other is not device for name in other.slots]
                reader = _reader(device, names[0], others) if whole else lasting_name(names[0], names_listed)
                return ChosenDevice(reader, names, device.at, whole)
        raise _none(settings, names_listed, free=not matching)

    def _matching(self, listed: Iterable[PcscDevice], settings: Settings) -> list[tuple[PcscDevice, tuple[str, ...]]]:
        """The devices that the settings name, each with the slots to read."""
        path, match = settings.get("path"), (settings.get("match") or "").casefold()
        if path:
            return [(device, for_cards(device.slots)) for device in self._at_path(listed, Path(path))]
        matching = []
        for device in listed:
            named_slots = tuple(name for name in device.slots if match in name.casefold())
            is_named = match and device.info is not None and named(device.info, {"match": match})
            if not match and not _is_reader(device):
                continue
            if not match or is_named or named_slots == device.slots:
                matching.append((device, for_cards(device.slots) or named_slots))
            elif named_slots:
                matching.append((device, named_slots))
        return matching

    def _at_path(self, listed: Iterable[PcscDevice], path: Path) -> list[PcscDevice]:
        """The device at this path. If its driver reports no USB address: those without address, likeliest first."""
        address = usb_sysfs.address_of(path) or usb_sysfs.address_of(path.parent)
        here = [device for device in listed if device.at is not None and device.at == address]
        info = None if address is None else usb_sysfs.facts_at(address, self._root)
        if here or info is None:
            return here

        def by_likeness(device: PcscDevice) -> tuple[bool, bool]:
            text = " ".join(device.slots).casefold()
            return not (info.serial and f"({info.serial.casefold()})" in text), info.name.casefold() not in text

        return sorted((device for device in listed if device.at is None), key=by_likeness)


HOST = PcscHost()
"""This machine, as all readers of this process share it."""


def _is_reader(device: PcscDevice) -> bool:
    """Whether cards are put on this device; a security token has its card built in."""
    return device.info is None or verdict(device.info).take


def _reader(device: PcscDevice, name: str, others: Iterable[str]) -> str:
    """The stable id of a whole device; with the place where it is plugged in if another has the same name."""
    if short(name) not in {short(other) for other in others}:
        return harmless(f"pcsc-{short(name)}")
    return harmless(f"pcsc-{name}" if device.info is None else f"pcsc-{short(name)} at {device.info.place}")


def lasting_name(name: str, listed: Collection[str]) -> str:
    """The stable id of one slot: its name, without pcscd's count of readers unless another slot has the same name.

    >>> lasting_name("ACS ACR122U PICC Interface 01 00", ["ACS ACR122U PICC Interface 01 00"])
    'pcsc-ACS ACR122U PICC Interface'
    """
    return harmless(f"pcsc-{name if [short(other) for other in listed].count(short(name)) > 1 else short(name)}")


def _several(names: tuple[str, ...]) -> DriverError:
    return DriverError(
        came=f"This device has {len(names)} slots for a card: {', '.join(names)}.",
        expected="One slot is recorded at a time.",
        do=f"Say which, by its whole name: --kind pcsc --match '{names[-1]}'",
    )


def _none(settings: Settings, listed: Collection[str], *, free: bool) -> DriverError:
    match, path = settings.get("match"), settings.get("path")
    known = f"pcscd knows these: {', '.join(listed)}." if listed else "pcscd knows none."
    if path:
        state = "is not known to pcscd" if free else "is read already"
        return DriverError(
            came=f"The smart card reader at {Path(path).name} {state}.",
            expected=known,
            do="It is asked for again by itself; where it stays so, pcscd has no driver for it (package libccid).",
        )
    other = "" if free else "other "
    return DriverError(
        came=f"No {other}smart card reader {match!r} is plugged in."
        if match
        else f"No {other}smart card reader is plugged in.",
        expected=known,
        do="Plug it in, or correct match; `pcsc_scan` shows what pcscd sees.",
    )
