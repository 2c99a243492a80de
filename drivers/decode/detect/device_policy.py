"""The policy for a connected device: read it, listen to it, or ignore it; with the reason.

A device is read if the configuration names it, its vendor makes scanners, its name or report descriptor says that it is a
scanner, or it was learned from the setup sheet. An unknown keyboard is only listened to until it types the setup sheet, so
that no person loses a keyboard. An unknown serial port is probed and listened to.

>>> cheap = DeviceInfo("/dev/input/event3", "Barcode Scanner", 3, 0x1A86, 0x5723, "", "usb-1.3", types=True, points=False)
>>> verdict(cheap).take, verdict(cheap).why
(True, "Its name says so: 'barcode'.")
>>> evidence(cheap)
('usb 1a86:5723', "called 'Barcode Scanner'", 'no serial number: known by its place usb-1.3', 'has Enter and digits')
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.decode.detect.device_info import BUSES, DeviceInfo, id_at_place, named, reader_id
from drivers.decode.detect.known_non_readers import what_else
from drivers.decode.detect.security_tokens import token_sign

# Vendors whose devices with keys or a serial port are scanners or tag readers (usb.ids).
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
# Scanners with the id of a maker of general-purpose chips, or with an unassigned id.
SCANNER_PRODUCTS = frozenset({(0x04B4, 0x0100), (0x13BA, 0x0018), (0xF126, 0x0288), (0xFFFF, 0x0035)})

_SURE_NAME = re.compile(r"bar ?code|qr ?code", re.IGNORECASE)
# These words also occur in names of keyboards with a card reader or a fingerprint scanner.
_LIKELY_NAME = re.compile(r"scanner|reader|symbol", re.IGNORECASE)
_KEYBOARD_NAME = re.compile(r"keyboard|keypad", re.IGNORECASE)

# A serial port with such a name is no reader, and a probe could disturb it.
_OTHER_NAME = re.compile(r"modem|gps|gnss|lte|gsm|debug|jtag|st-?link|j-?link|printer|plotter|3d", re.IGNORECASE)
SERIAL_KINDS = frozenset({"serial_line", "serial_rfid"})
KINDS = {"input": ("keyboard",), "tty": ("serial_line", "serial_rfid"), "hidraw": ("hidpos",), "usb": ("pcsc",)}
"""The kinds of reader that a device can be, by kernel subsystem; the first is the default."""
NOT_NAMED = "The configuration names the readers of this station, and not this one."
NAMED_THERE = (
    "The configuration does not name it by its ids or own name; where it has pcscd's name for it, that line says so."
)
NAME_IT = "Is it a reader? Name it: [[reader]] with kind and match"
CARDS_TOO = "the same device is a reader of smart cards (USB class 0B), and pcscd is there"
"""The hint for an input device that is a smart card reader as well."""
READ_AS_CARDS = "It types the cards that it reads through pcscd as well, and each would count twice"
TYPED = "of the configuration names it as a scanner that types, and each card would count twice."
# Their smart card interface is for configuration; what they read they type.
SET_UP_ONLY = frozenset({(0x076B, 0x5A27)})
BUILT_IN = "It is a security token, whose card is built in and never laid on or taken away"
LEAVE_IT = "To have it left alone, name the readers of this station in station.toml: others are then not touched."


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    """Whether to read the device (`take`), as which kind, and the reason in a sentence.

    `row` is the index of the configured reader that it is, None without one. `listen`: it is not read, but listened to until
    it is identified. `mend` says what to do if the decision is wrong.
    """

    take: bool
    kind: str
    why: str
    row: int | None = None
    listen: bool = False
    mend: str = ""


Row = Mapping[str, str | None]
NOTHING: Mapping[str, str] = {}


def verdict(info: DeviceInfo, rows: Sequence[Row] = (), taught: Mapping[str, str] = NOTHING) -> DevicePolicy:
    """Decide how to use a device. The first step that applies decides:

    1. An input device that cannot type codes, or has a pointer, is ignored.
    2. A device that a row names by `path` or `match` is used as that row says.
    3. The card interface of a device that a row names as a keyboard is ignored.
    4. Any other device is judged by its attributes and by what was learned of it. If rows are configured, it is used only
       if a row stands for its kind.

    `rows` are the configured readers, each with `kind`, `path`, `match` as far as given; a row without path and match stands
    for any reader of its kind. `taught` maps the ids of learned readers to the evidence.
    """
    kinds = KINDS[info.subsystem]
    decided = _cannot_scan(info) or _named_by_row(info, rows, kinds) or _typed_by_row(info, rows)
    if decided is not None:
        return decided
    judged = _JUDGES[info.subsystem](_without_unused_cards(info, rows), taught)
    return _for_row(judged, info, rows, kinds) if judged.take or judged.listen else judged


def _cannot_scan(info: DeviceInfo) -> DevicePolicy | None:
    """Step 1."""
    if info.subsystem != "input":
        return None
    if not info.types:
        return DevicePolicy(False, "keyboard", "It has no Enter key and digits, so it types no codes.")
    if info.points:
        why = "It is a mouse as well; taking it would take the pointer from a person."
        return DevicePolicy(False, "keyboard", why)
    return None


def _named_by_row(info: DeviceInfo, rows: Sequence[Row], kinds: Sequence[str]) -> DevicePolicy | None:
    """Step 2."""
    index = next((n for n, row in enumerate(rows) if _names(row, kinds) and named(info, row)), None)
    if index is None:
        return None
    kind = rows[index].get("kind") or kinds[0]
    # A named serial port may be no USB device, which hotplug does not report: its row opens it by path.
    take = kind not in SERIAL_KINDS
    return DevicePolicy(take, kind, f"Reader {index + 1} of the configuration names it.", index)


def _typed_by_row(info: DeviceInfo, rows: Sequence[Row]) -> DevicePolicy | None:
    """Step 3."""
    if info.subsystem != "usb":
        return None
    index = next((n for n, row in enumerate(rows) if _names(row, KINDS["input"]) and named(info, row)), None)
    return None if index is None else DevicePolicy(False, "pcsc", f"Reader {index + 1} {TYPED}", mend=_as_cards(info))


def _without_unused_cards(info: DeviceInfo, rows: Sequence[Row]) -> DeviceInfo:
    """The device without the hint that it reads cards, if its cards are not read through pcscd."""
    if info.subsystem == "usb" or CARDS_TOO not in info.hints:
        return info
    read_through_pcscd = not rows or any(_of(row, KINDS["usb"]) and named(info, row) for row in rows)
    if read_through_pcscd and (info.vendor, info.product) not in SET_UP_ONLY:
        return info
    return replace(info, hints=tuple(hint for hint in info.hints if hint != CARDS_TOO))


def _for_row(judged: DevicePolicy, info: DeviceInfo, rows: Sequence[Row], kinds: Sequence[str]) -> DevicePolicy:
    """Step 4: the row that stands for the device; the device is ignored if there are rows and none does."""
    index = _stands_for(rows, {judged.kind})
    if index is None and judged.take:  # a port that is only listened to is not probed for a row of another kind
        index = _stands_for(rows, kinds)
    if rows and index is None:
        by_other_name = judged.kind == "pcsc" and any(_names(row, ("pcsc",)) for row in rows)
        why = NAMED_THERE if by_other_name else NOT_NAMED
        return DevicePolicy(False, judged.kind, why, mend=f'{NAME_IT} = "{info.ids}".')
    return replace(judged, row=index)


def _as_cards(info: DeviceInfo) -> str:
    return f'To read its cards instead: kind = "pcsc", match = "{info.ids}".'


def _stands_for(rows: Sequence[Row], kinds: Collection[str]) -> int | None:
    """The index of the first row that stands for any reader of these kinds."""
    return next((n for n, row in enumerate(rows) if _of(row, kinds) and not _names(row, kinds)), None)


def _of(row: Row, kinds: Collection[str]) -> bool:
    return (row.get("kind") or "keyboard") in kinds


def _names(row: Row, kinds: Collection[str]) -> bool:
    return _of(row, kinds) and bool(row.get("path") or row.get("match"))


def _evidence_of_learning(info: DeviceInfo, taught: Mapping[str, str]) -> str | None:
    return taught.get(reader_id(info)) or taught.get(id_at_place(info))


def _judge_input(info: DeviceInfo, taught: Mapping[str, str]) -> DevicePolicy:
    """An input device with Enter and digits."""
    learned = _evidence_of_learning(info, taught)
    if learned is not None:
        return _as_learned("keyboard", learned)
    sign = _scanner_sign(info)
    if sign is not None and CARDS_TOO in info.hints:
        mend = f'To read what it types instead: [[reader]] with kind = "keyboard" and match = "{info.ids}".'
        return DevicePolicy(False, "keyboard", f"{READ_AS_CARDS}.", mend=mend)
    if sign is not None:
        return DevicePolicy(True, "keyboard", sign, mend=LEAVE_IT)
    return DevicePolicy(
        False,
        "keyboard",
        "It looks like a person's keyboard, so it is only listened to, until it types the setup sheet.",
        listen=True,
        mend=_how_to_identify(info, "keyboard"),
    )


def _judge_serial(info: DeviceInfo, taught: Mapping[str, str]) -> DevicePolicy:
    """A serial port of a USB device."""
    learned = _evidence_of_learning(info, taught)
    if learned is not None:
        return _as_learned("serial_line", learned)
    if info.vendor in SCANNER_VENDORS:
        return DevicePolicy(True, "serial_line", _vendor_sign(info), mend=LEAVE_IT)
    other = something_else(info)
    if other is not None:
        return DevicePolicy(False, "serial_rfid", other, mend=f'{NAME_IT} = "{info.ids}".')
    return DevicePolicy(
        False,
        "serial_rfid",
        "This serial port is unknown, so it is asked with harmless questions and listened to, until a reader answers.",
        listen=True,
        mend=_how_to_identify(info, "serial_line"),
    )


def something_else(info: DeviceInfo) -> str | None:
    """The reason why a serial port is certainly no reader, a sentence; None if it may be one."""
    match = _OTHER_NAME.search(info.name)
    if match is not None:
        return f"Its name says that it is something else: {match[0].lower()!r}."
    known = what_else(info.vendor, info.product)
    return known and f"Its ids say that it is something else, {known}, so it is not asked."


def _judge_hidraw(_info: DeviceInfo, _taught: Mapping[str, str]) -> DevicePolicy:
    """A HID device; hotplug reports HID POS scanners only."""
    return DevicePolicy(True, "hidpos", "Its report descriptor says that it is a bar code scanner.", mend=LEAVE_IT)


def _judge_smart_card(info: DeviceInfo, _taught: Mapping[str, str]) -> DevicePolicy:
    """A smart card interface: of a reader, of a security token, or for configuration only."""
    sign = token_sign(info)
    if sign is not None:
        mend = f'Is it a card reader? Name it: [[reader]] with kind = "pcsc" and match = "{info.ids}".'
        return DevicePolicy(False, "pcsc", f"{BUILT_IN}: {sign}.", mend=mend)
    if (info.vendor, info.product) in SET_UP_ONLY:
        why = "It is set up through this interface; what it reads it types."
        return DevicePolicy(False, "pcsc", why, mend=_as_cards(info))
    return DevicePolicy(True, "pcsc", "It is a smart card reader (USB class 0B).", mend=LEAVE_IT)


FORGET = "`wipline-station readers --forget ID`."
_JUDGES = {"input": _judge_input, "tty": _judge_serial, "hidraw": _judge_hidraw, "usb": _judge_smart_card}


def _as_learned(kind: str, evidence_text: str) -> DevicePolicy:
    return DevicePolicy(True, kind, evidence_text, mend=f"To forget it: {FORGET}")


def _how_to_identify(info: DeviceInfo, kind: str) -> str:
    """What to do if a device that is only listened to is a scanner."""
    return f'Is it a scanner? Scan the setup sheet with it, or name it: kind = "{kind}", match = "{info.ids}".'


def _vendor_sign(info: DeviceInfo) -> str:
    return f"Its maker makes scanners: {info.vendor:04x}, {SCANNER_VENDORS[info.vendor]}."


def _scanner_sign(info: DeviceInfo) -> str | None:
    """The reason why an input device is a scanner, a sentence; None without one."""
    if info.vendor in SCANNER_VENDORS:
        return _vendor_sign(info)
    if (info.vendor, info.product) in SCANNER_PRODUCTS:
        return f"It is a known scanner: {info.ids}."
    match = _SURE_NAME.search(info.name)
    if match is None and not _KEYBOARD_NAME.search(info.name):
        match = _LIKELY_NAME.search(info.name)
    return f"Its name says so: {match[0].lower()!r}." if match else None


def evidence(info: DeviceInfo) -> tuple[str, ...]:
    """The attributes behind the decision, a few words each: ids, name, serial number, keys and axes, and hints."""
    bus = BUSES.get(info.bus, f"bus {info.bus}")
    lines = [f"{bus} {info.ids}", f"called {info.name!r}" if info.name else "without a name"]
    lines.append(
        f"serial number {info.serial}" if info.serial else f"no serial number: known by its place {info.place}"
    )
    if info.subsystem == "input":
        lines.append("has Enter and digits" if info.types else "has no Enter key and digits")
        lines += ["has the axes of a mouse"] if info.points else []
    return (*lines, *info.hints)
