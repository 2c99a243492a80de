"""Inference of an unknown keyboard layout from the setup sheet, which has every printable character in a known order.

The order alone gives the character of each key. The space character occurs once in the text; at any other stroke of the
space bar, the key before it is a dead key.

>>> nearest({(0, 30): "q", (1, 30): "Q"}, {}).keys
{'A': 'q', 'Shift+A': 'Q'}
"""

from collections.abc import Mapping, Sequence

from drivers.decode.keyboard import chords, dead_keys
from drivers.decode.keyboard.chords import ALTED, ALTGRED, CONTROLLED, SHIFTED, Chord, Stroke, alt_character
from drivers.decode.keyboard.keymap import SPACE, KeyLayout
from drivers.decode.keyboard.profile import CONTROLS, LEARNED, ScannerProfile

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
NEAR_KEYS_MAX = 8
"""A known layout that differs in at most so many keys of the sheet is used for the keys that are not on the sheet."""

_CONTROL_CHARS = frozenset(CONTROLS.values())
Keys = Mapping[tuple[int, int], str]


def keys_of(strokes: Sequence[Stroke], text: str) -> Keys | None:
    """The character of each key, by (level, code), if `strokes` begin with the whole text; else None."""
    if PRINTABLE not in text:
        return None
    # After a stroke of Caps Lock the Shift level is unknown: use only the strokes before it.
    same = next((index for index, stroke in enumerate(strokes) if stroke.turned != strokes[0].turned), len(strokes))
    chords_of = _chords_in_order([stroke.chord for stroke in strokes[:same]], text)
    if chords_of is None:
        return None
    keys: dict[tuple[int, int], str] = {}
    for char, (chord, dead) in chords_of.items():
        if chord.number or char == " ":
            continue
        level = _level(chord, char)
        sign = dead_keys.name_of(dead_keys.MARK_OF_SIGN[char]) if dead and char in dead_keys.MARK_OF_SIGN else char
        if level is None or (dead and sign == char) or keys.setdefault((level, chord.code), sign) != sign:
            return None
    return keys


def _chords_in_order(struck: list[Chord], text: str) -> Mapping[str, tuple[Chord, bool]] | None:
    """The chord of each character, and whether it is a dead key; None if the strokes contradict the text."""
    chords_of: dict[str, tuple[Chord, bool]] = {}
    index = 0
    for number, char in enumerate(text):
        if index >= len(struck):
            return None
        chord = struck[index]
        if char in _CONTROL_CHARS:  # it may be missing; the next stroke is then that of the next character
            index += chord != chords_of.get(text[number + 1], (None, False))[0]
            continue
        index += 1
        if chord.number and alt_character(chord.number) != char:
            return None
        if char == " " and chord != Chord(SPACE):
            return None
        after = text[number + 1 : number + 2]
        dead = not char.isalnum() and char != " " and after != " " and struck[index : index + 1] == [Chord(SPACE)]
        index += dead
        if chords_of.setdefault(char, (chord, dead)) != (chord, dead):
            return None
    return chords_of if _letters_pair(chords_of) else None


def _letters_pair(found: Mapping[str, tuple[Chord, bool]]) -> bool:
    """Whether each small letter and its capital have the same key, as on every layout that has both."""
    pairs = [(found[char][0], found[char.upper()][0]) for char in "abcdefghjklmnopqrstuvwxyz"]  # not i: Turkish has two
    return all(small.code == capital.code and small.number == capital.number == "" for small, capital in pairs)


def _level(chord: Chord, char: str) -> int | None:
    """The level of the chord, None if it has none. A letter's level follows from its case: Caps Lock may invert Shift."""
    altgr = ALTGRED if chord.mods & ALTGRED or chord.mods & (CONTROLLED | ALTED) == CONTROLLED | ALTED else 0
    if not altgr and chord.mods & (CONTROLLED | ALTED):
        return None
    shifted = char.isupper() if char.isalpha() else bool(chord.mods & SHIFTED)
    return altgr | (SHIFTED if shifted else 0)


def nearest(keys: Keys, layouts: Mapping[str, KeyLayout]) -> ScannerProfile:
    """The known layout that differs in the fewest keys, with those keys; the learned keys alone if none is near."""
    differing = {
        name: {(level, code): char for (level, code), char in keys.items() if layout.text(code, level) != char}
        for name, layout in layouts.items()
    }
    name = min(differing, key=lambda layout_name: len(differing[layout_name]), default=LEARNED)
    differs = differing.get(name, {})
    if name == LEARNED or len(differs) > NEAR_KEYS_MAX:
        return ScannerProfile(layout=LEARNED, keys=_written(keys))
    alike = tuple(other for other, keys_of_other in differing.items() if keys_of_other == differs and other != name)
    return ScannerProfile(layout=name, keys=_written(differs), alike=alike)


def _written(keys: Keys) -> Mapping[str, str]:
    return {chords.name(Chord(code, level)): char for (level, code), char in sorted(keys.items())}
