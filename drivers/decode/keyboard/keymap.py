"""Keyboard layouts: the character that each key types.

Keys have the codes of Linux (`linux/input-event-codes.h`). A scanner types for one layout, which is set in the scanner; the
decoder must use the same one. The American layout is defined here; `drivers.platform.xkb` loads all others.

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
"""The level of a key: alone (0), with Shift (1), with AltGr (2), with both (3)."""

# Keypad digits and signs are the same on every layout. Num Lock is ignored: without it these keys type no text (Home, Page
# Up), so obeying it could only lose a digit.
_KEYPAD_DIGITS = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}
KEYPAD_DIGITS: Mapping[int, str] = _KEYPAD_DIGITS
_KEYPAD = {**_KEYPAD_DIGITS, 55: "*", 74: "-", 78: "+", 83: ".", 98: "/", 117: "=", 121: ","}
EVERYWHERE: Mapping[int, str] = {**_KEYPAD, 1: "\x1b", 14: "\x08"}
"""Keys that type the same on every layout, at every level."""

_NONE: Mapping[int, str] = {}


@dataclass(frozen=True, slots=True)
class KeyLayout:
    """The character of each key, by key code; a key that a table lacks types nothing.

    `levels` are the tables alone, with Shift, with AltGr and with both. Each is complete: if a key has no character at a
    level, the table has the one that the keyboard falls back to. `locked` are the same four with Caps Lock on, only where
    they differ. A dead key types its name (`◌́`); `dead` maps that name to the accented form of each next character.
    """

    levels: tuple[Mapping[int, str], ...]
    locked: tuple[Mapping[int, str], ...] = (_NONE, _NONE, _NONE, _NONE)
    dead: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def plain(self) -> Mapping[int, str]:
        """The characters without a modifier."""
        return self.levels[0]

    @property
    def shifted(self) -> Mapping[int, str]:
        """The characters with Shift."""
        return self.levels[1]

    def text(self, code: int, level: int, *, locked: bool = False) -> str:
        """The character of a key at this level, with or without Caps Lock; "" if it types nothing."""
        if locked and code in self.locked[level]:
            return self.locked[level][code]
        return self.levels[level].get(code, "")

    def typed(self) -> frozenset[str]:
        """Every character that can be typed: with one key, or as the sign of a dead key before the space bar."""
        signs = {composed[" "] for composed in self.dead.values() if " " in composed}
        return frozenset(signs.union(*(table.values() for table in self.levels)) - self.dead.keys())


def swapped_by_caps_lock(levels: tuple[Mapping[int, str], ...]) -> tuple[Mapping[int, str], ...]:
    """The `locked` tables of a layout on which Caps Lock swaps each letter with its Shift level."""
    pairs = ((0, 1), (1, 0), (2, 3), (3, 2))
    return tuple(
        {
            code: levels[other][code]
            for code, char in levels[level].items()
            if char.isalpha() and char != levels[other].get(code, char)
        }
        for level, other in pairs
    )


def from_rows(rows: Mapping[int, tuple[str, str]]) -> KeyLayout:
    """A layout from rows of keys: the code of the leftmost key, then the characters alone and with Shift, in order."""
    plain, shifted = ({**EVERYWHERE, SPACE: " "} for _ in range(2))
    for first, (alone, with_shift) in rows.items():
        plain.update(enumerate(alone, first))
        shifted.update(enumerate(with_shift, first))
    levels = (plain, shifted, plain, shifted)
    return KeyLayout(levels, swapped_by_caps_lock(levels))


def with_changes(layout: KeyLayout, keys: Mapping[tuple[int, int], str]) -> KeyLayout:
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


US = from_rows({
    2: ("1234567890-=", "!@#$%^&*()_+"),
    16: ("qwertyuiop[]", "QWERTYUIOP{}"),
    30: ("asdfghjkl;'`", 'ASDFGHJKL:"~'),
    43: ("\\zxcvbnm,./", "|ZXCVBNM<>?"),
    86: ("<", ">"),
})  # fmt: skip

BARE = from_rows({})
"""Only the keys that are the same everywhere: the base of a layout that is learned completely."""

# Scanners omit Shift on these keys: Ctrl+6 means Ctrl+^.
_CONTROL_WITHOUT_SHIFT = {"2": "@", "6": "^", "-": "_", " ": "@"}


def control(char: str) -> str | None:
    """The control character of Ctrl with a key's character (ASCII columns 4 and 5), None if there is none."""
    sign = _CONTROL_WITHOUT_SHIFT.get(char, char).upper()
    return chr(ord(sign) & 0x1F) if len(sign) == 1 and "@" <= sign <= "_" else None
