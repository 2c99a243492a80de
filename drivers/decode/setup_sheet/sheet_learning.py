"""Learning the settings of a scanner from a scan of the setup sheet.

The text of the sheet is known, so its keys give everything else: layout, Caps Lock, chords of control characters, prefix,
suffix and terminator. A text of a sheet must

- be ASCII without Enter and Tab,
- begin with 13 capitals, digits and colons, some of them repeated (`WIP:SETUP:2D:`): the repetitions identify it before the
  layout is known,
- have a letter or digit after each control character (GS, RS, EOT),
- end with three letters or digits.

A text with all of ASCII also teaches a layout that is not known. A sheet of two texts has two codes, which are scanned one
after the other in any order.

>>> for line in learned_from_bytes(b"]C1S1-WIP:SETUP:1A:AQ", ["WIP:SETUP:1A:\\x1dAQ"]).evidence:
...     print(line)
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
from drivers.decode.setup_sheet import layout_inference, layout_search, sheet_evidence
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
"""The most keys of one scan: the longest text of a sheet, each sign on a dead key, with prefix and suffix."""
HALF_CHARS = 12
"""So many successive characters of a text identify the sheet, even if the rest is missing."""
END_CHARS = 3
"""The letters or digits at the end of a text; a scan without them is incomplete."""
Layouts = Mapping[str, KeyLayout]


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """The learned profile, and the evidence, a sentence each."""

    profile: ScannerProfile
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProfileFailure:
    """The reason why nothing was learned, and what to do, a sentence each. `waits`: another code is expected."""

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
    """Learn from the key events of scans, one scan for each text of the sheet.

    `layouts` are the possible layouts by name, the likeliest first. `caps_lock`: the LED was on when the scans began.
    """
    events = [list(scan) for scan in scans]
    if any(event.type == EV_SYN and event.code == SYN_DROPPED for scan in events for event in scan):
        return LOST
    return learn_profile([SheetScan(tuple(strokes_of(scan)), caps_lock) for scan in events], texts, layouts)


def learn_profile(scans: Sequence[SheetScan], texts: Sequence[str], layouts: Layouts) -> ProfileResult | ProfileFailure:
    """As `learn`, from strokes:

    1. Reject scans that are too long, or do not have exactly one head of a text.
    2. Search a known layout on which all scans match; else infer the layout from the sheet itself.
    3. Without a layout, return the reason. With a text still missing, ask for it.
    4. Build the profile and its evidence.
    """
    rejected = _reject(scans, texts, layouts)
    if rejected is not None:
        return rejected
    if all(_only_numbers(scan) for scan in scans):
        layouts = dict(list(layouts.items())[:1])  # numbers typed with Alt are the same on every layout
    known = ScannerProfile()
    candidate = layout_search.best_candidate(scans, texts, layouts, known)
    if candidate is None:
        known, candidate = _infer_layout(scans, texts, layouts)
    if candidate is None:
        return _why_unmatched(scans, texts, layouts)
    return MORE if len(scans) < len(texts) else _build_result(candidate, scans, known)


def _reject(scans: Sequence[SheetScan], texts: Sequence[str], layouts: Layouts) -> ProfileFailure | None:
    """Step 1 of `learn_profile`."""
    if any(len(scan.strokes) > STROKES_MAX for scan in scans):
        return TOO_LONG
    for scan in scans:
        heads = max(len(find_heads(scan.strokes, text)) for text in texts)
        if heads != 1:
            return TWICE if heads else HALF if _has_part(scan, texts, layouts) else NO_SHEET
    return None


def _build_result(
    candidate: layout_search.LayoutCandidate, scans: Sequence[SheetScan], known: ScannerProfile
) -> ProfileResult | ProfileFailure:
    """Step 4 of `learn_profile`."""
    control, lacking = layout_search.controls(candidate)
    try:
        profile = layout_search.build_profile(candidate, control, scans, known)
    except layout_search.LayoutMismatch as mismatch:
        return ProfileFailure(str(mismatch), AGAIN)
    return ProfileResult(profile, sheet_evidence.evidence(profile, candidate.omitted, lacking, scans))


def _only_numbers(scan: SheetScan) -> bool:
    return sum(bool(stroke.chord.number) for stroke in scan.strokes) >= HEAD_KEYS


def _infer_layout(
    scans: Sequence[SheetScan], texts: Sequence[str], layouts: Layouts
) -> tuple[ScannerProfile, layout_search.LayoutCandidate | None]:
    """The layout inferred from the sheet itself, if one text shows every key; else no candidate."""
    if len(scans) == len(texts) == 1:
        (start,) = find_heads(scans[0].strokes, texts[0])
        keys = layout_inference.keys_of(scans[0].strokes[start:], texts[0])
        if keys is not None:
            known = layout_inference.nearest(keys, layouts)
            layout = with_keys(layouts.get(known.layout, US), known)
            return known, layout_search.best_candidate(scans, texts, {known.layout: layout}, known)
    return ScannerProfile(), None


def _why_unmatched(scans: Sequence[SheetScan], texts: Sequence[str], layouts: Layouts) -> ProfileFailure:
    """The reason why scans with the head of a text match no layout."""
    texts_begun = [_texts_begun(scan, texts, layouts) for scan in scans]
    if len(scans) > 1 and texts_begun[0].keys() == texts_begun[1].keys() and texts_begun[0]:
        return SAME
    if any(begun and not any(begun.values()) for begun in texts_begun):
        return HALF
    return NO_LAYOUT if any(_is_long_enough(scan, text) for scan in scans for text in texts) else NO_SHEET


def _is_long_enough(scan: SheetScan, text: str) -> bool:
    """Whether the scan has a key for each letter and digit of a text; signs may be missing."""
    return len(scan.strokes) >= sum(map(str.isalnum, text))


def _texts_begun(scan: SheetScan, texts: Sequence[str], layouts: Layouts) -> dict[str, bool]:
    """The texts whose head the scan has on some layout, each with whether the scan has its end as well."""
    begun: dict[str, bool] = {}
    for layout in layouts.values():
        typed_by_caps = {
            caps: typed_text(scan, layout, ScannerProfile(caps=caps))[0] for caps in CAPS if caps not in CASES
        }
        for caps, text in product(CAPS, texts):
            typed = typed_by_caps.get(caps, typed_by_caps["obeyed"])  # the case must come from the scanner itself
            if apply_case(text[:HEAD_KEYS], caps) in typed:
                begun[text] = begun.get(text, False) or apply_case(text[-END_CHARS:], caps) in typed
    return begun


def _has_part(scan: SheetScan, texts: Sequence[str], layouts: Layouts) -> bool:
    """Whether the scan has `HALF_CHARS` successive characters of a text, on any layout."""
    parts = [text[start : start + HALF_CHARS] for text in texts for start in range(len(text) - HALF_CHARS + 1)]
    for layout in layouts.values():
        typed, _at = typed_text(scan, layout, ScannerProfile())
        if any(part in typed for part in parts):
            return True
    return False


def learned_from_bytes(raw: bytes, texts: Sequence[str]) -> ProfileResult | ProfileFailure:
    """Learn from one scan of a scanner that sends bytes, with or without its terminator.

    Of a sheet with several codes, the one with the control characters is enough.
    """
    if len(raw) > MAX_RAW_BYTES:
        return TOO_LONG
    received = raw.strip(b"\r\n\t\x02\x03").decode("latin-1")
    candidates = (match_bytes(received, text, caps) for text in texts for caps in CAPS)
    match = next((candidate for candidate in candidates if candidate), None)
    if match is None:
        parts = (text[start : start + HALF_CHARS] for text in texts for start in range(len(text) - HALF_CHARS + 1))
        return HALF if any(part in received for part in parts) else NO_SHEET
    if any(text[:HEAD_KEYS] in received[match.end :] for text in texts):
        return TWICE
    if not match.controls and any(char in text for text in texts for char in CONTROLS.values()):
        return MORE
    return _byte_result(match, received)


def _byte_result(match: ByteSheetMatch, received: str) -> ProfileResult | ProfileFailure:
    prefix, aim = layout_search.without_aim(received[: match.start])
    suffix = received[match.end :]
    if max(len(prefix), len(suffix)) > AFFIX_MAX_CHARS:
        return ProfileFailure(layout_search.TOO_MUCH_AROUND, AGAIN)
    control = {name: ITSELF for name, came in match.controls if came == CONTROLS[name]}
    profile = ScannerProfile(caps=match.caps, control=control, prefix=prefix, suffix=suffix, aim=aim)
    other = [(name, came) for name, came in match.controls if name not in control]
    lacking = [f"{name} comes as {came!r}." if came else sheet_evidence.missing_control(name) for name, came in other]
    case = [f"Its letters: {CAPS[match.caps]}."] if match.caps != "obeyed" else []
    omissions, affixes = sheet_evidence.omissions(match.omitted), sheet_evidence.affixes(profile)
    return ProfileResult(profile, (*case, *omissions, *lacking, *affixes))
