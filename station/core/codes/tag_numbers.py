"""Tag numbers: the canonical form of a tag's number, and the forms in which it may be printed on the tag.

The canonical number is what the tag sends, first byte first, in upper-case hex without a checksum. Cards and fobs print the
same number as hex with other separators or reversed, as ten decimal digits of its last three or four bytes, or as facility
and number (one byte, two bytes).

>>> canonical_number("3c:00:ce:75:4c:cb")
'3C00CE754C'
>>> printed("3C00CE754C").decimal
'0013530444'
>>> finds("206,30028", "3C00CE754C"), finds("0013530445", "3C00CE754C")
(True, False)
>>> searched("0013530444")
TagSearch(numbers=('0013530444', '4404531300'), tails=('CE754C', '75CE00'))
"""

import re
from dataclasses import astuple, dataclass
from functools import reduce
from operator import xor

MAX_NUMBER_BYTES = 64
"""Bytes of a tag's number: the longest EPC has 62."""
TAG_READERS = frozenset({"pcsc", "serial_rfid"})
"""The kinds of readers that return a tag's number."""
TAIL_BYTES = 3
"""The last bytes of a number, which every printed form contains; they are searched for."""
_SEPARATORS = re.compile(r"[\s:.-]")
_EM4100_BYTES = 5
_FACILITY = re.compile(r"([0-9]{1,3})[,/:]([0-9]{1,5})")
_MAX_TYPED = 3 * (MAX_NUMBER_BYTES + 1)  # hex with a separator behind every byte


@dataclass(frozen=True, slots=True)
class PrintedNumbers:
    """The printed forms of a number. A number shorter than four bytes has only the hex forms."""

    uid: str
    backwards: str
    with_checksum: str = ""
    decimal: str = ""
    decimal_long: str = ""
    decimal_backwards: str = ""
    facility: str = ""


@dataclass(frozen=True, slots=True)
class TagSearch:
    """The candidates for a printed number: whole canonical numbers, and ends of them, both in hex."""

    numbers: tuple[str, ...]
    tails: tuple[str, ...]


def canonical_number(text: str) -> str | None:
    """The canonical form of a number in hex, None where it is none; a correct checksum of a 125 kHz tag is removed."""
    digits = _SEPARATORS.sub("", text[:_MAX_TYPED]).upper()
    if not digits or len(digits) % 2 or re.fullmatch("[0-9A-F]+", digits) is None:
        return None
    number = bytes.fromhex(digits)
    return digits[:-2] if len(number) == _EM4100_BYTES + 1 and reduce(xor, number) == 0 else digits


def printed(uid: str) -> PrintedNumbers:
    """The printed forms of a canonical number. `decimal`: of the last three bytes; `decimal_long`: of the last four."""
    number = bytes.fromhex(uid)
    backwards = number[::-1]
    if len(number) < 4:
        return PrintedNumbers(uid, backwards.hex().upper())
    return PrintedNumbers(
        uid,
        backwards.hex().upper(),
        f"{uid}{reduce(xor, number):02X}" if len(number) == _EM4100_BYTES else "",
        f"{int.from_bytes(number[-3:], 'big'):010d}",
        f"{int.from_bytes(number[-4:], 'big'):010d}",
        f"{int.from_bytes(number[-4:], 'little'):010d}",
        f"{number[-3]:03d},{int.from_bytes(number[-2:], 'big'):05d}",
    )


def finds(text: str, uid: str) -> bool:
    """Whether a printed number may belong to the tag with this canonical number."""
    text = text.strip()
    forms = printed(uid)
    pair = _FACILITY.fullmatch(text)
    if pair is not None:
        return f"{int(pair[1]):03d},{int(pair[2]):05d}" == forms.facility
    digits = _SEPARATORS.sub("", text).upper()
    if not digits:
        return False
    padded = digits.rjust(10, "0") if digits.isdecimal() and digits.isascii() else digits
    return digits in astuple(forms) or padded in (forms.decimal, forms.decimal_long, forms.decimal_backwards)


def searched(text: str) -> TagSearch:
    """The candidates for a typed number: a few canonical numbers and ends; `finds` then confirms each match."""
    text = text.strip()
    pair = _FACILITY.fullmatch(text)
    if pair is not None:
        facility, number = int(pair[1]), int(pair[2])
        fits = facility < 1 << 8 and number < 1 << 16
        return TagSearch((), (f"{facility:02X}{number:04X}",) if fits else ())
    numbers: list[str] = []
    uid = canonical_number(text) if len(text) <= _MAX_TYPED else None
    if uid is not None:
        # With or without a checksum, and in both byte orders.
        written = _SEPARATORS.sub("", text).upper()
        numbers = [uid, written, bytes.fromhex(written)[::-1].hex().upper()]
    return TagSearch(tuple(dict.fromkeys(numbers)), tuple(dict.fromkeys(_tails(_SEPARATORS.sub("", text)))))


def _tails(digits: str) -> list[str]:
    """The last bytes of the numbers that these decimal digits may be: of three or four bytes, or of four reversed."""
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        return []
    value = int(digits)
    if value >= 1 << 32:
        return []
    four = value.to_bytes(4, "big")
    return [number[-TAIL_BYTES:].hex().upper() for number in (four, four[::-1])]
