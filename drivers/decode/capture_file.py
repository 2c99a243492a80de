"""A recording: what a reader's device said, event by event, in a file that plays it again.

Lines of JSON. The head says which kind of reader it was and how that was set; each line after it is one raw event with its
time, in nanoseconds since the recording began. The last is the end; where the power went first, the last line may be torn,
and is left out.

>>> head = CaptureHeader("serial_line", "usb-0c2e-0720-SN1")
>>> read = CaptureEvent(7_000_000, "in", b"WO-1042\\r")
>>> lines = head_line(head) + event_line(read) + event_line(CaptureEvent(9_000_000, "end", True))
>>> print(lines.decode(), end="")
{"recording":1,"kind":"serial_line","reader":"usb-0c2e-0720-SN1","settings":{},"sw":""}
{"t":7000000,"in":"574f2d313034320d"}
{"t":9000000,"end":true}
>>> list(CaptureReader().feed(lines))[1:]
[CaptureEvent(time_ns=7000000, name='in', value=b'WO-1042\\r'), CaptureEvent(time_ns=9000000, name='end', value=True)]
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.decode.capture_schema import EVENTS, SETTINGS, TIME_MAX_NS, SchemaMismatch, text, true, whole

FORM = 1
MARK = b'{"recording":'
"""A recording begins so, and no list of scans does."""
LINE_MAX_BYTES = 524_288
"""The longest line: a head with the largest profile, or a card's longest answer."""
FILE_MAX_BYTES = 64 * 1024 * 1024
"""The longest recording: some 20,000 scans of a keyboard, or a day of a tag reader that is asked all the time."""
_SHOWN_CHARS = 80


class CaptureError(ValueError):
    """A recording that cannot be played: the line, what came and what was expected."""


@dataclass(frozen=True, slots=True)
class CaptureHeader:
    """Which reader was recorded, how it was set (`SETTINGS`), and by which software."""

    kind: str
    reader: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    sw: str = ""


@dataclass(frozen=True, slots=True)
class CaptureEvent:
    """One thing that the device said, or that it was told: what it is called (`EVENTS`), its value, and when."""

    time_ns: int
    name: str
    value: Any


def head_line(head: CaptureHeader) -> bytes:
    """The first line. Raises `CaptureError` where it could not be read again."""
    line = _line({
        "recording": FORM, "kind": head.kind, "reader": head.reader, "settings": head.settings, "sw": head.sw,
    })  # fmt: skip
    if len(line) > LINE_MAX_BYTES:
        raise _error(1, came=f"the head has {len(line)} bytes", expected=f"at most {LINE_MAX_BYTES}")
    _head(1, line)
    return line


def event_line(event: CaptureEvent) -> bytes:
    """The line of one event."""
    return _line({"t": event.time_ns, event.name: event.value})


def _line(what: object) -> bytes:
    return json.dumps(what, separators=(",", ":"), default=bytes.hex).encode() + b"\n"


def is_recording(begin: bytes) -> bool:
    """Whether a file that begins so is a recording; one of which the power left only the first letters is, too.

    >>> is_recording(b'{"recording":1,'), is_recording(b'{"rec'), is_recording(b"{GS}WO-1042"), is_recording(b"")
    (True, True, False, False)
    """
    return begin.startswith(MARK) or (len(begin) > 1 and MARK.startswith(begin))


