"""Driver for keyboard-wedge scanners, read through evdev.

The driver grabs the input device. Its keys then reach no console and no other program, and a key combination on a label has
no effect on this machine. `drivers.decode.keyboard.keys` decodes the keys; this module holds the device.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drivers import (
    DeviceLost,
    Driver,
    Dropped,
    OperatorNotice,
    Outcome,
    ProfileLearned,
    Read,
    Settings,
    boot_ns,
    missing,
    read_of,
)
from drivers.capture.recorder import CaptureWriter, keys
from drivers.decode.detect.device_info import reader_id
from drivers.decode.detect.device_policy import verdict
from drivers.decode.keyboard.keymap import BARE, US, KeyLayout
from drivers.decode.keyboard.keys import HAND_GAP_S, KeyEvent, LostScan, TypedScan, WedgeDecoder
from drivers.decode.keyboard.profile import LEARNED, ScannerProfile, dict_of, text_of
from drivers.decode.setup_sheet.sheet_detector import ProfileFailure
from drivers.hotplug import present, read_device_info
from drivers.platform import ROOT, xkb
from drivers.platform.device_handle import DeviceHandle, Hold
from drivers.platform.errors import not_a_scanner, nothing_there, refused, unplugged
from drivers.platform.sheet_listener import KeySheetListener, SheetResult, read_profile_setting

if TYPE_CHECKING:
    import evdev

EVENT = struct.Struct("@llHHi")
"""`struct input_event`: seconds, microseconds, type, code, value."""
EVENTS_AT_ONCE = 64
_EVIOCSCLOCKID = 0x400445A0  # _IOW('E', 0xa0, int), linux/input.h
_CLOCK_BOOTTIME = 7
_NS = 1_000_000_000
SHEET_END_NS = int(HAND_GAP_S * _NS)
"""So long after its last key a scan without a terminator is complete, at any typing speed."""


@dataclass(frozen=True, slots=True)
class KeyboardDevice:
    """An opened input device and how to use it.

    `descriptor` yields `struct input_event`; `close` closes it. `caps_lock` is the state of the LED at `opened_ns`
    (CLOCK_BOOTTIME; None if the device cannot have been typing then). `stamped`: events carry CLOCK_BOOTTIME; without it the
    time of reading counts. `grab` grabs a device that is only listened to so far, None if it is grabbed already.

    Playback replaces two parts: `read_events` takes the place of reading `descriptor`, and `hold` makes another device
    handle.
    """

    descriptor: int
    name: str
    close: Callable[[], None]
    caps_lock: bool = False
    stamped: bool = False
    opened_ns: int | None = None
    grab: Callable[[], None] | None = None
    read_events: Callable[[], list[KeyEvent]] | None = None
    hold: Hold = DeviceHandle


def open_device(settings: Settings, root: Path = ROOT) -> Driver:
    """Open and grab the scanner at `path`, else the first that `match` names, else the first that is plugged in.

    `profile` is the learned profile as JSON (`drivers.decode.keyboard.profile`). `layout`, a name of xkb-data, takes
    precedence over the profile's layout and drops the keys learned for that layout. `listen`: do not grab the device before
    it has typed the setup sheet. Raises `DriverError`.
    """
    try:
        import evdev
    except ImportError as error:
        raise missing(package="evdev", debian="python3-evdev") from error
    layout, profile = layout_and_profile(settings)
    connected = present(root)
    path = settings.get("path")
    at_path = read_device_info(path, root) if path else None
    # The settings are the only configured reader: a device is used if they name it or leave the choice open.
    configured = {"path": path, "match": settings.get("match")}
    refusal = nothing_there(settings)
    for info in [at_path] if at_path else [] if path else connected:
        policy = verdict(info, [configured])
        if not policy.take:
            refusal = not_a_scanner(info, policy) if path else refusal
            continue
        try:
            device = _open(evdev.InputDevice(info.node), info.name, listen=bool(settings.get("listen")))
            reader = reader_id(info, connected)
            return Keyboard(device, reader, layout=layout, profile=profile, fixed_layout=settings.get("layout"))
        except OSError as error:
            refusal = refused(info, error)  # another device of the same kind may be free
    raise refusal


def layout_and_profile(settings: Settings) -> tuple[KeyLayout, ScannerProfile]:
    """The keyboard layout that the scanner types for, and its profile, from `profile` and `layout` of the settings.

    Raises `DriverError` if the layout is unknown or the profile cannot be used.
    """
    profile, name = read_profile_setting(settings.get("profile")), settings.get("layout")
    if name and name != profile.layout:
        profile = replace(profile, layout=name, keys={}, alike=())
    return BARE if profile.layout == LEARNED else xkb.layout(profile.layout), profile


def _open(device: "evdev.InputDevice[str]", name: str, *, listen: bool) -> KeyboardDevice:
    """Grab an evdev device unless it is only listened to, and read its state. Closes it on an error (OSError)."""
    from evdev import ecodes

    try:
        if not listen:
            device.grab()
        caps_lock = ecodes.LED_CAPSL in device.leds()
    except OSError:
        device.close()
        raise
    return KeyboardDevice(
        device.fd,
        name,
        device.close,
        caps_lock=caps_lock,
        stamped=_stamp_with_boottime(device.fd),
        opened_ns=boot_ns(),
        grab=device.grab if listen else None,
    )


def _stamp_with_boottime(descriptor: int) -> bool:
    """Set the clock of the kernel's event times to CLOCK_BOOTTIME; pauses then count even if events are read late."""
    try:
        fcntl.ioctl(descriptor, _EVIOCSCLOCKID, struct.pack("@i", _CLOCK_BOOTTIME))
    except OSError:
        return False
    return True


