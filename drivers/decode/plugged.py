"""Something with keys was plugged in: is it a scanner, and by what name do we know it again?

A scanner types like a keyboard, and so does a person's keyboard, which must never be taken from the person. Taken is what
the configuration names, what a maker of scanners made, and what calls itself a scanner.

>>> cheap = Facts("/dev/input/event3", "USB Barcode Scanner", 3, 0x1A86, 0x5723, "", "usb-1.3", types=True, points=False)
>>> verdict(cheap)
Verdict(take=True, kind='keyboard', why="Its name says so: 'barcode'.", row=None)
>>> reader_id(cheap)
'usb-1a86-5723-at-usb-1.3'
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.decode.keymap import DIGITS, ENTER, KEYPAD_DIGITS, KEYPAD_ENTER

# Makers whose devices with keys are scanners or tag readers (usb.ids).
SCANNER_VENDORS: Mapping[int, str] = {
    0x0536: "Hand Held Products",
    0x05E0: "Symbol, Zebra",
    0x05F9: "PSC, Datalogic",
    0x065A: "Opticon",
    0x067E: "Intermec",
    0x0745: "CipherLab",
    0x076B: "Omnikey",
    0x080C: "Datalogic",
    0x08FB: "Socket",
    0x09D8: "Elatec",
    0x0A5F: "Zebra",
    0x0C27: "RFIDeas",
    0x0C2E: "Metrologic, Honeywell",
    0x1777: "Microscan",
    0x1EAB: "Newland",
    0x23D0: "Youjie",
    0x24EA: "Meva",
    0x27DD: "Mindeo",
}
# Scanners that carry the id of a maker of chips for everything, or nobody's.
SCANNER_PRODUCTS = frozenset({(0x04B4, 0x0100), (0x13BA, 0x0018), (0xF126, 0x0288), (0xFFFF, 0x0035)})

_SURE_NAME = re.compile(r"bar ?code|qr ?code", re.IGNORECASE)
# Card readers and fingerprint scanners are also built into keyboards that people type on.
_LIKELY_NAME = re.compile(r"scanner|reader|symbol", re.IGNORECASE)
_KEYBOARD_NAME = re.compile(r"keyboard|keypad", re.IGNORECASE)

_REL_X_Y = frozenset({0, 1})
_ABS_X_Y = frozenset({0, 1})
_BUSES = {3: "usb", 5: "bluetooth"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the kernel says of one device with keys.

    `bus` is the kernel's number (3 USB, 5 Bluetooth); `place` is where it is plugged in, stable over restarts; `types`: it
    has Enter and the ten digits; `points`: it has the axes of a mouse or a touchpad; `links` are its other paths.
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

    @property
    def ids(self) -> str:
        """Vendor and product as `lsusb` prints them."""
        return f"{self.vendor:04x}:{self.product:04x}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to take the device, as which kind, and why in a sentence.

    `row` is the index of the configured reader that it is, None where it is taken without one.
    """

    take: bool
    kind: str
    why: str
    row: int | None = None


def verdict(facts: Facts, rows: Sequence[Mapping[str, str | None]] = ()) -> Verdict:
    """Judge a device by what it is and by the configured readers, each with `kind`, `path`, `match` as far as given.

    Where readers are configured, only they are taken; one of kind `keyboard` without path and match stands for any
    scanner that is plugged in.
    """
    if not facts.types:
        return Verdict(False, "keyboard", "It has no Enter key and digits, so it types no codes.")
    if facts.points:
        return Verdict(False, "keyboard", "It is a mouse as well; taking it would take the pointer from a person.")
    open_row = None
    for index, row in enumerate(rows):
        if (row.get("kind") or "keyboard") != "keyboard":
            continue
        if row.get("path") or row.get("match"):
            if named(facts, row):
                return Verdict(True, "keyboard", f"Reader {index + 1} of the configuration names it.", index)
        elif open_row is None:
            open_row = index
    sign = _sign(facts)
    if sign is None:
        advice = f'To read from it, configure a reader of kind "keyboard" with match = "{facts.ids}".'
        return Verdict(False, "keyboard", f"It looks like a person's keyboard. {advice}")
    if rows and open_row is None:
        return Verdict(False, "keyboard", "The configuration names the readers of this station, and not this one.")
    return Verdict(True, "keyboard", sign, open_row)


def _sign(facts: Facts) -> str | None:
    """What makes it a scanner, as a sentence; None where nothing does."""
    if facts.vendor in SCANNER_VENDORS:
        return f"Its maker makes scanners: {facts.vendor:04x}, {SCANNER_VENDORS[facts.vendor]}."
    if (facts.vendor, facts.product) in SCANNER_PRODUCTS:
        return f"It is a known scanner: {facts.ids}."
    said = _SURE_NAME.search(facts.name)
    if said is None and not _KEYBOARD_NAME.search(facts.name):
        said = _LIKELY_NAME.search(facts.name)
    return f"Its name says so: {said[0].lower()!r}." if said else None


def named(facts: Facts, row: Mapping[str, str | None]) -> bool:
    """Whether a configured reader is this device: by `path`, and by `match`, where it has them.

    `match` is `VID:PID`, `VID:PID:SERIAL`, the reader's id, or a part of the device's name; case does not count.
    """
    path, match = row.get("path"), (row.get("match") or "").casefold()
    if path and path not in (facts.node, *facts.links):
        return False
    ids = (facts.ids, f"{facts.ids}:{facts.serial}", reader_id(facts), _id(facts, at_place=True))
    return not match or match in [name.casefold() for name in ids] or match in facts.name.casefold()


def reader_id(facts: Facts, others: Iterable[Facts] = ()) -> str:
    """The name by which a reader is known again: bus, vendor, product and serial number.

    Without a serial number, or where another reader that is plugged in (`others`) claims the same one, the place where it
    is plugged in stands for it. Two interfaces of one device share its name.
    """
    twin = any(other.place != facts.place and _id(other) == _id(facts) for other in others)
    return _id(facts, at_place=twin)


def _id(facts: Facts, *, at_place: bool = False) -> str:
    bus = _BUSES.get(facts.bus, "input")
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
