"""Lessons: an open keyboard's ear for the setup sheet, and the keys of what is being typed, so that it can be read anew.

The sheet that teaches a scanner was typed before anybody knew how to read it. Its keys are kept until it is over, no more of
them than a sheet has, and read once the lesson is learned.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from drivers import DriverError
from drivers.decode.keyboard.affixes import stripped
from drivers.decode.keyboard.keys import GAP_S, KeyEvent
from drivers.decode.keyboard.profile import ScannerProfile, profile_in
from drivers.decode.scan import Scan
from drivers.decode.setup_sheet.sheet_detector import ProfileFailure, ProfileResult, SheetDetector, learned_from_bytes
from drivers.decode.setup_sheet.sheet_learning import STROKES_MAX
from drivers.decode.setup_sheet.sheet_match import HEAD_KEYS
from drivers.platform import xkb

EVENTS_A_STROKE = 12  # key down and up, its report and its scan code, with two modifiers
_GAP_NS = int(GAP_S * 1_000_000_000)


@dataclass(frozen=True, slots=True)
class SheetResult:
    """What the sheet has taught, or why nothing; the key events that it came as; whether Caps Lock was lit before them."""

    said: ProfileResult | ProfileFailure
    events: tuple[KeyEvent, ...]
    caps_lock: bool = False


class KeySheetListener:
    """Hears one device. `ended`: to who reads it, a scan is complete with this event, so the burst is over as well."""

    def __init__(self, sheets: Sequence[Sequence[str]], caps_lock: bool) -> None:
        self._apprentice = SheetDetector(sheets, xkb.layouts, caps_lock=caps_lock)
        self._events: deque[KeyEvent] = deque(maxlen=STROKES_MAX * EVENTS_A_STROKE)

    @property
    def due_ns(self) -> int | None:
        """When silence will end what is being typed."""
        return self._apprentice.due_ns

    def feed(self, event: KeyEvent, *, ended: bool) -> SheetResult | None:
        """Take the next event."""
        lesson = self._lesson(list(self._apprentice.feed(event)))  # of what silence had ended before it
        if self._events and event.time_ns - self._events[-1].time_ns >= _GAP_NS:
            self._events.clear()
        self._events.append(event)
        return self.quiet(event.time_ns, ended=True) if ended and lesson is None else lesson

    def quiet(self, now_ns: int, *, ended: bool) -> SheetResult | None:
        """Nothing came until now."""
        return self._lesson(list(self._apprentice.quiet(now_ns + (_GAP_NS if ended else 0))))

    def _lesson(self, said: list[ProfileResult | ProfileFailure]) -> SheetResult | None:
        if not said:
            return None
        events = tuple(self._events)
        self._events.clear()
        return SheetResult(said[0], events, self._apprentice.caps_lock)


class ByteSheetDetector:
    """The same for a scanner that sends bytes: no layout garbles them, so the head of a sheet is heard at once."""

    def __init__(self, sheets: Sequence[Sequence[str]]) -> None:
        self._texts = [text for sheet in sheets for text in sheet]
        self._heads = {text[:HEAD_KEYS].encode() for text in self._texts}

    def hears(self, raw: bytes) -> ProfileResult | ProfileFailure | None:
        """What one scan teaches, where it is a code of the setup sheet."""
        if not any(head in raw for head in self._heads):
            return None
        return learned_from_bytes(raw, self._texts)


def taught(profile: str | None) -> ScannerProfile:
    """What was learned before, as plain values. Raises `DriverError`."""
    try:
        return profile_in(profile) if profile else ScannerProfile()
    except ValueError as error:
        raise DriverError(
            came=f"The reader's profile cannot be used: {error}",
            expected="Expected what the station wrote when it learned the scanner.",
            do="Have the station learn it again from the setup sheet.",
        ) from error


def trimmed(scan: Scan, profile: ScannerProfile) -> Scan:
    """A whole scan without the prefix and suffix of its scanner; one that had to be cut stays as it came."""
    if scan.sha256 is not None or not (profile.prefix or profile.suffix):
        return scan
    raw = stripped(scan.raw, profile)
    return Scan(raw, len(raw), None)
