"""Playback of a capture as a reader: the present driver code reads the captured device, and yields its outcomes.

The outcomes carry kind and id of the replay reader, so that they are not taken for new scans. Their times are shifted so
that the capture ends when playback begins: intervals are unchanged, and no time is in the future.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import BinaryIO

from drivers import DeviceLost, Driver, DriverError, OperatorNotice, Outcome, ProfileLearned, SupportsEnrolment, boot_ns
from drivers.capture.playback_device import DEVICE, PlaybackHandle, PlaybackPcsc, PlaybackSerial
from drivers.decode.capture_file import CaptureError, CaptureEvent, CaptureHeader, CaptureReader
from drivers.decode.capture_schema import SETTINGS
from drivers.decode.hid.report_descriptor import DescriptorError, parsed
from drivers.hidpos import HidPos
from drivers.keyboard import Keyboard, KeyboardDevice
from drivers.pcsc import Pcsc
from drivers.platform.device_handle import DeviceHandle
from drivers.serial_line import SerialLine
from drivers.serial_rfid import SerialRfid

CHUNK_BYTES = 65_536
WAY_OUT = "Record it again, or examine the file."
BROKEN_OFF = "The recording breaks off, as after a power cut; it was played to its last whole line."
_NS = 1_000_000_000


def _opened_ns(head: CaptureHeader, device: PlaybackHandle) -> int | None:
    """When the reader was opened, in the clock of the playback; None if the capture does not contain it."""
    since_ns: int | None = head.settings.get("opened_ns")
    return None if since_ns is None else device.begun_ns + since_ns


def _keyboard(head: CaptureHeader, device: PlaybackHandle) -> Driver:
    settings = head.settings
    recorded = KeyboardDevice(
        DEVICE,
        settings.get("name", head.reader),
        lambda: None,
        caps_lock=settings.get("caps_lock", False),
        opened_ns=_opened_ns(head, device),
        read_events=device.keys,
        hold=device.holding,
    )
    return Keyboard(recorded, head.reader, fixed_layout=settings.get("layout"))


def _serial_line(head: CaptureHeader, device: PlaybackHandle) -> Driver:
    return SerialLine(PlaybackSerial(head.reader, device), opened_ns=_opened_ns(head, device), hold=device.holding)


def _serial_rfid(head: CaptureHeader, device: PlaybackHandle) -> Driver:
    return SerialRfid(PlaybackSerial(head.reader, device), hold=device.holding)


def _hidpos(head: CaptureHeader, device: PlaybackHandle) -> Driver:
    settings = head.settings
    return HidPos(
        DEVICE,
        head.reader,
        settings.get("name", head.reader),
        parsed(settings.get("descriptor", b"")),
        read_report=device.report,
        opened_ns=_opened_ns(head, device),
        hold=device.holding,
    )


def _pcsc(head: CaptureHeader, device: PlaybackHandle) -> Driver:
    return Pcsc(PlaybackPcsc(device), head.settings.get("name", head.reader), head.reader, hold=device.holding)


OpenPlayback = Callable[[CaptureHeader, PlaybackHandle], Driver]
"""Opens a driver on a captured device, with the captured settings."""
READERS: Mapping[str, OpenPlayback] = {
    "hidpos": _hidpos,
    "keyboard": _keyboard,
    "pcsc": _pcsc,
    "serial_line": _serial_line,
    "serial_rfid": _serial_rfid,
}
"""The drivers of all kinds."""


def lines(source: BinaryIO, capture: CaptureReader) -> Iterator[CaptureHeader | CaptureEvent]:
    """The header and the events of a capture. Raises `DriverError`."""
    try:
        while data := source.read(CHUNK_BYTES):
            yield from capture.feed(data)
        yield from capture.end()
    except CaptureError as error:
        raise _cannot_be_played(error) from error


def open_capture(source: BinaryIO, reader: str, now_ns: Callable[[], int] = boot_ns) -> "PlaybackReader":
    """The capture in this file as a reader of this id. It is checked to its end first. Raises `DriverError`.

    `now_ns`: CLOCK_BOOTTIME.
    """
    capture = CaptureReader()
    try:
        for _line in lines(source, capture):
            pass
    except DriverError:
        source.close()
        raise
    source.seek(0)
    up_ns = now_ns()
    if capture.last_ns > up_ns:
        source.close()
        raise DriverError(
            came=f"The recording is {capture.last_ns // _NS} s long, and this machine was started {up_ns // _NS} s ago.",
            expected="Its scans are played as if the last were made now, and none may lie before the start.",
            do="Wait: it is tried again.",
        )
    return PlaybackReader(source, reader, up_ns - capture.last_ns)


class PlaybackReader:
    """A capture that is played back, with its clock starting at `begun_ns`.

    `stays`: after the end of the capture, `reads` blocks until `close`. `readers` are the drivers by kind.
    """

    kind = "replay"
    lossless = True

    def __init__(
        self,
        source: BinaryIO,
        reader: str,
        begun_ns: int = 0,
        *,
        stays: bool = True,
        readers: Mapping[str, OpenPlayback] = READERS,
    ) -> None:
        self.reader = reader
        self._stays = stays
        self._capture = CaptureReader()
        self._handle = DeviceHandle(source.close)
        events = lines(source, self._capture)
        self._device = PlaybackHandle((item for item in events if isinstance(item, CaptureEvent)), begun_ns)
        try:
            self.head = next(item for item in events if isinstance(item, CaptureHeader))
            self._inner = readers[self.head.kind](self.head, self._device)
            if "profile" in self.head.settings:
                self.teach(())
        except (DriverError, DescriptorError) as error:
            self._device.close()
            self._handle.close()
            raise error if isinstance(error, DriverError) else _cannot_be_played(error) from error

    def teach(self, sheets: Sequence[Sequence[str]], _profile: str | None = None) -> None:
        """Set the setup sheets to recognise; the profile comes from the capture."""
        if isinstance(self._inner, SupportsEnrolment):
            default: dict[str, object] | None = {} if "profile" in SETTINGS[self.head.kind] else None
            profile = self.head.settings.get("profile", default)
            self._inner.teach(sheets, None if profile is None else json.dumps(profile))

    def reads(self) -> Iterator[Outcome]:
        """The outcomes of the capture, at full speed."""
        with self._handle.reading():
            yield from self._outcomes()
            if self._stays:
                self._handle.wait()
            else:
                self._handle.close()

    def close(self) -> None:
        """End `reads` and close the file."""
        self._handle.close()
        self._inner.close()

    def _outcomes(self) -> Iterator[Outcome]:
        try:
            for outcome in chain(self._inner.reads(), self._truncation_notice()):
                yield replace(self._without_profile(outcome), kind=self.kind, reader=self.reader)
        except DeviceLost as lost:
            yield OperatorNotice(self.kind, self.reader, self._device.now_ns(), lost.came)
        finally:
            self._inner.close()

    def _without_profile(self, outcome: Outcome) -> Outcome:
        """The outcome without a profile to store: it belongs to the captured reader, not to this one."""
        return replace(outcome, profile=None) if isinstance(outcome, ProfileLearned) else outcome

    def _truncation_notice(self) -> Iterator[Outcome]:
        if not self._capture.ended and not self._handle.closed:
            torn = self._capture.torn
            text = BROKEN_OFF if torn is None else f"{BROKEN_OFF} Line {torn} is torn, and was left out."
            yield OperatorNotice(self.kind, self.reader, self._device.now_ns(), text)


def _cannot_be_played(error: Exception) -> DriverError:
    return DriverError(str(error), "Expected what `wipline-station record` writes.", WAY_OUT)
