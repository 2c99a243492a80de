"""Key events of a keyboard-wedge scanner, read as the texts it types.

A scan ends on Enter, keypad Enter or Tab. A scanner that sends none of them ends its scan by falling quiet; a person at
a keypad pauses longer than that, so only text typed at a machine's pace ends after the short silence. Where a key ended the
scan before, the short silence is no end yet: a scanner that is pulled out is quiet as well, and the kernel may be late to
say so. What is known of this scanner (`ScannerProfile`) may say otherwise.

>>> keys = WedgeDecoder()
>>> presses = [(30, 0), (2, 1), (28, 2)]  # A, 1, Enter, a millisecond apart
>>> [done for code, ms in presses for done in keys.feed(KeyEvent(EV_KEY, code, 1, ms * 1_000_000))]
[TypedScan(scan=Scan(raw=b'a1', raw_len=2, sha256=None), time_ns=2000000)]
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from drivers.decode.keyboard.affixes import gathered
from drivers.decode.keyboard.chords import ALT_DIGITS_MAX, ALTED, ALTGRED, BIT, LOCKED, HeldModifiers
from drivers.decode.keyboard.keymap import ALT, CAPS_LOCK, KEYPAD_DIGITS, US, KeyLayout
from drivers.decode.keyboard.profile import ScannerProfile
from drivers.decode.keyboard.typewriter import Typewriter
from drivers.decode.scan import Scan

EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3
KEY_UP, KEY_DOWN = 0, 1  # 2 is the repeat of a key that is held: a scanner means one character

GAP_S = 0.5
"""Silence after which text typed at a machine's pace is complete, and after which a lost scan is over."""
HAND_GAP_S = 5.0
"""The same for text that a person may be typing."""
HAND_PACE_S = 0.06
"""No person strikes key after key faster than this."""
PACES_IN_GAP = 4
"""A scanner that pauses longer between keys is silent after so many of its slowest pauses, and types at half of them."""
JOINED_S = 0.05
"""A key so soon after opening belongs to a scan that had begun before."""
MACHINE_KEYS = 3
"""Keys after which the pace says something."""
KEYS_LOST = "The reader sent keys faster than they were taken, and some were lost."
_NS = 1_000_000_000
_HAND_GAP_NS = int(HAND_GAP_S * _NS)


class KeyEvent(NamedTuple):
    """One kernel input event: `type`, `code` and `value` of `struct input_event`, and when, in nanoseconds."""

    type: int
    code: int
    value: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class TypedScan:
    """A whole scan, and when it was complete."""

    scan: Scan
    time_ns: int


@dataclass(frozen=True, slots=True)
class LostScan:
    """A scan of which the device lost a part: `why` is one sentence. `many`: it is not known how many scans were lost."""

    why: str
    time_ns: int
    many: bool = field(default=False, compare=False)


class _Hearing(Enum):
    WHOLE = auto()
    LOST_UNTIL_REPORT = auto()  # the kernel is still clearing up
    LOST_UNTIL_END = auto()  # the tail of a scan whose head is gone


