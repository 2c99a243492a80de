"""The schema of a capture for each kind of reader: its settings, its events, and the bounds of each value.

>>> EVENTS["keyboard"]["key"]([1, 30, 1])
(1, 30, 1)
>>> EVENTS["keyboard"]["key"]([1, 30])
Traceback (most recent call last):
    ...
drivers.decode.capture_schema.SchemaMismatch: a list of 3
"""

from collections.abc import Callable, Mapping
from typing import Any

from drivers.decode.hid.report_descriptor import MAX_DESCRIPTOR_BYTES, MAX_REPORT_BYTES
from drivers.decode.keyboard.profile import profile_of

TIME_MAX_NS = 24 * 3600 * 1_000_000_000
"""The longest duration of a capture."""
NAME_MAX_CHARS = 512
"""Characters of a reader's name."""
BYTES_MAX = 65_538
"""Bytes of one event: the longest response of a smart card (ISO/IEC 7816-4, extended length)."""
MOST_READERS = 64
_ATR_MAX_BYTES = 33
_CODE_MAX, _VALUE_MAX = 0xFFFF, 2**31 - 1
_BAUD_MAX = 10_000_000
_TURN_MAX = 2**63 - 1

Parser = Callable[[object], Any]
"""Takes a decoded JSON value; returns the parsed value, or raises `SchemaMismatch`."""
Parsers = Mapping[str, Parser]


class SchemaMismatch(ValueError):
    """A value does not match; the message is what was expected."""


def text(value: object) -> str:
    """A short text of printable characters."""
    if not isinstance(value, str) or len(value) > NAME_MAX_CHARS or not value.isprintable():
        msg = f"a text of at most {NAME_MAX_CHARS} characters that can be seen"
        raise SchemaMismatch(msg)
    return value


def whole(least: int, most: int) -> Callable[[object], int]:
    """A parser of whole numbers within these bounds."""

    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            msg = f"a whole number from {least} to {most}"
            raise SchemaMismatch(msg)
        return value

    return read


def true(value: object) -> bool:
    """The value of an event without data."""
    if value is not True:
        msg = "true"
        raise SchemaMismatch(msg)
    return True


def _hex(most: int) -> Callable[[object], bytes]:
    def read(value: object) -> bytes:
        try:
            if isinstance(value, str) and len(value) <= 2 * most:
                return bytes.fromhex(value)
        except ValueError:
            pass
        msg = f"at most {most} bytes in hex"
        raise SchemaMismatch(msg)

    return read


def _true_or_false(value: object) -> bool:
    if not isinstance(value, bool):
        msg = "true or false"
        raise SchemaMismatch(msg)
    return value


def _profile(value: object) -> object:
    try:
        profile_of(value)
    except ValueError as error:
        msg = f"a scanner's profile ({error})"
        raise SchemaMismatch(msg) from error
    return value


def _row(*parsers: Parser) -> Callable[[object], tuple[Any, ...]]:
    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(parsers):
            msg = f"a list of {len(parsers)}"
            raise SchemaMismatch(msg)
        return tuple(parse(part) for parse, part in zip(parsers, value, strict=True))

    return read


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_READERS:
        msg = f"a list of at most {MOST_READERS} names"
        raise SchemaMismatch(msg)
    return tuple(map(text, value))


def _answer(value: object) -> bytes | None:
    return None if value is None else _hex(BYTES_MAX)(value)


def _gone(value: object) -> object:
    if value not in ("service", "reader"):
        msg = "'service' or 'reader'"
        raise SchemaMismatch(msg)
    return value


_OPENED = whole(-TIME_MAX_NS, 0)
_LINE: Parsers = {"in": _hex(BYTES_MAX), "out": _hex(BYTES_MAX), "baud": whole(1, _BAUD_MAX), "lost": true}
_KEY = _row(whole(0, _CODE_MAX), whole(0, _CODE_MAX), whole(-_VALUE_MAX - 1, _VALUE_MAX))

EVENTS: Mapping[str, Parsers] = {
    "keyboard": {"key": _KEY, "lost": true},
    "serial_line": _LINE,
    "serial_rfid": _LINE,
    "hidpos": {"report": _hex(MAX_REPORT_BYTES + 1), "lost": true},
    "pcsc": {
        "state": _row(whole(0, _TURN_MAX), _true_or_false, _hex(_ATR_MAX_BYTES)),
        "asked": _row(_hex(BYTES_MAX), _answer),
        "readers": _names,
        "gone": _gone,
    },
}
"""The events of each kind, beside `end`.

`key`: type, code and value of an input event. `in`, `out`: bytes read and written; `baud`: the speed from then on.
`report`: a HID report. `state`: the count of cards put on and removed, whether a card is present, its ATR; `asked`: a
command to a card and its response, null if the card was removed; `readers`: the readers of pcscd after its restart. `lost`:
the device was unplugged; `gone`: the service has ended, or the reader was unplugged.
"""

SETTINGS: Mapping[str, Parsers] = {
    "keyboard": {
        "name": text,
        "layout": text,
        "profile": _profile,
        "caps_lock": _true_or_false,
        "opened_ns": _OPENED,
    },
    "serial_line": {"profile": _profile, "opened_ns": _OPENED},
    "serial_rfid": {},
    "hidpos": {"name": text, "descriptor": _hex(MAX_DESCRIPTOR_BYTES), "opened_ns": _OPENED},
    "pcsc": {"name": text},
}
"""The settings of each kind that playback needs; a setting that is missing was not set.

`opened_ns` counts from the start of the capture.
"""
