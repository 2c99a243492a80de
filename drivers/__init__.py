"""Drivers for barcode scanners and RFID readers, behind one protocol.

A driver is one file in this folder with a function `open_device(settings)`; its kind is the file's name. A driver yields
whole outcomes: a `Read` is one scan as the device sent it, a `Dropped` is a scan that was lost in part, a `TagRemoved` is
the end of a tag's presence in the reader's field.

`platform/` reaches devices through Linux (evdev, hidraw, sysfs, serial ports, pcscd, xkbcommon), `decode/` parses what they
send and is pure, `capture/` records a device and plays the recording back.

>>> kinds()
('hidpos', 'keyboard', 'pcsc', 'replay', 'serial_line', 'serial_rfid')
>>> open_driver("telepathy", {})  # doctest: +ELLIPSIS
Traceback (most recent call last):
    ...
drivers.DriverError: There is no reader of kind 'telepathy'. Expected one of hidpos, keyboard, ...
"""

import importlib
import pkgutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast, runtime_checkable

from drivers.decode.scan import MAX_RAW_BYTES, Scan, aim_identifier
from drivers.decode.tags.presence import TagDeparture

__all__ = [
    "MAX_RAW_BYTES",
    "DeviceLost",
    "Driver",
    "DriverError",
    "Dropped",
    "OperatorNotice",
    "Outcome",
    "ProbeTimeout",
    "ProfileLearned",
    "Read",
    "ScanOutcome",
    "Settings",
    "SupportsEnrolment",
    "SupportsFeedback",
    "TagRemoved",
    "boot_ns",
    "gone_of",
    "kinds",
    "missing",
    "open_driver",
    "read_of",
]

Settings = Mapping[str, str | None]
"""The configuration of one reader: `path`, `match`, `baud`, `parity` and so on, each as text.

A driver ignores keys that it does not know.
"""


@dataclass(frozen=True, slots=True)
class Read:
    """One scan as the device sent it.

    `raw` is without terminator and with the AIM identifier, at most `MAX_RAW_BYTES`; `sym` is that identifier if there is
    one (`]C1`). `reader` is stable over replugging (`usb-05e0-1200-SN77`). `boot_ns` is CLOCK_BOOTTIME when the scan was
    complete. `raw_len` is the true length; `sha256` (hex) is the digest of all bytes if `raw` was cut. `since_ns`: a stored
    scan was made between then and `boot_ns`, 0 if the start is unknown; drivers leave it None.

    `tag`: a tag arrived. `raw` is then the reader's report of its memory in upper-case hex: a number, or checksum, PC word
    and number. `texts`: the texts and URIs written on the tag (NDEF), UTF-8, in their order.
    """

    raw: bytes
    sym: str | None
    kind: str
    reader: str
    boot_ns: int
    raw_len: int
    sha256: str | None = None
    since_ns: int | None = None
    tag: bool = False
    texts: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """A scan that the device or the kernel lost in part. Nothing is recorded, and the operator must scan again.

    `many`: one or more scans were lost; their number is unknown.
    """

    kind: str
    reader: str
    boot_ns: int
    why: str
    many: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ProfileLearned:
    """The driver has identified the device, or has learned how it sends. `evidence`: the reasons, a few words each.

    `profile`: the learned profile as JSON, for the caller to store; None if nothing needs to be stored. If `kind` differs
    from the open reader's kind, the caller must open the device again as that kind.
    """

    kind: str
    reader: str
    boot_ns: int
    evidence: tuple[str, ...]
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class TagRemoved:
    """A tag has left the field. This ends the presence that a `Read` began; it is no scan.

    `raw` and `since_ns` are that `Read`'s `raw` and `boot_ns`. `boot_ns` is when the tag was last detected, `seen` the
    number of detections, `signal_dbm` its best signal, None if the reader reports none.
    """

    kind: str
    reader: str
    boot_ns: int
    since_ns: int
    raw: bytes
    seen: int
    signal_dbm: int | None = None


