"""Reading: one reader in a thread of its own, opened again with patience, its scans handed over in their order.

A scan that finds no room is answered red: its operator stands there. Stored scans, which a device hands over faster than
anybody scans, wait in a spool instead; a reader that can be kept waiting (a pipe, a serial line with flow control) waits.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from drivers import DeviceLost, Driver, DriverError, Dropped, Gone, Handed, Known, Note, Read, Teachable, open_driver
from station.answers import TOO_FAST, Answer, Notice, Red, Why
from station.config import Reader
from station.core.codes.sheet import sheets
from station.inbox import Inbox
from station.roll import ReaderStatus, Roll
from station.signals.reader import Beeps
from station.stored import Pace, Spool
from station.taught import Lesson, Taught

FIRST_PAUSE_S = 0.5
PLUGGED_PAUSE_S = 0.1
"""The same for a device that udev told of: it is there, and pcscd, or whoever looks at new ports, is done in a moment."""
LONGEST_PAUSE_S = 30.0
LASTED_S = 10.0  # one that is lost sooner is tried again with patience: it may be lost at once for ever
UNPLUGGED_S = 2.0
"""A device that is lost was most likely pulled out, and so long is waited for udev to say so before it is tried again."""
LOGGED_EVERY_S = 10.0
DRAIN_LOOK_S = 0.01
MOST_ENDS = 1024  # tags that left and are not recorded yet: as many as one reader holds
FORGET_IT = "To have that forgotten: wipline-station readers --forget {}"
SET_UP = "This scanner is set up now."
SHEETS = sheets()
PLAYED = "replay"  # what is written into a pipe was not stored in a scanner, however fast it comes


def size_of(outcome: Handed) -> int:
    """The bytes that a scan holds while it waits."""
    return len(outcome.raw) if isinstance(outcome, Read) else 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reader that is to be read. `name`: of its thread and its line on the roll; `row`: its row in station.toml.

    `settings` as its driver wants them; `listen`: it is only heard until it shows what it is; `evidence`, `mend`: what the
    verdict on it said; `names`: what it is called with and without a twin; `gone` is set when it is pulled out.
    """

    name: str
    kind: str
    settings: Mapping[str, str | None]
    row: Reader | None = None
    listen: bool = False
    evidence: tuple[str, ...] = ()
    mend: str = ""
    names: tuple[str, ...] = ()
    gone: threading.Event = field(default_factory=threading.Event)


