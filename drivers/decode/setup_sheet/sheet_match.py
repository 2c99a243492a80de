"""Matching of one scan with a text of the setup sheet, on one keyboard layout.

The typed text is compared with the text on the sheet. A control character may come as any chord or be missing, a sign that
the scanner cannot type may be missing, and a prefix and a suffix may surround the text.

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
"""The first characters of a text, by which it is recognised before the layout is known: see `sheet_learning`."""
CASES = frozenset({"upper", "lower"})
"""The values of `CAPS` for scanners that change all letters to one case."""
BLANK = "\ufffc"
"""The placeholder for a chord that types no text."""
_NAME_OF = {char: name for name, char in CONTROLS.items()}


@dataclass(frozen=True, slots=True)
class SheetScan:
    """One scan: its strokes, and whether Caps Lock was on at the first."""

    strokes: tuple[Stroke, ...]
    caps_lock: bool = False


@dataclass(frozen=True, slots=True)
class SheetMatch:
    """The match of a scan with `text`.

    `controls` has the chord for each control character of the text, None if it is missing. `omitted` are the missing signs.
    `spoken` are all chords of the text. `before` and `after` are the chords around it, each with the text it types.
    """

    text: str
    controls: tuple[tuple[str, Chord | None], ...]
    omitted: str
    spoken: tuple[Chord, ...]
    before: tuple[tuple[Chord, str], ...]
    after: tuple[tuple[Chord, str], ...]


def find_heads(strokes: Sequence[Stroke], text: str) -> list[int]:
    """The indices at which the head of the text may begin: its chords repeat in the same places as its characters.

    This holds on any layout.
    """
    pattern = _pattern(text[:HEAD_KEYS])
    chords = [stroke.chord for stroke in strokes]
    last = len(chords) - HEAD_KEYS
    return [start for start in range(last + 1) if _repeats(chords, start, pattern)]


@lru_cache(maxsize=16)
def _pattern(head: str) -> tuple[int, ...]:
    """For each character the index of its first occurrence."""
    return tuple(head.index(char) for char in head)


def _repeats(chords: Sequence[Chord], start: int, pattern: tuple[int, ...]) -> bool:
    first_at: dict[Chord, int] = {}
    return all(first_at.setdefault(chords[start + index], index) == first for index, first in enumerate(pattern))


def typed_text(scan: SheetScan, layout: KeyLayout, profile: ScannerProfile) -> tuple[str, list[int]]:
    """The text that the scan types on this layout, and for each character the index of its stroke."""
    if profile.caps in CASES:
        profile = replace(profile, caps="obeyed")  # the case must come from the scanner, not from the decoder
    typewriter = Typewriter(layout, profile, ends=False)
    parts: list[str] = []
    at: list[int] = []
    for number, (chord, turned, _ns) in enumerate(scan.strokes):
        if chord.number:
            text = typewriter.number(chord.number)
        else:
            text = typewriter.type(chord.code, chord.mods | (LOCKED if turned != scan.caps_lock else 0))
        text = text or ("" if typewriter.waits else BLANK)
        parts.append(text)
        at += [number] * len(text)
    pending = typewriter.flush()
    return "".join(parts) + pending, at + [len(scan.strokes) - 1] * len(pending)


def apply_case(text: str, caps: str) -> str:
    """The text of the sheet as a scanner with this case setting sends it."""
    return text.upper() if caps == "upper" else text.lower() if caps == "lower" else text


@dataclass(frozen=True, slots=True)
class ByteSheetMatch:
    """The match of bytes with a text: its range, the case, what came for each control character, the missing signs."""

    start: int
    end: int
    caps: str
    controls: tuple[tuple[str, str], ...]
    omitted: str


def match_bytes(received: str, text: str, caps: str) -> ByteSheetMatch | None:
    """Match the text that a scanner sent as bytes with a text of the sheet; None without a match."""
    match = _pattern_of(text.swapcase() if caps == "inverted" else apply_case(text, caps)).search(received)
    if match is None:
        return None
    optional = list(enumerate(_optional(text), 1))
    controls = tuple((_NAME_OF[char], match[number]) for number, char in optional if char in _NAME_OF)
    omitted = "".join(char for number, char in optional if char not in _NAME_OF and match[number] is None)
    return ByteSheetMatch(match.start(), match.end(), caps, controls, omitted)


def match_typed(typed: str, at: list[int], scan: SheetScan, text: str, caps: str) -> SheetMatch | None:
    """Match the typed text of a scan (`typed_text`) with a text of the sheet; None without a match."""
    match = _pattern_of(apply_case(text, caps)).search(typed)
    if match is None:
        return None
    controls, omitted = [], ""
    for number, char in enumerate(_optional(text), 1):
        if char in _NAME_OF:
            chord = scan.strokes[at[match.start(number)]].chord if match[number] else None
            controls.append((_NAME_OF[char], chord))
        elif match[number] is None:
            omitted += char
    chords = [stroke.chord for stroke in scan.strokes]
    before, after = (
        tuple((chords[at[index]], typed[index]) for index in part)
        for part in (range(match.start()), range(match.end(), len(typed)))
    )
    spoken = tuple(chords[at[match.start()] : at[match.end() - 1] + 1])
    return SheetMatch(text, tuple(controls), omitted, spoken, before, after)


def _optional(text: str) -> list[str]:
    """The characters of a text that may be missing: control characters, and signs between the head and the last one."""
    return [char for index, char in enumerate(text) if _is_optional(text, index)]


def _is_optional(text: str, index: int) -> bool:
    char = text[index]
    return char in _NAME_OF or (HEAD_KEYS <= index < len(text) - 1 and not char.isalnum() and char != " ")


@lru_cache(maxsize=16)
def _pattern_of(text: str) -> re.Pattern[str]:
    """The expression that finds a text; it has one group for each optional character."""
    parts = []
    for index, char in enumerate(text):
        expected = "(.?)" if char in _NAME_OF else re.escape(char)
        parts.append(f"({expected})?" if _is_optional(text, index) and char not in _NAME_OF else expected)
    return re.compile("".join(parts), re.DOTALL)
