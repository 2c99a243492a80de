"""HID POS scanners of several makers to hold in a hand, and the reports they send.

Reports are put together byte by byte, from the layout in words, without a look at the descriptors or at the product.
"""

import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drivers.decode.hid_report import parsed
from drivers.hidpos import HidPos
from tests.drivers.hid_descriptors import COUNTLESS, EXTRA_BYTE, HONEYWELL, SMALL


@dataclass(frozen=True)
class Maker:
    """A maker's scanner: its descriptor, how many bytes of text a report has room for, and how it builds a report."""

    descriptor: bytes
    room: int
    report: Callable[[bytes, bytes, bool], bytes]

    def scan(self, text: bytes, aim: bytes = b"]C1") -> list[bytes]:
        """The reports of a scan, the text cut as late as there is room."""
        parts = [text[at : at + self.room] for at in range(0, len(text), self.room)] or [b""]
        return [self.report(part, aim, number < len(parts)) for number, part in enumerate(parts, 1)]


def _flag(more: bool) -> bytes:
    return b"\x01" if more else b"\x00"


MAKERS = {
    "honeywell": Maker(
        HONEYWELL,
        56,
        lambda text, aim, more: (
            b"\x02" + bytes([len(text)]) + aim + text + bytes(56 - len(text)) + b"j\x00" + _flag(more)
        ),
    ),
    "extra byte": Maker(
        EXTRA_BYTE,
        57,
        lambda text, aim, more: (
            b"\x02" + bytes([len(text)]) + b"\x77" + aim + text + bytes(57 - len(text)) + _flag(more)
        ),
    ),
    "no byte count": Maker(
        COUNTLESS, 59, lambda text, aim, more: b"\x02" + aim + text + bytes(59 - len(text)) + _flag(more)
    ),
    "16 bytes": Maker(
        SMALL, 11, lambda text, aim, more: _flag(more) + bytes([len(text)]) + aim + text + bytes(11 - len(text))
    ),
}
NO_AIM = bytes(3)


class PosScanner:
    """A HID POS scanner of which the kernel's side is a socket that keeps reports apart, as hidraw does."""

    codes = tuple(f"wo {number}" for number in range(50))
    reader = "usb-05e0-1300-SN77"

    def __init__(self, _folder: Path, maker: str = "honeywell", opened_ns: int | None = None) -> None:
        self.maker = MAKERS[maker]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.device = theirs.detach()
        name, descriptor = "Zebra POS Scanner", parsed(self.maker.descriptor)
        self.driver = HidPos(ours.detach(), self.reader, name, descriptor, opened_ns=opened_ns)

    def send(self, *reports: bytes) -> None:
        """The scanner sends reports."""
        for report in reports:
            os.write(self.device, report)

    def begin(self, text: str) -> None:
        """A scan of which the rest does not come."""
        self.send(self.maker.report(text.encode(), b"]C1", True))

    def scan(self, text: str) -> None:
        """A whole scan; an AIM identifier in front is sent in its own place."""
        aim = re.match(r"\][A-Za-z][0-9A-F]", text)
        coded = text[aim.end() :] if aim else text
        self.send(*self.maker.scan(coded.encode(), aim[0].encode() if aim else NO_AIM))

    def heard(self) -> bytes:
        """The next that the scanner was told."""
        return os.read(self.device, 1024)

    def unplug(self) -> None:
        """Pull the cable."""
        device, self.device = self.device, -1
        if device >= 0:
            os.close(device)


def plugged_in(
    sysfs: Path, number: int, descriptor: bytes, *, ids: str = "05E0:1300", uniq: str = "SN77", phys: str = "usb-1.3/input0",
    name: str = "Zebra POS Scanner", bus: str = "0003",
) -> None:  # fmt: skip
    """What /sys/class/hidraw says of a device."""
    device = sysfs / f"hidraw{number}" / "device"
    device.mkdir(parents=True)
    vendor, product = ids.split(":")
    said = {
        "DRIVER": "hid-generic", "HID_ID": f"{bus}:0000{vendor}:0000{product}", "HID_NAME": name, "HID_PHYS": phys,
        "HID_UNIQ": uniq, "MODALIAS": f"hid:b{bus}g0001v0000{vendor}p0000{product}",
    }  # fmt: skip
    (device / "uevent").write_text("".join(f"{key}={value}\n" for key, value in said.items()))
    (device / "report_descriptor").write_bytes(descriptor)


def node(folder: Path, number: int) -> None:
    """A device node that can be opened and answers nothing."""
    os.mkfifo(folder / f"hidraw{number}")
