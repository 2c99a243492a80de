"""The attributes of a connected device, and the stable id of a reader.

>>> cheap = DeviceInfo("/dev/input/event3", "Barcode Scanner", 3, 0x1A86, 0x5723, "", "usb-1.3", types=True, points=False)
>>> reader_id(cheap)
'usb-1a86-5723-at-usb-1.3'
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drivers.decode.keyboard.keymap import DIGITS, ENTER, KEYPAD_DIGITS, KEYPAD_ENTER

MAX_NAME = 128
"""The most characters of a device's name; a longer name is cut. The kernel has the same limit for an input device."""
MAX_SERIAL = 64
"""The most characters of a serial number. The end of a longer one is replaced by its digest, so that it stays unique."""
_DIGEST_CHARS = 12
_REL_X_Y = frozenset({0, 1})
_ABS_X_Y = frozenset({0, 1})
BUSES = {3: "usb", 5: "bluetooth"}


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """The attributes of one device, as the kernel reports them.

    `bus` is the kernel's bus number (3 USB, 5 Bluetooth). `place` is where the device is plugged in, stable over restarts.
    `types`: it has Enter and the ten digits. `points`: it has the axes of a mouse or a touchpad. `links` are other paths of
    `node`. `subsystem` is the kernel's: input, tty, hidraw or usb. `hints` are further findings, a few words each.

    Name and serial number come from the device and are not trusted: characters that are not printable are replaced by "?",
    and long texts are cut.
    """

    node: str
    name: str
    bus: int
    vendor: int
    product: int
    serial: str
    place: str
    types: bool
    points: bool
    links: tuple[str, ...] = ()
    subsystem: str = "input"
    hints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Sanitise the texts of the device."""
        object.__setattr__(self, "name", harmless(self.name)[:MAX_NAME])
        serial = harmless(self.serial)
        if len(serial) > MAX_SERIAL:
            digest = hashlib.sha256(self.serial.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]
            serial = f"{serial[: MAX_SERIAL - _DIGEST_CHARS - 1]}~{digest}"
        object.__setattr__(self, "serial", serial)

    @property
    def ids(self) -> str:
        """Vendor and product as `lsusb` prints them."""
        return f"{self.vendor:04x}:{self.product:04x}"


def harmless(text: str) -> str:
    """A text of a device with "?" in place of each character that is not printable.

    >>> harmless("Scanner\\x1b[2J\\u202e\\n1")
    'Scanner?[2J??1'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def named(info: DeviceInfo, row: Mapping[str, str | None]) -> bool:
    """Whether a configured reader matches this device by its `path` and its `match`, as far as it has them.

    `match` is `VID:PID`, `VID:PID:SERIAL`, the reader's id, or a part of the device's name, without regard to case.
    """
    path, match = row.get("path"), (row.get("match") or "").casefold()
    if path and path not in (info.node, *info.links):
        return False
    ids = (info.ids, f"{info.ids}:{info.serial}", reader_id(info), id_at_place(info))
    return not match or match in [name.casefold() for name in ids] or match in info.name.casefold()


def reader_id(info: DeviceInfo, others: Iterable[DeviceInfo] = ()) -> str:
    """The stable id of a reader: bus, vendor, product and serial number.

    Without a serial number, or if another connected reader (`others`) has the same one, the place where the device is
    plugged in takes its place. The interfaces of one device share its id.
    """
    twin = any(other.place != info.place and _id(other) == _id(info) for other in others)
    return _id(info, at_place=twin)


def id_at_place(info: DeviceInfo) -> str:
    """The id of a reader by the place where it is plugged in, whatever its serial number."""
    return _id(info, at_place=True)


def both_names(name: str, connected: Iterable[DeviceInfo]) -> tuple[str, ...]:
    """The id by serial number and the id by place of the connected reader with this id; () if it is not connected."""
    ids = ((reader_id(info), id_at_place(info)) for info in connected)
    return next((both for both in ids if name in both), ())


def _id(info: DeviceInfo, *, at_place: bool = False) -> str:
    bus = BUSES.get(info.bus, "input")
    last = f"at-{info.place}" if at_place or not info.serial else info.serial
    return re.sub(r"[^A-Za-z0-9._:-]", "_", f"{bus}-{info.vendor:04x}-{info.product:04x}-{last}")


def keys_in(capabilities: str, word_bits: int) -> frozenset[int]:
    """The codes in a capability bitmap of sysfs: hex words of `word_bits`, the highest first.

    >>> sorted(keys_in("10000000 0", 64))
    [92]
    """
    bits = 0
    for word in capabilities.split():
        bits = bits << word_bits | int(word, 16)
    return frozenset(code for code in range(bits.bit_length()) if bits >> code & 1)


def types_codes(keys: frozenset[int]) -> bool:
    """Whether these keys can type a code and end it: the ten digits and Enter, in the digit row or on the keypad."""
    return (keys >= DIGITS or keys >= KEYPAD_DIGITS.keys()) and not keys.isdisjoint({ENTER, KEYPAD_ENTER})


def is_pointer(relative: frozenset[int], absolute: frozenset[int]) -> bool:
    """Whether these axes move a pointer; a wheel alone does not."""
    return relative >= _REL_X_Y or absolute >= _ABS_X_Y
