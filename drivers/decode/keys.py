"""Key events of a keyboard-wedge scanner, read as the texts it types.

A scan ends on Enter, keypad Enter or Tab. A scanner that sends none of them ends its scan by falling quiet; a person at
a keypad pauses longer than that, so only text typed at a machine's pace ends after the short silence.

>>> keys = Keys()
>>> presses = [(30, 0), (2, 1), (28, 2)]  # A, 1, Enter, a millisecond apart
>>> [done for code, ms in presses for done in keys.feed(KeyEvent(EV_KEY, code, 1, ms * 1_000_000))]
[Typed(scan=Scan(raw=b'a1', raw_len=2, sha256=None), time_ns=2000000)]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from drivers.decode.keymap import ALT, CAPS_LOCK, CONTROL, KEYPAD_DIGITS, SHIFT, TERMINATORS, US, Layout, control
from drivers.decode.scan import Gathered, Scan

EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3
KEY_UP, KEY_DOWN = 0, 1  # 2 is the repeat of a key that is held: a scanner means one character

GAP_S = 0.5
"""Silence after which text typed at a machine's pace is complete, and after which a lost scan is over."""
HAND_GAP_S = 5.0
"""The same for text that a person may be typing."""
HAND_PACE_S = 0.06
JOINED_S = 0.05  # a key so soon after opening belongs to a scan that had begun before
"""No person strikes key after key faster than this."""
MACHINE_KEYS = 3
"""Keys after which the pace says something."""
_NS = 1_000_000_000
_ALT_DIGITS_MAX = 4


