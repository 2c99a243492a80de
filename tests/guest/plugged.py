"""Readers of every kind for the guest, as a bench has them: plugged in, triggered, pulled out in the middle of a read.

These are of the guest's own making (gadgets and uhid) and are in its `EmulatedDevices`; QEMU's are in `plugged_by_qemu`.
"""

from collections.abc import Sequence
from typing import Protocol

from tests.drivers.fixtures.hid_descriptors import COUNTLESS, HONEYWELL
from tests.drivers.fixtures.typing_scanners import Typist
from tests.guest.fixtures.usb_devices import EmulatedDevices
from tests.guest.inside.gadget import KEYS

RELEASED, EV_KEY = bytes(8), 1
# Between two reports of keys. The kernel keeps 64 events for a reader, some twenty reports: seven characters or so.
REPORT_MS = 8
ENDLESS = 100  # times a code: its scanner is pulled out long before the end
# Keys of the kernel (linux/input-event-codes.h) as usages of HID (usage tables, section 10), as a keyboard has them.
_ROWS = {2: "1234567890-=", 16: "qwertyuiop[]", 30: "asdfghjkl;'`", 43: "\\zxcvbnm,./"}
USAGES = {first + n: KEYS[key][1] for first, row in _ROWS.items() for n, key in enumerate(row)}
USAGES |= {28: 0x28, 15: 0x2B, 57: 0x2C, 86: 0x64}
MODIFIERS = {29: 0x01, 42: 0x02, 56: 0x04, 97: 0x10, 54: 0x20, 100: 0x40}


class Plugged(Protocol):
    """A reader in a socket. Times are the guest's, in ns."""

    reader: str  # by which name the station knows it

    def add(self) -> int:
        """Plug it in for the first time; when."""
        ...

    def plug(self) -> int:
        """Plug it in again, where it was; when."""
        ...

    def scan(self, text: str) -> None:
        """A whole scan, or a tag that comes and goes."""

    def pull_in_mid_read(self, text: str, /) -> None:
        """Pull it out while it reads this."""


def american(text: str) -> list[bytes]:
    """Reports of a boot keyboard that types this text for a US layout."""
    return [report for sign in text for report in (bytes((KEYS[sign][0], 0, KEYS[sign][1])).ljust(8, b"\0"), RELEASED)]


def reports_of(events: Sequence[Sequence[int]]) -> list[bytes]:
    """The reports of a boot keyboard behind these key events `(type, code, value, ...)`: Shift goes along with its key."""
    held: list[int] = []
    modifiers, reports = 0, []
    for kind, code, value, *_ in events:
        if kind == EV_KEY and code in MODIFIERS:
            modifiers ^= MODIFIERS[code]
        elif kind == EV_KEY:
            if value:
                held.append(USAGES[code])
            else:
                held.remove(USAGES[code])
            reports.append(bytes((modifiers, 0, *held)).ljust(8, b"\0"))
    return [*reports, RELEASED]


class InHand:
    """A device of the emulator in the guest. `units`: the bytes on the wire for a text, with or (`half`) without its end."""

    def __init__(
        self, devices: EmulatedDevices, who: str, reader: str, how: dict[str, str], port: int | None = None
    ) -> None:
        self.reader, self.who = reader, who
        self._devices, self._how = devices, how
        self._port = f"dummy_udc.{port}"

    def add(self) -> int:
        return self._devices.done(self._devices.order(self.who, "add", how=self._how, port=self._port))

    def plug(self) -> int:
        return self._devices.done(self._devices.order(self.who, "plug"))

    def scan(self, text: str) -> None:
        self._send(self.units(text))

    def pull_in_mid_read(self, text: str) -> None:
        self._send(self.units(text, half=True), pull=True)

    def units(self, text: str, *, half: bool = False) -> list[bytes]:
        raise NotImplementedError

    def _send(self, units: list[bytes], *, pull: bool = False) -> None:
        units_hex = [unit.hex() for unit in units]
        self._devices.order(self.who, "send", units=units_hex, pause_ms=REPORT_MS, pull=pull)


class Wedge(InHand):
    """A scanner that types; with `typist`, for the German keyboard."""

    def __init__(
        self, devices: EmulatedDevices, who: str, reader: str, port: int, *words: str, typist: Typist | None = None
    ) -> None:
        ids, maker, product, serial = words
        how = {"kind": "keyboard", "ids": ids, "maker": maker, "product": product, "serial": serial}
        super().__init__(devices, who, reader, how, port)
        self._typist = typist

    def units(self, text: str, *, half: bool = False) -> list[bytes]:
        text = text * ENDLESS if half else text
        if self._typist is None:
            return american(text if half else text + "\n")
        return reports_of(self._typist.scan(text, layout="de", ends=[] if half else ["Enter"]).events)


class SerialPort(InHand):
    """A scanner with a USB COM port (CDC ACM)."""

    def __init__(self, devices: EmulatedDevices, who: str, reader: str, port: int, *words: str) -> None:
        ids, maker, product, serial = words
        how = {"kind": "serial", "ids": ids, "maker": maker, "product": product, "serial": serial}
        super().__init__(devices, who, reader, how, port)

    def units(self, text: str, *, half: bool = False) -> list[bytes]:
        return [text.encode()] * ENDLESS if half else [text.encode() + b"\r\n"]


class Pos(InHand):
    """A scanner of the class HID POS. `counted`: its report says how long the text is (else zeros fill the rest)."""

    def __init__(
        self, devices: EmulatedDevices, who: str, reader: str, ids: str, serial: str, *, counted: bool
    ) -> None:
        self._counted = counted
        descriptor = HONEYWELL if counted else COUNTLESS
        how = {"kind": "hidpos", "ids": ids, "product": "Scanner in POS mode", "serial": serial}
        super().__init__(devices, who, reader, how | {"descriptor": descriptor.hex()})

    def units(self, text: str, *, half: bool = False) -> list[bytes]:
        body, more = b"]C1" + text.encode().ljust(56 if self._counted else 59, b"\0"), bytes((half,))
        if self._counted:
            return [bytes((2, len(text))) + body + b"\0\0" + more]
        return [b"\2" + body + more]
