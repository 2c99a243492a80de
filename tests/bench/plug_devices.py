"""Readers for the bench of plugs: what the kernel says of each, what a scan is on its wire, and how the floor reads it."""

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any, NamedTuple

from tests.drivers.conftest import struck
from tests.drivers.fixtures.hid_descriptors import COUNTLESS, HONEYWELL
from tests.drivers.fixtures.typing_scanners import Typist
from tests.guest.plugged_by_qemu import Yrm100

RECORDINGS = Path(__file__).resolve().parent.parent / "drivers" / "recordings"
ROUND_S = 0.02  # a UHF module looks round in its field before it answers
FIELD_S = 0.065  # an RDM6300 says a tag again and again
DEVICE = """P: /devices/platform/dummy_hcd.0/usb3/3-$port
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
A: busnum=3\\n
A: devnum=$port\\n
A: idProduct=$product\\n
A: idVendor=$vendor\\n
A: product=$name\\n
A: serial=$serial\\n

P: $interface
E: DEVTYPE=usb_interface
E: SUBSYSTEM=usb
A: bInterfaceClass=$class_\\n
A: bInterfaceNumber=00\\n
A: bInterfaceProtocol=00\\n
"""
PORT = """
P: $interface/tty/ttyACM$number
N: ttyACM$number
E: DEVNAME=/dev/ttyACM$number
E: SUBSYSTEM=tty
A: dev=166:$number\\n
L: device=../../../$interface_name
"""
HID = """
P: $interface/0003:$VENDOR:$PRODUCT.$number4
E: DRIVER=hid-generic
E: HID_ID=0003:0000$VENDOR:0000$PRODUCT
E: HID_NAME=$name
E: HID_PHYS=usb-dummy_hcd.0-$port/input0
E: HID_UNIQ=$serial
E: SUBSYSTEM=hid
H: report_descriptor=$descriptor

P: $interface/0003:$VENDOR:$PRODUCT.$number4/hidraw/hidraw$number
N: hidraw$number
E: DEVNAME=/dev/hidraw$number
E: SUBSYSTEM=hidraw
A: dev=244:$number\\n
L: device=../../../0003:$VENDOR:$PRODUCT.$number4
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """How a device is announced: its node, the words for all its parts, and an ioctl record where it has one."""

    node: str
    text: str
    ioctl: str | None = None

    @property
    def parts(self) -> list[str]:
        """Their paths; the last is the one that programs use."""
        return [f"/sys{line[3:]}" for line in self.text.splitlines() if line.startswith("P: ")]


class Device:
    """A reader in a socket. `codes`: its scans, numbered; `how` the floor reads it, `reader`: what the station calls it."""

    codes = "WO-{:04}"
    prefix, leaf, class_ = "", "", "03"
    how: dict[str, Any]

    def __init__(self, what: str, port: int, ids: str, name: str, serial: str) -> None:
        self.what, self.port = what, port
        self.vendor, self.product = ids.split(":")
        self.name, self.serial = name, serial
        self.reader = f"usb-{self.vendor}-{self.product}-{serial or f'at-usb-dummy_hcd.0-{port}'}"

    def words(self, number: int) -> dict[str, Any]:
        """What stands in the description."""
        place = f"3-{self.port}:1.0"
        return {
            "number": number, "number4": f"{number:04}", "port": self.port, "name": self.name, "serial": self.serial,
            "vendor": self.vendor, "product": self.product, "VENDOR": self.vendor.upper(), "PRODUCT": self.product.upper(),
            "interface": f"/devices/platform/dummy_hcd.0/usb3/3-{self.port}/{place}", "interface_name": place,
            "class_": self.class_,
        }  # fmt: skip

    def seen(self, number: int) -> Seen:
        """Plugged in, its node has this number."""
        text = string.Template(DEVICE + self.leaf).substitute(self.words(number))
        return Seen(f"/dev/{self.prefix}{number}", text)

    def sends(self, _code: str) -> dict[str, Any] | None:
        """A scan on its wire; None where a tag lies in its field from the start."""
        return None

    def plays(self, _code: str) -> dict[str, Any] | None:
        """What it says of the tag in its field, and when."""
        return None


def _of_ioctl(text: str) -> str:
    """A text as an ioctl answers it: its length with the final NUL, and a buffer of 256 bytes."""
    return f"{len(text) + 1} {text.encode().hex().upper():0<512}"


class Wedge(Device):
    """A scanner that types; with `typist`, for the German keyboard."""

    how = {"kind": "keys"}  # noqa: RUF012 - shared and never changed

    def __init__(self, *words: Any, typist: Typist | None = None) -> None:
        super().__init__(*words)
        self._typist = typist

    def words(self, number: int) -> dict[str, Any]:
        """As the recordings of real keys want them."""
        swapped = "".join(two[2:] + two[:2] for two in (self.vendor, self.product))
        said = {
            "name_bytes": self.name,
            "phys_bytes": f"usb-dummy_hcd.0-{self.port}/input0",
            "serial_bytes": self.serial,
        }
        return super().words(number) | {
            "minor": 64 + number, "ids": f"0300{swapped}0101", **{name: _of_ioctl(text) for name, text in said.items()}
        }  # fmt: skip

    def seen(self, number: int) -> Seen:
        text, ioctl = (
            string.Template((RECORDINGS / name).read_text()).substitute(self.words(number))
            for name in ("keys.umockdev", "keys.ioctl")
        )
        text = re.sub(r"^S: .*\n", "", text, flags=re.MULTILINE)  # umockdev leaves links behind
        return Seen(f"/dev/input/event{number}", text, ioctl)

    def sends(self, code: str) -> dict[str, Any]:
        if self._typist is None:
            return {"events": struck(f"{code}\n")}
        return {"events": [event[:3] for event in self._typist.scan(code, layout="de", ends=["Enter"]).events]}


class Pos(Device):
    """A scanner of the class HID POS. `counted`: its report says how long the text is."""

    prefix, leaf, how = "hidraw", HID, {"kind": "report"}

    def __init__(self, *words: Any, counted: bool) -> None:
        super().__init__(*words)
        self._counted = counted

    def words(self, number: int) -> dict[str, Any]:
        return super().words(number) | {"descriptor": (HONEYWELL if self._counted else COUNTLESS).hex()}

    def sends(self, code: str) -> dict[str, Any]:
        body = b"]C1" + code.encode().ljust(56 if self._counted else 59, b"\0")
        report = bytes((2, len(code))) + body + bytes(3) if self._counted else b"\2" + body + bytes(1)
        return {"bytes": report.hex()}


class Serial(Device):
    """A scanner with a USB COM port."""

    prefix, leaf, class_ = "ttyACM", PORT, "02"
    how = {"kind": "line", "baud": 9600, "question": "", "end": "0a"}  # noqa: RUF012 - shared and never changed

    def sends(self, code: str) -> dict[str, Any]:
        return {"bytes": f"{code}\r\n".encode().hex()}


class Asked(Device):
    """A UHF module (YRM100) that is silent to all but one question."""

    codes, prefix, leaf, class_ = "E2801160600002054CC8{:04X}", "ttyACM", PORT, "ff"
    how = {"kind": "line", "baud": 115_200, "question": Yrm100.QUESTION.hex(), "end": "7e"}  # noqa: RUF012 - never changed

    def plays(self, code: str) -> dict[str, Any]:
        says = Yrm100.frame(self, code)  # type: ignore[arg-type] - it looks at the code alone
        return {"question": self.how["question"], "baud": 115_200, "after_s": ROUND_S, "says": says.hex()}


class Speaking(Device):
    """A reader of 125 kHz tags (RDM6300) that speaks by itself while a tag is there."""

    codes, prefix, leaf, class_ = "3C00CE{:04X}", "ttyACM", PORT, "ff"
    how = {"kind": "line", "baud": 9600, "question": "", "end": "03"}  # noqa: RUF012 - shared and never changed

    def plays(self, code: str) -> dict[str, Any]:
        says = b"\x02" + code.encode() + f"{reduce(xor, bytes.fromhex(code)):02X}".encode() + b"\x03"
        return {"baud": 9600, "after_s": FIELD_S, "says": says.hex()}


class Cards(Device):
    """A reader of smart cards on pcscd, which udev tells of as an interface of USB; the card is `plug_setup`'s."""

    codes, class_, how = "04A1B2C3D4{:04X}", "0b", {"kind": "card"}

    def seen(self, number: int) -> Seen:
        seen = super().seen(number)
        return Seen(seen.parts[-1].removeprefix("/sys"), seen.text)


