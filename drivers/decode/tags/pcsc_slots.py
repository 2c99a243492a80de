"""Slots: one device may have several places for a card, and pcscd lists each as a reader of its own.

An ACR1281U has a slot for contact cards, one for contactless ones and one for a SAM, the chip that a reader may carry inside
for ever. pcscd's names end in two counts, of the reader and of its slot; before them may stand the name of the interface.

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
"""Slots of one device that are read; each has a thread."""
_USB_CHANNEL = 0x0020
_SAM = re.compile(r"\bSAM\b", re.IGNORECASE)
_CONTACTLESS = re.compile(r"\bPICC\b|\bCL\b|contactless|\bNFC\b|\bRFID\b", re.IGNORECASE)


def for_cards(names: Iterable[str]) -> tuple[str, ...]:
    """The slots of one device that a person may put a card to: contactless ones first, and none that says it is a SAM's."""
    open_to_hands = sorted(name for name in names if not _SAM.search(name))
    return tuple(sorted(open_to_hands, key=lambda name: not _CONTACTLESS.search(name))[:MOST_SLOTS])


def device_of(name: str) -> str:
    """What the slots of one reader have in common, for a reader that does not tell which USB device it is."""
    return name[:-3] if short(name) != name else name


def short(name: str) -> str:
    """A name without pcscd's counts, which the next device may get."""
    head, _, tail = name.rpartition(" ")
    head, _, count = head.rpartition(" ")
    return head if head and all(len(each) == 2 for each in (count, tail)) else name


def usb_address(channel: bytes, order: Literal["little", "big"]) -> tuple[int, int] | None:
    """Bus and number of the USB device in a reader's attribute Channel ID; None where it is on no USB.

    0xDDDDCCCC in the byte order of the machine: DDDD is 0020 for USB, CCCC then bus and number (PC/SC part 3, libccid).
    """
    kind, number = divmod(int.from_bytes(channel, order), 0x10000)
    return divmod(number, 0x100) if kind == _USB_CHANNEL else None


def is_contactless(atr: bytes) -> bool:
    """Whether a reader made this ATR for a contactless card (PC/SC part 3, 3.1.3.2.3): 3B 8n 80 01."""
    return atr[:1] == b"\x3b" and atr[1:2].hex()[:1] == "8" and atr[2:4] == b"\x80\x01"
