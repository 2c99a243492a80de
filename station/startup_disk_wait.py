"""Start on a full disk: wait for room, and answer each scan red meanwhile.

The journal cannot be opened before a few pages can be written. Until then the readers are open and each scan is answered
red, so that the operator sees the fault. The journal is tried again every two seconds. When it opens, the station continues
its start without a restart.
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
    open_journal: Callable[[], Journal], config: StationConfig, events: EventBuilder, dispatch: Callable[[Answer], None]
) -> Journal:
    """The open journal, at once or when the disk has room for it. `dispatch` shows an answer at all outputs.

    SIGTERM and SIGINT during the wait end the process with 0 (`SystemExit`), because nothing is open that could be lost.
    Raises `JournalError` as `open_journal` does, except `JournalFull`.
    """
    try:
        return open_journal()
    except JournalFull as error:
        log.say("the journal cannot be opened: scans are answered red until there is room", why=str(error))
        news = str(error)
    wait = _Wait(config, events, dispatch, news)
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
    """The readers while the journal cannot be opened; each scan is answered red."""

    def __init__(
        self, config: StationConfig, events: EventBuilder, dispatch: Callable[[Answer], None], news: str
    ) -> None:
        self._config, self._events, self._dispatch, self._news = config, events, dispatch, news
        self._stop = threading.Event()
        self._began_ns = boot_ns()
        self._refused_reader: str | None = None  # the reader of the last scan that was answered red
        self._queue: WorkQueue[ScanOutcome] = WorkQueue()
        self._readers = ReaderManager(config, self._queue, self._answer, log.say, lambda: None)

    def stop(self, *_: object) -> None:
        """End the wait without a journal; the signal handler."""
        self._stop.set()

    def until_open(self, open_journal: Callable[[], Journal]) -> Journal | None:
        """The journal as soon as it can be opened; None where a signal ended the wait."""
        answering = threading.Thread(target=self._answer_red, name="no-room")
        answering.start()
        self._readers.start()
        try:
            journal = self._retry(open_journal)
        finally:
            # The readers close first: complete scans are still answered, and no reader waits for room in a dead queue.
            self._readers.close()
            self._queue.close()
            answering.join()
        if journal is not None and self._refused_reader is not None:
            self._dispatch(Notice(Reason.LOOK, ROOM_AGAIN, reader=self._refused_reader))
        return journal

    def _retry(self, open_journal: Callable[[], Journal]) -> Journal | None:
        notify("READY=1")
        while not self._stop.wait(TRY_EVERY_S):
            notify("WATCHDOG=1")
            self._write_status()
            with suppress(JournalFull):
                return open_journal()
        return None

    def _answer_red(self) -> None:
        while not (self._queue.closed and self._queue.quiet):
            read = self._queue.next_work(None)
            if read is not None and not (isinstance(read, Read) and not read.raw):
                self._answer(Red(Reason.NOT_SAVED, DISK_FULL, reader=read.reader))
                self._refused_reader = read.reader
            while (chore := self._queue.chore()) is not None:
                chore.run()  # a tag's removal, whose arrival was not recorded
        self._queue.refuse_rest()

    def _answer(self, answer: Answer) -> None:
        self._dispatch(answer)
        self._readers.show_answer(answer)

    def _write_status(self) -> None:
        with suppress(OSError):
            status.write(Path(self._config.status), self._status())

    def _status(self) -> status.StationStatus:
        space = room(Path(self._config.journal).absolute())
        return status.StationStatus(
            station=self._config.station, sw=self._events.sw, pid=os.getpid(), boot=self._events.boot,
            written_boot_ns=boot_ns(), written_us=utc_us(), ready_boot_ns=self._began_ns, ready_in_s=0.0,
            stage=self._config.stage, operator=None, log="", tip_seq=0, waiting=0, oldest_waiting_s=None,
            clock=self._events.clk, hub=status.HubStatus(), readers=self._readers.status(), disk_level=DiskLevel.FULL,
            disk_free_bytes=space.free_bytes, days_left=None, journal=str(Path(self._config.journal).absolute()),
            news=[self._news], config="",
        )  # fmt: skip
