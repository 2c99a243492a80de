"""Reader thread: open one reader, enqueue its scans in order, and open it again after a failure.

A scan that finds no room in the work queue is answered red at once, because its operator stands at the reader. Stored scans,
which a device uploads faster than an operator can scan, wait in a spool instead. A lossless reader (a pipe, a serial line
with flow control) is kept waiting.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from drivers import (
    DeviceLost,
    Driver,
    DriverError,
    Dropped,
    OperatorNotice,
    ProbeTimeout,
    ProfileLearned,
    Read,
    ScanOutcome,
    TagRemoved,
)
from station.config import ReaderConfig
from station.feedback.messages import TOO_FAST, Answer, Notice, Reason, Red
from station.feedback.outputs.reader_feedback import ReaderFeedback
from station.log import RateLimitedLog
from station.readers.device_access import THIS_MACHINE, DeviceAccess
from station.readers.enrolment import Enrolment
from station.readers.profile_store import ProfileStore
from station.readers.registry import ReaderRegistry
from station.readers.stored_scans import ReadPace, ReadSpool
from station.scan.work_queue import WorkQueue

MAX_REMOVALS = 1024  # tag removals that wait to be recorded: as many tags as one reader holds
SET_UP = "This scanner is set up now."
REPLAY = "replay"  # scans written into a pipe are never stored scans, however fast they arrive


def size_of(outcome: ScanOutcome) -> int:
    """The bytes of memory that a waiting scan holds, without its fixed fields."""
    return len(outcome.raw) if isinstance(outcome, Read) else 0


@dataclass(frozen=True, slots=True)
class ReaderSpec:
    """A reader to open. `name`: of its thread and its registry entry; `row`: its row in station.toml.

    `settings` are its driver's. `listen`: it is only listened to until it identifies itself. `evidence` and `mend`: the
    reasons of the device policy, and how to change its verdict. `names`: the reader's id with and without its serial number
    (a second device may have the same one). `gone` is set when the device is unplugged.
    """

    name: str
    kind: str
    settings: Mapping[str, str | None]
    row: ReaderConfig | None = None
    listen: bool = False
    evidence: tuple[str, ...] = ()
    mend: str = ""
    names: tuple[str, ...] = ()
    gone: threading.Event = field(default_factory=threading.Event)


def settings_of(row: ReaderConfig | None) -> dict[str, str | None]:
    """The driver settings in a row of station.toml."""
    if row is None:
        return {}
    baud = None if row.baud is None else str(row.baud)
    return {
        "path": row.path, "match": row.match, "layout": row.layout, "baud": baud, "parity": row.parity, "flow": row.flow,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The parts of the station that all reader threads use.

    `answer` shows an answer to the operator. `record_tag_removal` runs in the recording thread. `opened` is called for each
    reader that was opened, before its first scan. `last_contact_ns`: by reader id, the last contact of this boot before the
    station's start. `devices` opens the readers.
    """

    queue: WorkQueue[ScanOutcome]
    answer: Callable[[Answer], None]
    log: Callable[..., None]
    registry: ReaderRegistry
    feedback: ReaderFeedback
    profiles: ProfileStore
    record_tag_removal: Callable[[TagRemoved], object]
    opened: Callable[[ReaderSpec, Driver], None]
    last_contact_ns: Mapping[str, int] = field(default_factory=dict)
    devices: DeviceAccess = THIS_MACHINE


