"""Detects the setup sheet in the keys or bytes of a device, and passes it to `sheet_learning`.

A keyboard-like device is plugged in that nobody knows: was what it just typed the setup sheet, at a scanner's speed?

It is only listened to, never taken from a person who may be typing on it. Until the sheet is struck this costs next to
nothing: a burst of keys is first judged by which of them repeat, before any layout is looked at.

>>> apprentice = SheetDetector([["WIP:SETUP:2D:\\x1dA"]], lambda: {"us": US})
>>> [said for ms in range(0, 9000, 300) for said in apprentice.feed(KeyEvent(EV_KEY, 30, 1, ms * 1_000_000))]  # a person
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
"""Pauses longer than a person's quickest that a scanner may make in one scan: a cordless one waits for its radio."""
SHEET_S = 120
"""The second code of a sheet must come so soon after the first."""
_EV_LED, _LED_CAPS_LOCK = 17, 1
_NS = 1_000_000_000
_GAP_NS, _PACE_NS, _SHEET_NS = int(GAP_S * _NS), int(HAND_PACE_S * _NS), SHEET_S * _NS


class SheetDetector:
    """The burst of keys that is coming in; at most `STROKES_MAX` of them are held, and the first code of each sheet.

    `sheets` are the sheets that may be scanned, each the texts of its codes. `layouts` is asked for the layouts once a
    burst repeats its keys as a sheet does. `caps_lock` is the lamp when the listening began; that it is switched is heard.
    """

    def __init__(
        self,
        sheets: Sequence[Sequence[str]],
        layouts: Callable[[], Layouts],
        *,
        caps_lock: bool = False,
    ) -> None:
        self._sheets = [tuple(sheet) for sheet in sheets]
        self._layouts = layouts
        self._first: dict[tuple[str, ...], SheetScan] = {}
        self._lamp = self._lamp_at_first = caps_lock
        self._chords = ChordDecoder()
        self._burst: list[Stroke] = []
        self._last_ns: int | None = None
        self._slow = 0
        self._deaf = False  # until it falls quiet: a person types, keys were lost, or there are too many

    @property
    def due_ns(self) -> int | None:
        """When silence will end the burst, None while there is none."""
        return None if self._last_ns is None else self._last_ns + _GAP_NS

    @property
    def caps_lock(self) -> bool:
        """Whether the lamp was on at the first key of the latest burst."""
        return self._lamp_at_first

    def feed(self, event: KeyEvent) -> Iterator[ProfileResult | ProfileFailure]:
        """Take the next event of the device; yield what a burst that looked like the sheet has taught, or why nothing."""
        yield from self.quiet(event.time_ns)
        if event.type == EV_KEY:
            if event.code == CAPS_LOCK and event.value == 1:
                self._touch(event.time_ns)  # the lamp before it counts: the kernel tells the lamp after it as well
            for stroke in self._chords.feed(event.code, event.value, event.time_ns):
                self._take(stroke)
        elif event.type == _EV_LED and event.code == _LED_CAPS_LOCK:
            self._lamp = bool(event.value)
        elif event.type == EV_SYN and event.code == SYN_DROPPED:
            self._chords = ChordDecoder()
            self._ignore()
            self._last_ns = event.time_ns

    def quiet(self, now_ns: int) -> Iterator[ProfileResult | ProfileFailure]:
        """Nothing came until now: judge the burst that silence has ended."""
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return
        burst = tuple(self._burst)
        self._ignore()
        self._last_ns, self._slow, self._deaf = None, 0, False
        if len(burst) >= HEAD_KEYS and any(find_heads(burst, text) for sheet in self._sheets for text in sheet):
            said = self._judged(SheetScan(burst, self._lamp_at_first))
            if said != sheet_learning.NO_SHEET:  # a label that repeats its signs as the sheet does is a label
                yield said

    def _take(self, stroke: Stroke) -> None:
        self._touch(stroke.time_ns)
        if self._slow > SLOW_PAUSES_MAX or len(self._burst) >= STROKES_MAX:
            self._ignore()
        if not self._deaf:
            self._burst.append(stroke)

    def _touch(self, time_ns: int) -> None:
        if self._last_ns is None:
            self._lamp_at_first = self._lamp
        elif time_ns - self._last_ns > _PACE_NS:
            self._slow += 1
        self._last_ns = time_ns

    def _ignore(self) -> None:
        self._burst.clear()
        self._chords.begin()
        self._deaf = True

    def _judged(self, burst: SheetScan) -> ProfileResult | ProfileFailure:
        """What the burst is to the sheet that knows the most of it."""
        layouts = self._layouts()
        said: list[ProfileResult | ProfileFailure] = []
        for sheet in self._sheets:
            said.append(self._of_sheet(sheet, burst, layouts))
            if isinstance(said[-1], ProfileResult):
                break  # no other sheet can know more, and to find that out takes longer than to learn
        return min(said, key=lambda each: 0 if isinstance(each, ProfileResult) else 1 if each.waits else 2)

    def _of_sheet(self, sheet: tuple[str, ...], burst: SheetScan, layouts: Layouts) -> ProfileResult | ProfileFailure:
        first = self._first.pop(sheet, None)
        if first and burst.strokes[0].time_ns - first.strokes[-1].time_ns <= _SHEET_NS:
            said = sheet_learning.learn_profile([first, burst], sheet, layouts)
        else:
            first, said = None, sheet_learning.learn_profile([burst], sheet, layouts)
        if isinstance(said, ProfileFailure):
            if said.waits:
                self._first[sheet] = first or burst
            elif first:
                self._first[sheet] = first  # what came in between does not undo it
        return said