class KeyEvent(NamedTuple):
    """One kernel input event: `type`, `code` and `value` of `struct input_event`, and when, in nanoseconds."""

    type: int
    code: int
    value: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Typed:
    """A whole scan, and when it was complete."""

    scan: Scan
    time_ns: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A scan of which the device lost a part: `why` is one sentence."""

    why: str
    time_ns: int


class _Hearing(Enum):
    WHOLE = auto()
    LOST_UNTIL_REPORT = auto()  # the kernel is still clearing up
    LOST_UNTIL_END = auto()  # the tail of a scan whose head is gone


class Keys:
    """What has been typed so far, with the modifier keys that are held; memory is bounded.

    `caps_lock` is the state of the lamp when the device was opened. Times may be of any clock that does not step.
    `opened_ns`: when a device began to be heard that may have been typing already; half a code must not become a scan.
    """

    def __init__(self, layout: Layout = US, *, caps_lock: bool = False, opened_ns: int | None = None) -> None:
        self._layout = layout
        self._caps_lock = caps_lock
        self._text = Gathered()
        self._held: set[int] = set()
        self._alt_digits = ""
        self._hearing = _Hearing.WHOLE
        self._opened_ns = opened_ns
        self._last_ns = 0
        self._keys = 0
        self._slowest_ns = 0

    @property
    def begun(self) -> int:
        """Bytes of a scan that has begun and is not complete."""
        return len(self._text)

    @property
    def due_ns(self) -> int | None:
        """When silence will end what has begun, None while nothing has."""
        if self._hearing is not _Hearing.WHOLE:
            return self._last_ns + int(GAP_S * _NS)
        if not self._text:
            return None
        machine = self._keys >= MACHINE_KEYS and self._slowest_ns <= HAND_PACE_S * _NS
        return self._last_ns + int((GAP_S if machine else HAND_GAP_S) * _NS)

    def feed(self, event: KeyEvent) -> Iterator[Typed | Lost]:
        """Take the next event of the device; yield what is now complete or known to be lost."""
        if event.type not in (EV_SYN, EV_KEY):
            return
        yield from self.quiet(event.time_ns)
        if event.type == EV_SYN:
            yield from self._synchronise(event)
        elif event.value == KEY_UP:
            self._release(event.code)
        elif event.value == KEY_DOWN:
            yield from self._press(event)

    def quiet(self, now_ns: int) -> Iterator[Typed | Lost]:
        """Nothing came until now: yield the scan that silence has ended."""
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return
        if self._hearing is _Hearing.WHOLE:
            yield from self._end(due_ns)
        else:
            self._begin()

    def _begin(self) -> None:
        """The next key is the first of a scan."""
        self._text.clear()
        self._keys = self._slowest_ns = 0
        self._hearing = _Hearing.WHOLE

    def _end(self, time_ns: int) -> Iterator[Typed | Lost]:
        scan = self._text.take() if self._hearing is _Hearing.WHOLE else None
        self._begin()
        if scan is not None:
            yield Typed(scan, time_ns)

    def _synchronise(self, event: KeyEvent) -> Iterator[Typed | Lost]:
        """The kernel says that its queue ran over, or that it is in order again."""
        if event.code == SYN_DROPPED:
            told = self._hearing is not _Hearing.WHOLE
            self._begin()
            self._held.clear()  # releases may be among what was lost
            self._alt_digits = ""
            self._hearing = _Hearing.LOST_UNTIL_REPORT
            self._last_ns = event.time_ns
            if not told:
                yield Lost("The reader sent keys faster than they were taken, and some were lost.", event.time_ns)
        elif event.code == SYN_REPORT and self._hearing is _Hearing.LOST_UNTIL_REPORT:
            self._hearing = _Hearing.LOST_UNTIL_END
            self._last_ns = event.time_ns

    def _release(self, code: int) -> None:
        self._held.discard(code)
        if code in ALT and self._alt_digits:
            number = int(self._alt_digits) & 0xFF
            # As Windows reads Alt codes: a leading zero means its own code page, none the one of the old PC.
            page = "cp1252" if self._alt_digits.startswith("0") else "cp437"
            self._alt_digits = ""
            self._type(bytes([number]).decode(page, errors="replace"))

    def _press(self, event: KeyEvent) -> Iterator[Typed | Lost]:
        code = event.code
        if self._hearing is _Hearing.LOST_UNTIL_REPORT:
            return
        if self._opened_ns is not None:
            yield from self._join(event.time_ns - self._opened_ns, event.time_ns)
        if code in SHIFT | CONTROL | ALT:
            self._held.add(code)
        elif code == CAPS_LOCK:
            self._caps_lock = not self._caps_lock
        elif code in TERMINATORS:
            yield from self._end(event.time_ns)
        else:
            self._pace(event.time_ns)
            if code in KEYPAD_DIGITS and self._held & ALT:
                self._alt_digits = (self._alt_digits + KEYPAD_DIGITS[code])[:_ALT_DIGITS_MAX]
            else:
                self._type(self._character(code))

    def _join(self, after_ns: int, time_ns: int) -> Iterator[Lost]:
        """The first key since the device was opened: so soon after, it is not the first of its scan."""
        self._opened_ns = None
        if after_ns < JOINED_S * _NS:
            self._hearing = _Hearing.LOST_UNTIL_END
            self._last_ns = time_ns
            yield Lost("The reader was typing when it was taken, and the head of the scan was lost.", time_ns)

    def _pace(self, time_ns: int) -> None:
        if self._keys:
            self._slowest_ns = max(self._slowest_ns, time_ns - self._last_ns)
        self._keys += 1
        self._last_ns = time_ns

    def _character(self, code: int) -> str:
        """What the key types with the modifiers that are held, "" for a key that types nothing."""
        alone = self._layout.plain.get(code, "")
        shifted = bool(self._held & SHIFT) != (self._caps_lock and alone.isalpha())
        char = self._layout.shifted.get(code, "") if shifted else alone
        if self._held & CONTROL and char:
            return control(char) or char
        return char

    def _type(self, char: str) -> None:
        if self._hearing is _Hearing.WHOLE:
            self._text.add(char.encode())
