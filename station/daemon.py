"""The daemon: readers, recording thread, signals, hub and status, put together and taken apart again."""

import gc
import os
import signal
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from station import log, status
from station.clock import WallClock
from station.config import StationConfig
from station.disk_full import open_when_room
from station.feedback.dispatcher import FeedbackDispatcher
from station.feedback.idle_screen import idle_screen
from station.feedback.messages import Answer
from station.feedback.outputs import Output
from station.feedback.outputs.deferred import open_or_later
from station.journal import Journal, JournalError, JournalReader, hardware_id
from station.journal.disk_space import level_of, room
from station.readers.manager import ReaderManager
from station.rules.snapshot import log_refused, stored_shop
from station.scan.bench_state import BenchSettings, BenchState, S
from station.scan.event_builder import EventBuilder
from station.scan.pipeline import ReaderSettings, ScanPipeline
from station.scan.restart_state import earlier
from station.scan.work_queue import WorkQueue
from station.system.clock import boot_id, boot_ns, utc_us
from station.system.version import version
from station.systemd import notify, watchdog_s

if TYPE_CHECKING:
    from drivers import ScanOutcome
    from station.sync.sync_thread import SyncThread

STATUS_S = 5.0
HOUR_NS = 3600 * S
WEEK_NS = 7 * 24 * HOUR_NS
SETTLE_S = 0.2  # changes that come together are written together
END_S = 10.0


