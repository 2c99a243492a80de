"""Search for the layout and the settings with which a scanner types the setup sheet.

1. `best_candidate` tries every layout with every behaviour of Caps Lock and of dead keys, the commonest first. It returns
   the first setting in which all scans match texts of the sheet. Layouts that match equally well are alike on this sheet.
2. `controls` assigns a chord to each control character.
3. `build_profile` combines both with what precedes and follows the texts.

>>> without_aim("S1-]Q1"), without_aim("]Q1S1-"), without_aim("S1-")
(('S1-', True), ('S1-', True), ('S1-', False))
"""

import itertools
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.decode.keyboard import chords
from drivers.decode.keyboard.chords import Chord
from drivers.decode.keyboard.keymap import KeyLayout
from drivers.decode.keyboard.profile import AFFIX_MAX_CHARS, CAPS, CONTROLS, DEAD, GAP_MAX_MS, NONE, ScannerProfile
from drivers.decode.setup_sheet.sheet_evidence import missing_control
from drivers.decode.setup_sheet.sheet_match import BLANK, SheetMatch, SheetScan, match_typed, typed_text

OMITTED_MAX = 4
"""The most signs that may be missing although the layout has them: a scanner's tables differ a little from xkb's."""
TOO_MUCH_AROUND = f"More than {AFFIX_MAX_CHARS} characters stand before or after the text of the sheet."
_NS_PER_MS = 1_000_000
# An AIM identifier at the end or at the beginning of a prefix.
_AIM_LAST, _AIM_FIRST = re.compile(r"\][A-Za-z][0-9A-Fa-f]\Z"), re.compile(r"\A\][A-Za-z][0-9A-Fa-f]")


