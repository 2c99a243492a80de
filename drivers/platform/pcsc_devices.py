"""Which of pcscd's readers are one device, which device is meant, and who in this process has its slots.

A device is held by one reader alone, with all slots that a person may put a card to: two plugs never read each other's
device, and a card is read once, however many are asked for.
"""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from drivers import DriverError, Settings
from drivers.decode.detect.device_info import DeviceInfo, harmless, named
from drivers.decode.detect.device_policy import verdict
from drivers.decode.tags.pcsc_slots import device_of, for_cards, short
from drivers.platform import usb_sysfs
from drivers.platform.pcsc_interface import PcscService, ServiceGone, ServiceRefuses

__all__ = ["ChosenDevice", "PcscDevice", "choose", "devices", "held", "lasting_name"]


@dataclass(frozen=True, slots=True)
class PcscDevice:
    """Readers of pcscd that are one device. `at`: its USB bus and number, None where its driver tells none."""

    slots: tuple[str, ...]
    at: tuple[int, int] | None
    facts: DeviceInfo | None


@dataclass(frozen=True, slots=True)
class ChosenDevice:
    """A device that is held from now on: its slots that are read, and the name it is known by again.

    `whole`: all slots that a card can be put to are meant, also those that pcscd finds a moment later.
    """

    reader: str
    names: tuple[str, ...]
    at: tuple[int, int] | None
    whole: bool


class _SlotsInUse:
    """The slots that this process reads."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def claim(self, names: Collection[str]) -> bool:
        """All of them or none; whether they were free."""
        with self._lock:
            if not names or not self._names.isdisjoint(names):
                return False
            self._names.update(names)
            return True

    def release(self, names: Collection[str]) -> None:
        """They are free again."""
        with self._lock:
            self._names.difference_update(names)

    def __contains__(self, name: str) -> bool:
        return name in self._names


held = _SlotsInUse()


def devices(service: PcscService, names: Iterable[str]) -> list[PcscDevice]:
    """These readers of pcscd by the device that they are slots of. Raises `ServiceGone`."""
    slots: dict[tuple[int, int] | str, list[str]] = {}
    for name in names:
        slots.setdefault(service.usb(name) or device_of(name), []).append(name)
    found = []
    for which, here in slots.items():
        at = which if isinstance(which, tuple) else None
        found.append(PcscDevice(tuple(here), at, None if at is None else usb_sysfs.facts_at(at)))
    return found


def choose(service: PcscService, settings: Settings) -> ChosenDevice:
    """Hold the first device that is meant and free: by `path`, by `match`, or any that is a reader. Raises `DriverError`.

    `path` is the folder of its USB interface in /sys. `match` is a part of a slot's name, or of the device's own name, or
    its ids; where it is one slot's, that slot alone is read. `alone`: one slot is wanted, as a recording has one.
    """
    try:
        service.connect()
        there = service.readers()
        found = devices(service, there)
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
    meant = _meant(found, settings)
    for device, names in meant:
        if settings.get("alone") and len(names) > 1:
            raise _several(names)
        if held.claim(names):
            whole = set(names) >= set(for_cards(device.slots))
            others = [name for each in found if each is not device for name in each.slots]
            reader = _reader(device, names[0], others) if whole else lasting_name(names[0], there)
            return ChosenDevice(reader, names, device.at, whole)
    raise _none(settings, there, free=not meant)


def _meant(found: Iterable[PcscDevice], settings: Settings) -> list[tuple[PcscDevice, tuple[str, ...]]]:
    path, match = settings.get("path"), (settings.get("match") or "").casefold()
    if path:
        return [(device, for_cards(device.slots)) for device in _at_path(found, Path(path))]
    meant = []
    for device in found:
        called = tuple(name for name in device.slots if match in name.casefold())
        is_named = match and device.facts is not None and named(device.facts, {"match": match})
        if not match and not _is_reader(device):
            continue
        if not match or is_named or called == device.slots:
            meant.append((device, for_cards(device.slots) or called))
        elif called:
            meant.append((device, called))
    return meant


def _at_path(found: Iterable[PcscDevice], path: Path) -> list[PcscDevice]:
    """The device at this place; where drivers do not tell their place, those of them that it could be, likeliest first."""
    address = usb_sysfs.address_of(path) or usb_sysfs.address_of(path.parent)
    here = [device for device in found if device.at is not None and device.at == address]
    facts = None if address is None else usb_sysfs.facts_at(address)
    if here or facts is None:
        return here

    def unlike(device: PcscDevice) -> tuple[bool, bool]:
        text = " ".join(device.slots).casefold()
        return not (facts.serial and f"({facts.serial.casefold()})" in text), facts.name.casefold() not in text

    return sorted((device for device in found if device.at is None), key=unlike)


def _is_reader(device: PcscDevice) -> bool:
    """Whether people lay cards on it: not where the card is built in."""
    return device.facts is None or verdict(device.facts).take


def _reader(device: PcscDevice, name: str, others: Iterable[str]) -> str:
    """The name by which a device is known again: by where it is plugged in, where it has a twin."""
    if short(name) not in {short(each) for each in others}:
        return harmless(f"pcsc-{short(name)}")
    return harmless(f"pcsc-{name}" if device.facts is None else f"pcsc-{short(name)} at {device.facts.place}")


def lasting_name(name: str, there: Collection[str]) -> str:
    """The name by which one slot is known again: without pcscd's count of readers, where no twin needs it.

    >>> lasting_name("ACS ACR122U PICC Interface 01 00", ["ACS ACR122U PICC Interface 01 00"])
    'pcsc-ACS ACR122U PICC Interface'
    """
    return harmless(f"pcsc-{name if [short(each) for each in there].count(short(name)) > 1 else short(name)}")


def _several(names: tuple[str, ...]) -> DriverError:
    return DriverError(
        came=f"This device has {len(names)} slots for a card: {', '.join(names)}.",
        expected="One slot is recorded at a time.",
        do=f"Say which, by its whole name: --kind pcsc --match '{names[-1]}'",
    )


def _none(settings: Settings, there: Collection[str], *, free: bool) -> DriverError:
    match, path = settings.get("match"), settings.get("path")
    knows = f"pcscd knows these: {', '.join(there)}." if there else "pcscd knows none."
    if path:
        state = "is not known to pcscd" if free else "is read already"
        return DriverError(
            came=f"The smart card reader at {Path(path).name} {state}.",
            expected=knows,
            do="It is asked for again by itself; where it stays so, pcscd has no driver for it (package libccid).",
        )
    other = "" if free else "other "
    return DriverError(
        came=f"No {other}smart card reader {match!r} is plugged in."
        if match
        else f"No {other}smart card reader is plugged in.",
        expected=knows,
        do="Plug it in, or correct match; `pcsc_scan` shows what pcscd sees.",
    )
