"""Learning how a scanner is set, from one scan of the setup sheet.

The text of a sheet is known, so the keys tell everything else: layout, Caps Lock, how control characters come, prefix,
suffix, terminator. A text must be ASCII without Enter and Tab; begin with 13 characters out of capitals, digits and the
colon, some of them again (`WIP:SETUP:2D:`), because it is found by what repeats before the layout is known; have a letter
or digit after each control character (GS, RS, EOT); and end with three letters or digits. A text with all of
ASCII teaches layouts that nobody knows; two texts are two codes, read one after the other, in any order.

>>> for said in learned_from_bytes(b"]C1S1-WIP:SETUP:1A:AQ", ["WIP:SETUP:1A:\\x1dAQ"]).evidence:
...     print(said)
GS does not come: the scanner leaves it out.
It names the kind of code (AIM identifier).
It puts 'S1-' before each scan.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from drivers.decode.keyboard.chords import strokes_of
from drivers.decode.keyboard.keymap import US, KeyLayout
from drivers.decode.keyboard.keys import EV_SYN, SYN_DROPPED, KeyEvent
from drivers.decode.keyboard.profile import AFFIX_MAX_CHARS, CAPS, CONTROLS, ITSELF, ScannerProfile
from drivers.decode.keyboard.typewriter import with_keys
from drivers.decode.scan import MAX_RAW_BYTES
from drivers.decode.setup_sheet import layout_inference, layout_search
from drivers.decode.setup_sheet.sheet_match import (
    CASES,
    HEAD_KEYS,
    ByteSheetMatch,
    SheetScan,
    apply_case,
    find_heads,
    match_bytes,
    typed_text,
)

STROKES_MAX = 512
"""Keys of one scan that are looked at: the longest text of a sheet, each sign on a dead key, with prefix and suffix."""
HALF_CHARS = 12
"""So many characters of the sheet one after the other, and it was the sheet, though not all of it."""
END_CHARS = 3
"""Letters or digits with which a text ends: a scan without them stopped before."""
Layouts = Mapping[str, KeyLayout]


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """The scanner is known: its profile, and what was seen, a sentence each."""

    profile: ScannerProfile
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProfileFailure:
    """Why not, and what to do, a sentence each; `waits`: all is well so far, another code of the sheet is to come."""

    why: str
    do: str
    waits: bool = False


AGAIN = "Scan the setup sheet again, one code, the whole of it."
NO_SHEET = ProfileFailure("This was not the setup sheet.", "Scan the setup sheet.")
HALF = ProfileFailure("The sheet was read in half.", AGAIN)
TWICE = ProfileFailure("Two codes came as one scan.", "Cover the other code, and scan each by itself.")
LOST = ProfileFailure("Keys were lost on the way.", AGAIN)
TOO_LONG = ProfileFailure(f"More than {STROKES_MAX} keys came as one scan.", AGAIN)
NO_LAYOUT = ProfileFailure(
    "These keys fit no layout known here.",
    "Set the scanner to the American keyboard, or to typing Alt and numbers, and scan the sheet again; "
    "the square code teaches layouts that are not known.",
)
MORE = ProfileFailure("One code of the sheet was read.", "Now scan the other one.", waits=True)
SAME = ProfileFailure("The same code of the sheet was read again.", "Now scan the other one.", waits=True)


def learn(
    scans: Sequence[Iterable[KeyEvent]], texts: Sequence[str], layouts: Layouts, *, caps_lock: bool = False
) -> ProfileResult | ProfileFailure:
    """What the key events of one scan teach, of one scan for each text of the sheet.

    `layouts` are those it may be, by name, the likeliest first. `caps_lock`: the lamp was on when the scans began.
    """
    events = [list(scan) for scan in scans]
    if any(event.type == EV_SYN and event.code == SYN_DROPPED for scan in events for event in scan):
        return LOST
    return learn_profile([SheetScan(tuple(strokes_of(scan)), caps_lock) for scan in events], texts, layouts)


def learn_profile(scans: Sequence[SheetScan], texts: Sequence[str], layouts: Layouts) -> ProfileResult | ProfileFailure:
    """As `learn`, of strokes."""
    if any(len(scan.strokes) > STROKES_MAX for scan in scans):
        return TOO_LONG
    for scan in scans:
        found = max(len(find_heads(scan.strokes, text)) for text in texts)
        if found != 1:
            return TWICE if found else HALF if _in_part(scan, texts, layouts) else NO_SHEET
    if all(_only_numbers(scan) for scan in scans):
        layouts = dict(list(layouts.items())[:1])  # they are the same on every layout
    known = ScannerProfile()
    way = layout_search.best_candidate(scans, texts, layouts, known)
    if way is None:
        known, way = _unknown(scans, texts, layouts)
    if way is None:
        return _why(scans, texts, layouts)
    if len(scans) < len(texts):
        return MORE
    try:
        profile = layout_search.profile(way, scans, known)
    except layout_search.LayoutMismatch as misfit:
        return ProfileFailure(str(misfit), AGAIN)
    return ProfileResult(profile, layout_search.evidence(profile, way, scans))


def _only_numbers(scan: SheetScan) -> bool:
    return sum(bool(stroke.chord.number) for stroke in scan.strokes) >= HEAD_KEYS


def _unknown(
    scans: Sequence[SheetScan], texts: Sequence[str], layouts: Layouts
) -> tuple[ScannerProfile, layout_search.LayoutCandidate | None]:
    """The layout that the sheet itself teaches, where it shows every key."""
    if len(scans) == len(texts) == 1:
        (start,) = find_heads(scans[0].strokes, texts[0])
        keys = layout_inference.keys_of(scans[0].strokes[start:], texts[0])
        if keys is not None:
            known = layout_inference.nearest(keys, layouts)
            layout = with_keys(layouts.get(known.layout, US), known)
            return known, layout_search.best_candidate(scans, texts, {known.layout: layout}, known)
    return ScannerProfile(), None


def _why(scans: Sequence[SheetScan], texts: Sequence[str], layouts: Layouts) -> ProfileFailure:
    """Why scans that begin like the sheet are not it."""
    begun = [_begun(scan, texts, layouts) for scan in scans]
    if len(scans) > 1 and begun[0].keys() == begun[1].keys() and begun[0]:
        return SAME
    if any(each and not any(each.values()) for each in begun):
        return HALF
    return NO_LAYOUT if any(_may_be(scan, text) for scan in scans for text in texts) else NO_SHEET


def _may_be(scan: SheetScan, text: str) -> bool:
    """Whether these keys are enough for the letters and digits of a text, of which the signs may be missing."""
    return len(scan.strokes) >= sum(map(str.isalnum, text))


def _begun(scan: SheetScan, texts: Sequence[str], layouts: Layouts) -> dict[str, bool]:
    """The texts of which a scan has the head on some layout, each with whether its end is there as well."""
    found: dict[str, bool] = {}
    for layout in layouts.values():
        said = {caps: typed_text(scan, layout, ScannerProfile(caps=caps))[0] for caps in CAPS if caps not in CASES}
        for caps, text in product(CAPS, texts):
            here = said.get(caps, said["obeyed"])  # a case that is lost must come so by itself
            if apply_case(text[:HEAD_KEYS], caps) in here:
                found[text] = found.get(text, False) or apply_case(text[-END_CHARS:], caps) in here
    return found


def _in_part(scan: SheetScan, texts: Sequence[str], layouts: Layouts) -> bool:
    """Whether a part of a text of the sheet is in the scan, on any layout."""
    parts = [text[place : place + HALF_CHARS] for text in texts for place in range(len(text) - HALF_CHARS + 1)]
    for layout in layouts.values():
        said, _at = typed_text(scan, layout, ScannerProfile())
        if any(part in said for part in parts):
            return True
    return False


def learned_from_bytes(raw: bytes, texts: Sequence[str]) -> ProfileResult | ProfileFailure:
    """What one scan teaches of a scanner that sends bytes (a serial port), with or without its terminator.

    Of several codes, the one with the control characters is enough.
    """
    if len(raw) > MAX_RAW_BYTES:
        return TOO_LONG
    said = raw.strip(b"\r\n\t\x02\x03").decode("latin-1")
    found = next((each for text in texts for caps in CAPS if (each := match_bytes(said, text, caps))), None)
    if found is None:
        parts = (text[place : place + HALF_CHARS] for text in texts for place in range(len(text) - HALF_CHARS + 1))
        return HALF if any(part in said for part in parts) else NO_SHEET
    if any(text[:HEAD_KEYS] in said[found.end :] for text in texts):
        return TWICE
    if not found.controls and any(char in text for text in texts for char in CONTROLS.values()):
        return MORE
    return _of_bytes(found, said)


def _of_bytes(found: ByteSheetMatch, said: str) -> ProfileResult | ProfileFailure:
    prefix, aim = layout_search.without_aim(said[: found.start])
    suffix = said[found.end :]
    if max(len(prefix), len(suffix)) > AFFIX_MAX_CHARS:
        return ProfileFailure(layout_search.TOO_MUCH_AROUND, AGAIN)
    control = {name: ITSELF for name, came in found.controls if came == CONTROLS[name]}
    profile = ScannerProfile(caps=found.caps, control=control, prefix=prefix, suffix=suffix, aim=aim)
    other = [(name, came) for name, came in found.controls if name not in control]
    lacking = [f"{name} comes as {came!r}." if came else layout_search.left_out(name) for name, came in other]
    case = [f"Its letters: {CAPS[found.caps]}."] if found.caps != "obeyed" else []
    return ProfileResult(
        profile, (*case, *layout_search.omitted_said(found.omitted), *lacking, *layout_search.around_said(profile))
    )