class LayoutMismatch(ValueError):
    """The text is the sheet's, but its prefix or suffix cannot be learned; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class LayoutCandidate:
    """A setting in which all scans match: layout, behaviour of Caps Lock and dead keys, and one match for each scan.

    `alike` are other layouts that match equally well.
    """

    layout: str
    caps: str
    dead: str
    matches: tuple[SheetMatch, ...]
    alike: tuple[str, ...] = ()

    @property
    def omitted(self) -> str:
        """The signs on the sheet that the scanner did not send."""
        return "".join(match.omitted for match in self.matches)


def best_candidate(
    scans: Sequence[SheetScan], texts: Sequence[str], layouts: Mapping[str, KeyLayout], known: ScannerProfile
) -> LayoutCandidate | None:
    """The setting in which these scans match these texts, None if there is none. `known`: keys that were learned before.

    1. For each behaviour of Caps Lock and of dead keys, the commonest first, match the scans on every layout.
    2. Stop at the first behaviour with a match.
    3. Of its layouts choose the one with the fewest missing signs, at a tie the first.
    """
    for caps, dead in itertools.product(CAPS, DEAD):
        candidates = list(_candidates(scans, texts, layouts, replace(known, caps=caps, dead=dead)))
        if candidates:
            least = min(_missing_signs(candidate, layouts) for candidate in candidates)
            best = [candidate for candidate in candidates if _missing_signs(candidate, layouts) == least]
            return replace(best[0], alike=tuple(candidate.layout for candidate in best[1:]) or known.alike)
    return None


def _candidates(
    scans: Sequence[SheetScan], texts: Sequence[str], layouts: Mapping[str, KeyLayout], setting: ScannerProfile
) -> Iterator[LayoutCandidate]:
    """The layouts on which the scans match in this setting, with at most `OMITTED_MAX` missing signs."""
    for name, layout in layouts.items():
        if setting.dead == "alone" and not layout.dead:
            continue
        matches = _match_all(scans, texts, layout, setting)
        if matches:
            candidate = LayoutCandidate(name, setting.caps, setting.dead, matches)
            if _missing_signs(candidate, layouts) <= OMITTED_MAX:
                yield candidate


def _match_all(
    scans: Sequence[SheetScan], texts: Sequence[str], layout: KeyLayout, setting: ScannerProfile
) -> tuple[SheetMatch, ...]:
    """One match for each scan, each with another text, in any order; empty if a scan matches no text that is left."""
    remaining, matches = list(texts), []
    for scan in scans:
        typed, at = typed_text(scan, layout, setting)
        candidates = (match_typed(typed, at, scan, text, setting.caps) for text in remaining)
        match = next((candidate for candidate in candidates if candidate), None)
        if match is None:
            return ()
        remaining.remove(match.text)
        matches.append(match)
    return tuple(matches)


def _missing_signs(candidate: LayoutCandidate, layouts: Mapping[str, KeyLayout]) -> int:
    """The number of signs that the scanner did not send although the layout has them."""
    typed = layouts[candidate.layout].typed()
    return sum(char in typed for char in candidate.omitted)


def controls(candidate: LayoutCandidate) -> tuple[dict[str, str], dict[str, str]]:
    """The chord of each control character; and for each one without a usable chord the reason, a sentence.

    A chord is not usable if (the first reason counts):

    1. The scanner does not send the control character.
    2. The chord also stands for another character on the sheet.
    3. The control character came as two different chords.
    4. The chord stands for another control character as well.
    """
    sent = [pair for match in candidate.matches for pair in match.controls]
    as_control = [chord for _name, chord in sent if chord]
    struck = [chord for match in candidate.matches for chord in match.spoken]
    ambiguous = {chord for chord in as_control if struck.count(chord) > as_control.count(chord)}
    usable: dict[str, str] = {}
    lacking: dict[str, str] = {}
    for name, chord in sent:
        reason = missing_control(name) if chord is None else _why_unusable(name, chord, usable, ambiguous)
        if reason is not None:
            lacking[name] = reason
        elif chord is not None:
            usable[name] = chords.name(chord)
    return {name: written for name, written in usable.items() if name not in lacking}, lacking


def _why_unusable(name: str, chord: Chord, usable: Mapping[str, str], ambiguous: Collection[Chord]) -> str | None:
    written = chords.name(chord)
    if chord in ambiguous:
        return f"{name} comes as {written}, which stands for something else on the sheet as well."
    if usable.get(name, written) != written:
        return f"{name} comes in two ways, as {usable[name]} and as {written}."
    if written in [other for other_name, other in usable.items() if other_name != name]:
        return f"{name} comes as {written}, like another control character."
    return None


def build_profile(
    candidate: LayoutCandidate, control: Mapping[str, str], scans: Sequence[SheetScan], known: ScannerProfile
) -> ScannerProfile:
    """The profile of a candidate with these chords of control characters.

    Raises `LayoutMismatch` if prefix, suffix or terminator differ between the texts, or are too long.
    """
    around = {_around(match, control) for match in candidate.matches}
    if len(around) > 1:
        msg = "The codes of the sheet came with different text before or after them."
        raise LayoutMismatch(msg)
    prefix, aim, suffix, terminator = around.pop()
    if max(len(prefix), len(suffix)) > AFFIX_MAX_CHARS:
        raise LayoutMismatch(TOO_MUCH_AROUND)
    return ScannerProfile(
        layout=candidate.layout,
        keys=known.keys,
        dead=candidate.dead,
        caps=candidate.caps,
        control=control,
        prefix=prefix,
        suffix=suffix,
        terminator=terminator,
        aim=aim,
        gap_ms=min(GAP_MAX_MS, max(map(slowest_ms, scans))),
        alike=candidate.alike,
    )


def _around(match: SheetMatch, control: Mapping[str, str]) -> tuple[str, bool, str, str]:
    """Prefix, whether there is an AIM identifier, suffix and terminator of one scan.

    1. The terminator is the last chord after the text, if it types no printable character.
    2. The suffix is everything between the text and the first such chord.
    3. The prefix is everything before the text, after the last such chord: what precedes that belongs to an earlier scan.
    """
    after = list(match.after)
    terminator: Chord | None = None
    if after and (after[-1][1] < " " or after[-1][1] == BLANK) and chords.name(after[-1][0]) not in control.values():
        terminator = after[-1][0]
        after = after[: [chord for chord, _typed in after].index(terminator)]
    before = list(match.before)
    begins = max((index for index, (chord, _typed) in enumerate(before, 1) if chord == terminator), default=0)
    prefix, suffix = (_affix(part, control) for part in (before[begins:], after))
    return *without_aim(prefix), suffix, chords.name(terminator) if terminator else NONE


def without_aim(prefix: str) -> tuple[str, bool]:
    """A prefix without its AIM identifier, and whether it has one."""
    aim = _AIM_LAST.search(prefix) or _AIM_FIRST.search(prefix)
    return (prefix[: aim.start()] + prefix[aim.end() :], True) if aim else (prefix, False)


def _affix(part: Sequence[tuple[Chord, str]], control: Mapping[str, str]) -> str:
    """The text of a prefix or suffix, with control characters in place of their chords."""
    character_of = {chord: CONTROLS[name] for name, chord in control.items()}
    return "".join(character_of.get(chords.name(chord), text) for chord, text in part).replace(BLANK, "")


def slowest_ms(scan: SheetScan) -> int:
    """The longest pause between two strokes, in milliseconds, rounded up."""
    times = [stroke.time_ns for stroke in scan.strokes]
    return math.ceil(max((b - a for a, b in itertools.pairwise(times)), default=0) / _NS_PER_MS)
