"""The ways in which a scanner may type the setup sheet, and the one in which it does.

Every layout is tried with every behaviour of Caps Lock and of dead keys, the commonest first. What fits says how the
scanner is set; layouts that fit equally well are alike on this sheet.

>>> without_aim("S1-]Q1"), without_aim("]Q1S1-"), without_aim("S1-")
(('S1-', True), ('S1-', True), ('S1-', False))
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.decode.keyboard import chords
from drivers.decode.keyboard.chords import Chord
from drivers.decode.keyboard.keymap import KeyLayout
from drivers.decode.keyboard.profile import AFFIX_MAX_CHARS, CAPS, CONTROLS, DEAD, GAP_MAX_MS, NONE, ScannerProfile
from drivers.decode.setup_sheet.sheet_match import BLANK, SheetMatch, SheetScan, match_typed, typed_text

OMITTED_MAX = 4
"""Signs that may be missing though the layout could type them: a scanner's tables are not quite xkb's."""
TOO_MUCH_AROUND = f"More than {AFFIX_MAX_CHARS} characters stand before or after the text of the sheet."
_NS_PER_MS = 1_000_000
# An AIM identifier last in what stands before the text, or first.
_AIM_LAST, _AIM_FIRST = re.compile(r"\][A-Za-z][0-9A-Fa-f]\Z"), re.compile(r"\A\][A-Za-z][0-9A-Fa-f]")


class LayoutMismatch(ValueError):
    """The text is the sheet's, but what stands round it cannot be learned: why, in a sentence."""


@dataclass(frozen=True, slots=True)
class LayoutCandidate:
    """One way that fits: the layout's name, Caps Lock, dead keys, and how each scan says its text."""

    layout: str
    caps: str
    dead: str
    fits: tuple[SheetMatch, ...]
    alike: tuple[str, ...] = ()

    @property
    def omitted(self) -> str:
        """The signs on the sheet that did not come."""
        return "".join(each.omitted for each in self.fits)


def best_candidate(
    scans: Sequence[SheetScan], texts: Sequence[str], layouts: Mapping[str, KeyLayout], known: ScannerProfile
) -> LayoutCandidate | None:
    """The way in which these scans say these texts, None where there is none. `known`: keys that were learned before."""
    for caps in CAPS:
        for dead in DEAD:
            ways = list(_ways(scans, texts, layouts, replace(known, caps=caps, dead=dead)))
            if ways:
                least = min(_unexplained(way, layouts) for way in ways)
                equal = [way for way in ways if _unexplained(way, layouts) == least]
                return replace(equal[0], alike=tuple(way.layout for way in equal[1:]) or known.alike)
    return None


def _ways(
    scans: Sequence[SheetScan], texts: Sequence[str], layouts: Mapping[str, KeyLayout], setting: ScannerProfile
) -> Iterator[LayoutCandidate]:
    for name, layout in layouts.items():
        if setting.dead == "alone" and not layout.dead:
            continue
        fits = _all_said(scans, texts, layout, setting)
        if fits:
            way = LayoutCandidate(name, setting.caps, setting.dead, fits)
            if _unexplained(way, layouts) <= OMITTED_MAX:
                yield way


def _all_said(
    scans: Sequence[SheetScan], texts: Sequence[str], layout: KeyLayout, setting: ScannerProfile
) -> tuple[SheetMatch, ...]:
    """How the scans say the texts, each another one, in any order; nothing where one does not."""
    left, fits = list(texts), []
    for scan in scans:
        said, at = typed_text(scan, layout, setting)
        found = next((each for text in left if (each := match_typed(said, at, scan, text, setting.caps))), None)
        if found is None:
            return ()
        left.remove(found.text)
        fits.append(found)
    return tuple(fits)


def _unexplained(way: LayoutCandidate, layouts: Mapping[str, KeyLayout]) -> int:
    """How many signs are missing that this layout has."""
    has = layouts[way.layout].typed()
    return sum(char in has for char in way.omitted)


def controls(way: LayoutCandidate) -> tuple[dict[str, str], dict[str, str]]:
    """The chord that stands for each control character; and why each other one on the sheet has none, as a sentence."""
    slots = [pair for each in way.fits for pair in each.controls]
    spent = [chord for _name, chord in slots if chord]
    struck = [chord for each in way.fits for chord in each.spoken]
    found: dict[str, str] = {}
    lacking: dict[str, str] = {}
    for name, chord in slots:
        if chord is None:
            lacking[name] = left_out(name)
        elif struck.count(chord) > spent.count(chord):
            lacking[name] = (
                f"{name} comes as {chords.name(chord)}, which stands for something else on the sheet as well."
            )
        elif found.get(name, chords.name(chord)) != chords.name(chord):
            lacking[name] = f"{name} comes in two ways, as {found[name]} and as {chords.name(chord)}."
        elif chords.name(chord) in [written for other, written in found.items() if other != name]:
            lacking[name] = f"{name} comes as {chords.name(chord)}, like another control character."
        else:
            found[name] = chords.name(chord)
    return {name: written for name, written in found.items() if name not in lacking}, lacking


