"""The tape: what an open reader's device says is written down as it says it, and nothing that is read is changed by that.

A reader that is to be recorded puts one of these in the place where it takes what its device says. A tape that is full or
cannot be written stops by itself, says so, and the reader reads on.

    tape = Tape(file.write, driver.close)
    driver.record(tape)
    for outcome in driver.reads(): ...
    tape.end()
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
"""Room that is kept for the last line."""
_HOUR_NS = 3600 * 1_000_000_000
_Heard = TypeVar("_Heard")


@runtime_checkable
class SupportsCapture(Protocol):
    """An open reader of which the device can be written down. `record` is called once, before `reads`."""

    def record(self, tape: "CaptureWriter") -> None: ...


class CaptureWriter:
    """One recording being made. `write` takes a line; `stop` is called when no more can be written.

    `events` counts what was written down; `trouble` says in a sentence why the tape stopped, None where it has not.
    """

    def __init__(self, write: Callable[[bytes], object], stop: Callable[[], object], sw: str = "") -> None:
        self.events = 0
        self.trouble: str | None = None
        self._write, self._stop, self._sw = write, stop, sw
        self._begun_ns = self._last_ns = boot_ns()
        self._bytes = 0
        self._writable = True

    def begin(self, kind: str, reader: str, *, opened_ns: int | None = None, **settings: object) -> None:
        """Write the head: which reader this is, when it was opened, and how it is set (None: it is not).

        Raises `RecordingError`.
        """
        self._begun_ns = self._last_ns = boot_ns()
        if opened_ns is not None:  # what comes so soon after it is the rest of what had begun before, played as well
            settings["opened_ns"] = min(max(opened_ns - self._begun_ns, -TIME_MAX_NS), 0)
        self._put(
            head_line(
                CaptureHeader(kind, reader, {name: it for name, it in settings.items() if it is not None}, self._sw)
            )
        )

    def note(self, name: str, value: object, time_ns: int | None = None) -> None:
        """Write down that this was said, now or at this time of CLOCK_BOOTTIME."""
        if self.trouble is not None:
            return
        self._last_ns = max(self._last_ns, boot_ns() if time_ns is None else time_ns)
        since_ns = self._last_ns - self._begun_ns
        line = event_line(CaptureEvent(since_ns, name, value))
        if since_ns > TIME_MAX_NS:
            self._give_up(f"The recording is full: it has lasted {TIME_MAX_NS // _HOUR_NS} hours.")
        elif self._bytes + len(line) > FILE_MAX_BYTES - END_BYTES:
            self._give_up(f"The recording is full: it has {FILE_MAX_BYTES // 2**20} MiB.")
        else:
            self.events += 1
            self._put(line)

    def end(self) -> None:
        """Nothing was said until now, and the recording ends. A tape that could not be written stays as it is."""
        if self._writable:
            since_ns = min(max(self._last_ns, boot_ns()) - self._begun_ns, TIME_MAX_NS)
            self._put(event_line(CaptureEvent(since_ns, "end", True)))
            self._writable = False

    def _put(self, line: bytes) -> None:
        self._bytes += len(line)
        try:
            self._write(line)
        except OSError as error:
            self._writable = False  # what comes behind half a line would be no line either
            self._give_up(f"The recording cannot be written: {error.strerror}.")

    def _give_up(self, why: str) -> None:
        self.trouble = why
        self._stop()


def keys(take: Callable[[], list[KeyEvent]], tape: CaptureWriter) -> Callable[[], list[KeyEvent]]:
    """The same key events, written down."""

    def taken() -> list[KeyEvent]:
        try:
            events = take()
        except OSError:
            tape.note("lost", True)
            raise
        for event in events:
            tape.note("key", event[:3], event.time_ns)
        return events

    return taken


def reports(take: Callable[[int, int], bytes], tape: CaptureWriter) -> Callable[[int, int], bytes]:
    """The same HID reports, written down."""

    def taken(device: int, most: int) -> bytes:
        try:
            report = take(device, most)
        except BlockingIOError:
            raise
        except OSError:
            tape.note("lost", True)
            raise
        tape.note(*(("report", report) if report else ("lost", True)))
        return report

    return taken


class CapturingSerial:
    """The same serial line; what is read from it and written to it is written down."""

    def __init__(self, wire: SerialPort, tape: CaptureWriter) -> None:
        self.reader, self.descriptor = wire.reader, wire.descriptor
        self._wire, self._tape = wire, tape

    def read(self) -> bytes:
        """What has come."""
        data = self._or_lost(self._wire.read)
        if data:
            self._tape.note("in", data)
        return data

    def write(self, data: bytes) -> None:
        """Send it to the device."""
        self._tape.note("out", data)
        self._or_lost(lambda: self._wire.write(data))

    def set_speed(self, baud: int) -> None:
        """Speak at another speed."""
        self._tape.note("baud", baud)
        self._or_lost(lambda: self._wire.set_speed(baud))

    def close(self) -> None:
        """Give the port back."""
        self._wire.close()

    def _or_lost(self, do: Callable[[], bytes | None]) -> bytes:
        try:
            return do() or b""
        except DeviceLost:
            self._tape.note("lost", True)
            raise


class CapturingPcsc:
    """The same smart card service; what it says of the reader and its cards is written down."""

    def __init__(self, service: PcscService, tape: CaptureWriter) -> None:
        self._service, self._tape = service, tape
        self._gone: str | None = None  # what was written down last, if that
        self.connect, self.control = service.connect, service.control
        self.cancel, self.close, self.usb = service.cancel, service.close, service.usb

    def readers(self) -> list[str]:
        """The names of all readers."""
        names = self._service.readers()
        self.note("readers", names)
        return names

    def change(self, reader: str, known: PcscReaderState | None, timeout_s: float) -> PcscReaderState:
        """The reader's state once it differs from the known one, or when the time is over."""
        state = self.heard(lambda: self._service.change(reader, known, timeout_s))
        if known is None or (state.turn, state.card, state.atr) != (known.turn, known.card, known.atr):
            self.note("state", (state.turn, state.card, state.atr))
        return state

    def card(self, reader: str) -> "CapturingCard":
        """The card on this reader."""
        return CapturingCard(self.heard(lambda: self._service.card(reader)), self)

    def note(self, name: str, value: object) -> None:
        """Write it down."""
        self._gone = None
        self._tape.note(name, value)

    def heard(self, ask: Callable[[], _Heard]) -> _Heard:
        """The answer; where there is none because service or reader is gone, that is written down once."""
        try:
            return ask()
        except (ServiceGone, NoReader) as error:
            gone = "service" if isinstance(error, ServiceGone) else "reader"
            if gone != self._gone:
                self.note("gone", gone)
                self._gone = gone
            raise


class CapturingCard:
    """The same card, its answers written down."""

    def __init__(self, card: PcscCard, service: CapturingPcsc) -> None:
        self._card, self._service = card, service
        self.close = card.close

    def send(self, command: bytes) -> bytes | None:
        """What the card answers."""
        answer = self._service.heard(lambda: self._card.send(command))
        self._service.note("asked", (command, answer))
        return answer
