"""Detection of the setup sheet in the keys or bytes of an open reader.

A keyboard scanner types the setup sheet before its layout is known. The listener keeps the key events of the current burst,
at most as many as a sheet has, so that the driver can decode them again with the learned profile.
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

EVENTS_A_STROKE = 12  # down and up of a key and two modifiers, each with its scan code and report
_GAP_NS = int(GAP_S * 1_000_000_000)


@dataclass(frozen=True, slots=True)
class SheetResult:
    """The result of a setup sheet, its key events, and whether the Caps Lock LED was on before them."""

    result: ProfileResult | ProfileFailure
    events: tuple[KeyEvent, ...]
    caps_lock: bool = False


class KeySheetListener:
    """Listens to one input device for the setup sheet.

    `ended` says that the driver's decoder has completed a scan with this event; the burst is then complete, too.
    """

    def __init__(self, sheets: Sequence[Sequence[str]], caps_lock: bool) -> None:
        self._detector = SheetDetector(sheets, xkb.layouts, caps_lock=caps_lock)
        self._events: deque[KeyEvent] = deque(maxlen=STROKES_MAX * EVENTS_A_STROKE)

    @property
    def begun(self) -> int:
        """Key events of the burst that has begun."""
        return len(self._events)

    @property
    def due_ns(self) -> int | None:
        """When silence will end the burst, None if there is none."""
        return self._detector.due_ns

    def feed(self, event: KeyEvent, *, ended: bool) -> SheetResult | None:
        """Process the next event; the result of a sheet that is now complete."""
        result = self._to_result(list(self._detector.feed(event)))  # of a burst that silence ended before this event
        if self._events and event.time_ns - self._events[-1].time_ns >= _GAP_NS:
            self._events.clear()
        self._events.append(event)
        return self.quiet(event.time_ns, ended=True) if ended and result is None else result

    def quiet(self, now_ns: int, *, ended: bool) -> SheetResult | None:
        """Process silence until now; the result of a sheet that is now complete."""
        return self._to_result(list(self._detector.quiet(now_ns + (_GAP_NS if ended else 0))))

    def _to_result(self, results: list[ProfileResult | ProfileFailure]) -> SheetResult | None:
        if not results:
            return None
        events = tuple(self._events)
        self._events.clear()
        return SheetResult(results[0], events, self._detector.caps_lock)


class ByteSheetDetector:
    """Detects the setup sheet of a scanner that sends bytes. No layout changes them, so the head of a code is searched."""

    def __init__(self, sheets: Sequence[Sequence[str]]) -> None:
        self._texts = [text for sheet in sheets for text in sheet]
        self._heads = {text[:HEAD_KEYS].encode() for text in self._texts}

    def detect(self, raw: bytes) -> ProfileResult | ProfileFailure | None:
        """The result of one scan if it is a code of the setup sheet, None for any other scan."""
        if not any(head in raw for head in self._heads):
            return None
        return learned_from_bytes(raw, self._texts)


def read_profile_setting(profile: str | None) -> ScannerProfile:
    """The profile in a JSON text, the default one for None. Raises `DriverError`."""
    try:
        return profile_in(profile) if profile else ScannerProfile()
    except ValueError as error:
        raise DriverError(
            came=f"The reader's profile cannot be used: {error}",
            expected="Expected what the station wrote when it learned the scanner.",
            do="Have the station learn it again from the setup sheet.",
        ) from error


def trimmed(scan: Scan, profile: ScannerProfile) -> Scan:
    """A scan without the prefix and suffix of its scanner; a scan that was cut to `MAX_RAW_BYTES` is left as it is."""
    if scan.sha256 is not None or not (profile.prefix or profile.suffix):
        return scan
    raw = stripped(scan.raw, profile)
    return Scan(raw, len(raw), None)
