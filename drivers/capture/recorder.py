"""Capture: the raw data of an open reader's device, written to a file as it arrives.

A driver that is captured wraps its source of data with one of these functions or classes; the data itself is unchanged. A
capture that is full or cannot be written stops with an error text, and the driver continues to read.

    writer = CaptureWriter(file.write, driver.close)
    driver.record(writer)
    for outcome in driver.reads(): ...
    writer.end()
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

from drivers import DeviceLost, boot_ns
from drivers.decode.capture_file import FILE_MAX_BYTES, CaptureEvent, CaptureHeader, event_line, head_line
from drivers.decode.capture_schema import TIME_MAX_NS
from drivers.decode.keyboard.keys import KeyEvent
from drivers.platform.pcsc_interface import NoReader, PcscCard, PcscReaderState, PcscService, ServiceGone
from drivers.platform.serial_ports import SerialPort

END_BYTES = 64
"""Space reserved for the last line."""
_HOUR_NS = 3600 * 1_000_000_000
_Result = TypeVar("_Result")


@runtime_checkable
class SupportsCapture(Protocol):
    """An open reader whose device can be captured. `record` is called once, before `reads`."""

    def record(self, writer: "CaptureWriter") -> None: ...


class CaptureWriter:
    """Writes one capture. `write` takes a line; `stop` is called when the capture is full or a write fails.

    `now_ns` is the clock of the reader: CLOCK_BOOTTIME. The capture is full at `max_bytes`, or after `TIME_MAX_NS`.
    `events` counts the events written; `trouble` is the reason for a stop in a sentence, None without one.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        stop: Callable[[], object],
        sw: str = "",
        *,
        now_ns: Callable[[], int] = boot_ns,
        max_bytes: int = FILE_MAX_BYTES,
    ) -> None:
        self.events = 0
        self.trouble: str | None = None
        self._write, self._stop, self._sw = write, stop, sw
        self._now_ns, self._max_bytes = now_ns, max_bytes
        self._begun_ns = self._last_ns = now_ns()
        self._bytes = 0
        self._writable = True

    def begin(self, kind: str, reader: str, *, opened_ns: int | None = None, **settings: object) -> None:
        """Write the header: kind and id of the reader, the time of its opening, and its settings that are not None.

        Raises `CaptureError`.
        """
        self._begun_ns = self._last_ns = self._now_ns()
        if opened_ns is not None:  # playback needs it: data soon after the opening is the rest of an earlier scan
            settings["opened_ns"] = min(max(opened_ns - self._begun_ns, -TIME_MAX_NS), 0)
        self._put(
            head_line(
                CaptureHeader(
                    kind, reader, {name: value for name, value in settings.items() if value is not None}, self._sw
                )
            )
        )

    def note(self, name: str, value: object, time_ns: int | None = None) -> None:
        """Write one event at `time_ns` of CLOCK_BOOTTIME, by default now. Does nothing after a stop."""
        if self.trouble is not None:
            return
        self._last_ns = max(self._last_ns, self._now_ns() if time_ns is None else time_ns)
        since_ns = self._last_ns - self._begun_ns
        line = event_line(CaptureEvent(since_ns, name, value))
        if since_ns > TIME_MAX_NS:
            self._stop_with(f"The recording is full: it has lasted {TIME_MAX_NS // _HOUR_NS} hours.")
        elif self._bytes + len(line) > self._max_bytes - END_BYTES:
            self._stop_with(f"The recording is full: it has {self._max_bytes // 2**20} MiB.")
        else:
            self.events += 1
            self._put(line)

    def end(self) -> None:
        """Write the end with the present time, unless a write has failed."""
        if self._writable:
            since_ns = min(max(self._last_ns, self._now_ns()) - self._begun_ns, TIME_MAX_NS)
            self._put(event_line(CaptureEvent(since_ns, "end", True)))
            self._writable = False

    def _put(self, line: bytes) -> None:
        self._bytes += len(line)
        try:
            self._write(line)
        except OSError as error:
            self._writable = False  # a line after half a line could not be read
            self._stop_with(f"The recording cannot be written: {error.strerror}.")

    def _stop_with(self, why: str) -> None:
        self.trouble = why
        self._stop()


