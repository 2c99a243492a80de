"""A recorded device, played: what stands in the place of a reader's device, so that the reader's own code reads it again.

Time is the recording's. Who waits for the device has waited as soon as he asks, until the next event or for as long as he
meant to, so pauses end scans and tags leave as they did, and a day is over in seconds.
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
"""The descriptor of a device that is none."""
ASKED_MAX = 4 * MAX_COMMANDS
"""Answers of one card that are kept until they are asked for."""
_ARRIVES = frozenset({"key", "in", "report", "lost"})
_MS = 1_000_000


class PlaybackHandle(DeviceHandle):
    """The device of a recording, in the place of `DeviceHandle`; closed when the recording is over."""

    def __init__(self, events: Iterator[CaptureEvent], begun_ns: int) -> None:
        super().__init__(lambda: None)
        self.begun_ns = self._now_ns = begun_ns
        self._events = events
        self._next: CaptureEvent | None = None

    def holding(self, _let_go: Callable[[], None]) -> "PlaybackHandle":
        """Hold nothing: a recorded device need not be let go."""
        return self

    def now_ns(self) -> int:
        """The time of the recording."""
        return self._now_ns

    def wait(self, descriptor: int | None = None, timeout_s: float | None = None) -> bool:
        """Let the time pass until the device said something (True), the time is over or the recording is (False)."""
        return self.comes(_ARRIVES if descriptor is not None else frozenset(), timeout_s)

    def comes(self, names: frozenset[str], timeout_s: float | None) -> bool:
        """The same for events of these names; others that stand before them were told, not heard, and are passed over."""
        if self.closed:
            return False
        until_ns = (
            None if timeout_s is None else self._now_ns + math.ceil(timeout_s * 1000) * _MS
        )  # as `DeviceHandle` rounds
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
        """The next event, None where the recording breaks off."""
        if self._next is None:
            self._next = next(self._events, None)
        return self._next

    def pull(self) -> CaptureEvent:
        """The next event, before its time."""
        event = self.peek()
        assert event is not None
        self._next = None
        return event

    def reach(self, event: CaptureEvent) -> CaptureEvent:
        """It is the time of this event."""
        self._now_ns = max(self._now_ns, self.begun_ns + event.time_ns)
        return event

    def next_event(self) -> CaptureEvent:
        """The event that came; it is now."""
        return self.reach(self.pull())

    def keys(self) -> list[KeyEvent]:
        """What a keyboard is asked for."""
        event = self.next_event()
        if event.name == "lost":
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        kind, code, value = event.value
        return [KeyEvent(kind, code, value, self.begun_ns + event.time_ns)]

    def report(self, _device: int, _most: int) -> bytes:
        """What a HID device is asked for."""
        event = self.next_event()
        return b"" if event.name == "lost" else bytes(event.value)


class PlaybackSerial:
    """A recorded serial line: what came comes again, whatever is asked."""

    descriptor = DEVICE

    def __init__(self, reader: str, device: PlaybackHandle) -> None:
        self.reader = reader
        self._device = device

    def read(self) -> bytes:
        """What has come."""
        event = self._device.next_event()
        if event.name == "lost":
            came = f"{self.reader} was unplugged."
            raise DeviceLost(came, "It was read while it was plugged in.", "Nothing needs to be done.")
        return bytes(event.value)

    def write(self, data: bytes) -> None:
        """Nobody is there to hear it."""

    def set_speed(self, baud: int) -> None:
        """What came, came at the right speed."""

    def close(self) -> None:
        """Nothing is held."""


class PlaybackPcsc:
    """A recorded smart card service: the states of the reader in their turn, and the answers that its cards gave."""

    def __init__(self, device: PlaybackHandle) -> None:
        self._device = device
        self._asked: list[CaptureEvent] = []

    def connect(self) -> None:
        """Raises `ServiceGone` until the moment at which it was there again, which is now."""
        event = self._device.peek()
        if event is None or event.name != "readers":
            raise ServiceGone

    def readers(self) -> list[str]:
        """The names of all readers."""
        return list(self._device.next_event().value)

    def change(self, reader: str, known: PcscReaderState | None, timeout_s: float) -> PcscReaderState:
        """The reader's state once it differs from the known one, or when the time is over."""
        self._asked.clear()
        if not self._device.comes(frozenset({"state", "gone"}), timeout_s):
            return known or PcscReaderState(mark=0, turn=0, card=False)
        event = self._device.next_event()
        if event.name == "gone":
            raise _gone(event, reader)
        turn, card, atr = event.value
        return PcscReaderState(turn, turn, card, atr)

    def card(self, reader: str) -> "PlaybackPcsc":
        """The card on this reader."""
        event = self._device.peek()
        if event is not None and event.name == "gone":
            raise _gone(event, reader)
        return self

    def send(self, command: bytes) -> bytes | None:
        """What the card answered to this command; b"" where it was never asked that."""
        while (event := self._device.peek()) is not None and event.name == "asked" and len(self._asked) < ASKED_MAX:
            self._asked.append(self._device.pull())
        for place, each in enumerate(self._asked):
            asked, answer = each.value
            if asked == command:
                del self._asked[place]
                self._device.reach(each)
                return bytes(answer) if answer is not None else None
        if event is None:
            raise ServiceGone  # the recording breaks off: this card was not read to its end
        if event.name == "gone":
            raise _gone(event, "")
        return b""

    def control(self, _reader: str, _command: bytes) -> bytes:
        """It is not told to beep."""
        return b""

    def usb(self, _reader: str) -> tuple[int, int] | None:
        """It is plugged in nowhere."""
        return None

    def cancel(self) -> None:
        """Nobody waits."""

    def close(self) -> None:
        """Nothing is held."""


def _gone(event: CaptureEvent, reader: str) -> Exception:
    return ServiceGone() if event.value == "service" else NoReader(reader)
