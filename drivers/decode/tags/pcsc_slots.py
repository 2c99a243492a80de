"""Slots of smart card readers: pcscd lists each slot of a device as a reader of its own.

An ACR1281U has a slot for contact cards, one for contactless cards, and one for a SAM, a chip that is installed in the
reader. pcscd's names end with two counts, of the device and of its slot; the name of the interface may precede them.

>>> names = [f"ACS ACR1252 [ACR1252 Dual Reader {what}] 0{count} 00" for count, what in enumerate(("SAM", "PICC"))]
>>> for_cards(names)
('ACS ACR1252 [ACR1252 Dual Reader PICC] 01 00',)
>>> device_of("ACS ACR1281U 00 02"), short("ACS ACR1281U 00 02")
('ACS ACR1281U 00', 'ACS ACR1281U')
>>> usb_address(bytes.fromhex("05012000"), "little")
(1, 5)
"""

import re
from collections.abc import Iterable
from typing import Literal

MOST_SLOTS = 8
"""The most slots of one device that are read; each has a thread."""
_USB_CHANNEL = 0x0020
_SAM = re.compile(r"\bSAM\b", re.IGNORECASE)
_CONTACTLESS = re.compile(r"\bPICC\b|\bCL\b|contactless|\bNFC\b|\bRFID\b", re.IGNORECASE)


def for_cards(names: Iterable[str]) -> tuple[str, ...]:
    """The slots of one device that take cards: contactless slots first, without slots for a SAM."""
    card_slots = sorted(name for name in names if not _SAM.search(name))
    return tuple(sorted(card_slots, key=lambda name: not _CONTACTLESS.search(name))[:MOST_SLOTS])


def device_of(name: str) -> str:
    """The common part of the names of one device's slots, for a reader without a USB address."""
    return name[:-3] if short(name) != name else name


def short(name: str) -> str:
    """A name without pcscd's two counts, which change when devices are plugged in again."""
    head, _, tail = name.rpartition(" ")
    head, _, count = head.rpartition(" ")
    return head if head and all(len(part) == 2 for part in (count, tail)) else name


def usb_address(channel: bytes, order: Literal["little", "big"]) -> tuple[int, int] | None:
    """Bus and device number in a reader's attribute Channel ID; None if it is not connected by USB.

    0xDDDDCCCC in the byte order of the machine: DDDD is 0020 for USB, CCCC then bus and number (PC/SC part 3, libccid).
    """
    kind, number = divmod(int.from_bytes(channel, order), 0x10000)
    return divmod(number, 0x100) if kind == _USB_CHANNEL else None


def is_contactless(atr: bytes) -> bool:
    """Whether this ATR is the one that readers make for a contactless card (PC/SC part 3, 3.1.3.2.3): 3B 8n 80 01."""
    return atr[:1] == b"\x3b" and atr[1:2].hex()[:1] == "8" and atr[2:4] == b"\x80\x01"