class Plug(NamedTuple):
    """A device that is plugged in once, and the code of its scan."""

    device: Device
    seen: Seen
    code: str


def plugs(devices: Sequence[Device]) -> list[Plug]:
    """A plug of each of these in turn; its number is in its node and its code."""
    return [Plug(each, each.seen(number), each.codes.format(number)) for number, each in enumerate(devices, 1)]


def bench(typist: Typist) -> list[Device]:
    """One of each, and of some two: nine, as they stand on a full bench."""
    return [
        Wedge("wedge, known by its ids", 1, "05e0:1200", "Symbol Bar Code Scanner", "SN77"),
        Wedge("wedge, of another maker", 2, "0c2e:0b61", "Imaging & Mobility", "HW0042"),
        Wedge("wedge, taught by the sheet", 3, "1a86:5723", "USB Keyboard", "", typist=typist),
        Pos("HID POS, of a known maker", 4, "0c2e:0b87", "Scanner in POS mode", "P1", counted=True),
        Pos("HID POS, by descriptor alone", 5, "1234:5678", "Scanner in POS mode", "P2", counted=False),
        Serial("serial scanner (CDC-ACM)", 6, "05f9:4204", "Handheld Scanner", "DL7"),
        Asked("RFID, asked (YRM100)", 7, "0403:6001", "FT232R USB UART", "UHF1"),
        Speaking("RFID, speaking (RDM6300)", 8, "0403:6001", "FT232R USB UART", "LF1"),
        Cards("card reader on pcscd", 9, "08e6:4433", "Gemplus SmartCard Reader", "C1"),
    ]


def no_reader() -> Plug:
    """A port that is left alone: who says so has looked round."""
    device = Serial("GPS", 10, "1546:01a7", "u-blox GPS receiver", "G1")
    return Plug(device, device.seen(100), "")


def taught_one(devices: list[Device]) -> Device:
    """The one that nobody knows before it was taught."""
    return next(each for each in devices if "taught" in each.what)
