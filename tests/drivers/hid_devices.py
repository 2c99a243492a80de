"""HID POS scanners of several makers to hold in a hand: their report descriptors, written out, and the reports they send.

Descriptors are written by hand from the HID specification (1.11, section 6.2.2) and the POS usage tables (1.02). Reports
are put together byte by byte, from the layout in words, without a look at the descriptors or at the product.
"""

import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drivers.decode.hid_report import parsed
from drivers.hidpos import HidPos


def written(text: str) -> bytes:
    """The bytes of an annotated descriptor: hex in front, words behind the #."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


HONEYWELL = written("""
05 8C           # Usage Page (Bar Code Scanner)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  09 12         #   Usage (Scanned Data Report)
  A1 02         #   Collection (Logical)
    85 02       #     Report ID (2)
    15 00       #     Logical Minimum (0)
    26 FF 00    #     Logical Maximum (255)
    75 08       #     Report Size (8)
    95 01       #     Report Count (1)
    05 01       #     Usage Page (Generic Desktop)
    09 3B       #     Usage (Byte Count)
    81 02       #     Input (Data, Variable, Absolute)
    05 8C       #     Usage Page (Bar Code Scanner)
    95 03       #     Report Count (3)
    09 FB       #     Usage (Symbology Identifier 1)
    09 FC       #     Usage (Symbology Identifier 2)
    09 FD       #     Usage (Symbology Identifier 3)
    81 02       #     Input (Data, Variable, Absolute)
    95 38       #     Report Count (56)
    09 FE       #     Usage (Decoded Data)
    82 02 01    #     Input (Data, Variable, Absolute, Buffered Bytes)
    06 00 FF    #     Usage Page (Vendor)
    95 02       #     Report Count (2)
    09 01       #     Usage (1: the maker's own letter for the symbology, and a reserved byte)
    81 02       #     Input (Data, Variable, Absolute)
    05 8C       #     Usage Page (Bar Code Scanner)
    25 01       #     Logical Maximum (1)
    75 01       #     Report Size (1)
    95 01       #     Report Count (1)
    09 FF       #     Usage (Decode Data Continued)
    81 02       #     Input (Data, Variable, Absolute)
    95 07       #     Report Count (7)
    81 03       #     Input (Constant)
  C0            #   End Collection
  09 14         #   Usage (Trigger Report)
  A1 02         #   Collection (Logical)
    85 04       #     Report ID (4)
    95 05       #     Report Count (5)
    09 5F       #     Usage (Prevent Read of Barcodes)
    09 60       #     Usage (Initiate Barcode Read)
    19 85       #     Usage Minimum (Sound Error Beep)
    29 87       #     Usage Maximum (Sound Not On File Beep), Good Read between
    91 06       #     Output (Data, Variable, Relative)
    95 03       #     Report Count (3)
    91 03       #     Output (Constant)
  C0            #   End Collection
  06 00 FF      #   Usage Page (Vendor)
  85 FE         #   Report ID (254)
  26 FF 00      #   Logical Maximum (255)
  75 08         #   Report Size (8)
  95 01         #   Report Count (1)
  09 02         #   Usage (2)
  B1 02         #   Feature (Data, Variable, Absolute)
C0              # End Collection
""")
"""64 bytes a report, as the manual of the Access-IS LSR118 prints them on page 68."""

EXTRA_BYTE = written("""
05 8C           # Usage Page (Bar Code Scanner)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  85 02         #   Report ID (2)
  14            #   Logical Minimum (0, in no byte)
  26 FF 00      #   Logical Maximum (255)
  75 08         #   Report Size (8)
  95 01         #   Report Count (1)
  0B 3B 00 01 00  # Usage (Generic Desktop: Byte Count, with its page)
  81 02         #   Input (Data, Variable, Absolute)
  81 01         #   Input (Constant): the extra byte
  95 03         #   Report Count (3)
  19 FB         #   Usage Minimum (Symbology Identifier 1)
  29 FD         #   Usage Maximum (Symbology Identifier 3)
  81 02         #   Input (Data, Variable, Absolute)
  95 39         #   Report Count (57)
  09 FE         #   Usage (Decoded Data)
  82 02 01      #   Input (Data, Variable, Absolute, Buffered Bytes)
  95 01         #   Report Count (1)
  09 FF         #   Usage (Decode Data Continued): a whole byte of it
  81 02         #   Input (Data, Variable, Absolute)
  85 05         #   Report ID (5)
  09 14         #   Usage (Trigger Report)
  A1 02         #   Collection (Logical)
    15 01       #     Logical Minimum (1)
    25 02       #     Logical Maximum (2)
    95 01       #     Report Count (1)
    09 86       #     Usage (Sound Good Read Beep)
    09 85       #     Usage (Sound Error Beep)
    B1 00       #     Feature (Data, Array, Absolute): 1 good, 2 error
  C0            #   End Collection
