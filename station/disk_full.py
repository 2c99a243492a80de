"""The wait for room: a station that is started while its disk is full.

The journal cannot be opened before a few pages can be written. Until then the readers are open and each scan is answered
red, so that the operator at the bench knows. The journal is tried again every two seconds, and the station then starts as
always, without a restart by anyone.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from drivers import Read, ScanOutcome
from station import log, status
from station.config import StationConfig
from station.feedback.messages import DISK_FULL, ROOM_AGAIN, Answer, Notice, Reason, Red
from station.journal import DiskLevel, Journal, JournalFull
from station.journal.disk_space import room
from station.readers.manager import ReaderManager
from station.scan.event_builder import EventBuilder
from station.scan.work_queue import WorkQueue
from station.system.clock import boot_ns, utc_us
from station.systemd import notify

TRY_EVERY_S = 2.0


def open_when_room(
    open_journal: Callable[[], Journal], config: StationConfig, recorder: EventBuilder, say: Callable[[Answer], None]
) -> Journal:
    """The open journal, at once or when the disk has room for it. `say` answers at all signals.

    SIGTERM and SIGINT during the wait end the process with 0 (`SystemExit`): nothing is open that could be lost. Raises
    `JournalError` as `open_journal` does, but for `JournalFull`.
    """
    try:
        return open_journal()
    except JournalFull as error:
        log.say("the journal cannot be opened: scans are answered red until there is room", why=str(error))
        news = str(error)
    wait = _Wait(config, recorder, say, news)
    before = {number: signal.signal(number, wait.stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        journal = wait.until_open(open_journal)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if journal is None:
        log.say("ended while the disk was full")
        sys.exit(0)
    log.say("there is room again; the journal is open")
    return journal


class _Wait:
    """Readers whose scans are all answered red."""

    def __init__(self, config: StationConfig, recorder: EventBuilder, say: Callable[[Answer], None], news: str) -> None:
        self._config, self._recorder, self._say_at_signals, self._news = config, recorder, say, news
        self._stop = threading.Event()
        self._began_ns = boot_ns()
        self._red_at: str | None = None  # the reader whose scan was answered red last
        self._inbox: WorkQueue[ScanOutcome] = WorkQueue()
        self._readers = ReaderManager(config, self._inbox, self._say, log.say, lambda: None)

    def stop(self, *_: object) -> None:
        """End the wait without a journal. A signal handler."""
        self._stop.set()

    def until_open(self, open_journal: Callable[[], Journal]) -> Journal | None:
        """The journal as soon as it can be opened; None where the wait was ended before."""
        answering = threading.Thread(target=self._answer, name="no-room")
        answering.start()
        self._readers.start()
        try:
            journal = self._tried(open_journal)
        finally:
            # The readers first: a scan that is complete is answered, and none waits for room in a queue that stands still.
            self._readers.close()
            self._inbox.close()
            answering.join()
        if journal is not None and self._red_at is not None:
            self._say_at_signals(Notice(Reason.LOOK, ROOM_AGAIN, reader=self._red_at))
        return journal

    def _tried(self, open_journal: Callable[[], Journal]) -> Journal | None:
        notify("READY=1")
        while not self._stop.wait(TRY_EVERY_S):
            notify("WATCHDOG=1")
            self._write_status()
            with suppress(JournalFull):
                return open_journal()
        return None

    def _answer(self) -> None:
        while not (self._inbox.closed and self._inbox.quiet):
            read = self._inbox.next_work(None)
            if read is not None and not (isinstance(read, Read) and not read.raw):
                self._say(Red(Reason.NOT_SAVED, DISK_FULL, reader=read.reader))
                self._red_at = read.reader
            while (chore := self._inbox.chore()) is not None:
                chore.run()  # the end of a tag's presence, whose arrival was not recorded
        self._inbox.refuse_rest()

    def _say(self, answer: Answer) -> None:
        self._say_at_signals(answer)
        self._readers.show_answer(answer)

    def _write_status(self) -> None:
        with suppress(OSError):
            status.write(Path(self._config.status), self._status())

    def _status(self) -> status.StationStatus:
        here = room(Path(self._config.journal).absolute())
        return status.StationStatus(
            station=self._config.station, sw=self._recorder.sw, pid=os.getpid(), boot=self._recorder.boot,
            written_boot_ns=boot_ns(), written_us=utc_us(), ready_boot_ns=self._began_ns, ready_in_s=0.0,
            stage=self._config.stage, operator=None, log="", tip_seq=0, waiting=0, oldest_waiting_s=None,
            clock=self._recorder.clk, hub=status.HubStatus(), readers=self._readers.status(), disk_level=DiskLevel.FULL,
            disk_free_bytes=here.free_bytes, days_left=None, journal=str(Path(self._config.journal).absolute()),
            news=[self._news], config="",
        )  # fmt: skip
