"""Scanners that type: the keyboard wedge, read through evdev.

The device is grabbed, so what it types reaches nobody else: no console, no other program, and no key combination on a
label can do anything on this machine. `drivers.decode.keys` reads the keys; this file holds the device.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from drivers import DeviceLost, Driver, DriverError, Dropped, Read, Settings, boot_ns, missing, read_of, xkb
from drivers.decode.keymap import BARE, US, Layout
from drivers.decode.keys import KeyEvent, Keys, Lost, Typed
from drivers.decode.plugged import Facts, Verdict, reader_id, verdict
from drivers.decode.profile import LEARNED, Profile, profile_in
from drivers.held import Held
from drivers.hotplug import facts_of, present

if TYPE_CHECKING:
    import evdev

EVENT = struct.Struct("@llHHi")
"""`struct input_event`: seconds, microseconds, type, code, value."""
EVENTS_AT_ONCE = 64
_EVIOCSCLOCKID = 0x400445A0  # _IOW('E', 0xa0, int), linux/input.h
_CLOCK_BOOTTIME = 7
_NS = 1_000_000_000


def open_device(settings: Settings) -> Driver:
    """Open and grab the scanner at `path`, else the first that `match` names, else the first that is plugged in.

    `profile` is what was learned of it, as JSON (`drivers.decode.profile`); `layout`, a name of xkb-data, beats the layout
    in it, with the keys that were learned for that one.
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
    refused = _nothing_there(settings)
    for facts in [at_path] if at_path else [] if path else there:
        judged = verdict(facts, [row])
        if not judged.take:
            refused = _not_a_scanner(facts, judged) if path else refused
            continue
        try:
            return _grabbed(evdev.InputDevice(facts.node), reader_id(facts, there), facts, layout, profile)
        except OSError as error:
            refused = _refused(facts, error)  # another like it may be free
    raise refused


def _typing(settings: Settings) -> tuple[Layout, Profile]:
    """The layout that the scanner types for, and its profile."""
    written, name = settings.get("profile"), settings.get("layout")
    try:
        profile = profile_in(written) if written else Profile()
    except ValueError as error:
        raise DriverError(
            came=f"The reader's profile cannot be used: {error}",
            expected="Expected what the station wrote when it learned the scanner.",
            do="Have the station learn it again from the setup sheet.",
        ) from error
    if name and name != profile.layout:
        profile = replace(profile, layout=name, keys={}, alike=())
    return BARE if profile.layout == LEARNED else xkb.layout(profile.layout), profile


def _grabbed(
    device: "evdev.InputDevice[str]", reader: str, facts: Facts, layout: Layout, profile: Profile
) -> "Keyboard":
    from evdev import ecodes

    try:
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
    )


def _stamped(descriptor: int) -> bool:
    """Ask the kernel to stamp events with CLOCK_BOOTTIME: a pause then counts even if we were late to read."""
    try:
        fcntl.ioctl(descriptor, _EVIOCSCLOCKID, struct.pack("@i", _CLOCK_BOOTTIME))
    except OSError:
        return False
    return True


def _nothing_there(settings: Settings) -> DriverError:
    wanted = settings.get("path") or settings.get("match")
    return DriverError(
        came=f"No scanner {wanted!r} is plugged in." if wanted else "No scanner is plugged in.",
        expected="Expected a device that types digits and Enter and is no mouse.",
        do="Plug it in, or see with `wipline-station readers` what is there and correct path or match.",
    )


def _not_a_scanner(facts: Facts, judged: Verdict) -> DriverError:
    return DriverError(
        came=f"{facts.node} ({facts.name}, {reader_id(facts)}) is not read. {judged.why}",
        expected="Expected a device that types digits and Enter, is no mouse, and fits match where it is given.",
        do="Correct path or match; `wipline-station readers` shows what is plugged in.",
    )


def _refused(facts: Facts, error: OSError) -> DriverError:
    came = f"{facts.node} ({facts.name}) cannot be read: {error.strerror}."
    if error.errno == errno.EBUSY:
        return DriverError(
            f"{facts.node} ({facts.name}) is held by another program.",
            "A scanner is read by one program alone.",
            f"End the other one, perhaps a second station; this finds it: sudo fuser -v {facts.node}",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        expected = "The station's user must be allowed to read the device."
        return DriverError(
            came, expected, "Install config/udev/70-wipline-readers.rules, then plug the scanner in again."
        )
    return DriverError(came, "Expected a device that can be opened and grabbed.", "Plug the scanner in again.")


class Keyboard:
    """A grabbed keyboard of which every key is part of a scan.

    `descriptor` yields input events; `let_go` closes it. `stamped`: the events carry CLOCK_BOOTTIME, else they count as
    they arrive.
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
        layout: Layout = US,
        profile: Profile | None = None,
        caps_lock: bool = False,
        stamped: bool = False,
        opened_ns: int | None = None,
    ) -> None:
        self.reader = reader
        self._descriptor = descriptor
        self._name = name
        self._stamped = stamped
        self._cut = b""  # the kernel sends whole events; what stands in for it in a test may not
        self._keys = Keys(layout, profile, caps_lock=caps_lock, opened_ns=opened_ns)
        self._held = Held(let_go)

    def reads(self) -> Iterator[Read | Dropped]:
        """Each scan when it is complete."""
        with self._held.reading():
            while not self._held.closed:
                due_ns = self._keys.due_ns
                timeout_s = None if due_ns is None else max(0, due_ns - boot_ns()) / _NS
                if self._held.wait(self._descriptor, timeout_s):
                    for event in self._events():
                        yield from map(self._told, self._keys.feed(event))
                else:
                    yield from map(self._told, self._keys.quiet(boot_ns()))

    def close(self) -> None:
        """End `reads` and release the grab."""
        self._held.close()

    def _events(self) -> list[KeyEvent]:
        try:
            data = os.read(self._descriptor, EVENT.size * EVENTS_AT_ONCE)
        except BlockingIOError:
            return []
        except OSError as error:
            raise self._lost() from error
        if not data:
            raise self._lost()
        now_ns = boot_ns()
        data = self._cut + data
        whole = len(data) - len(data) % EVENT.size
        self._cut = data[whole:]
        return [
            KeyEvent(kind, code, value, (seconds * _NS + micros * 1000) if self._stamped else now_ns)
            for seconds, micros, kind, code, value in EVENT.iter_unpack(data[:whole])
        ]

    def _lost(self) -> DeviceLost:
        half = f" in mid-scan, and half a scan was dropped (bytes: {self._keys.begun})" if self._keys.begun else ""
        return DeviceLost(
            f"{self.reader} ({self._name}) was unplugged{half}.",
            "Scans are read while it is plugged in.",
            "Plug it in again; it is used again at once.",
        )

    def _told(self, outcome: Typed | Lost) -> Read | Dropped:
        if isinstance(outcome, Typed):
            return read_of(outcome.scan, self.kind, self.reader, outcome.time_ns)
        return Dropped(self.kind, self.reader, outcome.time_ns, outcome.why)
