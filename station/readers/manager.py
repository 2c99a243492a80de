"""Readers under supervision: those that the configuration names, and whatever is plugged in while the station runs.

Readers with a path are opened until they are there (`station.readers.reader_thread`). All others come and go with their plug
(`station.readers.hotplug`): the configuration names them, or any reader is taken, but never a person's keyboard.
"""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from drivers import Driver, ScanOutcome, TagRemoved
from drivers.decode.detect.device_policy import SERIAL_KINDS
from station.config import ReaderConfig, StationConfig
from station.feedback.messages import Answer
from station.feedback.outputs.reader_feedback import ReaderFeedback
from station.readers.hotplug import PLUGGED, HotplugManager
from station.readers.profile_store import KEYPAD, ProfileStore, beside
from station.readers.reader_thread import ReaderSpec, ReaderThread, WorkerContext, settings_of
from station.readers.registry import MOST, ReaderRegistry, ReaderStatus
from station.scan.pipeline import ReaderSettings
from station.scan.work_queue import WorkQueue

ASKED_FOR = SERIAL_KINDS | {"pcsc"}
END_S = 8.0  # for stored scans that still wait, of all readers together


class ReaderManager:
    """All readers of a station."""

    def __init__(
        self,
        config: StationConfig,
        inbox: WorkQueue[ScanOutcome],
        say: Callable[[Answer], None],
        log: Callable[..., None],
        changed: Callable[[], None],
        left: Callable[[TagRemoved], object] = lambda _gone: None,
        contacts: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._config = config
        self._roll, self._beeps = ReaderRegistry(log, changed), ReaderFeedback(log)
        self._taught = ProfileStore(beside(Path(config.journal)))
        self._desk = WorkerContext(
            inbox, say, log, self._roll, self._beeps, self._taught, left, self._settled, contacts
        )
        self._places: dict[str, ReaderSettings] = {}
        self._default = ReaderSettings(stage=config.stage)
        self._readings: dict[str, ReaderThread] = {}
        self._lock = threading.Lock()
        self._plugs = HotplugManager(config.reader, self._roll, self._taught.how, self._begin, self._knock)

    def place_of(self, reader: str) -> ReaderSettings:
        """Where a reader stands: its own row's bench, stage and action, else the station's."""
        return self._places.get(reader, self._default)

    def status(self) -> list[ReaderStatus]:
        """Every reader, and every device that could be one, as it is now."""
        with self._lock:
            here = [each.wanted.row for each in self._readings.values() if each.is_read]
        awaited = [row for row in self._config.reader if _comes_with_its_plug(row) and row not in here]
        none = "No such reader is plugged in."
        return self._roll.lines() + [
            ReaderStatus(row.kind, row.path or row.match or "any of its kind", "waiting", none) for row in awaited
        ]

    def show_answer(self, answer: Answer) -> None:
        """Let the reader that an answer is for say it too, where it can; never waits for it."""
        self._beeps.enqueue(answer)

    def start(self) -> None:
        """Begin reading; returns at once."""
        for index, row in enumerate(self._config.reader):
            if not _comes_with_its_plug(row):
                named = (f"Reader {index + 1} of the configuration names it.",)
                self._begin(ReaderSpec(f"{row.kind}-{index}", row.kind, settings_of(row), row, evidence=named))
        if not self._config.reader or any(row.kind in PLUGGED for row in self._config.reader):
            self._plugs.start()

    def close(self) -> None:
        """End all readers; scans that are complete have been handed over."""
        self._plugs.close()
        with self._lock:
            readings = list(self._readings.values())
        for reading in readings:
            reading.close()
        until_s = time.monotonic() + END_S
        for reading in readings:
            reading.drained(until_s)

    def _begin(self, wanted: ReaderSpec) -> None:
        reading = ReaderThread(wanted, self._desk)
        with self._lock:
            reading.start()
            self._readings[wanted.name] = reading

    def _knock(self) -> None:
        with self._lock:
            for name in [name for name, each in self._readings.items() if each.is_over]:
                del self._readings[name]
            readings = list(self._readings.values())
        for reading in readings:
            reading.retry_now()

    def _settled(self, wanted: ReaderSpec, driver: Driver) -> None:
        row, lesson = wanted.row, self._taught.known((driver.reader, *wanted.names))
        keypad = lesson is not None and lesson[1] == KEYPAD
        with self._lock:
            self._places.pop(driver.reader, None)
            if row is not None or keypad:
                bench, stage, action = (None, None, None) if row is None else (row.bench, row.stage, row.action)
                self._places[driver.reader] = ReaderSettings(bench, stage or self._config.stage, action, keypad)
            self._forget_places(but=driver)

    def _forget_places(self, but: Driver) -> None:
        """A device may come back under a new serial number for ever: of those that are gone, the latest are remembered."""
        here = {
            driver.reader for driver in (but, *(each.driver for each in self._readings.values())) if driver is not None
        }
        gone = [name for name in self._places if name not in here]
        for name in gone[: max(len(gone) - MOST, 0)]:
            del self._places[name]


def _comes_with_its_plug(row: ReaderConfig) -> bool:
    """Whether a row is found by what is plugged in.

    A port that is named may be none of USB, and is opened by its path; a card reader that is named, by pcscd's name for it.
    """
    return row.kind in ("keyboard", "hidpos") or (row.kind in ASKED_FOR and not row.path and not row.match)
