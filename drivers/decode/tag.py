"""One tag, one number: the canonical form of a tag's number, and what may be printed on the same tag.

Canonical is what the tag sends, first byte first, in upper-case hex without a checksum. Cards and fobs print the same number
as hex with other separators or the other way round, as ten decimal digits of its last three or four bytes, or as facility
and number (one byte, two bytes).

>>> canonical("3c:00:ce:75:4c:cb")
'3C00CE754C'
>>> printed("3C00CE754C").decimal
'0013530444'
>>> finds("206,30028", "3C00CE754C"), finds("0013530445", "3C00CE754C")
(True, False)
"""

import re
from dataclasses import astuple, dataclass

from drivers.decode.em4100 import checked

_SEPARATORS = re.compile(r"[\s:.-]")
_EM4100_BYTES = 5
_FACILITY = re.compile(r"([0-9]{1,3})[,/:]([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Printed:
    """What a card with this number may show. Of a number shorter than three bytes only the hex forms are told."""

    uid: str
    backwards: str
    with_checksum: str = ""
    decimal: str = ""
    decimal_long: str = ""
    decimal_backwards: str = ""
    facility: str = ""


def canonical(text: str) -> str | None:
    """The canonical number of a written one in hex, None where it is none; a good checksum of a 125 kHz tag goes."""
    digits = _SEPARATORS.sub("", text).upper()
    if not digits or len(digits) % 2 or re.fullmatch("[0-9A-F]+", digits) is None:
        return None
    number = bytes.fromhex(digits)
    return digits[:-2] if len(number) == _EM4100_BYTES + 1 and checked(number) else digits


def printed(uid: str) -> Printed:
    """The forms of a canonical number. `decimal` is of the last three bytes, `decimal_long` of the last four."""
    number = bytes.fromhex(uid)
    backwards = number[::-1]
    if len(number) < 4:
        return Printed(uid, backwards.hex().upper())
    check = 0
    for byte in number:
        check ^= byte
    return Printed(
        uid,
        backwards.hex().upper(),
        f"{uid}{check:02X}" if len(number) == _EM4100_BYTES else "",
        f"{int.from_bytes(number[-3:], 'big'):010d}",
        f"{int.from_bytes(number[-4:], 'big'):010d}",
        f"{int.from_bytes(number[-4:], 'little'):010d}",
        f"{number[-3]:03d},{int.from_bytes(number[-2:], 'big'):05d}",
    )


def finds(text: str, uid: str) -> bool:
    """Whether what somebody reads off a card may be the tag of this canonical number."""
    text = text.strip()
    forms = printed(uid)
    pair = _FACILITY.fullmatch(text)
    if pair is not None:
        return f"{int(pair[1]):03d},{int(pair[2]):05d}" == forms.facility
    said = _SEPARATORS.sub("", text).upper()
    if not said:
        return False
    padded = said.rjust(10, "0") if said.isdecimal() and said.isascii() else said
    return said in astuple(forms) or padded in (forms.decimal, forms.decimal_long, forms.decimal_backwards)
