"""Capture: record the raw input of one reader in a file, so that a support case can be played without the device.

The reader is opened as the station would open it, with its stored profile, and read until Ctrl-C. Each scan is printed at
once, so that the user sees that the reader works.
"""

import errno
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from drivers import (
    DeviceLost,
    Driver,
    DriverError,
    OperatorNotice,
    Outcome,
    Read,
    Settings,
    SupportsEnrolment,
    boot_ns,
    hidpos,
    open_driver,
)
from drivers.capture.recorder import CaptureWriter, SupportsCapture
from drivers.decode.capture_file import CaptureError
from drivers.decode.capture_schema import EVENTS
from drivers.decode.detect.device_info import DeviceInfo, both_names, named
from drivers.decode.detect.device_policy import verdict
from drivers.hotplug import present
from drivers.platform import serial_ports
from station import status
from station.cli.keypads import profile_store
from station.config import ReaderConfig, StationConfig
from station.readers.enrolment import SHEETS, UNUSABLE
from station.readers.reader_thread import settings_of
from station.readers.registry import OPEN_STATES
from station.system.access import DO, EXPECTED, denied
from station.system.files import flush_folder
from station.system.version import version

STOP = "stop the station for as long as you record: sudo systemctl stop wipline-station"
WAKE_S = 0.25  # how soon an interrupt is seen that was delivered to another thread
ONE_SLOT = {"alone": "yes"}
"""The station reads all slots of a card reader as one reader; a recording is of a single slot."""
ONLY_OWNER = 0o600
"""A recording contains what was typed, so other users of the machine must not read it."""


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """The options that select the reader; None where not given."""

    kind: str | None = None
    path: str | None = None
    match: str | None = None
    layout: str | None = None


def connected_devices() -> list[DeviceInfo]:
    """The connected input devices, serial ports and HID POS scanners, from sysfs."""
    pos_scanners = (device.info for device in hidpos.present() if device.is_scanner)
    return [*present(), *serial_ports.present(), *pos_scanners]


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """The result of a recording; `why`: the fault that ended it, None where the user did."""

    reader: str
    events: int
    scans: int
    why: str | None


