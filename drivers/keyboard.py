"""Scanners that type: the keyboard wedge, read through evdev.

The device is grabbed, so what it types reaches nobody else: no console, no other program, and no key combination on a
label can do anything on this machine. `drivers.decode.keyboard.keys` reads the keys; this file holds the device.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
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
from drivers.decode.detect.device_info import DeviceInfo, reader_id
from drivers.decode.detect.device_policy import verdict
from drivers.decode.keyboard.keymap import BARE, US, KeyLayout
from drivers.decode.keyboard.keys import HAND_GAP_S, KeyEvent, LostScan, TypedScan, WedgeDecoder
from drivers.decode.keyboard.profile import LEARNED, ScannerProfile, dict_of, text_of
from drivers.decode.setup_sheet.sheet_detector import ProfileFailure
from drivers.hotplug import facts_of, present
from drivers.platform import xkb  # fmt: skip
from drivers.platform.device_handle import DeviceHandle, Hold
from drivers.platform.errors import not_a_scanner, nothing_there, refused, unplugged
from drivers.platform.sheet_listener import KeySheetListener, SheetResult, taught

if TYPE_CHECKING:
    import evdev

EVENT = struct.Struct("@llHHi")
"""`struct input_event`: seconds, microseconds, type, code, value."""
EVENTS_AT_ONCE = 64
_EVIOCSCLOCKID = 0x400445A0  # _IOW('E', 0xa0, int), linux/input.h
_CLOCK_BOOTTIME = 7
_NS = 1_000_000_000
JOINED_NS = int(HAND_GAP_S * _NS)  # so long after its last key a scan without an end is complete, whoever typed it


def open_device(settings: Settings) -> Driver:
    """Open and grab the scanner at `path`, else the first that `match` names, else the first that is plugged in.

    `profile` is what was learned of it, as JSON (`drivers.decode.keyboard.profile`); `layout`, a name of xkb-data, takes
    precedence over the layout in it, with the keys that were learned for that one. `listen`: it is not grabbed before it
    has typed the setup sheet.
    """
    try:
        import evdev
    except ImportError as error:
        raise missing(package="evdev", debian="python3-evdev") from error
    layout, profile = _typing(settings)
    there = present()
    path = settings.get("path")
    at_path = facts_of(path) if path else None
    # These settings are the only row, so a device is taken because they name it or leave the choice open.
    row = {"path": path, "match": settings.get("match")}
    why_not = nothing_there(settings)
    for facts in [at_path] if at_path else [] if path else there:
        judged = verdict(facts, [row])
        if not judged.take:
            why_not = not_a_scanner(facts, judged) if path else why_not
            continue
        try:
            return _opened(evdev.InputDevice(facts.node), reader_id(facts, there), facts, layout, profile, settings)
        except OSError as error:
            why_not = refused(facts, error)  # another like it may be free
    raise why_not


def _typing(settings: Settings) -> tuple[KeyLayout, ScannerProfile]:
    """The layout that the scanner types for, and its profile."""
    profile, name = taught(settings.get("profile")), settings.get("layout")
    if name and name != profile.layout:
        profile = replace(profile, layout=name, keys={}, alike=())
    return BARE if profile.layout == LEARNED else xkb.layout(profile.layout), profile


def _opened(
    device: "evdev.InputDevice[str]",
    reader: str,
    facts: DeviceInfo,
    layout: KeyLayout,
    profile: ScannerProfile,
    settings: Settings,
) -> "Keyboard":
    from evdev import ecodes

    listens = bool(settings.get("listen"))
    try:
        if not listens:
            device.grab()
        caps_lock = ecodes.LED_CAPSL in device.leds()
    except OSError:
        device.close()
        raise
    return Keyboard(
        device.fd,
        reader,
        facts.name,
        device.close,
        layout=layout,
        profile=profile,
        caps_lock=caps_lock,
        stamped=_stamped(device.fd),
        opened_ns=boot_ns(),
        grab=device.grab if listens else None,
        said_layout=settings.get("layout"),
    )


def _stamped(descriptor: int) -> bool:
    """Ask the kernel to stamp events with CLOCK_BOOTTIME: a pause then counts even if we were late to read."""
    try:
        fcntl.ioctl(descriptor, _EVIOCSCLOCKID, struct.pack("@i", _CLOCK_BOOTTIME))
    except OSError:
        return False
    return True


class Keyboard:
    """A grabbed keyboard of which every key is part of a scan; or one that is only heard until it types the setup sheet.

    `descriptor` yields input events; `let_go` closes it. `stamped`: the events carry CLOCK_BOOTTIME, else they count as
    they arrive. `grab` takes a device that is only heard so far; `said_layout` is the one that beats a learned one.
    """

    kind = "keyboard"
    lossless = False

    def __init__(
        self,
        descriptor: int,
        reader: str,
        name: str,
        let_go: Callable[[], None],
        *,
        layout: KeyLayout = US,
        profile: ScannerProfile | None = None,
        caps_lock: bool = False,
        stamped: bool = False,
        opened_ns: int | None = None,
        grab: Callable[[], None] | None = None,
        said_layout: str | None = None,
        take: Callable[[], list[KeyEvent]] | None = None,
        hold: Hold = DeviceHandle,
    ) -> None:
        self.reader = reader
        self._descriptor = descriptor
        self._name = name
        self._stamped = stamped
        self._cut = b""  # the kernel sends whole events; what stands in for it in a test may not
        self._caps_lock, self._said_layout = caps_lock, said_layout
        self._profile, self._opened_ns = profile or ScannerProfile(), opened_ns
        self._keys = WedgeDecoder(layout, profile, caps_lock=caps_lock, opened_ns=opened_ns)
        self._grab = grab
        self._lessons: KeySheetListener | None = None
        self._take_events = take or self._arrived
        self._held = hold(let_go)

    def record(self, tape: CaptureWriter) -> None:
        """Write down every key from now on."""
        tape.begin(
            self.kind,
            self.reader,
            name=self._name,
            layout=self._said_layout,
            profile=dict_of(self._profile),
            caps_lock=self._caps_lock,
            opened_ns=self._opened_ns,
        )
        self._take_events = keys(self._take_events, tape)

    def teach(self, sheets: Sequence[Sequence[str]], profile: str | None) -> None:
        """The setup sheets that may be scanned, and what was learned of this scanner before."""
        self._lessons = KeySheetListener(sheets, self._caps_lock)
        if profile is not None:
            self._learn(profile, caps_lock=self._caps_lock, opened_ns=self._opened_ns)

    def _learn(self, profile: str, *, caps_lock: bool, opened_ns: int | None = None) -> None:
        layout, self._profile = _typing({"profile": profile, "layout": self._said_layout})
        self._keys = WedgeDecoder(layout, self._profile, caps_lock=caps_lock, opened_ns=opened_ns)

    def reads(self) -> Iterator[Outcome]:
        """Each scan when it is complete."""
        with self._held.reading():
            while not self._held.closed:
                due = [due_ns for due_ns in (self._due_ns(), self._lessons and self._lessons.due_ns) if due_ns]
                timeout_s = max(0, min(due) - self._held.now_ns()) / _NS if due else None
                if self._held.wait(self._descriptor, timeout_s):
                    for event in self._events():
                        yield from self._take(event)
                else:
                    yield from self._quiet(self._held.now_ns())

    def _due_ns(self) -> int | None:
        return None if self._grab else self._keys.due_ns

    def _take(self, event: KeyEvent) -> Iterator[Outcome]:
        yield from self._quiet(event.time_ns)  # where we are late: this key belongs to what comes behind the silence
        done = [] if self._grab else list(self._keys.feed(event))
        said = self._lessons.feed(event, ended=bool(done)) if self._lessons else None
        yield from self._lesson(said, done, event.time_ns) if said else map(self._told, done)

    def _quiet(self, now_ns: int) -> Iterator[Outcome]:
        done = [] if self._grab else list(self._keys.quiet(now_ns))
        said = self._lessons.quiet(now_ns, ended=bool(done)) if self._lessons else None
        yield from self._lesson(said, done, now_ns) if said else map(self._told, done)

    def _lesson(self, said: SheetResult, done: list[TypedScan | LostScan], now_ns: int) -> Iterator[Outcome]:
        """What was typed was the setup sheet: learn from it, and hand the sheet itself over as it now reads.

        `done`: how it read before; that is what is handed over where nothing was learned.
        """
        if isinstance(said.said, ProfileFailure):
            yield from map(self._told, done)
            yield OperatorNotice(self.kind, self.reader, now_ns, f"{said.said.why} {said.said.do}")
            return
        if self._grab is not None:
            try:
                self._grab()
            except OSError as error:
                raise self._lost() from error  # another program took it; the next opening says which
            self._grab = None
        profile = text_of(said.said.profile)
        self._learn(profile, caps_lock=said.caps_lock)
        yield ProfileLearned(self.kind, self.reader, now_ns, said.said.evidence, profile)
        for event in said.events:
            yield from map(self._told, self._keys.feed(event))
        yield from map(self._told, self._keys.quiet(now_ns + JOINED_NS))

    def close(self) -> None:
        """End `reads` and release the grab."""
        self._held.close()

    def _events(self) -> list[KeyEvent]:
        try:
            return self._take_events()
        except OSError as error:
            raise self._lost() from error

    def _arrived(self) -> list[KeyEvent]:
        try:
            data = os.read(self._descriptor, EVENT.size * EVENTS_AT_ONCE)
        except BlockingIOError:
            return []
        if not data:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        now_ns = boot_ns()
        data = self._cut + data
        whole = len(data) - len(data) % EVENT.size
        self._cut = data[whole:]
        return [
            KeyEvent(kind, code, value, (seconds * _NS + micros * 1000) if self._stamped else now_ns)
            for seconds, micros, kind, code, value in EVENT.iter_unpack(data[:whole])
        ]

    def _lost(self) -> DeviceLost:
        return unplugged(self.reader, self._name, self._keys.begun)

    def _told(self, outcome: TypedScan | LostScan) -> Read | Dropped:
        if isinstance(outcome, TypedScan):
            return read_of(outcome.scan, self.kind, self.reader, outcome.time_ns)
        return Dropped(self.kind, self.reader, outcome.time_ns, outcome.why, many=outcome.many)