class ReaderThread:
    """The thread of one reader."""

    def __init__(self, spec: ReaderSpec, context: WorkerContext) -> None:
        self.spec, self._context = spec, context
        self.driver: Driver | None = None
        self._stopping = False
        self._enrolment = Enrolment(
            context.profiles, context.log, context.devices.serial_ports, spec.names, listened=spec.listen
        )
        self._reader_id = self._lost_why = ""
        self._reopen_now = False
        self._spool = ReadSpool[ScanOutcome](
            lambda outcome: context.queue.put(outcome, wait=True), spec.name, size_of=size_of
        )
        self._limited_log = RateLimitedLog(context.log)
        self._retry = threading.Event()
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self._supervise, name=f"reader-{spec.name}", daemon=True)

    @property
    def is_read(self) -> bool:
        """Whether the device is open and identified as a reader."""
        return self.driver is not None and self._enrolment.identified

    @property
    def is_over(self) -> bool:
        """Whether the device is unplugged and none of its scans waits any more."""
        return self.spec.gone.is_set() and not self.waiting

    @property
    def waiting(self) -> int:
        """The number of stored scans that wait for room in the queue."""
        return len(self._spool)

    def start(self) -> None:
        """Start the thread; returns at once."""
        self.thread.start()

    def retry_now(self) -> None:
        """End a pause before the next attempt, because a device was plugged in."""
        self._retry.set()

    def close(self) -> None:
        """Close the reader. Scans that were complete before are in the queue or the spool."""
        with self._lock:
            self._stopping = True
            driver = self.driver
        self._retry.set()
        if driver is not None:
            driver.close()

    # -- open and open again

    def _supervise(self) -> None:
        """Read the device until it is unplugged or the station stops.

        1. Open the reader and read it until it is lost (`_open_and_read`).
        2. Wait before the next attempt. The pause doubles with each attempt. It starts again at its first value after
           `retry_now`, and after a reader that lasted `lasted_s` (`station.readers.device_access`).
        3. A reader that identified itself as another kind is opened again at once: its operator has been asked to scan.
        """
        pauses = self._context.devices.pauses
        pause_s = first_s = pauses.plugged_s if self.spec.names else pauses.first_s
        while not self._stopping and not self.spec.gone.is_set():
            began_s = time.monotonic()
            if self._open_and_read():
                if time.monotonic() - began_s >= pauses.lasted_s:
                    pause_s = first_s
                self._retry.clear()  # set while this reader was open: it was meant for another one
                if self._reopen_now:
                    self._reopen_now = False
                    continue
            if self._retry.wait(pause_s):
                self._retry.clear()
                pause_s = first_s
            else:
                pause_s = min(pause_s * 2, pauses.longest_s)
        if self.spec.gone.is_set():
            self._leave_waiting()

    def _leave_waiting(self) -> None:
        """Correct the entry of an unplugged device: an attempt between the loss and udev's event set it to "waiting"."""
        line = self._context.registry.get(self.spec.name)
        if line is None or line.state != "waiting":
            return
        if self._reader_id and self._enrolment.identified:
            self._report(self._reader_id, "lost", self._lost_why)
        else:
            self._context.registry.remove(self.spec.name)

    def _open_and_read(self) -> bool:
        """Open the reader and enqueue its scans until it ends; returns whether it could be opened."""
        driver = self._open()
        if driver is None:
            return False
        self._reader_id = driver.reader
        try:
            self._begin(driver)
            self._read(driver)
            state, why = "ended", ""
        except DeviceLost as error:
            state, why = "lost", str(error)
        except Exception as error:  # noqa: BLE001 - a failure of one reader must not affect the others
            state, why = "lost", repr(error)
        finally:
            self._context.feedback.remove(driver)
            driver.close()
            with self._lock:
                self.driver = None
        self._lost_why = why
        if self._enrolment.identified:
            self._report(driver.reader, state, why)
        else:
            self._context.registry.remove(self.spec.name)  # it never identified itself as a reader
        if state == "lost" and self.spec.names:
            # The next device may get the same node and be only half initialised: udev's event comes first.
            self.spec.gone.wait(self._context.devices.pauses.unplugged_s)
        return True

    def _open(self) -> Driver | None:
        """Open the driver; None where that failed, which the registry shows."""
        spec = self.spec
        try:
            return self._context.devices.open_driver(spec.kind, spec.settings)
        except Exception as error:  # noqa: BLE001 - a failure of one reader must not affect the others
            why = str(error) if isinstance(error, DriverError) else repr(error)
            # The path of a card reader is a folder in /sys, which an operator does not know.
            path = None if spec.kind == "pcsc" else spec.settings.get("path")
            name = self._reader_id or path or spec.settings.get("match") or "".join(spec.names[:1]) or spec.kind
            self._report(name, "waiting", why)
            return None

    def _begin(self, driver: Driver) -> None:
        """Before the first scan: load the reader's profile, set its bench and stage, add its beep, report its state."""
        self._enrolment.load_profile(driver)
        self._context.opened(self.spec, driver)
        with self._lock:
            self.driver = driver
            if self._stopping:
                driver.close()
        if self.spec.row is None or self.spec.row.beep:
            self._context.feedback.add(driver)
        self._report(driver.reader, self._enrolment.state, self._enrolment.unusable)

    def _report(self, reader: str, state: str, why: str = "") -> None:
        spec = self.spec
        line = self._enrolment.status_line(spec.kind, reader, state, why, spec.evidence, spec.mend)
        self._context.registry.update(spec.name, line)

    # -- what an open reader yields

    def _read(self, driver: Driver) -> None:
        line = self._context.registry.get(self.spec.name)
        pace = ReadPace((line.last_boot_ns if line else None) or self._context.last_contact_ns.get(driver.reader))
        for outcome in driver.reads():
            match outcome:
                case Read() | Dropped():
                    self._enqueue_scan(driver, outcome, pace)
                case TagRemoved():
                    self._submit_removal(outcome)
                case ProfileLearned():
                    self._apply_profile(driver, outcome)
                case OperatorNotice():
                    self._context.answer(Notice(Reason.CARD, outcome.text, reader=driver.reader))
                case ProbeTimeout():
                    self._enrolment.mark_silent()
                    self._report(driver.reader, self._enrolment.state, outcome.text)

    def _enqueue_scan(self, driver: Driver, scan: ScanOutcome, pace: ReadPace) -> None:
        """Enqueue one scan. One from a reader whose profile is unusable is dropped, because its code would be wrong."""
        if isinstance(scan, Read) and self._enrolment.unusable:
            scan = Dropped(scan.kind, scan.reader, scan.boot_ns, self._enrolment.unusable)
        if isinstance(scan, Dropped):
            self._limited_log("a reader lost a scan", reader=driver.reader, why=scan.why)
        else:
            self._context.registry.count_read(self.spec.name, scan.boot_ns)
            if driver.kind != REPLAY and not scan.tag:
                scan = replace(scan, since_ns=pace.record_read(scan.raw, scan.boot_ns))
        if not self._put(driver, scan, stored=pace.bursts):
            self._limited_log("scans came too fast", reader=driver.reader)
            self._context.answer(Red(Reason.NOT_SAVED, TOO_FAST, reader=driver.reader))

    def _put(self, driver: Driver, scan: ScanOutcome, *, stored: bool) -> bool:
        """Put a scan behind the earlier ones of its reader; returns whether there was room."""
        if len(self._spool):
            return self._spool.put(scan)
        return self._context.queue.put(scan, wait=driver.lossless) or (stored and self._spool.put(scan))

    def _submit_removal(self, removed: TagRemoved) -> None:
        """Submit a tag's removal as a chore: scans go first, it takes none of their room, and it is not answered."""
        if self._context.queue.chores < MAX_REMOVALS:
            self._context.queue.submit(lambda: self._context.record_tag_removal(removed))
        else:
            self._limited_log("the end of a tag's presence found no room", reader=removed.reader, tag=repr(removed.raw))

    def _apply_profile(self, driver: Driver, learned: ProfileLearned) -> None:
        """Apply what the reader has shown of itself. Where it is of another kind, close it and open it again as that."""
        news = self._enrolment.apply_profile(driver, learned)
        if learned.kind != driver.kind:
            self.spec = replace(
                self.spec, kind=learned.kind, listen=False, settings={**self.spec.settings, "listen": None}
            )
            if news:
                self._context.answer(Notice(Reason.CARD, f"{SET_UP} Scan again to try it.", reader=driver.reader))
            self._reopen_now = True
            driver.close()
            return
        self._report(driver.reader, "ready")
        if news:
            self._context.log("a reader was identified", reader=driver.reader, evidence="; ".join(learned.evidence))
