"""The verdict on what was plugged in: read from it, listen to it, or leave it alone; and why.

Taken is what the configuration names, what a maker of scanners made, what calls itself a scanner, what says so in its report
descriptor, and what was taught by the setup sheet. A person's keyboard is never taken from the person: what types and nobody
knows is only listened to, until it types the setup sheet. A serial port that nobody knows is asked and listened to.

>>> cheap = DeviceInfo("/dev/input/event3", "Barcode Scanner", 3, 0x1A86, 0x5723, "", "usb-1.3", types=True, points=False)
>>> verdict(cheap).take, verdict(cheap).why
(True, "Its name says so: 'barcode'.")
>>> evidence(cheap)
('usb 1a86:5723', "called 'USB Barcode Scanner'", 'no serial number: known by its place usb-1.3', 'has Enter and digits')
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.decode.detect.device_info import BUSES, DeviceInfo, id_at_place, named, reader_id
from drivers.decode.detect.known_non_readers import what_else
from drivers.decode.detect.security_tokens import token_sign

# Makers whose devices with keys or a serial port are scanners or tag readers (usb.ids).
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

# A serial port under one of these names is no reader, and asking it could disturb what it does.
_OTHER_NAME = re.compile(r"modem|gps|gnss|lte|gsm|debug|jtag|st-?link|j-?link|printer|plotter|3d", re.IGNORECASE)
SERIAL_KINDS = frozenset({"serial_line", "serial_rfid"})
KINDS = {"input": ("keyboard",), "tty": ("serial_line", "serial_rfid"), "hidraw": ("hidpos",), "usb": ("pcsc",)}
"""Which kinds of reader a device can be, by what the kernel makes of it; the first is the usual one."""
NOT_NAMED = "The configuration names the readers of this station, and not this one."
NAMED_THERE = (
    "The configuration does not name it by its ids or own name; where it has pcscd's name for it, that line says so."
)
NAME_IT = "Is it a reader? Name it: [[reader]] with kind and match"
CARDS_TOO = "the same device is a reader of smart cards (USB class 0B), and pcscd is there"
"""What is found out of a device that types."""
READ_AS_CARDS = "It types the cards that it reads through pcscd as well, and each would count twice"
TYPED = "of the configuration names it as a scanner that types, and each card would count twice."
# Their interface for cards is there to set them up: what they read they type.
SET_UP_ONLY = frozenset({(0x076B, 0x5A27)})
BUILT_IN = "It is a security token, whose card is built in and never laid on or taken away"
LEAVE_IT = "To have it left alone, name the readers of this station in station.toml: others are then not touched."


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    """Whether to take the device, as which kind, and why in a sentence.

    `row` is the index of the configured reader that it is, None where it is none. `listen`: it is not taken, but heard until
    it shows what it is. `mend` says what to do where the verdict is wrong.
    """

    take: bool
    kind: str
    why: str
    row: int | None = None
    listen: bool = False
    mend: str = ""


Row = Mapping[str, str | None]
NOTHING: Mapping[str, str] = {}


def verdict(facts: DeviceInfo, rows: Sequence[Row] = (), taught: Mapping[str, str] = NOTHING) -> DevicePolicy:
    """Judge a device by what it is, by the configured readers, and by what was taught.

    `rows`: each with `kind`, `path`, `match` as far as given; where readers are configured, only they are taken, and one
    without path and match stands for any of its kind. `taught`: how each reader was taught that was.
    """
    kinds = KINDS[facts.subsystem]
    if facts.subsystem == "input":
        if not facts.types:
            return DevicePolicy(False, "keyboard", "It has no Enter key and digits, so it types no codes.")
        if facts.points:
            return DevicePolicy(
                False, "keyboard", "It is a mouse as well; taking it would take the pointer from a person."
            )
    named_by = next((n for n, row in enumerate(rows) if _names(row, kinds) and named(facts, row)), None)
    if named_by is not None:
        kind = rows[named_by].get("kind") or kinds[0]
        # A serial port that is named may be no USB device: its reader opens it by itself.
        take = kind not in SERIAL_KINDS
        return DevicePolicy(take, kind, f"Reader {named_by + 1} of the configuration names it.", named_by)
    if facts.subsystem == "usb":
        typed_by = next((n for n, row in enumerate(rows) if _names(row, KINDS["input"]) and named(facts, row)), None)
        if typed_by is not None:
            return DevicePolicy(False, "pcsc", f"Reader {typed_by + 1} {TYPED}", mend=_as_cards(facts))
    elif CARDS_TOO in facts.hints and not _may_be_read_as_cards(facts, rows):
        facts = replace(facts, hints=tuple(each for each in facts.hints if each != CARDS_TOO))
    found = _JUDGES[facts.subsystem](facts, taught)
    anyone = _stands_for(rows, {found.kind})
    if anyone is None and found.take:  # but no port is asked for RFID where the rows know scanners alone
        anyone = _stands_for(rows, kinds)
    if rows and anyone is None and (found.take or found.listen):
        named_there = found.kind == "pcsc" and any(_names(row, ("pcsc",)) for row in rows)
        return DevicePolicy(
            False, found.kind, NAMED_THERE if named_there else NOT_NAMED, mend=f'{NAME_IT} = "{facts.ids}".'
        )
    return replace(found, row=anyone) if found.take or found.listen else found


def _may_be_read_as_cards(facts: DeviceInfo, rows: Sequence[Row]) -> bool:
    """Whether a device that types is read through pcscd."""
    read = not rows or any(_of(row, KINDS["usb"]) and named(facts, row) for row in rows)
    return read and (facts.vendor, facts.product) not in SET_UP_ONLY


def _as_cards(facts: DeviceInfo) -> str:
    return f'To read its cards instead: kind = "pcsc", match = "{facts.ids}".'


def _stands_for(rows: Sequence[Row], kinds: Collection[str]) -> int | None:
    """The first row that stands for any reader of these kinds."""
    return next((n for n, row in enumerate(rows) if _of(row, kinds) and not _names(row, kinds)), None)


def _of(row: Row, kinds: Collection[str]) -> bool:
    return (row.get("kind") or "keyboard") in kinds


def _names(row: Row, kinds: Collection[str]) -> bool:
    return _of(row, kinds) and bool(row.get("path") or row.get("match"))


def _how_taught(facts: DeviceInfo, taught: Mapping[str, str]) -> str | None:
    return taught.get(reader_id(facts)) or taught.get(id_at_place(facts))


def _keys(facts: DeviceInfo, taught: Mapping[str, str]) -> DevicePolicy:
    """Something types."""
    how = _how_taught(facts, taught)
    if how is not None:
        return _of_taught("keyboard", how)
    sign = _sign(facts)
    if sign is not None and CARDS_TOO in facts.hints:
        mend = f'To read what it types instead: [[reader]] with kind = "keyboard" and match = "{facts.ids}".'
        return DevicePolicy(False, "keyboard", f"{READ_AS_CARDS}.", mend=mend)
    if sign is not None:
        return DevicePolicy(True, "keyboard", sign, mend=LEAVE_IT)
    return DevicePolicy(
        False,
        "keyboard",
        "It looks like a person's keyboard, so it is only listened to, until it types the setup sheet.",
        listen=True,
        mend=_shows_itself(facts, "keyboard"),
    )


def _port(facts: DeviceInfo, taught: Mapping[str, str]) -> DevicePolicy:
    """Something speaks on a serial line."""
    how = _how_taught(facts, taught)
    if how is not None:
        return _of_taught("serial_line", how)
    if facts.vendor in SCANNER_VENDORS:
        return DevicePolicy(True, "serial_line", _of_maker(facts), mend=LEAVE_IT)
    other = something_else(facts)
    if other is not None:
        return DevicePolicy(False, "serial_rfid", other, mend=f'{NAME_IT} = "{facts.ids}".')
    return DevicePolicy(
        False,
        "serial_rfid",
        "Nobody knows this serial port, so it is asked with harmless questions and listened to, until a reader answers.",
        listen=True,
        mend=_shows_itself(facts, "serial_line"),
    )


def something_else(facts: DeviceInfo) -> str | None:
    """What makes it certain that a serial port is no reader, as a sentence; None where nothing does."""
    named_so = _OTHER_NAME.search(facts.name)
    if named_so is not None:
        return f"Its name says that it is something else: {named_so[0].lower()!r}."
    known = what_else(facts.vendor, facts.product)
    return known and f"Its ids say that it is something else, {known}, so it is not asked."


def _raw(_facts: DeviceInfo, _taught: Mapping[str, str]) -> DevicePolicy:
    """Something speaks HID and is no keyboard: only scanners of the point-of-sale page are told at all."""
    return DevicePolicy(True, "hidpos", "Its report descriptor says that it is a bar code scanner.", mend=LEAVE_IT)


def _smart(facts: DeviceInfo, _taught: Mapping[str, str]) -> DevicePolicy:
    """A reader of smart cards, which pcscd holds, or a card that came with its reader."""
    sign = token_sign(facts)
    if sign is not None:
        mend = f'Is it a card reader? Name it: [[reader]] with kind = "pcsc" and match = "{facts.ids}".'
        return DevicePolicy(False, "pcsc", f"{BUILT_IN}: {sign}.", mend=mend)
    if (facts.vendor, facts.product) in SET_UP_ONLY:
        return DevicePolicy(
            False, "pcsc", "It is set up through this interface; what it reads it types.", mend=_as_cards(facts)
        )
    return DevicePolicy(True, "pcsc", "It is a smart card reader (USB class 0B).", mend=LEAVE_IT)


FORGET = "`wipline-station readers --forget ID`."
_JUDGES = {"input": _keys, "tty": _port, "hidraw": _raw, "usb": _smart}


def _of_taught(kind: str, how: str) -> DevicePolicy:
    return DevicePolicy(True, kind, how, mend=f"To forget it: {FORGET}")


def _shows_itself(facts: DeviceInfo, kind: str) -> str:
    """What to do where what is only listened to is a scanner."""
    return f'Is it a scanner? Scan the setup sheet with it, or name it: kind = "{kind}", match = "{facts.ids}".'


def _of_maker(facts: DeviceInfo) -> str:
    return f"Its maker makes scanners: {facts.vendor:04x}, {SCANNER_VENDORS[facts.vendor]}."


def _sign(facts: DeviceInfo) -> str | None:
    """What makes it a scanner, as a sentence; None where nothing does."""
    if facts.vendor in SCANNER_VENDORS:
        return _of_maker(facts)
    if (facts.vendor, facts.product) in SCANNER_PRODUCTS:
        return f"It is a known scanner: {facts.ids}."
    said = _SURE_NAME.search(facts.name)
    if said is None and not _KEYBOARD_NAME.search(facts.name):
        said = _LIKELY_NAME.search(facts.name)
    return f"Its name says so: {said[0].lower()!r}." if said else None


def evidence(facts: DeviceInfo) -> tuple[str, ...]:
    """What the verdict stands on, a few words each: ids, name, serial number, keys and axes, and what else was found out."""
    bus = BUSES.get(facts.bus, f"bus {facts.bus}")
    found = [f"{bus} {facts.ids}", f"called {facts.name!r}" if facts.name else "without a name"]
    found.append(
        f"serial number {facts.serial}" if facts.serial else f"no serial number: known by its place {facts.place}"
    )
    if facts.subsystem == "input":
        found.append("has Enter and digits" if facts.types else "has no Enter key and digits")
        found += ["has the axes of a mouse"] if facts.points else []
    return (*found, *facts.hints)