def settings_of(row: Reader | None) -> dict[str, str | None]:
    """What a driver is told of its row."""
    if row is None:
        return {}
    baud = None if row.baud is None else str(row.baud)
    return {
        "path": row.path, "match": row.match, "layout": row.layout, "baud": baud, "parity": row.parity, "flow": row.flow,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Desk:
    """Where readers hand things in.

    `left` records the end of a tag's presence, in the recording thread; `settled` is told of each reader that was opened,
    before its first scan.
    """

    inbox: Inbox[Handed]
    say: Callable[[Answer], None]
    log: Callable[..., None]
    roll: Roll
    beeps: Beeps
    taught: Taught
    left: Callable[[Gone], object]
    settled: Callable[[Wanted, Driver], None]


class Reading:
    """One reader's thread."""

    def __init__(self, wanted: Wanted, desk: Desk) -> None:
        self.wanted, self._desk = wanted, desk
        self.driver: Driver | None = None
        self._stopping, self._shown = False, not wanted.listen
        self._evidence: tuple[str, ...] = ()
        self._called = self._lost_why = ""
        self._turned = False
        self._spool = Spool[Handed](lambda outcome: desk.inbox.put(outcome, wait=True), wanted.name, weigh=size_of)
        self._untold: dict[str, int] = {}  # of what is logged now and then: how often it was since
        self._logged_s: dict[str, float] = {}
        self._again = threading.Event()
        self._lock = threading.Lock()

    @property
    def is_read(self) -> bool:
        """Whether it is open and known to be a reader."""
        return self.driver is not None and self._shown

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._supervise, name=f"reader-{self.wanted.name}", daemon=True).start()

    def knock(self) -> None:
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
            if self._called and self._shown:  # it was tried once more before udev said that it is gone
                self._note(self._called, "lost", self._lost_why)
            else:
                self._desk.roll.strike(self.wanted.name)

    def _note(self, name: str, state: str, why: str = "") -> None:
        wanted = self.wanted
        # What it has shown of itself stands in the place of what was thought of it when it was plugged in.
        evidence = (*self._evidence, *wanted.evidence[1:]) if self._evidence else wanted.evidence
        lesson = self._desk.taught.known((name, *wanted.names))
        taught = "" if lesson is None else lesson[1].words or "taught"
        mend = wanted.mend if lesson is None else FORGET_IT.format(lesson[0])
        status = ReaderStatus(wanted.kind, name, state, why, evidence=evidence, mend=mend, taught=taught)
        self._desk.roll.note(wanted.name, status)

    def _read_all(self) -> bool:
        """Open the reader and hand over its scans until it goes; whether it could be opened."""
        wanted = self.wanted
        try:
            driver = open_driver(wanted.kind, wanted.settings)
        except Exception as error:  # noqa: BLE001 - one reader's fault is not the station's
            why = str(error) if isinstance(error, DriverError) else repr(error)
            called = self._called or wanted.settings.get("path") or wanted.settings.get("match") or wanted.kind
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
        if self._shown:
            self._note(driver.reader, state, why)
        else:
            self._desk.roll.strike(wanted.name)  # nobody's reader
        if state == "lost" and wanted.names:
            wanted.gone.wait(UNPLUGGED_S)  # at its node may be the next device, half made
        return True

    def _begin(self, driver: Driver) -> None:
        """It is open: what is known of it is told to it and to the others, before its first scan."""
        self._teach(driver)
        self._desk.settled(self.wanted, driver)
        with self._lock:
            self.driver = driver
            if self._stopping:
                driver.close()
        if self.wanted.row is None or self.wanted.row.beep:
            self._desk.beeps.add(driver)
        self._note(driver.reader, "ready" if self._shown else "listening")

    def _teach(self, driver: Driver) -> None:
        """Tell it what it was taught before, and what it may be taught by."""
        lesson = self._desk.taught.known((driver.reader, *self.wanted.names))
        if isinstance(driver, Teachable):
            profile = lesson[1].profile if lesson is not None else None
            try:
                driver.teach(SHEETS, None if profile is None else json.dumps(profile))
            except DriverError as error:
                self._desk.log("what a reader was taught cannot be used", reader=driver.reader, error=str(error))
                driver.teach(SHEETS, None)

    def _hand_over(self, driver: Driver) -> None:
        pace = Pace()
        for outcome in driver.reads():
            if isinstance(outcome, Known):
                self._known(driver, outcome)
                continue
            if isinstance(outcome, Gone):
                self._end(outcome)
                continue
            if isinstance(outcome, Note):
                self._desk.say(Notice(Why.CARD, outcome.text, reader=driver.reader))
                continue
            if isinstance(outcome, Dropped):
                self._log_now_and_then("a reader lost a scan", reader=driver.reader, why=outcome.why)
            if isinstance(outcome, Read):
                self._desk.roll.counted(self.wanted.name, outcome.boot_ns)
                if driver.kind != PLAYED and not outcome.tag:
                    outcome = replace(outcome, since_ns=pace.heard(outcome.raw, outcome.boot_ns))  # noqa: PLW2901
            if not self._put(driver, outcome, stored=pace.bursts):
                self._log_now_and_then("scans came too fast", reader=driver.reader)
                self._desk.say(Red(Why.NOT_SAVED, TOO_FAST, reader=driver.reader))

    def _log_now_and_then(self, what: str, **fields: object) -> None:
        """Log it, but not each: a device may send thousands a second."""
        times = self._untold.get(what, 0) + 1
        now_s = time.monotonic()
        due = now_s - self._logged_s.get(what, -LOGGED_EVERY_S) >= LOGGED_EVERY_S
        self._untold[what] = 0 if due else times
        if due:
            self._logged_s[what] = now_s
            self._desk.log(what, **fields, times=times)

    def _put(self, driver: Driver, outcome: Handed, *, stored: bool) -> bool:
        """Hand over behind what was handed over before; whether there was room."""
        if len(self._spool):
            return self._spool.put(outcome)
        return self._desk.inbox.put(outcome, wait=driver.lossless) or (stored and self._spool.put(outcome))

    def _end(self, gone: Gone) -> None:
        """The end of a presence is a chore: it lets scans go first, takes none of their room, and is never answered."""
        if self._desk.inbox.chores < MOST_ENDS:
            self._desk.inbox.ask(lambda: self._desk.left(gone))
        else:
            self._log_now_and_then("the end of a tag's presence found no room", reader=gone.reader, tag=repr(gone.raw))

    def _known(self, driver: Driver, known: Known) -> None:
        """The reader has shown what it is."""
        news = not self._shown or self._evidence != known.evidence
        self._shown, self._evidence = True, known.evidence
        if known.profile is not None:
            lesson = Lesson(profile=json.loads(known.profile), words=" ".join(known.evidence))
            try:
                self._desk.taught.keep(driver.reader, lesson)
            except OSError as error:
                self._desk.log("what a reader was taught cannot be kept", reader=driver.reader, error=str(error))
        if known.kind != driver.kind:
            self.wanted = replace(
                self.wanted, kind=known.kind, listen=False, settings={**self.wanted.settings, "listen": None}
            )
            self._desk.say(Notice(Why.CARD, f"{SET_UP} Scan again to try it.", reader=driver.reader))
            self._turned = True
            driver.close()
            return
        self._note(driver.reader, "ready")
        if news:
            self._desk.log("a reader has shown what it is", reader=driver.reader, evidence="; ".join(known.evidence))
