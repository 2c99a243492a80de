"""The evidence for a learned profile: sentences for the person who holds the scanner.

>>> affixes(ScannerProfile(prefix="S1-", aim=True))
['It names the kind of code (AIM identifier).', "It puts 'S1-' before each scan."]
"""

from collections.abc import Mapping, Sequence

from drivers.decode.keyboard.profile import CAPS, LEARNED, NONE, ScannerProfile
from drivers.decode.setup_sheet.sheet_match import SheetScan


def evidence(
    profile: ScannerProfile, omitted: str, lacking: Mapping[str, str], scans: Sequence[SheetScan]
) -> tuple[str, ...]:
    """The evidence from keys. `omitted`: signs that did not come; `lacking`: control characters without a chord, and why."""
    keys = sum(len(scan.strokes) for scan in scans)
    lines = [f"It struck {keys} keys, and never paused for more than {profile.gap_ms} ms: it is a scanner."]
    lines.append(_layout(profile))
    if profile.dead == "alone":
        lines.append("It strikes dead keys without the space bar after them.")
    lines.append(_caps_lock(profile, scans))
    lines += omissions(omitted)
    lines += [f"{name} comes as {written}." for name, written in profile.control.items()]
    lines += lacking.values()
    lines += affixes(profile)
    end = "Nothing but silence ends" if profile.terminator == NONE else f"{profile.terminator} ends"
    return (*lines, f"{end} a scan.")


def affixes(profile: ScannerProfile) -> list[str]:
    """AIM identifier, prefix and suffix, as far as the profile has them."""
    texts = ((profile.prefix, "before"), (profile.suffix, "after"))
    aim = ["It names the kind of code (AIM identifier)."] if profile.aim else []
    return aim + [f"It puts {text!r} {where} each scan." for text, where in texts if text]


def omissions(signs: str) -> list[str]:
    """The signs that did not come, if any."""
    return [f"It leaves out the signs {' '.join(signs)} of a code."] if signs else []


def missing_control(name: str) -> str:
    """A control character that did not come."""
    return f"{name} does not come: the scanner leaves it out."


def _layout(profile: ScannerProfile) -> str:
    if profile.layout == LEARNED:
        return (
            "Its keys fit no layout known here; each key on the sheet is learned as it came, other keys type nothing."
        )
    keys = f", but for {', '.join(profile.keys)}" if profile.keys else ""
    alike = f"; {', '.join(profile.alike)} look the same on this sheet" if profile.alike else ""
    return f"It types for the layout {profile.layout}{keys}{alike}."


def _caps_lock(profile: ScannerProfile, scans: Sequence[SheetScan]) -> str:
    led = any(scan.caps_lock for scan in scans)
    turned = any(stroke.turned for scan in scans for stroke in scan.strokes)
    if profile.caps == "obeyed" and not led and not turned:
        return "Upper and lower case come right with Caps Lock off; what it does with Caps Lock on was not seen."
    return f"Caps Lock was {'on' if led else 'off'}: {CAPS[profile.caps]}."
