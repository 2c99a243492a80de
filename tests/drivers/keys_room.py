"""Key events for the tests of `drivers.decode.keys`: struck in time, and what was heard of them."""

from drivers.decode.keys import (
    EV_KEY,
    EV_SYN,
    SYN_DROPPED,
    SYN_REPORT,
    KeyEvent,
    Typed,
)

DROPPED, REPORT = (EV_SYN, SYN_DROPPED, 0), (EV_SYN, SYN_REPORT, 0)
ALT, ALT_GR, LEFT_CONTROL = 56, 100, 29
MS = 1_000_000


LOST = "The reader sent keys faster than they were taken, and some were lost."


def timed(events, start_ms=0, step_ms=1.0):
    """Events with the times of a stream: one each `step_ms`."""
    return [KeyEvent(*event, int((start_ms + index * step_ms) * MS)) for index, event in enumerate(events)]


def heard(keys, events):
    """What a decoder says of events fed one after the other."""
    return [outcome for event in events for outcome in keys.feed(event)]


def texts(outcomes):
    return [outcome.scan.raw.decode() if isinstance(outcome, Typed) else outcome.why for outcome in outcomes]


def key(code, value=1):
    return (EV_KEY, code, value)


def press(*codes):
    return [key(code, value) for code in codes for value in (1, 0)]


def hold(modifier, *codes):
    return [key(modifier), *press(*codes), key(modifier, 0)]


ENTER = press(28)


PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
