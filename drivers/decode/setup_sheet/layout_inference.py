"""A layout that nobody knows, learned from the sheet: every key of it stands there once, in a known order.

Which key types which character follows from the order alone. The space bar comes once in the text; wherever else it is
struck, the key before it is a dead key.

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
"""A known layout that differs in at most so many of the keys on the sheet is believed for the keys that are not on it."""

_CONTROL_CHARS = frozenset(CONTROLS.values())
Keys = Mapping[tuple[int, int], str]


def keys_of(strokes: Sequence[Stroke], text: str) -> Keys | None:
    """What each key types, by (level, code), if `strokes` begin with the whole text; None where that cannot be."""
    if PRINTABLE not in text:
        return None
    # Where Caps Lock is struck inside the text, Shift says nothing of a key: only what comes before that counts.
    same = next((place for place, stroke in enumerate(strokes) if stroke.turned != strokes[0].turned), len(strokes))
    chords_of = _in_order([stroke.chord for stroke in strokes[:same]], text)
    if chords_of is None:
        return None
    found: dict[tuple[int, int], str] = {}
    for char, (chord, dead) in chords_of.items():
        if chord.number or char == " ":
            continue
        level = _level(chord, char)
        sign = dead_keys.name_of(dead_keys.MARK_OF_SIGN[char]) if dead and char in dead_keys.MARK_OF_SIGN else char
        if level is None or (dead and sign == char) or found.setdefault((level, chord.code), sign) != sign:
            return None
    return found


def _in_order(struck: list[Chord], text: str) -> Mapping[str, tuple[Chord, bool]] | None:
    """The chord of each character, and whether it is a dead key; None where one character had two."""
    found: dict[str, tuple[Chord, bool]] = {}
    place = 0
    for number, char in enumerate(text):
        if place >= len(struck):
            return None
        chord = struck[place]
        if char in _CONTROL_CHARS:  # it may be missing: then the next character's key comes at once
            place += chord != found.get(text[number + 1], (None, False))[0]
            continue
        place += 1
        if chord.number and alt_character(chord.number) != char:
            return None
        if char == " " and chord != Chord(SPACE):
            return None
        after = text[number + 1 : number + 2]
        dead = not char.isalnum() and char != " " and after != " " and struck[place : place + 1] == [Chord(SPACE)]
        place += dead
        if found.setdefault(char, (chord, dead)) != (chord, dead):
            return None
    return found if _letters_pair(found) else None


def _letters_pair(found: Mapping[str, tuple[Chord, bool]]) -> bool:
    """Whether a small letter and its capital are one key, as they are on every layout that has both."""
    pairs = [(found[char][0], found[char.upper()][0]) for char in "abcdefghjklmnopqrstuvwxyz"]  # not i: Turkish has two
    return all(small.code == capital.code and small.number == capital.number == "" for small, capital in pairs)


def _level(chord: Chord, char: str) -> int | None:
    """The level at which the chord types; a letter's is told by its case, for Caps Lock may have turned the Shift."""
    altgr = ALTGRED if chord.mods & ALTGRED or chord.mods & (CONTROLLED | ALTED) == CONTROLLED | ALTED else 0
    if not altgr and chord.mods & (CONTROLLED | ALTED):
        return None
    shifted = char.isupper() if char.isalpha() else bool(chord.mods & SHIFTED)
    return altgr | (SHIFTED if shifted else 0)


def nearest(keys: Keys, layouts: Mapping[str, KeyLayout]) -> ScannerProfile:
    """The known layout that differs in the fewest keys, with those keys; the learned keys alone where none is near."""
    differing = {
        name: {place: char for place, char in keys.items() if layout.text(place[1], place[0]) != char}
        for name, layout in layouts.items()
    }
    name = min(differing, key=lambda each: len(differing[each]), default=LEARNED)
    differs = differing.get(name, {})
    if name == LEARNED or len(differs) > NEAR_KEYS_MAX:
        return ScannerProfile(layout=LEARNED, keys=_written(keys))
    alike = tuple(each for each, others in differing.items() if others == differs and each != name)
    return ScannerProfile(layout=name, keys=_written(differs), alike=alike)


def _written(keys: Keys) -> Mapping[str, str]:
    return {chords.name(Chord(code, level)): char for (level, code), char in sorted(keys.items())}
