"""Daemon: start and stop the parts of a station (readers, recording thread, outputs, sync thread) and write its status."""

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
from station.config import StationConfig, configured_stages
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
from station.scan.restart_state import read_restart_state
from station.scan.work_queue import WorkQueue
from station.shop_state import ShopState
from station.startup_disk_wait import open_when_room
from station.system.clock import boot_id, boot_ns, utc_us
from station.system.progress import TerminalLine
from station.system.version import version
from station.systemd import notify, watchdog_s

if TYPE_CHECKING:
    from drivers import ScanOutcome
    from station.sync.sync_thread import SyncThread

STATUS_S = 5.0
HOUR_NS = 3600 * S
WEEK_NS = 7 * 24 * HOUR_NS
SETTLE_S = 0.2  # changes within this time cause one status write
END_S = 10.0


class Station:
    """A running station."""

    def __init__(self, config: StationConfig, config_path: str) -> None:
        self._began_ns = boot_ns()
        self.config, self._config_path = config, config_path
        self._changed, self._stop = threading.Event(), threading.Event()
        self.sync: SyncThread | None = None
        self._status_failed = False
        outputs: list[Output] = [open_or_later(row) for row in config.signal]
        self.feedback = FeedbackDispatcher(outputs, boot_ns, self._log_output_state)
        self._wall_clock = WallClock()
        self.events = EventBuilder(config.station, version(), boot_id(), boot_ns, utc_us, self._wall_clock.state())
        self.journal = open_when_room(self._open_journal, config, self.events, self.feedback.dispatch)
        for sentence in self.journal.news:
            log.say("the journal was opened", news=sentence)
        self.queue: WorkQueue[ScanOutcome] = WorkQueue()
        restart = read_restart_state(self.journal, self.events.boot)
        self.readers = ReaderManager(
            config,
            self.queue,
            self.answer,
            log.say,
            self._changed.set,
            lambda removed: self.pipeline.record_tag_removal(removed),  # noqa: PLW0108 - the pipeline is made below
            restart.last_contact_ns,
        )
        snapshot, rules = stored_shop(self.journal, log.say)
        log_refused(snapshot, log.say)
        for stage in snapshot.unknown_stages(configured_stages(config)):
            known = ", ".join(snapshot.stage_names())
            log.say("a stage of station.toml is not one of the shop's; correct it", stage=stage, known=known)
        self.shop = ShopState(snapshot, self.journal.items().rows)
        self.pipeline = ScanPipeline(
            self.journal, self.queue, self.events, self.answer, boot_ns,
            rules=rules,
            settings=BenchSettings(
                int(config.command_s * S), int(config.operator_idle_s * S), config.cards == "after", config.stages
            ),
            repeat_s=config.repeat_s, reader_settings=self._reader_settings, restart=restart,
            has_room=self.journal.has_room, log=log.say,
        )  # fmt: skip
        self.ready_ns = 0
        self._days_left: float | None = None
        self._disk_due_ns, self._verify_due_ns = 0, self._began_ns + HOUR_NS
        self._age_due_ns = self._began_ns + HOUR_NS
        self.journal.count_time()  # before the first scan, which must not wait for a slow card
        self.sync = self._make_sync_thread()

    def _open_journal(self) -> Journal:
        return Journal.open(
            Path(self.config.journal), station=self.config.station, sw=self.events.sw, boot=self.events.boot,
            now_ns=boot_ns, hardware_id=hardware_id(), show=TerminalLine().show,
        )  # fmt: skip

    def _make_sync_thread(self) -> "SyncThread | None":
        if self.config.hub is None:
            return None
        from station.sync.master_data_sync import MasterDataTarget
        from station.sync.sync_thread import SyncHost, SyncThread

        target = MasterDataTarget(self.journal, self.queue, self.pipeline, self.shop, self._changed.set)
        return SyncThread(SyncHost(self.config, self.events, target, self.current_status))

    def _reader_settings(self, reader: str) -> ReaderSettings:
        """The settings of a reader; one without a stage has the station's."""
        settings = self.readers.reader_settings(reader)
        return settings if settings.stage else replace(settings, stage=self._stage())

    def _stage(self) -> str | None:
        """The station's stage from station.toml, else from the hub; None where STAGE cards select it."""
        return self.config.stage or (None if self.config.stages else self.shop.snapshot.stage_at(self.config.station))

    def answer(self, answer: Answer) -> None:
        """Show an answer at all outputs, then at its reader, and wake the sync thread; any thread, without waiting."""
        self.feedback.dispatch(answer)
        self.readers.show_answer(answer)  # after the quick outputs, because it wakes another thread
        if self.sync is not None:
            self.sync.poke()

    def _log_output_state(self, output: Output, error: Exception | None) -> None:
        if error is not None:
            log.say("a signal fails; scanning goes on", kind=output.kind, error=repr(error))
        else:
            log.say("a signal works again", kind=output.kind)

    # -- life

    def run(self) -> int:
        """Scan until SIGTERM or SIGINT (returns 0), or until the medium fails (returns 1)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop_signal)
        recording = threading.Thread(target=self._record, name="scan")
        recording.start()
        threading.Thread(target=self.pipeline.watchdog.run, name="watchdog", daemon=True).start()
        self.readers.start()
        if self.sync is not None:
            self.sync.start()
        gc.freeze()  # the objects made so far are permanent: a collection during a scan need not visit them
        self.ready_ns = boot_ns()
        self._publish_status()
        notify("READY=1")
        log.say(
            "ready", station=self.config.station, log=self.journal.log_id, seq=self.journal.tip.seq,
            in_s=f"{(self.ready_ns - self._began_ns) / S:.2f}",
        )  # fmt: skip
        fault = None
        try:
            self._watch()
        except Exception as error:  # noqa: BLE001 - after any failure here the other threads must still be ended in order
            fault = error
            log.say("the station cannot go on", error=repr(error))
        return self._end(recording) or int(fault is not None)

    def _record(self) -> None:
        self.pipeline.run()
        self._stop.set()
        self._changed.set()

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()
        self._changed.set()

    def _watch(self) -> None:
        """Write the status at each change and every 5 s; notify systemd's watchdog unless a journal write hangs."""
        pause_s = min(STATUS_S, watchdog_s() or STATUS_S)
        while not self._stop.is_set():
            if self._changed.wait(pause_s):
                self._stop.wait(SETTLE_S)
                self._changed.clear()
            self.events.set_clock_state(self._wall_clock.state())
            self._publish_status()
            if not self.pipeline.watchdog.hangs():
                notify("WATCHDOG=1")
            self._submit_maintenance(boot_ns())

    def _submit_maintenance(self, now_ns: int) -> None:
        """Hourly: estimate the disk's days left and count the log's age. One hour after the start, then weekly: verify."""
        if now_ns >= self._disk_due_ns:
            self._disk_due_ns = now_ns + HOUR_NS
            self.queue.submit(self._estimate_days_left)
        if now_ns >= self._age_due_ns:
            self._age_due_ns = now_ns + HOUR_NS
            self.queue.submit(self.journal.count_time)
        if now_ns >= self._verify_due_ns:
            self._verify_due_ns = now_ns + WEEK_NS
            threading.Thread(target=self._verify_chain, name="walk", daemon=True).start()

    def _estimate_days_left(self) -> None:
        self._days_left = self.journal.days_left()

    def _verify_chain(self) -> None:
        """Verify the whole hash chain beside the scans. After a break, the next start verifies it too, and salvages."""
        with closing(JournalReader(self.journal.path)) as reader:
            breaks = reader.verify()
        if breaks:
            log.say("the journal's chain is broken; restart the station", seq=breaks[0].seq, why=breaks[0].sentence)
            self.queue.submit(self.journal.distrust)

    def _publish_status(self) -> None:
        """Write status.json and update the idle screens."""
        state = self.current_status()
        try:
            status.write(Path(self.config.status), state)
        except OSError as error:
            if not self._status_failed:
                self._status_failed = True
                log.say("the status cannot be written", path=self.config.status, error=str(error))
        else:
            self._status_failed = False
        shop = self.shop
        self.feedback.idle(
            idle_screen(state, shop.snapshot, self._bench(), shop.items, time.time(), self.config.stages)
        )

    def _bench(self) -> BenchState | None:
        """The bench that the idle screen shows: the one without a name, else the first one with a scan."""
        benches = dict(self.pipeline.benches)
        return benches.get(None) or next(iter(benches.values()), None)

    def current_status(self) -> status.StationStatus:
        """The station's status now; any thread."""
        tip, space = self.journal.tip, room(self.journal.path)
        sync, bench = self.sync, self._bench()
        hub = sync.status() if sync is not None else status.HubStatus()
        waiting = tip.seq - hub.accepted_thru if sync is not None else 0
        return status.StationStatus(
            station=self.config.station, sw=self.events.sw, pid=os.getpid(), boot=self.events.boot,
            written_boot_ns=boot_ns(), written_us=utc_us(), ready_boot_ns=self.ready_ns,
            ready_in_s=round((self.ready_ns - self._began_ns) / S, 3),
            stage=bench.stage_override.stage if bench and bench.stage_override else self._stage(),
            operator=bench.operator.badge if bench and bench.operator else None,
            log=self.journal.log_id.hex(), tip_seq=tip.seq, waiting=max(waiting, 0),
            oldest_waiting_s=sync.oldest_waiting_s() if sync is not None else None,
            clock=self.events.clk, hub=hub, readers=self.readers.status(), disk_level=level_of(space),
            disk_free_bytes=space.free_bytes, days_left=self._days_left, journal=str(self.journal.path.absolute()),
            news=list(self.journal.news), config=self._config_path,
            aside=sync.aside if sync is not None else 0,
        )  # fmt: skip

    def _end(self, recording: threading.Thread) -> int:
        """Stop the station; returns the exit code.

        The readers close first, so that complete scans are enqueued. The recording thread then processes the queue and ends.
        The outputs close after it, because they show its last answers.
        """
        notify("STOPPING=1")
        self.readers.close()
        if self.sync is not None:
            self.sync.close()
        self.queue.close()
        recording.join(END_S)
        self.feedback.close()
        if recording.is_alive():
            log.say("the recording thread hangs; ending without it")
            os._exit(1)
        died = self.pipeline.died
        if died is None:
            self.journal.close()
        log.say("ended", seq=self.journal.tip.seq, **({"error": repr(died)} if died else {}))
        return 0 if died is None else 1


def run(config: StationConfig, config_path: str) -> int:
    """Run a station until a signal ends it; returns the exit code."""
    # A scan waits for at most one switch between threads; the interpreter's default of 5 ms would delay its answer.
    sys.setswitchinterval(0.0005)
    try:
        station = Station(config, config_path)
    except JournalError as error:
        log.say("the station cannot start", error=str(error))
        return 1
    return station.run()
