"""Reader manager: all readers of a station, those in station.toml and those that are plugged in while it runs.

A reader with a path is opened again and again until its device is there (`station.readers.reader_thread`). All others start
and end with their plug (`station.readers.hotplug`): the configured ones, or without configuration every device that is a
reader. A person's keyboard is never used as a reader unless it is configured.
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
from station.readers.device_access import THIS_MACHINE, DeviceAccess
from station.readers.hotplug import PLUGGED, HotplugManager
from station.readers.profile_store import KEYPAD, ProfileStore, beside
from station.readers.reader_thread import ReaderSpec, ReaderThread, WorkerContext, settings_of
from station.readers.registry import MAX_LINES, ReaderRegistry
from station.scan.pipeline import ReaderSettings
from station.scan.work_queue import WorkQueue
from station.status import ReaderStatus

OPENED_BY_NAME = SERIAL_KINDS | {"pcsc"}
END_S = 8.0  # for the stored scans that still wait, of all readers together
DRAIN_POLL_S = 0.01


class ReaderManager:
    """All readers of a station."""

    def __init__(
        self,
        config: StationConfig,
        queue: WorkQueue[ScanOutcome],
        answer: Callable[[Answer], None],
        log: Callable[..., None],
        changed: Callable[[], None],
        record_tag_removal: Callable[[TagRemoved], object] = lambda _removed: None,
        last_contact_ns: Mapping[str, int] = MappingProxyType({}),
        devices: DeviceAccess = THIS_MACHINE,
    ) -> None:
        self._config = config
        self._registry, self._feedback = ReaderRegistry(log, changed), ReaderFeedback(log)
        self._profiles = ProfileStore(beside(Path(config.journal)))
        self._context = WorkerContext(
            queue, answer, log, self._registry, self._feedback, self._profiles, record_tag_removal, self._opened,
            last_contact_ns, devices,
        )  # fmt: skip
        self._settings: dict[str, ReaderSettings] = {}
        self._default = ReaderSettings(stage=config.stage)
        self._threads: dict[str, ReaderThread] = {}
        self._lock = threading.Lock()
        self._hotplug = HotplugManager(
            config.reader, self._registry, self._profiles.descriptions, self._start_reader, self._retry_readers, devices
        )

    @property
    def waiting(self) -> int:
        """The number of stored scans of all readers that wait for room in the queue."""
        with self._lock:
            return sum(thread.waiting for thread in self._threads.values())

    def reader_settings(self, reader: str) -> ReaderSettings:
        """The settings of a reader: its row's bench, stage and action, else the station's stage."""
        return self._settings.get(reader, self._default)

    def status(self) -> list[ReaderStatus]:
        """The status now of every reader and of every device that could be one."""
        with self._lock:
            read = [thread.spec.row for thread in self._threads.values() if thread.is_read]
        missing = [row for row in self._config.reader if _is_found_by_hotplug(row) and row not in read]
        why = "No such reader is plugged in."
        return self._registry.lines() + [
            ReaderStatus(row.kind, row.path or row.match or "any of its kind", "waiting", why) for row in missing
        ]

    def show_answer(self, answer: Answer) -> None:
        """Show the answer at its reader too, if that supports feedback; never waits for it."""
        self._feedback.enqueue(answer)

    def start(self) -> None:
        """Start reading; returns at once."""
        for index, row in enumerate(self._config.reader):
            if not _is_found_by_hotplug(row):
                evidence = (f"Reader {index + 1} of the configuration names it.",)
                self._start_reader(
                    ReaderSpec(f"{row.kind}-{index}", row.kind, settings_of(row), row, evidence=evidence)
                )
        if not self._config.reader or any(row.kind in PLUGGED for row in self._config.reader):
            self._hotplug.start()

    def close(self, wait_s: float = END_S) -> None:
        """Close all readers, then wait up to `wait_s` in all until their stored scans are in the queue."""
        self._hotplug.close()
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.close()
        until_s = time.monotonic() + wait_s
        while self.waiting and time.monotonic() < until_s:
            time.sleep(DRAIN_POLL_S)

    def _start_reader(self, spec: ReaderSpec) -> None:
        thread = ReaderThread(spec, self._context)
        with self._lock:
            thread.start()
            self._threads[spec.name] = thread  # only after the start, which may fail

    def _retry_readers(self) -> None:
        """After a hotplug event: remove ended threads, and end the pause of those that wait for their device."""
        with self._lock:
            for name in [name for name, thread in self._threads.items() if thread.is_over]:
                del self._threads[name]
            threads = list(self._threads.values())
        for thread in threads:
            thread.retry_now()

    def _opened(self, spec: ReaderSpec, driver: Driver) -> None:
        """Store the settings of a reader that was opened."""
        row, stored = spec.row, self._profiles.find((driver.reader, *spec.names))
        keypad = stored is not None and stored[1] == KEYPAD
        with self._lock:
            self._settings.pop(driver.reader, None)
            if row is not None or keypad:
                bench, stage, action = (None, None, None) if row is None else (row.bench, row.stage, row.action)
                self._settings[driver.reader] = ReaderSettings(bench, stage or self._config.stage, action, keypad)
            self._forget_settings(but=driver)

    def _forget_settings(self, but: Driver) -> None:
        """Keep the settings of open readers and of the `MAX_LINES` latest others: a device may return under a new serial."""
        drivers = (but, *(thread.driver for thread in self._threads.values()))
        open_readers = {driver.reader for driver in drivers if driver is not None}
        closed = [name for name in self._settings if name not in open_readers]
        for name in closed[: max(len(closed) - MAX_LINES, 0)]:
            del self._settings[name]


def _is_found_by_hotplug(row: ReaderConfig) -> bool:
    """Whether hotplug finds the reader of this row.

    A serial port that is named may be no USB device, and is opened by its path. A card reader that is named is opened by
    pcscd's name for it.
    """
    return row.kind in ("keyboard", "hidpos") or (row.kind in OPENED_BY_NAME and not row.path and not row.match)
