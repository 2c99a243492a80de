"""The file format of a capture: the raw events of a reader's device, for playback.

The file has lines of JSON. The first line, the header, gives kind, id and settings of the reader. Each further line is one
raw event with its time in nanoseconds since the start. The last line is the end event. After a power cut it is missing, and
the last line may be torn; a torn line is left out.

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
"""The first bytes of every capture; no list of scans begins so."""
LINE_MAX_BYTES = 524_288
"""The longest line: a header with the largest profile, or the longest response of a card."""
FILE_MAX_BYTES = 64 * 1024 * 1024
"""The longest capture: some 20,000 scans of a keyboard, or a day of a tag reader that is polled."""
_SHOWN_CHARS = 80


class CaptureError(ValueError):
    """A capture that cannot be played back; the message has the line, what came and what was expected."""


@dataclass(frozen=True, slots=True)
class CaptureHeader:
    """Kind and id of the captured reader, its settings (`SETTINGS`), and the version of the software."""

    kind: str
    reader: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    sw: str = ""


@dataclass(frozen=True, slots=True)
class CaptureEvent:
    """One event from or to the device: its time since the start, its name (`EVENTS`) and its value."""

    time_ns: int
    name: str
    value: Any


def head_line(head: CaptureHeader) -> bytes:
    """The first line. Raises `CaptureError` if it could not be read back."""
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


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=bytes.hex).encode() + b"\n"


def is_recording(begin: bytes) -> bool:
    """Whether a file with this beginning is a capture. One cut off within its first bytes by a power cut counts, too.

    >>> is_recording(b'{"recording":1,'), is_recording(b'{"rec'), is_recording(b"{GS}WO-1042"), is_recording(b"")
    (True, True, False, False)
    """
    return begin.startswith(MARK) or (len(begin) > 1 and MARK.startswith(begin))


class CaptureReader:
    """Parses a capture from chunks of any size; keeps one bounded line.

    `torn` is the number of an incomplete last line, `ended` whether the end event was read, `last_ns` the time of the last
    event.
    """

    def __init__(self) -> None:
        self.torn: int | None = None
        self.ended = False
        self.last_ns = 0
        self._kind: str | None = None
        self._partial = b""
        self._number = self._bytes = 0

    def feed(self, data: bytes) -> Iterator[CaptureHeader | CaptureEvent]:
        """Parse the next bytes; yield the header and each complete event. Raises `CaptureError`."""
        self._bytes += len(data)
        if self._bytes > FILE_MAX_BYTES:
            raise _error(self._number + 1, came="the recording goes on", expected=f"at most {FILE_MAX_BYTES} bytes")
        *complete, rest = data.split(b"\n")
        for part in complete:
            line = self._joined(part)
            self._partial = b""
            self._number += 1
            yield self._read(line)
        self._partial = self._joined(rest)

    def end(self) -> Iterator[CaptureHeader | CaptureEvent]:
        """The data ends: yield the item of a last line without newline, if that is complete. Raises `CaptureError`."""
        line, self._partial = self._partial, b""
        if line:
            self._number += 1
            try:
                yield self._read(line)
            except CaptureError:
                self.torn = self._number
        if self._kind is None:
            raise _error(1, came="the head is not whole", expected="a line that says what was recorded")

    def _joined(self, part: bytes) -> bytes:
        if len(self._partial) + len(part) > LINE_MAX_BYTES:
            raise _error(self._number + 1, came="it goes on", expected=f"at most {LINE_MAX_BYTES} bytes in a line")
        return self._partial + part

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
        fields = _object(self._number, line)
        name = next((key for key in fields if key in names), None)
        if name is None or set(fields) != {"t", name}:
            raise _error(self._number, came=f"{_shown(fields)} came", expected=f"t and one of {', '.join(names)}")
        parsers = {"t": whole(self.last_ns, TIME_MAX_NS), name: names[name]}
        values = _values(self._number, fields, parsers)
        return CaptureEvent(values["t"], name, values[name])


def _head(number: int, line: bytes) -> CaptureHeader:
    fields = _object(number, line)
    if set(fields) != {"recording", "kind", "reader", "settings", "sw"}:
        raise _error(number, came=f"{_shown(fields)} came", expected="recording, kind, reader, settings and sw")
    form, kind, settings = fields["recording"], fields["kind"], fields["settings"]
    if type(form) is not int or form != FORM:
        raise _error(number, came=f"its form is {_shown(form)}", expected=f"{FORM}, which this software reads")
    if not isinstance(kind, str) or kind not in SETTINGS:
        raise _error(number, came=f"kind is {_shown(kind)}", expected=f"one of {', '.join(SETTINGS)}")
    if not isinstance(settings, dict) or not set(settings) <= set(SETTINGS[kind]):
        names = ", ".join(SETTINGS[kind]) or "no names"
        raise _error(number, came=f"settings is {_shown(settings)}", expected=f"at most {names}")
    values = _values(number, fields, {"reader": text, "sw": text})
    return CaptureHeader(kind, values["reader"], _values(number, settings, SETTINGS[kind]), values["sw"])


def _values(number: int, fields: Mapping[str, Any], parsers: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are present, each parsed. Raises `CaptureError`."""
    values = {}
    for name, parse in parsers.items():
        if name in fields:
            try:
                values[name] = parse(fields[name])
            except SchemaMismatch as expected:
                raise _error(number, came=f"{name} is {_shown(fields[name])}", expected=str(expected)) from expected
    return values


def _object(number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _error(number, came=f"{_shown(line)} came", expected="an object of JSON")
    return value


def _error(number: int, *, came: str, expected: str) -> CaptureError:
    return CaptureError(f"Line {number} of the recording: {came}; expected {expected}.")


def _shown(value: object) -> str:
    """A value as ASCII for a message, cut to `_SHOWN_CHARS`."""
    shown = ascii(value)
    return shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS]}..."
