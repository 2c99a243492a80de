"""Something was plugged in: what is it, and by what name do we know it again?

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
"""Characters of a device's name that are kept; the kernel's own limit for an input device."""
MAX_SERIAL = 64
"""Characters of a serial number, likewise; of a longer one the end is its fingerprint, so that two stay two."""
_FINGERPRINT = 12
_REL_X_Y = frozenset({0, 1})
_ABS_X_Y = frozenset({0, 1})
BUSES = {3: "usb", 5: "bluetooth"}


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What the kernel says of one device.

    `bus` is the kernel's number (3 USB, 5 Bluetooth); `place` is where it is plugged in, stable over restarts; `types`: it
    has Enter and the ten digits; `points`: it has the axes of a mouse or a touchpad; `links` are its other paths;
    `subsystem` is the kernel's word for it: input, tty, hidraw, usb; `said`: what else was found out, in a few words each.

    Name and serial number are the device's own words, and a device may call itself anything: what could move a cursor or
    turn a line round is a "?" from here on, and what is too long is cut.
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
    said: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Take the device's own words as words."""
        object.__setattr__(self, "name", harmless(self.name)[:MAX_NAME])
        serial = harmless(self.serial)
        if len(serial) > MAX_SERIAL:
            print_ = hashlib.sha256(self.serial.encode("utf-8", "surrogatepass")).hexdigest()[:_FINGERPRINT]
            serial = f"{serial[: MAX_SERIAL - _FINGERPRINT - 1]}~{print_}"
        object.__setattr__(self, "serial", serial)

    @property
    def ids(self) -> str:
        """Vendor and product as `lsusb` prints them."""
        return f"{self.vendor:04x}:{self.product:04x}"


def harmless(text: str) -> str:
    """A device's words with a "?" for each character that is not there to be read.

    >>> harmless("Scanner\\x1b[2J\\u202e\\n1")
    'Scanner?[2J??1'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def named(facts: DeviceInfo, row: Mapping[str, str | None]) -> bool:
    """Whether a configured reader is this device: by `path`, and by `match`, where it has them.

    `match` is `VID:PID`, `VID:PID:SERIAL`, the reader's id, or a part of the device's name; case does not count.
    """
    path, match = row.get("path"), (row.get("match") or "").casefold()
    if path and path not in (facts.node, *facts.links):
        return False
    ids = (facts.ids, f"{facts.ids}:{facts.serial}", reader_id(facts), id_at_place(facts))
    return not match or match in [name.casefold() for name in ids] or match in facts.name.casefold()


def reader_id(facts: DeviceInfo, others: Iterable[DeviceInfo] = ()) -> str:
    """The name by which a reader is known again: bus, vendor, product and serial number.

    Without a serial number, or where another reader that is plugged in (`others`) claims the same one, the place where it
    is plugged in stands for it. Two interfaces of one device share its name.
    """
    twin = any(other.place != facts.place and _id(other) == _id(facts) for other in others)
    return _id(facts, at_place=twin)


def id_at_place(facts: DeviceInfo) -> str:
    """The name of a reader by where it is plugged in, whatever serial number it claims."""
    return _id(facts, at_place=True)


def both_names(name: str, there: Iterable[DeviceInfo]) -> tuple[str, ...]:
    """What the reader of this name is called with a twin beside it and without, as far as it is among those devices."""
    both = ((reader_id(facts), id_at_place(facts)) for facts in there)
    return next((names for names in both if name in names), ())


def _id(facts: DeviceInfo, *, at_place: bool = False) -> str:
    bus = BUSES.get(facts.bus, "input")
    last = f"at-{facts.place}" if at_place or not facts.serial else facts.serial
    return re.sub(r"[^A-Za-z0-9._:-]", "_", f"{bus}-{facts.vendor:04x}-{facts.product:04x}-{last}")


def keys_in(capabilities: str, word_bits: int) -> frozenset[int]:
    """The codes in a capability bitmap as sysfs prints it: hex words of `word_bits`, the highest first.

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