class CaptureReader:
    """Reads a recording from a stream that is cut anywhere; holds one bounded line.

    `torn` is the number of a last line that is not whole, `ended` whether the recording has its end, `last_ns` the time of
    its last event.
    """

    def __init__(self) -> None:
        self.torn: int | None = None
        self.ended = False
        self.last_ns = 0
        self._kind: str | None = None
        self._begun = b""
        self._number = self._bytes = 0

    def feed(self, data: bytes) -> Iterator[CaptureHeader | CaptureEvent]:
        """Take bytes as they arrive; yield the head and each event that is now whole. Raises `CaptureError`."""
        self._bytes += len(data)
        if self._bytes > FILE_MAX_BYTES:
            raise _error(self._number + 1, came="the recording goes on", expected=f"at most {FILE_MAX_BYTES} bytes")
        *lines, begun = data.split(b"\n")
        for piece in lines:
            line = self._grown(piece)
            self._begun = b""
            self._number += 1
            yield self._read(line)
        self._begun = self._grown(begun)

    def end(self) -> Iterator[CaptureHeader | CaptureEvent]:
        """There is no more: yield what stands in a last line without its end, if that is whole."""
        line, self._begun = self._begun, b""
        if line:
            self._number += 1
            try:
                yield self._read(line)
            except CaptureError:
                self.torn = self._number
        if self._kind is None:
            raise _error(1, came="the head is not whole", expected="a line that says what was recorded")

    def _grown(self, piece: bytes) -> bytes:
        if len(self._begun) + len(piece) > LINE_MAX_BYTES:
            raise _error(self._number + 1, came="it goes on", expected=f"at most {LINE_MAX_BYTES} bytes in a line")
        return self._begun + piece

    def _read(self, line: bytes) -> CaptureHeader | CaptureEvent:
        if self._kind is None:
            head = _head(self._number, line)
            self._kind = head.kind
            return head
        if self.ended:
            raise _error(self._number, came="something follows the end", expected="nothing")
        event = self._event(line, {**EVENTS[self._kind], "end": true})
        self.ended, self.last_ns = event.name == "end", event.time_ns
        return event

    def _event(self, line: bytes, names: Mapping[str, Any]) -> CaptureEvent:
        found = _object(self._number, line)
        name = next((each for each in found if each in names), None)
        if name is None or set(found) != {"t", name}:
            raise _error(self._number, came=f"{_shown(found)} came", expected=f"t and one of {', '.join(names)}")
        readings = {"t": whole(self.last_ns, TIME_MAX_NS), name: names[name]}
        read = _values(self._number, found, readings)
        return CaptureEvent(read["t"], name, read[name])


def _head(number: int, line: bytes) -> CaptureHeader:
    found = _object(number, line)
    if set(found) != {"recording", "kind", "reader", "settings", "sw"}:
        raise _error(number, came=f"{_shown(found)} came", expected="recording, kind, reader, settings and sw")
    form, kind, settings = found["recording"], found["kind"], found["settings"]
    if type(form) is not int or form != FORM:
        raise _error(number, came=f"its form is {_shown(form)}", expected=f"{FORM}, which this software reads")
    if not isinstance(kind, str) or kind not in SETTINGS:
        raise _error(number, came=f"kind is {_shown(kind)}", expected=f"one of {', '.join(SETTINGS)}")
    if not isinstance(settings, dict) or not set(settings) <= set(SETTINGS[kind]):
        names = ", ".join(SETTINGS[kind]) or "no names"
        raise _error(number, came=f"settings is {_shown(settings)}", expected=f"at most {names}")
    read = _values(number, found, {"reader": text, "sw": text})
    return CaptureHeader(kind, read["reader"], _values(number, settings, SETTINGS[kind]), read["sw"])


def _values(number: int, found: Mapping[str, Any], readings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of these values that are there, each read."""
    read = {}
    for name, reading in readings.items():
        if name in found:
            try:
                read[name] = reading(found[name])
            except SchemaMismatch as expected:
                raise _error(number, came=f"{name} is {_shown(found[name])}", expected=str(expected)) from expected
    return read


def _object(number: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _error(number, came=f"{_shown(line)} came", expected="an object of JSON")
    return found


def _error(number: int, *, came: str, expected: str) -> CaptureError:
    return CaptureError(f"Line {number} of the recording: {came}; expected {expected}.")


def _shown(value: object) -> str:
    """A value for a message, at most some words of it."""
    said = ascii(value)
    return said if len(said) <= _SHOWN_CHARS else f"{said[:_SHOWN_CHARS]}..."