class Station:
    """A running station."""

    def __init__(self, config: StationConfig, config_path: str) -> None:
        self._began_ns = boot_ns()
        self.config, self._config_path = config, config_path
        self.changed, self._stop = threading.Event(), threading.Event()
        self.link: SyncThread | None = None
        self._status_failed = False
        signals: list[Output] = [open_or_later(row) for row in config.signal]
        self.voice = FeedbackDispatcher(signals, boot_ns, self._signal_failed)
        self._wall_clock = WallClock()
        self.recorder = EventBuilder(config.station, version(), boot_id(), boot_ns, utc_us, self._wall_clock.state())
        self.journal = open_when_room(self._open_journal, config, self.recorder, self.voice.dispatch)
        for news in self.journal.news:
            log.say("the journal says", news=news)
        self.inbox: WorkQueue[ScanOutcome] = WorkQueue()
        before = earlier(self.journal, self.recorder.boot)
        self.readers = ReaderManager(
            config,
            self.inbox,
            self._say,
            log.say,
            self.changed.set,
            lambda gone: self.scan.left(gone),  # noqa: PLW0108 - made below
            before.heard_ns,
        )
        self.shop, rules = stored_shop(self.journal, log.say)
        log_refused(self.shop, log.say)
        self.items = self.journal.items().rows
        self.scan = ScanPipeline(
            self.journal, self.inbox, self.recorder, self._say, boot_ns,
            known=rules,
            settings=BenchSettings(
                int(config.command_s * S), int(config.operator_idle_s * S), config.cards == "after", config.stages
            ),
            repeat_s=config.repeat_s, place_of=self._place_of, before=before,
            has_room=self.journal.has_room, log=log.say,
        )  # fmt: skip
        self.ready_ns = 0
        self.days_left: float | None = None
        self._disk_due_ns, self._walk_due_ns = 0, self._began_ns + HOUR_NS
        self._age_due_ns = self._began_ns + HOUR_NS
        self.journal.count_time()  # before the first scan: a slow card must not make it wait
        self.link = self._link()

    def _open_journal(self) -> Journal:
        return Journal.open(
            Path(self.config.journal), station=self.config.station, sw=self.recorder.sw, boot=self.recorder.boot,
            now_ns=boot_ns, hardware_id=hardware_id(),
        )  # fmt: skip

    def _link(self) -> "SyncThread | None":
        if self.config.hub is None:
            return None
        from station.sync.sync_thread import SyncThread

        return SyncThread(self)

    def _place_of(self, reader: str) -> ReaderSettings:
        """Where a reader stands: as station.toml says, else as the hub says of this station."""
        place = self.readers.place_of(reader)
        return place if place.stage else replace(place, stage=self._stage())

    def _stage(self) -> str | None:
        """The stage of this station: its own, else the hub's; None where STAGE cards choose."""
        return self.config.stage or (None if self.config.stages else self.shop.stage_at(self.config.station))

    def _say(self, answer: Answer) -> None:
        self.voice.dispatch(answer)
        self.readers.show_answer(answer)  # behind the quick signals: it wakes another thread
        if self.link is not None:
            self.link.poke()

    def _signal_failed(self, signal_: Output, error: Exception | None) -> None:
        if error is not None:
            log.say("a signal fails; scanning goes on", kind=signal_.kind, error=repr(error))
        else:
            log.say("a signal works again", kind=signal_.kind)

    # -- life

    def run(self) -> int:
        """Scan until SIGTERM or SIGINT (0), or until the medium fails (1)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_asked)
        recording = threading.Thread(target=self._record, name="scan")
        recording.start()
        threading.Thread(target=self.scan.watchdog.run, name="watchdog", daemon=True).start()
        self.readers.start()
        if self.link is not None:
            self.link.start()
        gc.freeze()  # what is here stays: a collection in the middle of a scan need not look at it again
        self.ready_ns = boot_ns()
        self._tell()
        notify("READY=1")
        log.say(
            "ready", station=self.config.station, log=self.journal.log_id, seq=self.journal.tip.seq,
            in_s=f"{(self.ready_ns - self._began_ns) / S:.2f}",
        )  # fmt: skip
        fault = None
        try:
            self._watch()
        except Exception as error:  # noqa: BLE001 - whatever failed here, the threads that scan must be ended in order
            fault = error
            log.say("the station cannot go on", error=repr(error))
        return self._end(recording) or int(fault is not None)

    def _record(self) -> None:
        self.scan.run()
        self._stop.set()
        self.changed.set()

    def _stop_asked(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()
        self.changed.set()

    def _watch(self) -> None:
        """Write the status at each change and every 5 s, and tell systemd that the recording thread lives."""
        pause_s = min(STATUS_S, watchdog_s() or STATUS_S)
        while not self._stop.is_set():
            if self.changed.wait(pause_s):
                self._stop.wait(SETTLE_S)
                self.changed.clear()
            self.recorder.clk = self._wall_clock.state()
            self._tell()
            if not self.scan.watchdog.hangs():
                notify("WATCHDOG=1")
            self._keep_house(boot_ns())

    def _keep_house(self, now_ns: int) -> None:
        """Once an hour, how long the disk lasts; an hour after the start and then weekly, the whole chain."""
        if now_ns >= self._disk_due_ns:
            self._disk_due_ns = now_ns + HOUR_NS
            self.inbox.ask(self._estimate)
        if now_ns >= self._age_due_ns:
            self._age_due_ns = now_ns + HOUR_NS
            self.inbox.ask(self.journal.count_time)
        if now_ns >= self._walk_due_ns:
            self._walk_due_ns = now_ns + WEEK_NS
            threading.Thread(target=self._walk, name="walk", daemon=True).start()

    def _estimate(self) -> None:
        self.days_left = self.journal.days_left()

    def _walk(self) -> None:
        """Walk the chain beside the scans; after a break the next start walks it too, and salvages."""
        with closing(JournalReader(self.journal.path)) as reader:
            breaks = reader.verify()
        if breaks:
            log.say("the journal's chain is broken; restart the station", seq=breaks[0].seq, why=breaks[0].sentence)
            self.inbox.ask(self.journal.distrust)

    def _tell(self) -> None:
        """Status file and screens."""
        state = self.state()
        try:
            status.write(Path(self.config.status), state)
        except OSError as error:
            if not self._status_failed:
                self._status_failed = True
                log.say("the status cannot be written", path=self.config.status, error=str(error))
        else:
            self._status_failed = False
        self.voice.idle(idle_screen(state, self.shop, self._bench(), self.items, time.localtime(), self.config.stages))

    def _bench(self) -> BenchState | None:
        """The bench that the station shows: the one without a name, else the first that was scanned at."""
        benches = dict(self.scan.benches)
        return benches.get(None) or next(iter(benches.values()), None)

    def state(self) -> status.StationStatus:
        """How the station is now."""
        tip, here = self.journal.tip, room(self.journal.path)
        hub = self.link.status() if self.link is not None else status.HubStatus()
        waiting = tip.seq - hub.accepted_thru if self.link is not None else 0
        bench = self._bench()
        return status.StationStatus(
            station=self.config.station, sw=self.recorder.sw, pid=os.getpid(), boot=self.recorder.boot,
            written_boot_ns=boot_ns(), written_us=utc_us(), ready_boot_ns=self.ready_ns,
            ready_in_s=round((self.ready_ns - self._began_ns) / S, 3),
            stage=bench.place.stage if bench and bench.place else self._stage(),
            operator=bench.operator.badge if bench and bench.operator else None,
            log=self.journal.log_id.hex(), tip_seq=tip.seq, waiting=max(waiting, 0),
            oldest_waiting_s=self.link.oldest_waiting_s() if self.link is not None else None,
            clock=self.recorder.clk, hub=hub, readers=self.readers.status(), disk_level=level_of(here),
            disk_free_bytes=here.free_bytes, days_left=self.days_left, journal=str(self.journal.path.absolute()),
            news=list(self.journal.news), config=self._config_path,
            aside=self.link.aside if self.link is not None else 0,
        )  # fmt: skip

    def _end(self, recording: threading.Thread) -> int:
        """Take complete scans in, answer them, and let go of everything."""
        notify("STOPPING=1")
        self.readers.close()
        if self.link is not None:
            self.link.close()
        self.inbox.close()
        recording.join(END_S)
        self.voice.close()
        if recording.is_alive():
            log.say("the recording thread hangs; ending without it")
            os._exit(1)
        died = self.scan.died
        if died is None:
            self.journal.close()
        log.say("ended", seq=self.journal.tip.seq, **({"error": repr(died)} if died else {}))
        return 0 if died is None else 1


def run(config: StationConfig, config_path: str) -> int:
    """Run a station until it is told to end; its exit code."""
    # One switch of threads may cost the scan that waits this long; the interpreter's own 5 ms would be felt.
    sys.setswitchinterval(0.0005)
    try:
        station = Station(config, config_path)
    except JournalError as error:
        log.say("the station cannot start", error=str(error))
        return 1
    return station.run()
