"""A recording as a reader: the code that read the device reads it again, and yields what it would yield today.

Kind and reader of what it yields are the replay's own, so that nobody takes it for what was scanned now. The times are those
of the recording, moved so that it ended when the playing began: pauses count as they did, and nothing lies in the future.
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
WAY_OUT = "Record it again, or have somebody look at the file."
BROKEN_OFF = "The recording breaks off, as after a power cut; it was played to its last whole line."
_NS = 1_000_000_000


def _opened_ns(head: CaptureHeader, device: PlaybackHandle) -> int | None:
    """When the reader was opened, in the time of the playing; None where the recording does not say."""
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


READERS: Mapping[str, Callable[[CaptureHeader, PlaybackHandle], Driver]] = {
    "hidpos": _hidpos,
    "keyboard": _keyboard,
    "pcsc": _pcsc,
    "serial_line": _serial_line,
    "serial_rfid": _serial_rfid,
}
"""The readers of recorded devices, each set as it was."""


def lines(source: BinaryIO, recorded: CaptureReader) -> Iterator[CaptureHeader | CaptureEvent]:
    """The head and the events of a recording. Raises `DriverError`."""
    try:
        while data := source.read(CHUNK_BYTES):
            yield from recorded.feed(data)
        yield from recorded.end()
    except CaptureError as error:
        raise _cannot_be_played(error) from error


def open_capture(source: BinaryIO, reader: str) -> "PlaybackReader":
    """The recording in this file as a reader of this name, read to its end first. Raises `DriverError`."""
    recorded = CaptureReader()
    try:
        for _line in lines(source, recorded):
            pass
    except DriverError:
        source.close()
        raise
    source.seek(0)
    up_ns = boot_ns()
    if recorded.last_ns > up_ns:
        source.close()
        raise DriverError(
            came=f"The recording is {recorded.last_ns // _NS} s long, and this machine was started {up_ns // _NS} s ago.",
            expected="Its scans are played as if the last were made now, and none may lie before the start.",
            do="Wait: it is tried again.",
        )
    return PlaybackReader(source, reader, up_ns - recorded.last_ns)


class PlaybackReader:
    """A recording that is played from `begun_ns` on. `stays`: when it is over nothing more comes until `close`."""

    kind = "replay"
    lossless = True

    def __init__(self, source: BinaryIO, reader: str, begun_ns: int = 0, *, stays: bool = True) -> None:
        self.reader = reader
        self._stays = stays
        self._recorded = CaptureReader()
        self._held = DeviceHandle(source.close)
        events = lines(source, self._recorded)
        self._device = PlaybackHandle((each for each in events if isinstance(each, CaptureEvent)), begun_ns)
        try:
            self.head = next(each for each in events if isinstance(each, CaptureHeader))
            self._inner = READERS[self.head.kind](self.head, self._device)
            if "profile" in self.head.settings:
                self.teach(())
        except (DriverError, DescriptorError) as error:
            self._device.close()
            self._held.close()
            raise error if isinstance(error, DriverError) else _cannot_be_played(error) from error

    def teach(self, sheets: Sequence[Sequence[str]], _profile: str | None = None) -> None:
        """The setup sheets that may be scanned; what was learned before stands in the recording."""
        if isinstance(self._inner, SupportsEnrolment):
            plain: dict[str, object] | None = {} if "profile" in SETTINGS[self.head.kind] else None
            profile = self.head.settings.get("profile", plain)
            self._inner.teach(sheets, None if profile is None else json.dumps(profile))

    def reads(self) -> Iterator[Outcome]:
        """Each scan again, at full speed."""
        with self._held.reading():
            yield from self._again()
            if self._stays:
                self._held.wait()
            else:
                self._held.close()

    def close(self) -> None:
        """End `reads` and close the file."""
        self._held.close()
        self._inner.close()

    def _again(self) -> Iterator[Outcome]:
        try:
            for outcome in chain(self._inner.reads(), self._breaks_off()):
                yield replace(self._ours(outcome), kind=self.kind, reader=self.reader)
        except DeviceLost as lost:
            yield OperatorNotice(self.kind, self.reader, self._device.now_ns(), lost.came)
        finally:
            self._inner.close()

    def _ours(self, outcome: Outcome) -> Outcome:
        """What a recorded reader has learned is known of it already, or will be when it is plugged in."""
        return replace(outcome, profile=None) if isinstance(outcome, ProfileLearned) else outcome

    def _breaks_off(self) -> Iterator[Outcome]:
        if not self._recorded.ended and not self._held.closed:
            torn = self._recorded.torn
            text = BROKEN_OFF if torn is None else f"{BROKEN_OFF} Line {torn} is torn, and was left out."
            yield OperatorNotice(self.kind, self.reader, self._device.now_ns(), text)


def _cannot_be_played(error: Exception) -> DriverError:
    return DriverError(str(error), "Expected what `wipline-station record` writes.", WAY_OUT)
