"""Readers: every device that turns a label or a tag into text, behind one port.

A driver is one file in this folder with a function `open_device(settings)`; its kind is the file's name. What a driver
yields, it yields whole: a `Read` is one scan as the device sent it, a `Dropped` is a scan the device lost, a
`TagRemoved` says that a tag has left the field of its reader.

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
"""What the configuration says of one reader: `path`, `match`, `baud`, `parity`, each as text.

Keys that a driver does not know are not its business.
"""


@dataclass(frozen=True, slots=True)
class Read:
    """One scan as the device sent it.

    `raw` is without terminator and with the AIM identifier, at most `MAX_RAW_BYTES`; `sym` is that identifier where there
    is one (`]C1`); `reader` is stable over replugging (`usb-05e0-1200-SN77`); `boot_ns` is CLOCK_BOOTTIME when the scan was
    complete; `raw_len` is the true length, and `sha256` (hex) that of the whole where `raw` had to be cut. `since_ns`: a
    stored scan, made at some moment since then, 0 where nobody knows since when; drivers leave it to who knows the pace.

    `tag`: a tag arrived, and `raw` is no text but what the reader told of its memory, in upper-case hex: a number, or
    checksum, PC word and number. `texts`: the texts and addresses that are written on it (NDEF), UTF-8, in their order.
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
    """A scan that the device or the kernel lost in part: nothing to record, and the operator must scan again.

    `many`: how many were lost is not known; one or more were.
    """

    kind: str
    reader: str
    boot_ns: int
    why: str
    many: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ProfileLearned:
    """The device has shown what it is, or how it sends: `evidence` in a few words each.

    `profile`: what was learned of it, as JSON, for whoever keeps it; None where nothing needs to be kept. Where `kind` is
    not the open reader's, it is to be opened again as that.
    """

    kind: str
    reader: str
    boot_ns: int
    evidence: tuple[str, ...]
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class TagRemoved:
    """A tag has left the field: no scan, but the end of the presence that a `Read` began.

    `raw` and `since_ns` are that `Read`'s `raw` and `boot_ns`; `boot_ns` is when the tag was last seen, `seen` how often,
    `signal_dbm` its best signal, None where the reader tells none.
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
    """Nothing was scanned, and the operator should read this: one or two sentences."""

    kind: str
    reader: str
    boot_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class ProbeTimeout:
    """Nobody has answered so far, and nobody is asked any more: from now on the device is only heard. `text` says so."""

    kind: str
    reader: str
    boot_ns: int
    text: str


ScanOutcome = Read | Dropped
"""What a reader hands over to be recorded and answered."""
Outcome = ScanOutcome | TagRemoved | ProfileLearned | OperatorNotice | ProbeTimeout
"""What a reader yields."""


class Driver(Protocol):
    """An open reader.

    `lossless` readers may be kept waiting and lose nothing; from all others a scan must be taken at once. `reads` blocks
    until a scan comes, ends after `close` and raises `DeviceLost` when the device goes; the device is then closed. `close`
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
    """An open reader that can answer its operator with its own beep and light.

    `tell` takes "green", "amber" or "red". It is called by one thread of its own: it may take its time, and raise.
    """

    def show_state(self, state: str) -> None: ...


@runtime_checkable
class SupportsEnrolment(Protocol):
    """An open reader that can be taught how its device sends.

    `teach` is called once, before `reads`: `sheets` are the setup sheets it may see, each the texts of its codes; `profile`
    is what a `ProfileLearned` said of this reader before. Raises `DriverError` where the profile cannot be used.
    """

    def teach(self, sheets: Sequence[Sequence[str]], profile: str | None) -> None: ...


class DriverError(Exception):
    """A reader cannot be used: what came, what was expected, and what to do, a sentence each."""

    def __init__(self, came: str, expected: str, do: str) -> None:
        super().__init__(came, expected, do)
        self.came, self.expected, self.do = came, expected, do

    def __str__(self) -> str:
        return f"{self.came} {self.expected} {self.do}"


class DeviceLost(DriverError):
    """An open reader went away; it may come back."""


def kinds() -> tuple[str, ...]:
    """Every kind of reader, by the files of this folder."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return tuple(name for name in names if hasattr(importlib.import_module(f"{__name__}.{name}"), "open_device"))


def open_driver(kind: str, settings: Settings) -> Driver:
    """Open a reader of this kind; `DriverError` says why it cannot be."""
    if kind not in kinds():
        raise DriverError(
            came=f"There is no reader of kind {kind!r}.",
            expected=f"Expected one of {', '.join(kinds())}.",
            do="Correct the reader's kind.",
        )
    return cast("Driver", importlib.import_module(f"{__name__}.{kind}").open_device(settings))


def missing(package: str, debian: str) -> DriverError:
    """The error for a vendor's library that is not installed."""
    return DriverError(
        came=f"The Python package {package!r} is not installed here.",
        expected="Readers of this kind need it.",
        do=f"Install it: sudo apt-get install {debian}, or in wipline's source folder: "
        f"{sys.prefix}/bin/pip install '.[station]'.",
    )


def read_of(scan: Scan, kind: str, reader: str, complete_ns: int) -> Read:
    """The `Read` of a decoded scan that was complete at `complete_ns` of CLOCK_BOOTTIME."""
    return Read(scan.raw, aim_identifier(scan.raw), kind, reader, complete_ns, scan.raw_len, scan.sha256)


def gone_of(left: TagDeparture, kind: str, reader: str) -> TagRemoved:
    """The `TagRemoved` of a tag that has left this reader's field."""
    return TagRemoved(kind, reader, left.last_ns, left.since_ns, left.uid.encode("ascii"), left.seen, left.signal_dbm)


def boot_ns() -> int:
    """CLOCK_BOOTTIME in nanoseconds: never steps, and counts suspended time."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
