"""Reading: one reader in a thread of its own, opened again with patience, its scans handed over in their order.

A scan that finds no room is answered red: its operator stands there. Stored scans, which a device hands over faster than
anybody scans, wait in a spool instead; a reader that can be kept waiting (a pipe, a serial line with flow control) waits.
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
    open_driver,
)
from station.config import ReaderConfig
from station.feedback.messages import TOO_FAST, Answer, Notice, Reason, Red
from station.feedback.outputs.reader_feedback import ReaderFeedback
from station.log import RateLimitedLog
from station.readers.batch_upload import ReadPace, ReadSpool
from station.readers.enrolment import Enrolment
from station.readers.profile_store import ProfileStore
from station.readers.registry import ReaderRegistry
from station.scan.work_queue import WorkQueue

FIRST_PAUSE_S = 0.5
PLUGGED_PAUSE_S = 0.1
"""The same for a device that udev told of: it is there, and pcscd, or whoever looks at new ports, is done in a moment."""
LONGEST_PAUSE_S = 30.0
LASTED_S = 10.0  # one that is lost sooner is tried again with patience: it may be lost at once for ever
UNPLUGGED_S = 2.0
"""A device that is lost was most likely pulled out, and so long is waited for udev to say so before it is tried again."""
DRAIN_LOOK_S = 0.01
MOST_ENDS = 1024  # tags that left and are not recorded yet: as many as one reader holds
SET_UP = "This scanner is set up now."
PLAYED = "replay"  # what is written into a pipe was not stored in a scanner, however fast it comes


def size_of(outcome: ScanOutcome) -> int:
    """The bytes that a scan holds while it waits."""
    return len(outcome.raw) if isinstance(outcome, Read) else 0


@dataclass(frozen=True, slots=True)
class ReaderSpec:
    """A reader that is to be read. `name`: of its thread and its line on the roll; `row`: its row in station.toml.

    `settings` as its driver wants them; `listen`: it is only heard until it shows what it is; `evidence`, `mend`: what the
    verdict on it said; `names`: what it is called with and without a twin; `gone` is set when it is pulled out.
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
    """What a driver is told of its row."""
    if row is None:
        return {}
    baud = None if row.baud is None else str(row.baud)
    return {
        "path": row.path, "match": row.match, "layout": row.layout, "baud": baud, "parity": row.parity, "flow": row.flow,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """Where readers hand things in.

    `left` records the end of a tag's presence, in the recording thread; `settled` is told of each reader that was opened,
    before its first scan; `contacts`: when readers were heard last before the station's start, in this boot.
    """

    inbox: WorkQueue[ScanOutcome]
    say: Callable[[Answer], None]
    log: Callable[..., None]
    roll: ReaderRegistry
    beeps: ReaderFeedback
    taught: ProfileStore
    left: Callable[[TagRemoved], object]
    settled: Callable[[ReaderSpec, Driver], None]
    contacts: Mapping[str, int] = field(default_factory=dict)


class ReaderThread:
    """One reader's thread."""

    def __init__(self, wanted: ReaderSpec, desk: WorkerContext) -> None:
        self.wanted, self._desk = wanted, desk
        self.driver: Driver | None = None
        self._stopping = False
        self._pupil = Enrolment(desk.taught, desk.log, wanted.names, listened=wanted.listen)
        self._called = self._lost_why = ""
        self._turned = False
        self._spool = ReadSpool[ScanOutcome](
            lambda outcome: desk.inbox.put(outcome, wait=True), wanted.name, weigh=size_of
        )
        self._log_now_and_then = RateLimitedLog(desk.log)
        self._again = threading.Event()
        self._lock = threading.Lock()

    @property
    def is_read(self) -> bool:
        """Whether it is open and known to be a reader."""
        return self.driver is not None and self._pupil.shown

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._supervise, name=f"reader-{self.wanted.name}", daemon=True).start()

    def retry_now(self) -> None:
        """Something was plugged in: try now, if it waits."""
        self._again.set()

    def close(self) -> None:
        """End; scans that are complete have been handed over."""
        with self._lock:
            self._stopping = True
            driver = self.driver
        self._again.set()
        if driver is not None:
            driver.close()

    @property
    def is_over(self) -> bool:
        """Whether its device is gone, and nothing that it sent waits any more."""
        return self.wanted.gone.is_set() and not len(self._spool)

    def drained(self, until_s: float) -> None:
        """Wait until stored scans that were taken in have been handed over, no longer than to this moment (monotonic)."""
        while len(self._spool) and time.monotonic() < until_s:
            time.sleep(DRAIN_LOOK_S)

    def _supervise(self) -> None:
        pause_s = first_s = PLUGGED_PAUSE_S if self.wanted.names else FIRST_PAUSE_S
        while not self._stopping and not self.wanted.gone.is_set():
            began_s = time.monotonic()
            if self._read_all():
                if time.monotonic() - began_s >= LASTED_S:
                    pause_s = first_s
                self._again.clear()  # what was plugged in while it was read is no reason to hurry
                if self._turned:  # but its operator, who was told to scan again, is
                    self._turned = False
                    continue
            if self._again.wait(pause_s):
                self._again.clear()
                pause_s = first_s
            else:
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        line = self._desk.roll.of(self.wanted.name)
        if self.wanted.gone.is_set() and line is not None and line.state == "waiting":
            if self._called and self._pupil.shown:  # it was tried once more before udev said that it is gone
                self._note(self._called, "lost", self._lost_why)
            else:
                self._desk.roll.remove(self.wanted.name)

    def _note(self, name: str, state: str, why: str = "") -> None:
        wanted = self.wanted
        self._desk.roll.note(wanted.name, self._pupil.line(wanted.kind, name, state, why, wanted.evidence, wanted.mend))

    def _read_all(self) -> bool:
        """Open the reader and hand over its scans until it goes; whether it could be opened."""
        wanted = self.wanted
        try:
            driver = open_driver(wanted.kind, wanted.settings)
        except Exception as error:  # noqa: BLE001 - one reader's fault is not the station's
            why = str(error) if isinstance(error, DriverError) else repr(error)
            # A card reader's path is a folder in /sys, by which nobody knows it.
            path = None if wanted.kind == "pcsc" else wanted.settings.get("path")
            called = self._called or path or wanted.settings.get("match") or "".join(wanted.names[:1]) or wanted.kind
            self._note(called, "waiting", why)
            return False
        self._called = driver.reader
        try:
            self._begin(driver)
            self._hand_over(driver)
            state, why = "ended", ""
        except DeviceLost as error:
            state, why = "lost", str(error)
        except Exception as error:  # noqa: BLE001 - one reader's fault is not the station's
            state, why = "lost", repr(error)
        finally:
            self._desk.beeps.remove(driver)
            driver.close()
            with self._lock:
                self.driver = None
        self._lost_why = why
        if self._pupil.shown:
            self._note(driver.reader, state, why)
        else:
            self._desk.roll.remove(wanted.name)  # nobody's reader
        if state == "lost" and wanted.names:
            wanted.gone.wait(UNPLUGGED_S)  # at its node may be the next device, half made
        return True

    def _begin(self, driver: Driver) -> None:
        """It is open: what is known of it is told to it and to the others, before its first scan."""
        self._pupil.teach(driver)
        self._desk.settled(self.wanted, driver)
        with self._lock:
            self.driver = driver
            if self._stopping:
                driver.close()
        if self.wanted.row is None or self.wanted.row.beep:
            self._desk.beeps.add(driver)
        self._note(driver.reader, self._pupil.state, self._pupil.unusable)

    def _hand_over(self, driver: Driver) -> None:
        line = self._desk.roll.of(self.wanted.name)
        pace = ReadPace((line.last_boot_ns if line else None) or self._desk.contacts.get(driver.reader))
        for outcome in driver.reads():
            if isinstance(outcome, ProfileLearned):
                self._known(driver, outcome)
                continue
            if isinstance(outcome, TagRemoved):
                self._end(outcome)
                continue
            if isinstance(outcome, OperatorNotice):
                self._desk.say(Notice(Reason.CARD, outcome.text, reader=driver.reader))
                continue
            if isinstance(outcome, ProbeTimeout):
                self._pupil.is_silent()
                self._note(driver.reader, self._pupil.state, outcome.text)
                continue
            if isinstance(outcome, Read) and self._pupil.unusable:
                outcome = Dropped(outcome.kind, outcome.reader, outcome.boot_ns, self._pupil.unusable)  # noqa: PLW2901
            if isinstance(outcome, Dropped):
                self._log_now_and_then("a reader lost a scan", reader=driver.reader, why=outcome.why)
            if isinstance(outcome, Read):
                self._desk.roll.counted(self.wanted.name, outcome.boot_ns)
                if driver.kind != PLAYED and not outcome.tag:
                    outcome = replace(outcome, since_ns=pace.record_read(outcome.raw, outcome.boot_ns))  # noqa: PLW2901
            if not self._put(driver, outcome, stored=pace.bursts):
                self._log_now_and_then("scans came too fast", reader=driver.reader)
                self._desk.say(Red(Reason.NOT_SAVED, TOO_FAST, reader=driver.reader))

    def _put(self, driver: Driver, outcome: ScanOutcome, *, stored: bool) -> bool:
        """Hand over behind what was handed over before; whether there was room."""
        if len(self._spool):
            return self._spool.put(outcome)
        return self._desk.inbox.put(outcome, wait=driver.lossless) or (stored and self._spool.put(outcome))

    def _end(self, gone: TagRemoved) -> None:
        """The end of a presence is a chore: it lets scans go first, takes none of their room, and is never answered."""
        if self._desk.inbox.chores < MOST_ENDS:
            self._desk.inbox.ask(lambda: self._desk.left(gone))
        else:
            self._log_now_and_then("the end of a tag's presence found no room", reader=gone.reader, tag=repr(gone.raw))

    def _known(self, driver: Driver, known: ProfileLearned) -> None:
        """The reader has shown what it is."""
        news = self._pupil.shows(driver, known)
        if known.kind != driver.kind:
            self.wanted = replace(
                self.wanted, kind=known.kind, listen=False, settings={**self.wanted.settings, "listen": None}
            )
            if news:
                self._desk.say(Notice(Reason.CARD, f"{SET_UP} Scan again to try it.", reader=driver.reader))
            self._turned = True
            driver.close()
            return
        self._note(driver.reader, "ready")
        if news:
            self._desk.log("a reader has shown what it is", reader=driver.reader, evidence="; ".join(known.evidence))