C0              # End Collection
""")
"""One byte before the AIM identifier; beeps by number in a feature report."""

COUNTLESS = written("""
06 8C 00        # Usage Page (Bar Code Scanner, in two bytes)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  85 02         #   Report ID (2)
  15 00         #   Logical Minimum (0)
  26 FF 00      #   Logical Maximum (255)
  75 08         #   Report Size (8)
  95 01         #   Report Count (1)
  09 FB         #   Usage (Symbology Identifier 1)
  81 02         #   Input (Data, Variable, Absolute)
  09 FC         #   Usage (Symbology Identifier 2)
  81 02         #   Input (Data, Variable, Absolute)
  09 FD         #   Usage (Symbology Identifier 3)
  81 02         #   Input (Data, Variable, Absolute)
  95 3B         #   Report Count (59)
  09 FE         #   Usage (Decoded Data)
  82 02 01      #   Input (Data, Variable, Absolute, Buffered Bytes)
  75 01         #   Report Size (1)
  95 08         #   Report Count (8)
  09 FF         #   Usage (Decode Data Continued): for each of the eight bits
  81 02         #   Input (Data, Variable, Absolute)
C0              # End Collection
""")
"""No byte count: the rest of the field is zeros."""

SMALL = written("""
05 8C           # Usage Page (Bar Code Scanner)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  09 12         #   Usage (Scanned Data Report)
  A1 02         #   Collection (Logical)
    15 00       #     Logical Minimum (0)
    25 01       #     Logical Maximum (1)
    75 01       #     Report Size (1)
    95 01       #     Report Count (1)
    09 FF       #     Usage (Decode Data Continued)
    81 02       #     Input (Data, Variable, Absolute)
    75 07       #     Report Size (7)
    81 03       #     Input (Constant)
    26 FF 00    #     Logical Maximum (255)
    75 08       #     Report Size (8)
    A4          #     Push
    05 01       #     Usage Page (Generic Desktop)
    09 3B       #     Usage (Byte Count)
    81 02       #     Input (Data, Variable, Absolute)
    B4          #     Pop: page 8C again
    95 03       #     Report Count (3)
    19 FB       #     Usage Minimum (Symbology Identifier 1)
    29 FD       #     Usage Maximum (Symbology Identifier 3)
    81 02       #     Input (Data, Variable, Absolute)
    95 0B       #     Report Count (11)
    09 FE       #     Usage (Decoded Data)
    82 02 01    #     Input (Data, Variable, Absolute, Buffered Bytes)
    75 08       #     Report Size (8)
    95 01       #     Report Count (1)
    09 86       #     Usage (Sound Good Read Beep)
    91 02       #     Output (Data, Variable, Absolute)
  C0            #   End Collection
C0              # End Collection
""")
"""16 bytes a report without an id, so that most scans go on over several; the flag stands in front."""

KEYBOARD = written("""
05 01  09 06  A1 01                    # Usage Page (Generic Desktop), Usage (Keyboard), Collection (Application)
05 07  19 E0  29 E7  15 00  25 01      #   Usage Page (Keys), Usages E0 to E7, Logical 0 to 1
75 01  95 08  81 02                    #   eight bits, Input (Data, Variable, Absolute): the modifiers
95 01  75 08  81 03                    #   one byte, Input (Constant)
95 06  75 08  15 00  25 65             #   six bytes, Logical 0 to 101
19 00  29 65  81 00                    #   Usages 00 to 65, Input (Data, Array): the keys
C0                                     # End Collection
""")

HOSTILE = written("""
05 8C           # Usage Page (Bar Code Scanner)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  FE 03 F0 01 02 03  # a long item of three bytes
  0F 01 02 03 04     # an item of the reserved kind
  F0                 # a main item that nobody has defined
  1B 00 00 8C 00     # Usage Minimum (page 8C: 0)
  2B FF FF 8C 00     # Usage Maximum (page 8C: FFFF): 65536 usages for two values
  85 02         #   Report ID (2)
  75 08         #   Report Size (8)
  95 02         #   Report Count (2)
  81 02         #   Input (Data, Variable, Absolute)
  95 04         #   Report Count (4)
  09 FE         #   Usage (Decoded Data)
  81 02         #   Input (Data, Variable, Absolute)
  77 00 00 02 00  # Report Size (131072), in the page of no byte count
  95 00         #   Report Count (0)
  0B 3B 00 01 00  # Usage (Byte Count)
  81 02         #   Input: of no bits at all
  76 00 08      #   Report Size (2048)
  95 01         #   Report Count (1)
  0B 3B 00 01 00  # Usage (Byte Count): a number of 2048 bits
  81 02         #   Input (Data, Variable, Absolute)
C0              # End Collection
""")
"""All of it allowed, none of it decent."""


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

    def __init__(self, _folder: Path, maker: str = "honeywell") -> None:
        self.maker = MAKERS[maker]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.device = theirs.detach()
        self.driver = HidPos(ours.detach(), self.reader, "Zebra POS Scanner", parsed(self.maker.descriptor))

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