def keys(read_events: Callable[[], list[KeyEvent]], writer: CaptureWriter) -> Callable[[], list[KeyEvent]]:
    """`read_events` with capture of its key events."""

    def captured() -> list[KeyEvent]:
        try:
            events = read_events()
        except OSError:
            writer.note("lost", True)
            raise
        for event in events:
            writer.note("key", event[:3], event.time_ns)
        return events

    return captured


def reports(read_report: Callable[[int, int], bytes], writer: CaptureWriter) -> Callable[[int, int], bytes]:
    """`read_report` with capture of its HID reports."""

    def captured(device: int, max_bytes: int) -> bytes:
        try:
            report = read_report(device, max_bytes)
        except BlockingIOError:
            raise
        except OSError:
            writer.note("lost", True)
            raise
        writer.note(*(("report", report) if report else ("lost", True)))
        return report

    return captured


class CapturingSerial:
    """A serial port with capture of the bytes read and written."""

    def __init__(self, port: SerialPort, writer: CaptureWriter) -> None:
        self.reader, self.descriptor = port.reader, port.descriptor
        self._port, self._writer = port, writer

    def read(self) -> bytes:
        """The bytes received."""
        data = self._note_loss(self._port.read)
        if data:
            self._writer.note("in", data)
        return data

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.note("out", data)
        self._note_loss(lambda: self._port.write(data))

    def set_speed(self, baud: int) -> None:
        """Set the speed."""
        self._writer.note("baud", baud)
        self._note_loss(lambda: self._port.set_speed(baud))

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    def _note_loss(self, call: Callable[[], bytes | None]) -> bytes:
        try:
            return call() or b""
        except DeviceLost:
            self._writer.note("lost", True)
            raise


class CapturingPcsc:
    """A smart card service with capture of reader states and card exchanges."""

    def __init__(self, service: PcscService, writer: CaptureWriter) -> None:
        self._service, self._writer = service, writer
        self._gone: str | None = None  # the value of the last event if that was `gone`
        self.connect, self.control = service.connect, service.control
        self.cancel, self.close, self.usb = service.cancel, service.close, service.usb

    def readers(self) -> list[str]:
        """The names of all readers."""
        names = self._service.readers()
        self.note("readers", names)
        return names

    def change(self, reader: str, known: PcscReaderState | None, timeout_s: float) -> PcscReaderState:
        """Wait until the reader's state differs from `known`, or for the timeout; return the state."""
        state = self.note_loss(lambda: self._service.change(reader, known, timeout_s))
        if known is None or (state.turn, state.card, state.atr) != (known.turn, known.card, known.atr):
            self.note("state", (state.turn, state.card, state.atr))
        return state

    def card(self, reader: str) -> "CapturingCard":
        """The card in this reader."""
        return CapturingCard(self.note_loss(lambda: self._service.card(reader)), self)

    def note(self, name: str, value: object) -> None:
        """Write one event."""
        self._gone = None
        self._writer.note(name, value)

    def note_loss(self, call: Callable[[], _Result]) -> _Result:
        """The result of a call; the loss of service or reader is written once, however often the call fails."""
        try:
            return call()
        except (ServiceGone, NoReader) as error:
            gone = "service" if isinstance(error, ServiceGone) else "reader"
            if gone != self._gone:
                self.note("gone", gone)
                self._gone = gone
            raise


class CapturingCard:
    """A card with capture of its responses."""

    def __init__(self, card: PcscCard, service: CapturingPcsc) -> None:
        self._card, self._service = card, service
        self.close = card.close

    def send(self, command: bytes) -> bytes | None:
        """The card's response."""
        response = self._service.note_loss(lambda: self._card.send(command))
        self._service.note("asked", (command, response))
        return response
