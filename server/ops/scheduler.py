"""Periodic tasks of a running hub: checks of the clock, and backups."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from server.clock.audit import find
from server.clock.watch import note_suspects, seen_lately, suspects, why_in_doubt
from server.db.long_work import BACKUP, published
from server.db.store import Store
from server.ledger.hub_log import keep_time
from server.ops.backup import BackupError, VerifiedBackup, back_up, check, sweep, thin_out, thin_out_dumps
from server.ops.disk_need import TooLittleDisk
from server.ops.durability import (
    extents_of,
    last_verified_us,
    note_breaks,
    note_copy,
    order_of,
    recheck,
    update_durable,
)
from station.system.progress import Advance

CLOCK_CHECK_S = 10.0
AUDIT_EVERY = 360  # clock checks: one audit an hour
CHECK_S = 60.0  # interval at which a removed backup is noticed
LATE_S = 3600.0  # a large database may take long; after this time its disk is assumed to hang
RETRY_S = 600.0  # pause after a failed backup
_log = logging.getLogger(__name__)


class ClockMonitor:
    """Checks the hub's clock every 10 s: a step gets an anchor in the ledger; a doubted clock issues none.

    Once an hour it counts the anchors that were issued with a wrong time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._checks = 0

    def run(self, stop: threading.Event) -> None:
        """Check until `stop`."""
        while not stop.wait(CLOCK_CHECK_S):
            try:
                self.step()
            except Exception:  # noqa: BLE001  the next check may succeed
                _log.exception("the hub's clock could not be checked")

    def step(self) -> None:
        """Check once; write to the database only where something changed, because most checks find nothing."""
        clock = self._store.clock
        with self._store.read() as connection:
            unchanged = seen_lately(connection, clock)
            # A doubted clock is no reference: if it is set back, every anchor seems to lie in the future.
            due = self._checks % AUDIT_EVERY == 0 and why_in_doubt(connection, clock) is None
            count = len(find(connection, clock.utc_us())) if due else None
            new_count = count is not None and count != suspects(connection)
        self._checks += 1
        if unchanged and not new_count:
            return
        with self._store.write() as connection:
            keep_time(connection, clock)
            if count is not None:
                note_suspects(connection, count)


class BackupScheduler:
    """Makes and verifies a backup at an interval, and keeps the durable position equal to the present backups.

    `every_s` is measured by the machine's boottime, so a step of its clock makes no backup early or late.
    """

    def __init__(self, folder: str | None, every_s: int, store: Store) -> None:
        self._folder = None if folder is None else Path(folder)
        self._every_s = float(every_s)
        self._store = store
        self._next_ns: int | None = None
        self._failed: str | None = None
        self._db = str(store.path) if store.path is not None else store.url.render_as_string(hide_password=False)

    def _check(self, path: Path) -> tuple[int, int]:
        return check(path, self._db)

    def _keeps_backups(self) -> bool:
        """Whether this process makes the backups; not while the database server is away."""
        try:
            return self._store.keeps_backups()
        except SQLAlchemyError as error:
            _log.error("the backups wait for the database: %s", error)
            return False

    def trouble(self) -> str | None:
        """The fault for /healthz: the last backup failed, or a due one was not made for LATE_S. None: no fault."""
        if self._folder is None:
            return None
        if self._failed is not None:
            return f"The last backup failed: {self._failed}"
        late_s = 0.0 if self._next_ns is None else (self._store.clock.boot_ns() - self._next_ns) / 1_000_000_000
        if late_s <= LATE_S:
            return None
        return (
            f"A backup is due for {late_s / 60:.0f} min and was not made. Check {self._folder}: does its disk respond?"
        )

    def run(self, stop: threading.Event) -> None:
        """Back up and check the backups until `stop`; the first backup is due one interval after the last one."""
        wait_s, first = 0.0, True
        while not stop.wait(wait_s):
            wait_s = CHECK_S
            if not self._keeps_backups():
                continue
            if first:
                self._try(lambda: recheck(self._store, self._check))
                first = False
            due = self._folder is not None and self.due_in_s() <= 0
            self._try(self.step if due else self.check_backups)
            wait_s = CHECK_S if self._folder is None else min(CHECK_S, self.due_in_s())

    def due_in_s(self) -> float:
        """Seconds until the next backup is due; at most the interval, also where the clock was wrong at the last one."""
        clock = self._store.clock
        if self._next_ns is None:
            with self._store.read() as connection:
                last_us = last_verified_us(connection) or 0
            since_s = (clock.utc_us() - last_us) / 1_000_000
            self._due_after(min(max(0.0, self._every_s - since_s), self._every_s))
        assert self._next_ns is not None
        return max(0.0, (self._next_ns - clock.boot_ns()) / 1_000_000_000)

    def check_backups(self) -> None:
        """Update the durable position by the backups that are present."""
        update_durable(self._store, self._check)

    def step(self) -> None:
        """Make one backup now.

        1. Remove the files of interrupted backups; make and verify the backup.
        2. After an error: log it, schedule a retry, and verify the earlier backups, which may have the same fault.
        3. Record the breaks of the ledger and the backup.
        4. Remove the earliest backups, then update the durable position.
        """
        if self._folder is None:
            return
        try:
            _require_folder(self._folder)
            sweep(self._folder)
            made = self._back_up(self._folder)
        except (BackupError, OSError, TooLittleDisk) as error:
            _log.error("no backup: %s", error)
            self._failed = str(error)
            self._due_after(min(self._every_s, RETRY_S))
            recheck(self._store, self._check)
            return
        self._due_after(self._every_s)
        self._failed = None
        note_breaks(self._store, list(made.breaks))
        if not made.off_disk:
            _log.warning("%s is on the hub's own disk: stations keep the events that they sent", made.path)
        note_copy(self._store, made.path.absolute(), epoch=made.epoch, pos=made.pos, off_disk=made.off_disk)
        with self._store.read() as connection:
            order, extents = order_of(connection), extents_of(connection)
        try:
            if self._store.path is not None:
                thin_out(self._folder.absolute(), made.path.absolute(), order)
            else:
                thin_out_dumps(self._folder.absolute(), made.path.absolute(), extents)
        except OSError as error:
            _log.error("earlier backups were not removed: %s", error)
        self.check_backups()

    def _back_up(self, folder: Path) -> VerifiedBackup:
        """Make a backup; its copy and its verification are published one after the other."""
        with ExitStack() as parts:

            def show(work: str, unit: str) -> Advance:
                parts.close()
                return parts.enter_context(published(self._store, BACKUP, work, unit))

            return back_up(self._db, folder, self._store.clock.utc_us(), self._store.host, show)

    def _due_after(self, seconds: float) -> None:
        self._next_ns = self._store.clock.boot_ns() + int(seconds * 1_000_000_000)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  the only backup thread must survive; the next round may succeed
            _log.exception("the backups could not be checked")
            self._failed = str(error)
            self._due_after(min(self._every_s, RETRY_S))


def _require_folder(folder: Path) -> None:
    """Raise `BackupError` where the folder is missing: a backup would create a file with the folder's name."""
    if not folder.is_dir():
        msg = f"[backup] path {folder} is not a folder; expected a folder on a mounted disk. Mount it, or make the folder."
        raise BackupError(msg)
