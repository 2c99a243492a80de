"""Key chords: a key with the modifier keys that are held, and the notation of a chord.

A key is named by its character on an American keyboard, whatever the layout: `Ctrl+]` is the second key to the right of P.
`Alt+029` is that number typed on the keypad while Alt is held.

>>> name(Chord(27, CONTROLLED)), name(Chord(66)), name(Chord(0, ALTED, "029"))
('Ctrl+]', 'F8', 'Alt+029')
>>> chord("Ctrl+]")
Chord(code=27, mods=8, number='')
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from drivers.decode.keyboard.keymap import ALT, ALT_GR, CAPS_LOCK, CONTROL, KEYPAD_DIGITS, NUM_LOCK, SHIFT, US

SHIFTED, ALTGRED, LOCKED, CONTROLLED, ALTED = 1, 2, 4, 8, 16
"""Modifiers as bits: Shift, AltGr, Caps Lock on, Ctrl, Alt. The first two are the level of a layout."""

BIT: Mapping[int, int] = {
    **dict.fromkeys(SHIFT, SHIFTED),
    **dict.fromkeys(CONTROL, CONTROLLED),
    **dict.fromkeys(ALT, ALTED),
    ALT_GR: ALTGRED,
}
"""The bit of each modifier key."""

ALT_DIGITS_MAX = 4
"""The most digits of a number typed with Alt; more are ignored."""
CODE_MAX = 0x2FF
"""The highest key code (KEY_MAX of linux/input-event-codes.h)."""


class Chord(NamedTuple):
    """A key code with the modifiers held; or a `number` that was typed on the keypad with Alt."""

    code: int
    mods: int = 0
    number: str = ""


class Stroke(NamedTuple):
    """A chord struck at `time_ns`. `turned`: Caps Lock was pressed an odd number of times since the first stroke."""

    chord: Chord
    turned: bool
    time_ns: int


_NAMED = {
    "Esc": 1, "Backspace": 14, "Tab": 15, "Enter": 28, "Space": 57, "F11": 87, "F12": 88, "KeypadEnter": 96,
    "PrintScreen": 99, "Home": 102, "Up": 103, "PageUp": 104, "Left": 105, "Right": 106, "End": 107, "Down": 108,
    "PageDown": 109, "Insert": 110, "Delete": 111, "Pause": 119, "Win": 125, "Menu": 127,
    **{f"F{number}": 58 + number for number in range(1, 11)},
    **{f"F{number}": 170 + number for number in range(13, 25)},
    **{f"Keypad{digit}": code for code, digit in KEYPAD_DIGITS.items()},
    "Keypad*": 55, "Keypad-": 74, "Keypad+": 78, "Keypad.": 83, "Keypad/": 98, "Keypad=": 117, "Keypad,": 121,
}  # fmt: skip
_PRINTED = {char.upper(): code for code, char in US.plain.items() if code not in _NAMED.values() and char > " "}
_CODES: Mapping[str, int] = {**_PRINTED, **_NAMED}
_KEY_NAMES: Mapping[int, str] = {code: key for key, code in _CODES.items()}
_MODS = {"Ctrl+": CONTROLLED, "AltGr+": ALTGRED, "Alt+": ALTED, "Shift+": SHIFTED}
_NUMBER = re.compile(rf"Alt\+([0-9]{{1,{ALT_DIGITS_MAX}}})\Z")


def name(chord: Chord) -> str:
    """The chord in this notation."""
    if chord.number:
        return f"Alt+{chord.number}"
    held = "".join(word for word, bit in _MODS.items() if chord.mods & bit)
    key = _KEY_NAMES.get(chord.code, f"key{chord.code}")
    # Alt+4 is a number typed on the keypad, so a key of the digit row is written by its code.
    return held + (f"key{chord.code}" if held == "Alt+" and key.isdigit() else key)


def chord(written: str) -> Chord:
    """Parse a chord. Raises `ValueError` with a sentence."""
    number = _NUMBER.match(written)
    if number:
        return Chord(0, ALTED, number[1])
    mods, key, word = 0, written, next(iter(_MODS))
    while word:
        word = next((prefix for prefix in _MODS if key.startswith(prefix) and len(key) > len(prefix)), "")
        key, mods = key[len(word) :], mods | _MODS.get(word, 0)
    if key in _CODES:
        return Chord(_CODES[key], mods)
    if re.fullmatch("key[0-9]{1,3}", key) and int(key[3:]) <= CODE_MAX:
        return Chord(int(key[3:]), mods)
    msg = f"{written!r} is no key: expected one as F8, Down, Ctrl+], AltGr+Q, Alt+029 or key110."
    raise ValueError(msg)


def alt_character(digits: str) -> str:
    """The character of a number typed with Alt, as in Windows: code page 1252 with a leading zero, else 437.

    >>> alt_character("029"), alt_character("0228"), alt_character("132")
    ('\\x1d', 'ä', 'ä')
    """
    page = "cp1252" if digits.startswith("0") else "cp437"
    return bytes([int(digits) & 0xFF]).decode(page, errors="replace")


class HeldModifiers:
    """The modifier keys that are held down."""

    __slots__ = ("_down", "mods")

    def __init__(self) -> None:
        self._down: set[int] = set()
        self.mods = 0

    def press(self, code: int) -> None:
        """A modifier key goes down."""
        self._down.add(code)
        self.mods |= BIT[code]

    def release(self, code: int) -> None:
        """Any key goes up."""
        if code in self._down:
            self._down.discard(code)
            self.mods = 0
            for key in self._down:
                self.mods |= BIT[key]

    def clear(self) -> None:
        """Assume that no key is down, after events were lost."""
        self._down.clear()
        self.mods = 0


class ChordDecoder:
    """Decodes key events to strokes."""

    def __init__(self) -> None:
        self._held = HeldModifiers()
        self._digits = ""
        self._turned = False
        self._number_ns = 0

    def begin(self) -> None:
        """Count presses of Caps Lock from here on."""
        self._turned = False

    def feed(self, code: int, value: int, time_ns: int) -> Iterator[Stroke]:
        """Process a key that goes down (value 1) or up (0); yield a complete stroke."""
        if value == 0:
            self._held.release(code)
            if code in ALT and self._digits:
                yield Stroke(Chord(0, ALTED, self._digits), self._turned, self._number_ns)
                self._digits = ""
        elif value != 1 or code == NUM_LOCK:
            return
        elif code in BIT:
            self._held.press(code)
        elif code == CAPS_LOCK:
            self._turned = not self._turned
        elif code in KEYPAD_DIGITS and self._held.mods & (ALTED | ALTGRED):
            self._digits = (self._digits + KEYPAD_DIGITS[code])[:ALT_DIGITS_MAX]
            self._number_ns = time_ns
        else:
            yield Stroke(Chord(code, self._held.mods), self._turned, time_ns)


def strokes_of(events: Iterable[tuple[int, int, int, int]]) -> list[Stroke]:
    """The strokes of kernel events (type, code, value, time in ns)."""
    decoder = ChordDecoder()
    return [stroke for kind, code, value, ns in events if kind == 1 for stroke in decoder.feed(code, value, ns)]