class Keyboard:
    """A grabbed scanner, of which every key is part of a scan; or a device that is listened to for the setup sheet.

    `fixed_layout` is the configured layout, which takes precedence over a learned one.
    """

    kind = "keyboard"
    lossless = False

    def __init__(
        self,
        device: KeyboardDevice,
        reader: str,
        *,
        layout: KeyLayout = US,
        profile: ScannerProfile | None = None,
        fixed_layout: str | None = None,
    ) -> None:
        self.reader = reader
        self._device = device
        self._fixed_layout = fixed_layout
        self._profile = profile or ScannerProfile()
        self._decoder = WedgeDecoder(layout, profile, caps_lock=device.caps_lock, opened_ns=device.opened_ns)
        self._grab = device.grab  # None once the device is grabbed
        self._listener: KeySheetListener | None = None
        self._partial = b""  # the kernel writes whole events; a pipe in a test may not
        self._read_events = device.read_events or self._read_descriptor
        self._handle = device.hold(device.close)

    def record(self, writer: CaptureWriter) -> None:
        """Write every key from now on to a capture."""
        writer.begin(
            self.kind,
            self.reader,
            name=self._device.name,
            layout=self._fixed_layout,
            profile=dict_of(self._profile),
            caps_lock=self._device.caps_lock,
            opened_ns=self._device.opened_ns,
        )
        self._read_events = keys(self._read_events, writer)

    def teach(self, sheets: Sequence[Sequence[str]], profile: str | None) -> None:
        """Set the setup sheets to recognise, and the profile that was learned before. Raises `DriverError`."""
        self._listener = KeySheetListener(sheets, self._device.caps_lock)
        if profile is not None:
            self._use_profile(profile, caps_lock=self._device.caps_lock, opened_ns=self._device.opened_ns)

    def _use_profile(self, profile: str, *, caps_lock: bool, opened_ns: int | None = None) -> None:
        layout, self._profile = layout_and_profile({"profile": profile, "layout": self._fixed_layout})
        self._decoder = WedgeDecoder(layout, self._profile, caps_lock=caps_lock, opened_ns=opened_ns)

    def reads(self) -> Iterator[Outcome]:
        """Each scan when it is complete."""
        with self._handle.reading():
            while not self._handle.closed:
                due = [due_ns for due_ns in (self._scan_due_ns(), self._listener and self._listener.due_ns) if due_ns]
                timeout_s = max(0, min(due) - self._handle.now_ns()) / _NS if due else None
                if self._handle.wait(self._device.descriptor, timeout_s):
                    for event in self._next_events():
                        yield from self._process_event(event)
                else:
                    yield from self._process_silence(self._handle.now_ns())

    def _scan_due_ns(self) -> int | None:
        return None if self._grab else self._decoder.due_ns

    def _process_event(self, event: KeyEvent) -> Iterator[Outcome]:
        # After a late read the silence before this event has not been processed yet; it may end a scan.
        yield from self._process_silence(event.time_ns)
        scans = [] if self._grab else list(self._decoder.feed(event))
        sheet = self._listener.feed(event, ended=bool(scans)) if self._listener else None
        yield from self._apply_sheet(sheet, scans, event.time_ns) if sheet else map(self._to_read, scans)

    def _process_silence(self, now_ns: int) -> Iterator[Outcome]:
        scans = [] if self._grab else list(self._decoder.quiet(now_ns))
        sheet = self._listener.quiet(now_ns, ended=bool(scans)) if self._listener else None
        yield from self._apply_sheet(sheet, scans, now_ns) if sheet else map(self._to_read, scans)

    def _apply_sheet(self, sheet: SheetResult, scans: list[TypedScan | LostScan], now_ns: int) -> Iterator[Outcome]:
        """Process a setup sheet. `scans`: how the old profile decoded its keys.

        If nothing was learned, yield `scans` and a notice. Otherwise:

        1. Grab the device if it is only listened to. From here on it is a scanner.
        2. Switch to a decoder with the learned profile, and yield the profile.
        3. Decode the keys of the sheet again, so that the sheet is recorded as the new profile reads it.
        """
        if isinstance(sheet.result, ProfileFailure):
            yield from map(self._to_read, scans)
            yield OperatorNotice(self.kind, self.reader, now_ns, f"{sheet.result.why} {sheet.result.do}")
            return
        if self._grab is not None:
            try:
                self._grab()
            except OSError as error:
                raise self._lost() from error  # another program has grabbed it; the next opening names the error
            self._grab = None
        profile = text_of(sheet.result.profile)
        self._use_profile(profile, caps_lock=sheet.caps_lock)
        yield ProfileLearned(self.kind, self.reader, now_ns, sheet.result.evidence, profile)
        for event in sheet.events:
            yield from map(self._to_read, self._decoder.feed(event))
        yield from map(self._to_read, self._decoder.quiet(now_ns + SHEET_END_NS))

    def close(self) -> None:
        """End `reads` and release the grab."""
        self._handle.close()

    def _next_events(self) -> list[KeyEvent]:
        try:
            return self._read_events()
        except OSError as error:
            raise self._lost() from error

    def _read_descriptor(self) -> list[KeyEvent]:
        try:
            data = os.read(self._device.descriptor, EVENT.size * EVENTS_AT_ONCE)
        except BlockingIOError:
            return []
        if not data:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        now_ns = boot_ns()
        data = self._partial + data
        whole = len(data) - len(data) % EVENT.size
        self._partial = data[whole:]
        return [
            KeyEvent(kind, code, value, (seconds * _NS + micros * 1000) if self._device.stamped else now_ns)
            for seconds, micros, kind, code, value in EVENT.iter_unpack(data[:whole])
        ]

    def _lost(self) -> DeviceLost:
        return unplugged(self.reader, self._device.name, self._decoder.begun)

    def _to_read(self, outcome: TypedScan | LostScan) -> Read | Dropped:
        if isinstance(outcome, TypedScan):
            return read_of(outcome.scan, self.kind, self.reader, outcome.time_ns)
        return Dropped(self.kind, self.reader, outcome.time_ns, outcome.why, many=outcome.many)
