"""Playback of a captured device: stand-ins for device handle, serial port and smart card service.

The driver's own code reads them. The clock is that of the capture: a wait returns at once and advances the clock to the next
event or by the timeout. So pauses end scans and tags leave as they did, and a day is played back in seconds.
"""

import errno
import math
import os
from collections.abc import Callable, Iterator

from drivers import DeviceLost
from drivers.decode.capture_file import CaptureEvent
from drivers.decode.keyboard.keys import KeyEvent
from drivers.decode.tags.nfc_forum import MAX_COMMANDS
from drivers.platform.device_handle import DeviceHandle
from drivers.platform.pcsc_interface import NoReader, PcscReaderState, ServiceGone

DEVICE = -1
"""The descriptor of a device that has none."""
EXCHANGES_MAX = 4 * MAX_COMMANDS
"""Captured responses of one card that are kept until their commands are sent."""
_ARRIVES = frozenset({"key", "in", "report", "lost"})
_MS = 1_000_000


class PlaybackHandle(DeviceHandle):
    """The device of a capture, in place of `DeviceHandle`; closed at the end of the capture."""

    def __init__(self, events: Iterator[CaptureEvent], begun_ns: int) -> None:
        super().__init__(lambda: None)
        self.begun_ns = self._now_ns = begun_ns
        self._events = events
        self._next: CaptureEvent | None = None

    def holding(self, _release: Callable[[], None]) -> "PlaybackHandle":
        """This handle itself, as a `Hold`: a captured device needs no release."""
        return self

    def now_ns(self) -> int:
        """The clock of the capture."""
        return self._now_ns

    def wait(self, descriptor: int | None = None, timeout_s: float | None = None) -> bool:
        """Advance the clock to the next data (True), or to the timeout or the end of the capture (False)."""
        return self.advance(_ARRIVES if descriptor is not None else frozenset(), timeout_s)

    def advance(self, names: frozenset[str], timeout_s: float | None) -> bool:
        """The same for events of these names. Other events before them are skipped: the driver has sent them itself."""
        if self.closed:
            return False
        # Rounded up as in `DeviceHandle.wait`.
        until_ns = None if timeout_s is None else self._now_ns + math.ceil(timeout_s * 1000) * _MS
        while (event := self.peek()) is not None and names and event.name not in {*names, "end"}:
            self._next = None
        at_ns = self._now_ns if event is None else self.begun_ns + event.time_ns
        if until_ns is not None and (at_ns > until_ns or (event is not None and event.name not in {*names, "end"})):
            self._now_ns = until_ns
            return False
        self._now_ns = max(self._now_ns, at_ns)
        if event is None or event.name == "end":
            self.closed = True
            return False
        return event.name in names

    def peek(self) -> CaptureEvent | None:
        """The next event, None if the capture is truncated."""
        if self._next is None:
            self._next = next(self._events, None)
        return self._next

    def pull(self) -> CaptureEvent:
        """The next event, without advancing the clock."""
        event = self.peek()
        assert event is not None
        self._next = None
        return event

    def reach(self, event: CaptureEvent) -> CaptureEvent:
        """Advance the clock to this event."""
        self._now_ns = max(self._now_ns, self.begun_ns + event.time_ns)
        return event

    def next_event(self) -> CaptureEvent:
        """The next event, at its time."""
        return self.reach(self.pull())

    def keys(self) -> list[KeyEvent]:
        """The next key event, in place of reading an input device."""
        event = self.next_event()
        if event.name == "lost":
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        kind, code, value = event.value
        return [KeyEvent(kind, code, value, self.begun_ns + event.time_ns)]

    def report(self, _device: int, _most: int) -> bytes:
        """The next report, in place of reading a hidraw device."""
        event = self.next_event()
        return b"" if event.name == "lost" else bytes(event.value)


class PlaybackSerial:
    """A captured serial port: it yields the captured bytes, whatever is written to it."""

    descriptor = DEVICE

    def __init__(self, reader: str, device: PlaybackHandle) -> None:
        self.reader = reader
        self._device = device

    def read(self) -> bytes:
        """The bytes received."""
        event = self._device.next_event()
        if event.name == "lost":
            came = f"{self.reader} was unplugged."
            raise DeviceLost(came, "It was read while it was plugged in.", "Nothing needs to be done.")
        return bytes(event.value)

    def write(self, data: bytes) -> None:
        """Discard the bytes."""

    def set_speed(self, baud: int) -> None:
        """Ignore the speed: the captured bytes are decoded already."""

    def close(self) -> None:
        """Nothing to close."""


class PlaybackPcsc:
    """A captured smart card service: the captured states of the reader, and the responses of its cards."""

    def __init__(self, device: PlaybackHandle) -> None:
        self._device = device
        self._exchanges: list[CaptureEvent] = []

    def connect(self) -> None:
        """Raise `ServiceGone` unless the service was back at this point of the capture."""
        event = self._device.peek()
        if event is None or event.name != "readers":
            raise ServiceGone

    def readers(self) -> list[str]:
        """The names of all readers."""
        return list(self._device.next_event().value)

    def change(self, reader: str, known: PcscReaderState | None, timeout_s: float) -> PcscReaderState:
        """Advance to the next state of the reader, or by the timeout; return the state."""
        self._exchanges.clear()
        if not self._device.advance(frozenset({"state", "gone"}), timeout_s):
            return known or PcscReaderState(mark=0, turn=0, card=False)
        event = self._device.next_event()
        if event.name == "gone":
            raise _gone(event, reader)
        turn, card, atr = event.value
        return PcscReaderState(turn, turn, card, atr)

    def card(self, reader: str) -> "PlaybackPcsc":
        """The card in this reader."""
        event = self._device.peek()
        if event is not None and event.name == "gone":
            raise _gone(event, reader)
        return self

    def send(self, command: bytes) -> bytes | None:
        """The captured response to this command; b"" if the command was not sent in the capture."""
        while (
            (event := self._device.peek()) is not None
            and event.name == "asked"
            and len(self._exchanges) < EXCHANGES_MAX
        ):
            self._exchanges.append(self._device.pull())
        for index, exchange in enumerate(self._exchanges):
            sent, response = exchange.value
            if sent == command:
                del self._exchanges[index]
                self._device.reach(exchange)
                return bytes(response) if response is not None else None
        if event is None:
            raise ServiceGone  # the capture is truncated: this card was not read completely
        if event.name == "gone":
            raise _gone(event, "")
        return b""

    def control(self, _reader: str, _command: bytes) -> bytes:
        """No response: a captured reader is not controlled."""
        return b""

    def usb(self, _reader: str) -> tuple[int, int] | None:
        """No USB address."""
        return None

    def cancel(self) -> None:
        """Nothing to cancel: no wait blocks."""

    def close(self) -> None:
        """Nothing to close."""


def _gone(event: CaptureEvent, reader: str) -> Exception:
    return ServiceGone() if event.value == "service" else NoReader(reader)