@dataclass(frozen=True, slots=True)
class OperatorNotice:
    """A message for the operator, one or two sentences; nothing was scanned."""

    kind: str
    reader: str
    boot_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class ProbeTimeout:
    """The device has answered no probe, and probing ends: from now on the driver only listens. `text` is the message."""

    kind: str
    reader: str
    boot_ns: int
    text: str


ScanOutcome = Read | Dropped
"""Outcomes that the station records and answers."""
Outcome = ScanOutcome | TagRemoved | ProfileLearned | OperatorNotice | ProbeTimeout
"""Everything that a driver yields."""


class Driver(Protocol):
    """An open reader.

    A `lossless` reader waits and loses nothing; a scan of any other must be taken at once. `reads` blocks until an outcome
    is complete, ends after `close`, and raises `DeviceLost` when the device is removed; the device is then closed. `close`
    may be called from any thread, more than once.
    """

    @property
    def kind(self) -> str: ...
    @property
    def reader(self) -> str: ...
    @property
    def lossless(self) -> bool: ...
    def reads(self) -> Iterator[Outcome]: ...
    def close(self) -> None: ...


@runtime_checkable
class SupportsFeedback(Protocol):
    """An open reader that shows answers with its own beeper and light.

    `show_state` takes "green", "amber" or "red". The station calls it from a separate thread: it may block, and raise.
    """

    def show_state(self, state: str) -> None: ...


@runtime_checkable
class SupportsEnrolment(Protocol):
    """An open reader that learns from the setup sheet how its device sends.

    `teach` is called once, before `reads`. `sheets` are the setup sheets to recognise, each the texts of its codes;
    `profile` is the JSON of an earlier `ProfileLearned` of this reader. Raises `DriverError` if the profile cannot be used.
    """

    def teach(self, sheets: Sequence[Sequence[str]], profile: str | None) -> None: ...


class DriverError(Exception):
    """A reader cannot be used. Three sentences: what came, what was expected, what to do."""

    def __init__(self, came: str, expected: str, do: str) -> None:
        super().__init__(came, expected, do)
        self.came, self.expected, self.do = came, expected, do

    def __str__(self) -> str:
        return f"{self.came} {self.expected} {self.do}"


class DeviceLost(DriverError):
    """An open reader was removed; it may be plugged in again."""


def kinds() -> tuple[str, ...]:
    """Every kind of reader: the modules of this folder that have `open_device`."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return tuple(name for name in names if hasattr(importlib.import_module(f"{__name__}.{name}"), "open_device"))


def open_driver(kind: str, settings: Settings) -> Driver:
    """Open a reader of this kind. Raises `DriverError`."""
    if kind not in kinds():
        raise DriverError(
            came=f"There is no reader of kind {kind!r}.",
            expected=f"Expected one of {', '.join(kinds())}.",
            do="Correct the reader's kind.",
        )
    return cast("Driver", importlib.import_module(f"{__name__}.{kind}").open_device(settings))


def missing(package: str, debian: str) -> DriverError:
    """The error for a Python package that is not installed; `debian` names the packages to install."""
    return DriverError(
        came=f"The Python package {package!r} is not installed here.",
        expected="Readers of this kind need it.",
        do=f"Install it: sudo apt-get install {debian}, or in wipline's source folder: "
        f"{sys.prefix}/bin/pip install '.[station]'.",
    )


def read_of(scan: Scan, kind: str, reader: str, complete_ns: int) -> Read:
    """The `Read` of a decoded scan that was complete at `complete_ns` of CLOCK_BOOTTIME."""
    return Read(scan.raw, aim_identifier(scan.raw), kind, reader, complete_ns, scan.raw_len, scan.sha256)


def gone_of(tag: TagDeparture, kind: str, reader: str) -> TagRemoved:
    """The `TagRemoved` of a tag that has left this reader's field."""
    return TagRemoved(kind, reader, tag.last_ns, tag.since_ns, tag.uid.encode("ascii"), tag.seen, tag.signal_dbm)


def boot_ns() -> int:
    """CLOCK_BOOTTIME in nanoseconds. It never steps, and it counts suspended time."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