class Capture:
    """An open reader that is to be recorded. `config`: the station of this machine, None where there is none.

    `open_reader` opens the selected reader; `devices` lists the connected ones, from which it is selected. Raises
    `DriverError` where the reader cannot be opened, or where the running station reads it.
    """

    def __init__(
        self,
        options: CaptureOptions,
        config: StationConfig | None,
        *,
        open_reader: Callable[[str, Settings], Driver] = open_driver,
        devices: Callable[[], Sequence[DeviceInfo]] = connected_devices,
    ) -> None:
        self._config, self._devices = config, devices
        self._profiles = None if config is None else profile_store(config, None)
        kind, settings = self._select(options)
        station_readers = self._station_readers()
        try:
            self._driver: Driver = open_reader(kind, settings | ONE_SLOT if kind == "pcsc" else settings)
        except DriverError as error:
            if getattr(error.__cause__, "errno", None) in (errno.EACCES, errno.EPERM):
                do = f"Repeat the command with sudo. For the station itself: {error.do}"
                raise DriverError(error.came, error.expected, do) from error
            if station_readers is None:
                raise
            do = f"{error.do} The station is running; where it is the one that holds the reader: {STOP}"
            raise DriverError(error.came, error.expected, do) from error
        if any(f"{self._driver.reader} ".startswith(f"{reader} ") for reader in station_readers or ()):
            # pcscd lets two programs exchange commands with one card, and each would disturb the other.
            self._driver.close()
            raise DriverError(
                came=f"{self._driver.reader} is being read by the station.",
                expected="A reader is read by one program alone.",
                do=f"{STOP[0].upper()}{STOP[1:]}",
            )
        self._unusable = self._load_profile()

    @property
    def reader(self) -> str:
        """The reader's id."""
        return self._driver.reader

    def make(self, file: Path, show: Callable[[Outcome], None], seconds: int | None) -> CaptureResult:
        """Record into a new file until Ctrl-C or for so many seconds; `show` prints an outcome. Raises `DriverError`."""
        driver, scans = self._driver, 0

        def read() -> str | None:
            nonlocal scans
            try:
                for outcome in driver.reads():
                    scans += isinstance(outcome, Read)
                    show(outcome)
            except DeviceLost as lost:
                return lost.came
            return None

        with new_file(file) as write, ThreadPoolExecutor(1) as pool:
            writer = CaptureWriter(write, driver.close, version())
            self._begin(writer)
            if self._unusable:
                show(OperatorNotice(driver.kind, driver.reader, boot_ns(), self._unusable))
            # In another thread: Ctrl-C must not interrupt between a read and its write to the file.
            reading = pool.submit(read)
            end_s = None if seconds is None else time.monotonic() + seconds
            with suppress(KeyboardInterrupt):
                # Never without a timeout: Linux may deliver the signal to the other thread, and then nothing wakes this one.
                while not reading.done() and (end_s is None or time.monotonic() < end_s):
                    wait([reading], WAKE_S if end_s is None else max(0.0, min(WAKE_S, end_s - time.monotonic())))
            driver.close()
            why = reading.result()
            writer.end()
        return CaptureResult(driver.reader, writer.events, scans, writer.trouble or why)

    def close(self) -> None:
        """Close the reader."""
        self._driver.close()

    def _begin(self, writer: CaptureWriter) -> None:
        assert isinstance(self._driver, SupportsCapture)
        try:
            self._driver.record(writer)
        except CaptureError as error:
            raise DriverError(str(error), "Expected what can be read again.", "Nothing was recorded.") from error

    def _select(self, options: CaptureOptions) -> tuple[str, dict[str, str | None]]:
        """The kind and the settings of the selected reader.

        A row of station.toml comes first, then the given kind, then the first plugged-in reader.
        """
        if options.kind is not None and options.kind not in EVENTS:
            raise DriverError(
                came=f"Readers of kind {options.kind!r} are not recorded.",
                expected=f"Expected one of {', '.join(EVENTS)}.",
                do="Correct --kind.",
            )
        flags = {"path": options.path, "match": options.match, "layout": options.layout}
        row = self._row(options)
        if row is not None:
            return row.kind, settings_of(row) | {name: value for name, value in flags.items() if value is not None}
        if options.kind is not None:
            return options.kind, flags
        info, kind = self._plugged(flags)
        # With the ids: the kernel may assign the node's name to another device before it is opened.
        return kind, flags | {"path": info.node, "match": info.ids}

    def _row(self, options: CaptureOptions) -> ReaderConfig | None:
        """The row of station.toml that the options select; None where none fits."""
        rows = [row for row in self._config.reader if row.kind in EVENTS] if self._config is not None else []
        for name in ("kind", "path", "match"):
            value = getattr(options, name)
            rows = [row for row in rows if value is None or getattr(row, name) == value]
        if len(rows) > 1:
            names = "; ".join(f"{row.kind} {row.path or row.match or ''}".strip() for row in rows)
            raise DriverError(
                came=f"The configuration has {len(rows)} readers that fit: {names}.",
                expected="Expected one.",
                do="Select one by --kind, --path or --match, as in the configuration.",
            )
        return rows[0] if rows else None

    def _plugged(self, flags: dict[str, str | None]) -> tuple[DeviceInfo, str]:
        """The first plugged-in device that fits. One that was not named must be a device that the policy opens."""
        profiles = self._profiles.descriptions() if self._profiles is not None else {}
        policies = [(info, verdict(info, (), profiles)) for info in self._devices() if named(info, flags)]
        is_named = flags["path"] is not None or flags["match"] is not None
        for info, policy in policies:
            if policy.take or (is_named and policy.listen):
                return info, policy.kind
        name = flags["path"] or flags["match"]
        raise DriverError(
            came=f"No reader {name!r} is plugged in." if name else "No reader is plugged in.",
            expected="Expected one that is recognised as a reader, or that is named.",
            do=f"Name it: --kind ({', '.join(EVENTS)}) and --match; `wipline-station readers` shows what is there.",
        )

    def _load_profile(self) -> str:
        """Pass the stored profile to the driver, as the station does; returns why it cannot be used, "" where it can."""
        if not isinstance(self._driver, SupportsEnrolment):
            return ""
        names = (self._driver.reader, *both_names(self._driver.reader, self._devices()))
        try:
            if self._profiles is not None:
                self._profiles.require_access()
        except PermissionError as error:
            return f"Decoded without the reader's stored profile: {denied(error.filename)}. {EXPECTED} {DO}"
        stored = self._profiles.find(names) if self._profiles is not None else None
        profile = None if stored is None or stored[1].profile is None else json.dumps(stored[1].profile)
        try:
            self._driver.teach(SHEETS, profile)
        except DriverError as error:  # the device's raw input is worth recording without a profile, too
            self._driver.teach(SHEETS, None)
            return UNUSABLE.format(error.came, error.do)
        return ""

    def _station_readers(self) -> set[str] | None:
        """The ids of the readers that a running station reads; None where none runs.

        Raises `DriverError` where a station runs whose status this user may not read: a recording could disturb it.
        """
        path = None if self._config is None else Path(self._config.status)
        try:
            current = None if path is None else status.running(path)
        except PermissionError as error:
            if not status.may_be_fresh(Path(error.filename)):
                return None
            raise DriverError(
                came=f"The station runs, and its status {denied(error.filename)}: it may be reading this reader.",
                expected="A reader is read by one program alone.",
                do=f"Repeat the command with sudo, or {STOP}",
            ) from error
        return None if current is None else {line.id for line in current.readers if line.state in OPEN_STATES}


@contextmanager
def new_file(
    file: Path,
    *,
    geteuid: Callable[[], int] = os.geteuid,
    fchown: Callable[[int, int, int], object] = os.fchown,
) -> Iterator[Callable[[bytes], object]]:
    """Create a file; yields a function that writes one whole line. At the end the file and its name are on the disk.

    A file that root creates is given to the owner of its folder: most recordings are made with sudo, and are then sent by
    a user or played by the station, neither of which is root. `geteuid` and `fchown` are those of `os`.

    Raises `DriverError` where it cannot be created or flushed.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, ONLY_OWNER)
    except OSError as error:
        came = f"{file} cannot be created: {error.strerror}."
        raise DriverError(came, "Expected the name of a new file.", "Name another.") from error

    if geteuid() == 0:
        with suppress(OSError):  # the file system of a USB stick may have no owners
            owner = file.absolute().parent.stat()
            fchown(descriptor, owner.st_uid, owner.st_gid)

    def write(line: bytes) -> None:
        while line:
            line = line[os.write(descriptor, line) :]

    try:
        yield write
        _flush(file, descriptor)
    finally:
        os.close(descriptor)


def _flush(file: Path, descriptor: int) -> None:
    try:
        os.fsync(descriptor)
        flush_folder(file.absolute().parent)
    except OSError as error:
        came = f"{file} is written, but could not be flushed to the disk: {error.strerror}."
        do = "Play it (`decode`), and copy it, before the power is switched off."
        raise DriverError(came, "Expected a disk that accepts it.", do) from error