class WedgeDecoder:
    """What has been typed so far, with the modifier keys that are held; memory is bounded.

    `caps_lock` is the state of the lamp when the device was opened. Times may be of any clock that does not step.
    `opened_ns`: when a device began to be heard that may have been typing already; half a code must not become a scan.
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
        self._text = gathered(profile)
        self._held = HeldModifiers()
        self._alt_digits = ""
        self._hearing = _Hearing.WHOLE
        self._opened_ns = opened_ns
        self._last_ns = 0
        self._keys = 0
        self._slowest_ns = 0
        self._ends = False  # a key ended its last scan
        slowest_ns = profile.gap_ms * 1_000_000
        self._pace_ns = max(int(HAND_PACE_S * _NS), 2 * slowest_ns)
        self._gap_ns = max(int(GAP_S * _NS), PACES_IN_GAP * slowest_ns)

    @property
    def begun(self) -> int:
        """Bytes of a scan that has begun and is not complete."""
        return len(self._text)

    @property
    def due_ns(self) -> int | None:
        """When silence will end what has begun, None while nothing has."""
        if self._hearing is not _Hearing.WHOLE:
            return self._last_ns + self._gap_ns
        if not self._text and not self._typewriter.waits:
            return None
        # One that ends its scans with a key has most likely been pulled out, and the kernel may be late to say so.
        return self._last_ns + (_HAND_GAP_NS if self._ends else self._silence_ns())

    def _silence_ns(self) -> int:
        """Silence that ends what has begun."""
        machine = self._keys >= MACHINE_KEYS and self._slowest_ns <= self._pace_ns
        return self._gap_ns if machine else _HAND_GAP_NS

    def feed(self, event: KeyEvent) -> Iterator[TypedScan | LostScan]:
        """Take the next event of the device; yield what is now complete or known to be lost."""
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
        """Nothing came until now: yield the scan that silence has ended."""
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return
        if self._hearing is _Hearing.WHOLE:
            yield from self._fall_silent()
        else:
            self._begin()

    def _fall_silent(self) -> Iterator[TypedScan | LostScan]:
        self._ends = False
        yield from self._end(self._last_ns + self._silence_ns())

    def _begin(self) -> None:
        """The next key is the first of a scan."""
        self._text.clear()
        self._typewriter.flush()
        self._keys = self._slowest_ns = 0
        self._hearing = _Hearing.WHOLE

    def _end(self, time_ns: int) -> Iterator[TypedScan | LostScan]:
        self._type(self._typewriter.flush())
        scan = self._text.pop_scan() if self._hearing is _Hearing.WHOLE else None
        self._begin()
        if scan is not None:
            yield TypedScan(scan, time_ns)

    def _end_with_key(self, time_ns: int) -> Iterator[TypedScan | LostScan]:
        self._ends = True
        yield from self._end(time_ns)

    def _synchronise(self, event: KeyEvent) -> Iterator[TypedScan | LostScan]:
        """The kernel says that its queue ran over, or that it is in order again.

        It does not say how many keys are lost, so any number of whole scans may be among them. What was half typed is
        dropped, and so is the tail that follows; both are covered by the one `LostScan` of this run of losses.
        """
        if event.code == SYN_DROPPED:
            told = self._hearing is not _Hearing.WHOLE
            self._begin()
            self._held.clear()  # releases may be among what was lost
            self._alt_digits = ""
            self._hearing = _Hearing.LOST_UNTIL_REPORT
            self._last_ns = event.time_ns
            if not told:
                yield LostScan(KEYS_LOST, event.time_ns, many=True)
        elif event.code == SYN_REPORT and self._hearing is _Hearing.LOST_UNTIL_REPORT:
            self._hearing = _Hearing.LOST_UNTIL_END
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
        if self._hearing is _Hearing.LOST_UNTIL_REPORT:
            return
        if self._opened_ns is not None:
            yield from self._join(event.time_ns - self._opened_ns, event.time_ns)
        if self._text and event.time_ns - self._last_ns >= self._silence_ns():
            yield from self._fall_silent()  # this is the first key of another scan
        if code in BIT:
            self._held.press(code)
        elif code == CAPS_LOCK:
            self._locked ^= LOCKED
        elif code in KEYPAD_DIGITS and self._held.mods & (ALTED | ALTGRED):
            self._pace(event.time_ns)
            self._alt_digits = (self._alt_digits + KEYPAD_DIGITS[code])[:ALT_DIGITS_MAX]
        else:
            text = self._typewriter.type(code, self._held.mods | self._locked)
            if text is None:
                yield from self._end_with_key(event.time_ns)
            else:
                self._pace(event.time_ns)
                self._type(text)

    def _join(self, after_ns: int, time_ns: int) -> Iterator[LostScan]:
        """The first key since the device was opened: so soon after, it is not the first of its scan."""
        self._opened_ns = None
        if after_ns < JOINED_S * _NS:
            self._hearing = _Hearing.LOST_UNTIL_END
            self._last_ns = time_ns
            yield LostScan("The reader was typing when it was taken, and the head of the scan was lost.", time_ns)

    def _pace(self, time_ns: int) -> None:
        if self._keys:
            self._slowest_ns = max(self._slowest_ns, time_ns - self._last_ns)
        self._keys += 1
        self._last_ns = time_ns

    def _type(self, text: str) -> None:
        if text and self._hearing is _Hearing.WHOLE:
            self._text.add(text.encode())
