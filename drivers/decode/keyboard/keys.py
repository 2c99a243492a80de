"""Decoder for the key events of a keyboard-wedge scanner.

A scan ends with Enter, keypad Enter or Tab, or with silence if the scanner sends none of them. The silence is short for text
that was typed at a machine's pace, and long for text that a person may be typing at a keypad. If the scan before ended with
a key, the long silence counts: such a scanner has probably been unplugged in mid-scan, and the kernel may report that late.
A `ScannerProfile` may set another terminator and pace. A document of several lines is one scan, with a line feed for each
Enter in it (`drivers.decode.label_lines`).

>>> decoder = WedgeDecoder()
>>> presses = [(30, 0), (2, 1), (28, 2)]  # A, 1, Enter, a millisecond apart
>>> [scan for code, ms in presses for scan in decoder.feed(KeyEvent(EV_KEY, code, 1, ms * 1_000_000))]
[TypedScan(scan=Scan(raw=b'a1', raw_len=2, sha256=None), time_ns=2000000)]
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from drivers.decode.keyboard.affixes import scan_buffer
from drivers.decode.keyboard.chords import ALT_DIGITS_MAX, ALTED, ALTGRED, BIT, LOCKED, HeldModifiers
from drivers.decode.keyboard.keymap import ALT, CAPS_LOCK, KEYPAD_DIGITS, US, KeyLayout
from drivers.decode.keyboard.profile import ScannerProfile
from drivers.decode.keyboard.typewriter import Typewriter
from drivers.decode.label_lines import LabelLines
from drivers.decode.scan import Scan

EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3
KEY_UP, KEY_DOWN = 0, 1  # 2 is the autorepeat of a held key; a scanner means one character

GAP_S = 0.5
"""The silence that ends text typed at a machine's pace, and the rest of a lost scan."""
HAND_GAP_S = 5.0
"""The same for text that a person may be typing."""
HAND_PACE_S = 0.06
"""The shortest pause between keys that a person types."""
PACES_IN_GAP = 4
"""For a slow scanner, the silence is so many of its slowest pauses, and a machine's pace is up to two of them."""
JOINED_S = 0.05
"""A key so soon after the opening belongs to a scan that had begun before."""
MOST_BREAKS = 64
"""The most line breaks behind one line of a document that are kept."""
MACHINE_KEYS = 3
"""The fewest keys from which the pace is judged."""
KEYS_LOST = "The reader sent keys faster than they were taken, and some were lost."
_NS = 1_000_000_000
_HAND_GAP_NS = int(HAND_GAP_S * _NS)


class KeyEvent(NamedTuple):
    """One kernel input event: `type`, `code` and `value` of `struct input_event`, and its time in nanoseconds."""

    type: int
    code: int
    value: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class TypedScan:
    """A complete scan, and the time of its completion."""

    scan: Scan
    time_ns: int


@dataclass(frozen=True, slots=True)
class LostScan:
    """A scan that was lost in part: `why` is one sentence. `many`: one or more scans were lost, the number is unknown."""

    why: str
    time_ns: int
    many: bool = field(default=False, compare=False)


class _State(Enum):
    COMPLETE = auto()
    LOST_UNTIL_REPORT = auto()  # after SYN_DROPPED: the events up to the next SYN_REPORT are invalid
    LOST_UNTIL_END = auto()  # the rest of a scan whose beginning is lost