def profile(way: LayoutCandidate, scans: Sequence[SheetScan], known: ScannerProfile) -> ScannerProfile:
    """What the way teaches; `LayoutMismatch` where what stands round the texts does not agree or is too long."""
    standing, _lacking = controls(way)
    around = {_around(each, standing) for each in way.fits}
    if len(around) > 1:
        msg = "The codes of the sheet came with different text before or after them."
        raise LayoutMismatch(msg)
    prefix, aim, suffix, terminator = around.pop()
    if max(len(prefix), len(suffix)) > AFFIX_MAX_CHARS:
        raise LayoutMismatch(TOO_MUCH_AROUND)
    return ScannerProfile(
        layout=way.layout,
        keys=known.keys,
        dead=way.dead,
        caps=way.caps,
        control=standing,
        prefix=prefix,
        suffix=suffix,
        terminator=terminator,
        aim=aim,
        gap_ms=min(GAP_MAX_MS, max(map(slowest_ms, scans))),
        alike=way.alike,
    )


def _around(found: SheetMatch, standing: Mapping[str, str]) -> tuple[str, bool, str, str]:
    """Prefix, whether an AIM identifier comes along, suffix and terminator."""
    after = list(found.after)
    ends: Chord | None = None
    if after and (after[-1][1] < " " or after[-1][1] == BLANK) and chords.name(after[-1][0]) not in standing.values():
        ends = after[-1][0]
        after = after[: [chord for chord, _text in after].index(ends)]
    before = list(found.before)
    # What ends a scan before the text belongs to a scan before this one.
    begins = max((place for place, (chord, _text) in enumerate(before, 1) if chord == ends), default=0)
    head, tail = (_text(part, standing) for part in (before[begins:], after))
    return *without_aim(head), tail, chords.name(ends) if ends else NONE


def without_aim(head: str) -> tuple[str, bool]:
    """What stands before a text without its AIM identifier, and whether there is one."""
    aim = _AIM_LAST.search(head) or _AIM_FIRST.search(head)
    return (head[: aim.start()] + head[aim.end() :], True) if aim else (head, False)


def _text(part: Sequence[tuple[Chord, str]], standing: Mapping[str, str]) -> str:
    stands_for = {chord: CONTROLS[name] for name, chord in standing.items()}
    return "".join(stands_for.get(chords.name(chord), text) for chord, text in part).replace(BLANK, "")


def slowest_ms(scan: SheetScan) -> int:
    """The slowest pause between two strokes, in milliseconds, rounded up."""
    times = [stroke.time_ns for stroke in scan.strokes]
    return math.ceil(max((b - a for a, b in itertools.pairwise(times)), default=0) / _NS_PER_MS)


def evidence(profile: ScannerProfile, way: LayoutCandidate, scans: Sequence[SheetScan]) -> tuple[str, ...]:
    """What was learned, as sentences for the person who holds the scanner."""
    keys = sum(len(scan.strokes) for scan in scans)
    said = [f"It struck {keys} keys, and never paused for more than {profile.gap_ms} ms: it is a scanner."]
    said.append(_layout_said(profile))
    if profile.dead == "alone":
        said.append("It strikes dead keys without the space bar after them.")
    said.append(_caps_said(profile, scans))
    said += omitted_said(way.omitted)
    said += [f"{name} comes as {written}." for name, written in profile.control.items()]
    said += controls(way)[1].values()
    said += around_said(profile)
    end = "Nothing but silence ends" if profile.terminator == NONE else f"{profile.terminator} ends"
    return (*said, f"{end} a scan.")


def around_said(profile: ScannerProfile) -> list[str]:
    """What stands round each scan, as sentences."""
    affixes = ((profile.prefix, "before"), (profile.suffix, "after"))
    aim = ["It names the kind of code (AIM identifier)."] if profile.aim else []
    return aim + [f"It puts {text!r} {where} each scan." for text, where in affixes if text]


def omitted_said(signs: str) -> list[str]:
    """The signs that do not come, as a sentence."""
    return [f"It leaves out the signs {' '.join(signs)} of a code."] if signs else []


def left_out(name: str) -> str:
    """A control character does not come, as a sentence."""
    return f"{name} does not come: the scanner leaves it out."


def _layout_said(profile: ScannerProfile) -> str:
    if profile.layout == "learned":
        return (
            "Its keys fit no layout known here; each key on the sheet is learned as it came, other keys type nothing."
        )
    keys = f", but for {', '.join(profile.keys)}" if profile.keys else ""
    like = f"; {', '.join(profile.alike)} look the same on this sheet" if profile.alike else ""
    return f"It types for the layout {profile.layout}{keys}{like}."


def _caps_said(profile: ScannerProfile, scans: Sequence[SheetScan]) -> str:
    lamp = any(scan.caps_lock for scan in scans)
    turned = any(stroke.turned for scan in scans for stroke in scan.strokes)
    if profile.caps == "obeyed" and not lamp and not turned:
        return "Upper and lower case come right with Caps Lock off; what it does with Caps Lock on was not seen."
    return f"Caps Lock was {'on' if lamp else 'off'}: {CAPS[profile.caps]}."
