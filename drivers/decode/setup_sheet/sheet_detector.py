"""Detection of the setup sheet in the key events of a device, which is then passed to `sheet_learning`.

An unknown input device may be a scanner or a person's keyboard, so it is only listened to. A burst of keys at a scanner's
speed is compared with the repetitions in the head of each text first. This costs little; layouts are loaded only after such
a match.

>>> detector = SheetDetector([["WIP:SETUP:2D:\\x1dA"]], lambda: {"us": US})
>>> presses = [KeyEvent(EV_KEY, 30, 1, ms * 1_000_000) for ms in range(0, 9000, 300)]  # a person types
>>> [result for event in presses for result in detector.feed(event)]
[]
"""

from collections.abc import Callable, Iterator, Sequence

from drivers.decode.keyboard.chords import ChordDecoder, Stroke
from drivers.decode.keyboard.keymap import CAPS_LOCK, US
from drivers.decode.keyboard.keys import EV_KEY, EV_SYN, GAP_S, HAND_PACE_S, SYN_DROPPED, KeyEvent
from drivers.decode.setup_sheet import sheet_learning
from drivers.decode.setup_sheet.sheet_learning import (
    STROKES_MAX,
    Layouts,
    ProfileFailure,
    ProfileResult,
    learn,
    learned_from_bytes,
)
from drivers.decode.setup_sheet.sheet_match import HEAD_KEYS, SheetScan, find_heads

__all__ = ["US", "Layouts", "ProfileFailure", "ProfileResult", "SheetDetector", "learn", "learned_from_bytes"]

SLOW_PAUSES_MAX = 3
"""The most pauses of human length in one scan: a cordless scanner may wait for its radio."""
SHEET_S = 120
"""The longest time between two codes of a sheet."""
LearnProfile = Callable[[Sequence[SheetScan], Sequence[str], Layouts], ProfileResult | ProfileFailure]
_EV_LED, _LED_CAPS_LOCK = 17, 1
_NS = 1_000_000_000
_GAP_NS, _PACE_NS, _SHEET_NS = int(GAP_S * _NS), int(HAND_PACE_S * _NS), SHEET_S * _NS


class SheetDetector:
    """Collects bursts of keys, at most `STROKES_MAX` strokes, and keeps the first code of each sheet.

    `sheets` are the sheets to recognise, each the texts of its codes. `layouts` is called when a burst may be a sheet.
    `caps_lock` is the state of the LED when the listening began; its changes are events of the device. `learn_profile`
    learns from the scans of one sheet.
    """

    def __init__(
        self,
        sheets: Sequence[Sequence[str]],
        layouts: Callable[[], Layouts],
        *,
        caps_lock: bool = False,
        learn_profile: LearnProfile = sheet_learning.learn_profile,
    ) -> None:
        self._learn_profile = learn_profile
        self._sheets = [tuple(sheet) for sheet in sheets]
        self._layouts = layouts
        self._first: dict[tuple[str, ...], SheetScan] = {}
        self._led = self._led_at_first_key = caps_lock
        self._chords = ChordDecoder()
        self._burst: list[Stroke] = []
        self._last_ns: int | None = None
        self._slow = 0
        self._discarding = False  # until silence: a person types, keys were lost, or there are too many

    @property
    def begun(self) -> int:
        """Strokes of the burst that has begun."""
        return len(self._burst)

    @property
    def due_ns(self) -> int | None:
        """When silence will end the burst, None without one."""
        return None if self._last_ns is None else self._last_ns + _GAP_NS

    @property
    def caps_lock(self) -> bool:
        """Whether the LED was on at the first key of the latest burst."""
        return self._led_at_first_key

    def feed(self, event: KeyEvent) -> Iterator[ProfileResult | ProfileFailure]:
        """Process the next event; yield the result of a burst that was a setup sheet."""
        yield from self.quiet(event.time_ns)
        if event.type == EV_KEY:
            if event.code == CAPS_LOCK and event.value == 1:
                self._note_pace(event.time_ns)  # here, so that the LED counts as it was before this key
            for stroke in self._chords.feed(event.code, event.value, event.time_ns):
                self._add(stroke)
        elif event.type == _EV_LED and event.code == _LED_CAPS_LOCK:
            self._led = bool(event.value)
        elif event.type == EV_SYN and event.code == SYN_DROPPED:
            self._chords = ChordDecoder()
            self._discard()
            self._last_ns = event.time_ns

    def quiet(self, now_ns: int) -> Iterator[ProfileResult | ProfileFailure]:
        """Process silence until now; yield the result of a burst that it has ended, if that was a setup sheet."""
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return
        burst = tuple(self._burst)
        self._discard()
        self._last_ns, self._slow, self._discarding = None, 0, False
        if len(burst) >= HEAD_KEYS and any(find_heads(burst, text) for sheet in self._sheets for text in sheet):
            result = self._learn(SheetScan(burst, self._led_at_first_key))
            if result != sheet_learning.NO_SHEET:  # another label may have the same repetitions
                yield result

    def _add(self, stroke: Stroke) -> None:
        self._note_pace(stroke.time_ns)
        if self._slow > SLOW_PAUSES_MAX or len(self._burst) >= STROKES_MAX:
            self._discard()
        if not self._discarding:
            self._burst.append(stroke)

    def _note_pace(self, time_ns: int) -> None:
        if self._last_ns is None:
            self._led_at_first_key = self._led
        elif time_ns - self._last_ns > _PACE_NS:
            self._slow += 1
        self._last_ns = time_ns

    def _discard(self) -> None:
        self._burst.clear()
        self._chords.begin()
        self._discarding = True

    def _learn(self, burst: SheetScan) -> ProfileResult | ProfileFailure:
        """The best result of all sheets: a profile, else a sheet that expects another code, else a failure."""
        layouts = self._layouts()
        results: list[ProfileResult | ProfileFailure] = []
        for sheet in self._sheets:
            results.append(self._learn_sheet(sheet, burst, layouts))
            if isinstance(results[-1], ProfileResult):
                break  # no other sheet can give more, and the search for a mismatch takes longest
        return min(results, key=lambda result: 0 if isinstance(result, ProfileResult) else 1 if result.waits else 2)

    def _learn_sheet(
        self, sheet: tuple[str, ...], burst: SheetScan, layouts: Layouts
    ) -> ProfileResult | ProfileFailure:
        """The result of the burst for one sheet, together with the first code of that sheet if it came before."""
        first = self._first.pop(sheet, None)
        if first and burst.strokes[0].time_ns - first.strokes[-1].time_ns <= _SHEET_NS:
            result = self._learn_profile([first, burst], sheet, layouts)
        else:
            first, result = None, self._learn_profile([burst], sheet, layouts)
        if isinstance(result, ProfileFailure):
            if result.waits:
                self._first[sheet] = first or burst
            elif first:
                self._first[sheet] = first  # another scan in between does not discard the first code
        return result
