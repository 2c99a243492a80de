"""One scan of the setup sheet, read on one layout: does it say what the sheet says, and what came round and inside it?

What the keys type is compared with the text on the sheet. A control character may come as any chord or not at all, a sign
that the scanner cannot type may be missing, and before and after the text there may be more.

>>> match_bytes("S1-WIP:SETUP:1A:AQ", "WIP:SETUP:1A:\\x1dAQ", "obeyed")
ByteSheetMatch(start=3, end=18, caps='obeyed', controls=(('GS', ''),), omitted='')
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from drivers.decode.keyboard.chords import LOCKED, Chord, Stroke
from drivers.decode.keyboard.keymap import KeyLayout
from drivers.decode.keyboard.profile import CONTROLS, ScannerProfile
from drivers.decode.keyboard.typewriter import Typewriter

HEAD_KEYS = 13
"""Characters at the head of a sheet's text by which it is known before the layout is: see `sheet_learning`."""
CASES = frozenset({"upper", "lower"})
"""The words of `CAPS` for scanners that lose the case."""
BLANK = "\ufffc"
"""A chord that types no text."""
_NAME_OF = {char: name for name, char in CONTROLS.items()}


@dataclass(frozen=True, slots=True)
class SheetScan:
    """One scan: its strokes, and whether Caps Lock was on at the first."""

    strokes: tuple[Stroke, ...]
    caps_lock: bool = False


@dataclass(frozen=True, slots=True)
class SheetMatch:
    """How a scan says a text of the sheet.

    `text` is which; `controls` has for each control character on it the chord, None where it is missing; `omitted` are the
    signs that are missing; `spoken` are all chords of the text; `before` and `after` are the strokes round it, each with
    what it types.
    """

    text: str
    controls: tuple[tuple[str, Chord | None], ...]
    omitted: str
    spoken: tuple[Chord, ...]
    before: tuple[tuple[Chord, str], ...]
    after: tuple[tuple[Chord, str], ...]


def find_heads(strokes: Sequence[Stroke], text: str) -> list[int]:
    """Where the head of the text may begin: its characters repeat as the chords do, whatever the layout."""
    pattern = _pattern(text[:HEAD_KEYS])
    chords = [stroke.chord for stroke in strokes]
    last = len(chords) - HEAD_KEYS
    return [start for start in range(last + 1) if _repeats(chords, start, pattern)]


@lru_cache(maxsize=16)
def _pattern(head: str) -> tuple[int, ...]:
    """For each character the place of the first one like it."""
    return tuple(head.index(char) for char in head)


def _repeats(chords: Sequence[Chord], start: int, pattern: tuple[int, ...]) -> bool:
    seen: dict[Chord, int] = {}
    return all(seen.setdefault(chords[start + place], place) == first for place, first in enumerate(pattern))


def typed_text(taught: SheetScan, layout: KeyLayout, profile: ScannerProfile) -> tuple[str, list[int]]:
    """What the scan types on this layout, and for each character the stroke that brought it."""
    if profile.caps in CASES:
        profile = replace(profile, caps="obeyed")  # it must come in that case by itself
    typewriter = Typewriter(layout, profile, ends=False)
    pieces: list[str] = []
    at: list[int] = []
    for number, (chord, turned, _ns) in enumerate(taught.strokes):
        if chord.number:
            text = typewriter.number(chord.number)
        else:
            text = typewriter.type(chord.code, chord.mods | (LOCKED if turned != taught.caps_lock else 0))
        text = text or ("" if typewriter.waits else BLANK)
        pieces.append(text)
        at += [number] * len(text)
    left = typewriter.flush()
    return "".join(pieces) + left, at + [len(taught.strokes) - 1] * len(left)


def apply_case(text: str, caps: str) -> str:
    """The text of the sheet as a scanner sends it that loses the case."""
    return text.upper() if caps == "upper" else text.lower() if caps == "lower" else text


@dataclass(frozen=True, slots=True)
class ByteSheetMatch:
    """How bytes say a text of the sheet: where, with which case, what came for each control character, what is missing."""

    start: int
    end: int
    caps: str
    controls: tuple[tuple[str, str], ...]
    omitted: str


def match_bytes(said: str, text: str, caps: str) -> ByteSheetMatch | None:
    """How what a scanner sent says a text of the sheet, None where it does not."""
    found = _sought(text.swapcase() if caps == "inverted" else apply_case(text, caps)).search(said)
    if found is None:
        return None
    loose = list(enumerate(_loose(text), 1))
    controls = tuple((_NAME_OF[char], found[number]) for number, char in loose if char in _NAME_OF)
    omitted = "".join(char for number, char in loose if char not in _NAME_OF and found[number] is None)
    return ByteSheetMatch(found.start(), found.end(), caps, controls, omitted)


def match_typed(said: str, at: list[int], taught: SheetScan, text: str, caps: str) -> SheetMatch | None:
    """How what a scan typed (`typed_text`) says a text of the sheet, None where it does not."""
    found = _sought(apply_case(text, caps)).search(said)
    if found is None:
        return None
    controls, omitted = [], ""
    for number, char in enumerate(_loose(text), 1):
        if char in _NAME_OF:
            chord = taught.strokes[at[found.start(number)]].chord if found[number] else None
            controls.append((_NAME_OF[char], chord))
        elif found[number] is None:
            omitted += char
    chords = [stroke.chord for stroke in taught.strokes]
    before, after = (
        tuple((chords[at[place]], said[place]) for place in part)
        for part in (range(found.start()), range(found.end(), len(said)))
    )
    spoken = tuple(chords[at[found.start()] : at[found.end() - 1] + 1])
    return SheetMatch(text, tuple(controls), omitted, spoken, before, after)


def _loose(text: str) -> list[str]:
    """What of a text may be missing: control characters, and signs between the head and the last character."""
    return [char for place, char in enumerate(text) if _is_loose(text, place)]


def _is_loose(text: str, place: int) -> bool:
    char = text[place]
    return char in _NAME_OF or (HEAD_KEYS <= place < len(text) - 1 and not char.isalnum() and char != " ")


@lru_cache(maxsize=16)
def _sought(text: str) -> re.Pattern[str]:
    parts = []
    for place, char in enumerate(text):
        wanted = "(.?)" if char in _NAME_OF else re.escape(char)
        parts.append(f"({wanted})?" if _is_loose(text, place) and char not in _NAME_OF else wanted)
    return re.compile("".join(parts), re.DOTALL)
