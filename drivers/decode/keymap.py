"""Keyboard layouts: which character a key types. This is the one place for them.

Keys are numbered as Linux numbers them (`linux/input-event-codes.h`). A scanner types for one layout, set in the scanner;
ours must be the same. Another country is another `Layout` here.

>>> US.plain[30], US.shifted[30], US.plain[79]
('a', 'A', '1')
>>> control("]")
'\\x1d'
"""

from collections.abc import Mapping
from dataclasses import dataclass

ENTER, KEYPAD_ENTER, TAB = 28, 96, 15
TERMINATORS = frozenset({ENTER, KEYPAD_ENTER, TAB})
SHIFT = frozenset({42, 54})
CONTROL = frozenset({29, 97})
ALT = frozenset({56, 100})
CAPS_LOCK = 58
DIGITS = frozenset(range(2, 12))
LETTERS = frozenset({*range(16, 26), *range(30, 39), *range(44, 51)})

# Keypad digits and signs are the same on every layout. They count whatever Num Lock says: the other meaning
# of these keys (Home, Page Up) is no text, so leaving them out could only lose a digit.
_KEYPAD_DIGITS = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}
KEYPAD_DIGITS: Mapping[int, str] = _KEYPAD_DIGITS
_KEYPAD = {**_KEYPAD_DIGITS, 55: "*", 74: "-", 78: "+", 83: ".", 98: "/", 117: "=", 121: ","}
_EVERYWHERE = {**_KEYPAD, 1: "\x1b", 14: "\x08", 57: " "}


@dataclass(frozen=True, slots=True)
class Layout:
    """What each key types alone and with Shift; a key in neither table types nothing."""

    plain: Mapping[int, str]
    shifted: Mapping[int, str]


def _layout(rows: Mapping[int, tuple[str, str]]) -> Layout:
    """A layout from the rows of a keyboard: the code of the leftmost key, then what its keys type, in order."""
    plain, shifted = dict(_EVERYWHERE), dict(_EVERYWHERE)
    for first, (alone, with_shift) in rows.items():
        plain.update(enumerate(alone, first))
        shifted.update(enumerate(with_shift, first))
    return Layout(plain, shifted)


US = _layout({
    2: ("1234567890-=", "!@#$%^&*()_+"),
    16: ("qwertyuiop[]", "QWERTYUIOP{}"),
    30: ("asdfghjkl;'`", 'ASDFGHJKL:"~'),
    43: ("\\zxcvbnm,./", "|ZXCVBNM<>?"),
    86: ("<", ">"),
})  # fmt: skip

LAYOUTS: Mapping[str, Layout] = {"us": US}

# Scanners leave out Shift on these: Ctrl+6 means Ctrl+^.
_CONTROL_WITHOUT_SHIFT = {"2": "@", "6": "^", "-": "_", " ": "@"}


def control(char: str) -> str | None:
    """The control character that Ctrl makes of a key's character (ASCII columns 4 and 5), None where it makes none."""
    sign = _CONTROL_WITHOUT_SHIFT.get(char, char).upper()
    return chr(ord(sign) & 0x1F) if len(sign) == 1 and "@" <= sign <= "_" else None
