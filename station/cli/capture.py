"""Recording a reader: what its device says is kept in a file, so that a support case can be played where no device is.

One reader is opened as the station would open it, with what the station knows of it, and read until somebody ends it. Each
scan is handed on as it comes, so the person sees that it works.
"""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from station.readers.registry import READ_FROM
from station.system.files import flush_folder
from station.system.version import version

STOP = "stop the station for as long as you record: sudo systemctl stop wipline-station"
ONE_SLOT = {"alone": "yes"}
"""The station reads all slots of a card reader as one; a recording is of one, which is called as the device or by more."""
ONLY_OWNER = 0o600
"""A recording holds what was typed, and is not for everybody on the machine."""


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """Which reader is meant, as far as it was said."""

    kind: str | None = None
    path: str | None = None
    match: str | None = None
    layout: str | None = None


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What a recording came to; `why`: why it ended before somebody ended it."""

    reader: str
    events: int
    scans: int
    why: str | None


class Capture:
    """An open reader that is to be recorded. `config`: the station of this machine, None where there is none.

    Raises `DriverError` where it cannot be opened, or the station has it.
    """

    def __init__(self, asked: CaptureOptions, config: StationConfig | None) -> None:
        self._config = config
        self._taught = None if config is None else profile_store(config, None)
        kind, settings = self._meant(asked)
        taken = self._read_by_the_station()
        try:
            self._driver: Driver = open_driver(kind, settings | ONE_SLOT if kind == "pcsc" else settings)
        except DriverError as error:
            if taken is None:
                raise
            do = f"{error.do} The station is running; where it is the one that holds the reader: {STOP}"
            raise DriverError(error.came, error.expected, do) from error
        if taken is not None and any(f"{self._driver.reader} ".startswith(f"{each} ") for each in taken):
            # pcscd would let two programs speak to one card, and each would disturb the other.
            self._driver.close()
            raise DriverError(
                came=f"{self._driver.reader} is being read by the station.",
                expected="A reader is read by one program alone.",
                do=f"{STOP[0].upper()}{STOP[1:]}",
            )
        self._untaught = self._teach()

    @property
    def reader(self) -> str:
        """Which reader it is."""
        return self._driver.reader

    def make(self, file: Path, say: Callable[[Outcome], None], seconds: int | None) -> CaptureResult:
        """Record into a new file until Ctrl-C, or for so long. Raises `DriverError`."""
        driver, scans = self._driver, 0

        def listen() -> str | None:
            nonlocal scans
            try:
                for outcome in driver.reads():
                    scans += isinstance(outcome, Read)
                    say(outcome)
            except DeviceLost as lost:
                return lost.came
            return None

        with new_file(file) as write, ThreadPoolExecutor(1) as pool:
            tape = CaptureWriter(write, driver.close, version())
            self._begin(tape)
            if self._untaught:
                say(OperatorNotice(driver.kind, driver.reader, boot_ns(), self._untaught))
            reading = pool.submit(listen)
            # Not in this thread: an interrupt must not come between a read and its writing down.
            with suppress(KeyboardInterrupt, TimeoutError):
                reading.result(seconds)
            driver.close()
            why = reading.result()
            tape.end()
        return CaptureResult(driver.reader, tape.events, scans, tape.trouble or why)

    def close(self) -> None:
        """Let the reader go."""
        self._driver.close()

    def _begin(self, tape: CaptureWriter) -> None:
        assert isinstance(self._driver, SupportsCapture)
        try:
            self._driver.record(tape)
        except CaptureError as error:
            raise DriverError(str(error), "Expected what can be read again.", "Nothing was recorded.") from error

    def _meant(self, asked: CaptureOptions) -> tuple[str, dict[str, str | None]]:
        if asked.kind is not None and asked.kind not in EVENTS:
            raise DriverError(
                came=f"Readers of kind {asked.kind!r} are not recorded.",
                expected=f"Expected one of {', '.join(EVENTS)}.",
                do="Correct --kind.",
            )
        flags = {"path": asked.path, "match": asked.match, "layout": asked.layout}
        row = self._row(asked)
        if row is not None:
            return row.kind, settings_of(row) | {name: said for name, said in flags.items() if said is not None}
        if asked.kind is not None:
            return asked.kind, flags
        facts, kind = self._plugged(flags)
        # The ids too: the name of its node may go to another device before it is opened.
        return kind, flags | {"path": facts.node, "match": facts.ids}

    def _row(self, asked: CaptureOptions) -> ReaderConfig | None:
        """The row of station.toml that is meant."""
        rows = [row for row in self._config.reader if row.kind in EVENTS] if self._config is not None else []
        for name in ("kind", "path", "match"):
            said = getattr(asked, name)
            rows = [row for row in rows if said is None or getattr(row, name) == said]
        if len(rows) > 1:
            names = "; ".join(f"{row.kind} {row.path or row.match or ''}".strip() for row in rows)
            raise DriverError(
                came=f"The configuration has {len(rows)} readers that could be meant: {names}.",
                expected="Expected one.",
                do="Say which, as it stands there, with --kind, --path or --match.",
            )
        return rows[0] if rows else None

    def _plugged(self, flags: dict[str, str | None]) -> tuple[DeviceInfo, str]:
        """The first device that is plugged in and fits; where it was not named it must be one that is taken."""
        there = [*present(), *serial_ports.present(), *(each.facts for each in hidpos.present() if each.speaks)]
        how = self._taught.descriptions() if self._taught is not None else {}
        judged = [(facts, verdict(facts, (), how)) for facts in there if named(facts, flags)]
        is_named = flags["path"] is not None or flags["match"] is not None
        for facts, found in judged:
            if found.take or (is_named and found.listen):
                return facts, found.kind
        what = flags["path"] or flags["match"]
        raise DriverError(
            came=f"No reader {what!r} is plugged in." if what else "No reader is plugged in.",
            expected="Expected one that is known for one, or that is named.",
            do=f"Name it: --kind ({', '.join(EVENTS)}) and --match; `wipline-station readers` shows what is there.",
        )

    def _teach(self) -> str:
        """Tell it what the station would, so that it behaves as there; why that cannot be used, where it cannot."""
        if not isinstance(self._driver, SupportsEnrolment):
            return ""
        names = (self._driver.reader, *both_names(self._driver.reader, [*present(), *serial_ports.present()]))
        lesson = self._taught.find(names) if self._taught is not None else None
        profile = None if lesson is None or lesson[1].profile is None else json.dumps(lesson[1].profile)
        try:
            self._driver.teach(SHEETS, profile)
        except DriverError as error:  # what the device sends is worth recording all the same
            self._driver.teach(SHEETS, None)
            return UNUSABLE.format(error.came, error.do)
        return ""

    def _read_by_the_station(self) -> set[str] | None:
        """The readers that a running station reads; None where none runs."""
        found = None if self._config is None else status.running(Path(self._config.status))
        return None if found is None else {each.id for each in found.readers if each.state in READ_FROM}


@contextmanager
def new_file(file: Path) -> Iterator[Callable[[bytes], object]]:
    """A new file, and how to write a line of it, whole; it and its name are on the disk when it is closed.

    Raises `DriverError` where it cannot be made, or not be kept.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, ONLY_OWNER)
    except OSError as error:
        came = f"{file} cannot be made: {error.strerror}."
        raise DriverError(came, "Expected the name of a new file.", "Name another.") from error

    _give(descriptor, file.absolute().parent)

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
        came = f"{file} is written and may not be kept: {error.strerror}."
        do = "Play it (`decode`), and copy it, before the power goes."
        raise DriverError(came, "Expected a disk that takes it.", do) from error


def _give(descriptor: int, folder: Path) -> None:
    """Give a file that root made to whose folder it is in.

    Most recordings are made with sudo, and sent by a person, or played by the station, whose user is not root.
    """
    if os.geteuid() == 0:
        with suppress(OSError):  # a stick may know no owners
            owner = folder.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