class WedgeDecoder:
    """Decodes the key events of one device, in bounded memory.

    `caps_lock` is the state of the LED when the device was opened. Times may be of any clock that does not step.
    `opened_ns`: the device may have been typing when it was opened, and the rest of such a scan is dropped.
    """

    def __init__(
        self,
        layout: KeyLayout = US,
        profile: ScannerProfile | None = None,
        *,
        caps_lock: bool = False,
        opened_ns: int | None = None,
    ) -> None:
        profile = profile or ScannerProfile()
        self._typewriter = Typewriter(layout, profile)
        self._locked = LOCKED if caps_lock else 0
        self._text = scan_buffer(profile)
        self._held = HeldModifiers()
        self._alt_digits = ""
        self._state = _State.COMPLETE
        self._opened_ns = opened_ns
        self._last_ns = 0
        self._keys = 0
        self._slowest_ns = 0
        self._ends_with_key = False  # the last scan ended with a key
        self._lines = LabelLines()
        self._breaks = 0  # behind the last line of a document, a part of the label only if another line follows
        slowest_ns = profile.gap_ms * 1_000_000
        self._pace_ns = max(int(HAND_PACE_S * _NS), 2 * slowest_ns)
        self._gap_ns = max(int(GAP_S * _NS), PACES_IN_GAP * slowest_ns)

    @property
    def begun(self) -> int:
        """Bytes of a scan that has begun and is not complete."""
        return len(self._text)

    @property
    def due_ns(self) -> int | None:
        """When silence will end the scan that has begun, None without one."""
        if self._state is not _State.COMPLETE:
            return self._last_ns + self._gap_ns
        if not self._text and not self._typewriter.waits:
            return None
        # A scanner that ends its scans with a key has probably been unplugged; the kernel may report that late.
        is_unplugged = self._ends_with_key and not self._lines.is_open
        return self._last_ns + (_HAND_GAP_NS if is_unplugged else self._silence_ns())

    def _silence_ns(self) -> int:
        """The silence that ends the scan that has begun."""
        machine = self._keys >= MACHINE_KEYS and self._slowest_ns <= self._pace_ns
        return self._gap_ns if machine or self._lines.is_open else _HAND_GAP_NS

    def feed(self, event: KeyEvent) -> Iterator[TypedScan | LostScan]:
        """Process the next event; yield scans that are now complete or known to be lost."""
        if event.type not in (EV_SYN, EV_KEY):
            return
        yield from self.quiet(event.time_ns)
        if event.type == EV_SYN:
            yield from self._synchronise(event)
        elif event.value == KEY_UP:
            yield from self._release(event.code, event.time_ns)
        elif event.value == KEY_DOWN:
            yield from self._press(event)

    def quiet(self, now_ns: int) -> Iterator[TypedScan | LostScan]:
        """Process silence until now: yield the scan that it has ended."""
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return
        if self._state is _State.COMPLETE:
            yield from self._end_with_silence()
        else:
            self._begin()

    def _end_with_silence(self) -> Iterator[TypedScan | LostScan]:
        if self._breaks:  # the document was complete at its last key
            yield from self._end(self._last_ns)
            return
        self._ends_with_key = False
        yield from self._end(self._last_ns + self._silence_ns())

    def _begin(self) -> None:
        """Discard what has begun; the next key is the first of a scan."""
        self._text.clear()
        self._typewriter.flush()
        self._keys = self._slowest_ns = 0
        self._lines.reset()
        self._breaks = 0
        self._state = _State.COMPLETE

    def _end(self, time_ns: int) -> Iterator[TypedScan | LostScan]:
        self._type(self._typewriter.flush())
        scan = self._text.pop_scan() if self._state is _State.COMPLETE else None
        self._begin()
        if scan is not None:
            yield TypedScan(scan, time_ns)

    def _end_with_key(self, time_ns: int) -> Iterator[TypedScan | LostScan]:
        """Process a terminator: the scan is complete, unless it is a document that has more lines."""
        self._ends_with_key = True
        self._type(self._typewriter.flush())
        if self._has_more_lines():
            self._breaks = min(self._breaks + 1, MOST_BREAKS)
            self._last_ns = time_ns
        else:
            yield from self._end(time_ns)

    def _has_more_lines(self) -> bool:
        """Whether the label of the line that has just ended has another line. A person types one line at a time."""
        if not self._text or self._state is not _State.COMPLETE or self._slowest_ns > self._pace_ns:
            return False
        return self._breaks > 0 or self._lines.end_line()

    def _synchronise(self, event: KeyEvent) -> Iterator[TypedScan | LostScan]:
        """Process SYN_DROPPED (the kernel queue overflowed) and SYN_REPORT (events are valid again).

        The number of lost keys is unknown, so any number of complete scans may be among them. The scan that has begun is
        dropped, and so is the rest that follows; one `LostScan` reports both.
        """
        if event.code == SYN_DROPPED:
            reported = self._state is not _State.COMPLETE
            self._begin()
            self._held.clear()  # key releases may be among the lost events
            self._alt_digits = ""
            self._state = _State.LOST_UNTIL_REPORT
            self._last_ns = event.time_ns
            if not reported:
                yield LostScan(KEYS_LOST, event.time_ns, many=True)
        elif event.code == SYN_REPORT and self._state is _State.LOST_UNTIL_REPORT:
            self._state = _State.LOST_UNTIL_END
            self._last_ns = event.time_ns

    def _release(self, code: int, time_ns: int) -> Iterator[TypedScan | LostScan]:
        self._held.release(code)
        if code in ALT and self._alt_digits:
            digits, self._alt_digits = self._alt_digits, ""
            text = self._typewriter.number(digits)
            if text is None:
                yield from self._end_with_key(time_ns)
            else:
                self._type(text)

    def _press(self, event: KeyEvent) -> Iterator[TypedScan | LostScan]:
        code = event.code
        if self._state is _State.LOST_UNTIL_REPORT:
            return
        if self._opened_ns is not None:
            yield from self._check_head(event.time_ns - self._opened_ns, event.time_ns)
        if self._text and event.time_ns - self._last_ns >= self._silence_ns():
            yield from self._end_with_silence()  # this is the first key of another scan
        if code in BIT:
            self._held.press(code)
        elif code == CAPS_LOCK:
            self._locked ^= LOCKED
        elif code in KEYPAD_DIGITS and self._held.mods & (ALTED | ALTGRED):
            self._note_pace(event.time_ns)
            self._alt_digits = (self._alt_digits + KEYPAD_DIGITS[code])[:ALT_DIGITS_MAX]
        else:
            text = self._typewriter.type(code, self._held.mods | self._locked)
            if text is None:
                yield from self._end_with_key(event.time_ns)
            else:
                self._note_pace(event.time_ns)
                self._type(text)

    def _check_head(self, after_ns: int, time_ns: int) -> Iterator[LostScan]:
        """Drop the rest of a scan that had begun before the opening: the first key so soon after it."""
        self._opened_ns = None
        if after_ns < JOINED_S * _NS:
            self._state = _State.LOST_UNTIL_END
            self._last_ns = time_ns
            yield LostScan("The reader was typing when it was taken, and the head of the scan was lost.", time_ns)

    def _note_pace(self, time_ns: int) -> None:
        if self._keys:
            self._slowest_ns = max(self._slowest_ns, time_ns - self._last_ns)
        self._keys += 1
        self._last_ns = time_ns

    def _type(self, text: str) -> None:
        if text and self._state is _State.COMPLETE:
            if self._breaks:
                self._text.add(b"\n" * self._breaks)
                self._breaks = 0
            typed = text.encode()
            self._text.add(typed)
            self._lines.add(typed)
