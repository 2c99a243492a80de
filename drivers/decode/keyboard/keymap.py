"""Keyboard layouts: which character a key types. This is the one place for them.

Keys are numbered as Linux numbers them (`linux/input-event-codes.h`). A scanner types for one layout, set in the scanner;
ours must be the same. The American one is here; `drivers.platform.xkb` brings the others, each as another `KeyLayout`.

>>> US.plain[30], US.shifted[30], US.plain[79]
('a', 'A', '1')
>>> US.text(30, SHIFT_LEVEL, locked=True)  # Caps Lock and Shift
'a'
>>> control("]")
'\\x1d'
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

ENTER, KEYPAD_ENTER, TAB = 28, 96, 15
TERMINATORS = frozenset({ENTER, KEYPAD_ENTER, TAB})
SHIFT = frozenset({42, 54})
CONTROL = frozenset({29, 97})
ALT = frozenset({56, 100})
ALT_GR = 100
CAPS_LOCK, NUM_LOCK, SPACE = 58, 69, 57
DIGITS = frozenset(range(2, 12))
LETTERS = frozenset({*range(16, 26), *range(30, 39), *range(44, 51)})

SHIFT_LEVEL, ALTGR_LEVEL = 1, 2
"""A key has four characters: alone, with Shift (1), with AltGr (2), with both (3)."""

# Keypad digits and signs are the same on every layout. They count whatever Num Lock says: the other meaning
# of these keys (Home, Page Up) is no text, so leaving them out could only lose a digit.
_KEYPAD_DIGITS = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}
KEYPAD_DIGITS: Mapping[int, str] = _KEYPAD_DIGITS
_KEYPAD = {**_KEYPAD_DIGITS, 55: "*", 74: "-", 78: "+", 83: ".", 98: "/", 117: "=", 121: ","}
EVERYWHERE: Mapping[int, str] = {**_KEYPAD, 1: "\x1b", 14: "\x08"}
"""What types the same on every layout, at every level."""

_NONE: Mapping[int, str] = {}


@dataclass(frozen=True, slots=True)
class KeyLayout:
    """What each key types; a key that a table lacks types nothing.

    `levels` are what keys type alone, with Shift, with AltGr and with both, each table complete: what a key does not have
    at a level stands there as the keyboard falls back to it. `locked` are the same four with Caps Lock on, where it
    differs. A dead key types a name of its own (`◌́`), and `dead` says of each name what it makes of the character after it.
    """

    levels: tuple[Mapping[int, str], ...]
    locked: tuple[Mapping[int, str], ...] = (_NONE, _NONE, _NONE, _NONE)
    dead: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def plain(self) -> Mapping[int, str]:
        """What each key types alone."""
        return self.levels[0]

    @property
    def shifted(self) -> Mapping[int, str]:
        """What each key types with Shift."""
        return self.levels[1]

    def text(self, code: int, level: int, *, locked: bool = False) -> str:
        """What the key types at this level, with Caps Lock or without; "" where it types nothing."""
        if locked and code in self.locked[level]:
            return self.locked[level][code]
        return self.levels[level].get(code, "")

    def typed(self) -> frozenset[str]:
        """Every character that can be typed: with one key, or as the sign of a dead key before the space bar."""
        signs = {made[" "] for made in self.dead.values() if " " in made}
        return frozenset(signs.union(*(table.values() for table in self.levels)) - self.dead.keys())


def swapped_by_caps_lock(levels: tuple[Mapping[int, str], ...]) -> tuple[Mapping[int, str], ...]:
    """What Caps Lock changes where it turns each letter into the one with Shift, and back."""
    pairs = ((0, 1), (1, 0), (2, 3), (3, 2))
    return tuple(
        {
            code: levels[other][code]
            for code, char in levels[level].items()
            if char.isalpha() and char != levels[other].get(code, char)
        }
        for level, other in pairs
    )


def laid_out(rows: Mapping[int, tuple[str, str]]) -> KeyLayout:
    """A layout from the rows of a keyboard: the code of the leftmost key, then what its keys type, in order."""
    plain, shifted = ({**EVERYWHERE, SPACE: " "} for _ in range(2))
    for first, (alone, with_shift) in rows.items():
        plain.update(enumerate(alone, first))
        shifted.update(enumerate(with_shift, first))
    levels = (plain, shifted, plain, shifted)
    return KeyLayout(levels, swapped_by_caps_lock(levels))


def changed(layout: KeyLayout, keys: Mapping[tuple[int, int], str]) -> KeyLayout:
    """The layout with other characters on some keys, by (level, code); Caps Lock swaps the letters among them."""
    levels = tuple(
        {**table, **{code: char for (level, code), char in keys.items() if level == number}}
        for number, table in enumerate(layout.levels)
    )
    codes = {code for _level, code in keys}
    locked = tuple(
        {
            **{code: char for code, char in old.items() if code not in codes},
            **{code: char for code, char in new.items() if code in codes},
        }
        for old, new in zip(layout.locked, swapped_by_caps_lock(levels), strict=True)
    )
    return KeyLayout(levels, locked, layout.dead)


US = laid_out({
    2: ("1234567890-=", "!@#$%^&*()_+"),
    16: ("qwertyuiop[]", "QWERTYUIOP{}"),
    30: ("asdfghjkl;'`", 'ASDFGHJKL:"~'),
    43: ("\\zxcvbnm,./", "|ZXCVBNM<>?"),
    86: ("<", ">"),
})  # fmt: skip

BARE = laid_out({})
"""Only what is the same everywhere: the ground on which a layout is learned that nobody knows."""

# Scanners leave out Shift on these: Ctrl+6 means Ctrl+^.
_CONTROL_WITHOUT_SHIFT = {"2": "@", "6": "^", "-": "_", " ": "@"}


def control(char: str) -> str | None:
    """The control character that Ctrl makes of a key's character (ASCII columns 4 and 5), None where it makes none."""
    sign = _CONTROL_WITHOUT_SHIFT.get(char, char).upper()
    return chr(ord(sign) & 0x1F) if len(sign) == 1 and "@" <= sign <= "_" else None
