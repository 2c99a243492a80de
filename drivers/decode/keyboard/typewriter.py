"""The text of a scanner's chords: layout, dead keys, Caps Lock, and the chords that stand for control characters.

>>> german = Typewriter(profile=ScannerProfile(control={"GS": "F8"}))
>>> [german.type(code, mods) for code, mods in ((30, 0), (30, SHIFTED), (66, 0), (28, 0))]
['a', 'A', '\\x1d', None]
"""

from drivers.decode.keyboard import chords, dead_keys
from drivers.decode.keyboard.chords import ALTED, ALTGRED, CONTROLLED, LOCKED, SHIFTED, alt_character
from drivers.decode.keyboard.keymap import (
    BARE,
    ENTER,
    KEYPAD_ENTER,
    TAB,
    TERMINATORS,
    US,
    KeyLayout,
    control,
    with_changes,
)
from drivers.decode.keyboard.profile import ANY, CONTROLS, ITSELF, LEARNED, NONE, ScannerProfile

_ENDS_TYPE = {ENTER: "\r", KEYPAD_ENTER: "\r", TAB: "\t"}
_LEVEL = SHIFTED | ALTGRED


class Typewriter:
    """Maps chords to text. Its only state is a pending dead key; a table is built for each combination of modifiers.

    `ends` False: no key is a terminator, each types its character.
    """

    def __init__(self, layout: KeyLayout = US, profile: ScannerProfile | None = None, *, ends: bool = True) -> None:
        profile = profile or ScannerProfile()
        self._layout = with_keys(layout, profile)
        self._caps = profile.caps
        self._alone = profile.dead == "alone"
        self._dead = self._layout.dead
        self.waits = ""
        """The pending dead key, "" if there is none."""
        self._tables: dict[int, dict[int, str | None]] = {}
        self._numbers: dict[str, str | None] = {}
        self._chords: dict[tuple[int, int], str | None] = {}
        if ends and profile.terminator in (ANY, NONE):
            self._ends = TERMINATORS
        else:
            self._ends = frozenset()
        for name, written in profile.control.items():
            if written != ITSELF:
                self._set_chord(written, CONTROLS[name])
        if ends and profile.terminator not in (ANY, NONE):
            self._set_chord(profile.terminator, None)

    def _set_chord(self, written: str, text: str | None) -> None:
        chord = chords.chord(written)
        if chord.number:
            self._numbers[chord.number] = text
        elif chord.code in TERMINATORS and not chord.mods:
            self._chords.update({(chord.code, mods): text for mods in range(2 * ALTED)})
        else:
            self._chords[chord.code, chord.mods] = text

    def type(self, code: int, mods: int) -> str | None:
        """The text of this chord, "" for none or for a dead key, None if it ends the scan."""
        table = self._tables.get(mods)
        if table is None:
            table = self._tables[mods] = self._table(mods)
        text = table.get(code, "")
        if self.waits or text in self._dead:
            return self._accented(text)
        return text

    def number(self, digits: str) -> str | None:
        """The text of a number that was typed on the keypad with Alt held; None if it ends the scan."""
        text = self._numbers[digits] if digits in self._numbers else alt_character(digits)
        return self._accented(text) if self.waits else text

    def flush(self) -> str:
        """The sign of a pending dead key, which then is no longer pending."""
        waits, self.waits = self.waits, ""
        return self._sign(waits) if waits else ""

    def _sign(self, name: str) -> str:
        return self._dead[name].get(" ", "")

    def _accented(self, text: str | None) -> str | None:
        """The text of a dead key, or of a chord after a dead key.

        If the two do not compose, both are typed one after the other, as in Windows; scanners rely on that.
        """
        if self._alone:
            return self._sign(text or "")
        if not text:  # the end of a scan calls `flush`; a key without text leaves the dead key pending
            return text
        waits, self.waits = self.waits, ""
        if not waits:
            self.waits = text
            return ""
        if text in self._dead[waits]:
            return self._dead[waits][text]
        if text in self._dead:
            self.waits = text
            return self._sign(waits)
        return self._sign(waits) + text

    def _table(self, mods: int) -> dict[int, str | None]:
        """The text of each key with these modifiers."""
        layout, codes = self._layout, set().union(*self._layout.levels)
        locked = self._caps == "inverted" or (self._caps == "obeyed" and bool(mods & LOCKED))
        table: dict[int, str | None] = {}
        for code in codes:
            level, controlled = mods & _LEVEL, bool(mods & CONTROLLED)
            # Ctrl with Alt is AltGr if the key has an AltGr level: some scanners send no right-hand modifier keys.
            if controlled and mods & ALTED and layout.text(code, ALTGRED) != layout.text(code, 0):
                level, controlled = level | ALTGRED, False
            text = layout.text(code, level, locked=locked)
            if controlled:
                # If Ctrl with the layout's character is no control character, Ctrl with the American key may be one.
                text = control(text) or control(US.text(code, level)) or text
            table[code] = self._apply_case(text)
        table.update(_ENDS_TYPE)
        table.update(dict.fromkeys(self._ends))
        table.update({code: text for (code, held), text in self._chords.items() if held == mods & ~LOCKED})
        return table

    def _apply_case(self, text: str) -> str:
        if self._caps not in ("upper", "lower") or text in self._dead:
            return text
        changed = text.upper() if self._caps == "upper" else text.lower()
        return changed if len(changed) == 1 else text


def with_keys(layout: KeyLayout, profile: ScannerProfile) -> KeyLayout:
    """The layout with the changed keys of the profile."""
    if profile.layout == LEARNED:
        layout = BARE
    if not profile.keys:
        return layout
    changes = {}
    for written, text in profile.keys.items():
        chord = chords.chord(written)
        changes[chord.mods & _LEVEL, chord.code] = text
    accented = {dead_keys.name_of(mark): dead_keys.composed(mark) for mark in dead_keys.SIGNS}
    return with_changes(KeyLayout(layout.levels, layout.locked, {**accented, **layout.dead}), changes)
