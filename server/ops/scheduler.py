"""What a running hub does by the clock: backups, and a look at the clock itself."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from server.clock.audit import find
from server.clock.watch import note_suspects, seen_lately, suspects, why_in_doubt
from server.db.store import Store
from server.ledger.hub_log import keep_time
from server.ops.backup import BackupError, back_up, check, sweep, thin_out
from server.ops.durability import follow, last_verified_us, note_breaks, note_copy, order_of, recheck

CLOCK_LOOK_S = 10.0
AUDIT_EVERY = 360  # looks: once an hour
LOOK_S = 60.0  # a backup that is gone is noticed within a minute
LATE_S = 3600.0  # a large database takes its time; after this its disk hangs
AGAIN_S = 600.0  # a backup that failed is tried again
_log = logging.getLogger(__name__)


class ClockMonitor:
    """Looks at the hub's clock every 10 s: a step gets an anchor in the ledger, a clock in doubt gives none.

    Once an hour it counts the anchors that were given while the clock was wrong.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looks = 0

    def run(self, stop: threading.Event) -> None:
        """Look until `stop`."""
        while not stop.wait(CLOCK_LOOK_S):
            try:
                self.step()
            except Exception:  # noqa: BLE001  the next look may do better
                _log.exception("the hub's clock could not be looked at")

    def step(self) -> None:
        """Look once."""
        clock = self._store.clock
        with self._store.read() as connection:
            quiet = seen_lately(connection, clock)
            # A clock in doubt is no measure: set back, it would make every anchor one from the future.
            due = self._looks % AUDIT_EVERY == 0 and why_in_doubt(connection, clock) is None
            count = len(find(connection, clock.utc_us())) if due else None
            news = count is not None and count != suspects(connection)
        self._looks += 1
        if quiet and not news:
            return
        with self._store.write() as connection:
            keep_time(connection, clock)
            if count is not None:
                note_suspects(connection, count)


class BackupScheduler:
    """Makes a backup every so often, verifies it, and lets stations prune what lies in it while it is there.

    `every_s` is counted in the machine's boot time: a step of its clock makes no backup early or late.
    """

    def __init__(self, folder: str | None, every_s: int, store: Store) -> None:
        self._folder = None if folder is None else Path(folder)
        self._every_s = float(every_s)
        self._store = store
        self._next_ns: int | None = None
        self._failed: str | None = None

    def trouble(self) -> str | None:
        """Why healthz is wrong: the last backup failed, or one is long due and was not made. None where all is well."""
        if self._folder is None or self._store.path is None:
            return None
        if self._failed is not None:
            return f"The last backup failed: {self._failed}"
        late_s = 0.0 if self._next_ns is None else (self._store.clock.boot_ns() - self._next_ns) / 1_000_000_000
        if late_s <= LATE_S:
            return None
        return (
            f"A backup is due for {late_s / 60:.0f} min and was not made. Look at {self._folder}: does its disk answer?"
        )

    def run(self, stop: threading.Event) -> None:
        """Back up and look after the backups until `stop`; the first backup when it is due since the last."""
        if self._store.path is None:
            return
        self._try(lambda: recheck(self._store, check))
        wait_s = 0.0
        while not stop.wait(wait_s):
            due = self._folder is not None and self.due_in_s() <= 0
            self._try(self.step if due else self.look)
            wait_s = LOOK_S if self._folder is None else min(LOOK_S, self.due_in_s())

    def due_in_s(self) -> float:
        """Seconds until the next backup is due; at most the interval, however wrong the clock was at the last one."""
        clock = self._store.clock
        if self._next_ns is None:
            with self._store.read() as connection:
                last_us = last_verified_us(connection) or 0
            since_s = (clock.utc_us() - last_us) / 1_000_000
            self._due_after(min(max(0.0, self._every_s - since_s), self._every_s))
        assert self._next_ns is not None
        return max(0.0, (self._next_ns - clock.boot_ns()) / 1_000_000_000)

    def look(self) -> None:
        """Let what counts as durable follow the backups that are there now."""
        follow(self._store, check)

    def step(self) -> None:
        """Make one backup now. What fails is logged and tried again soon; what was backed up before is looked at."""
        if self._folder is None or self._store.path is None:
            return
        again_s = min(self._every_s, AGAIN_S)
        try:
            _require_folder(self._folder)
            sweep(self._folder)
            made = back_up(str(self._store.path), self._folder, self._store.clock.utc_us(), self._store.host)
        except (BackupError, OSError) as error:
            _log.error("no backup: %s", error)
            self._failed = str(error)
            self._due_after(again_s)
            recheck(self._store, check)
            return
        self._due_after(self._every_s)
        self._failed = None
        note_breaks(self._store, list(made.breaks))
        if not made.off_disk:
            _log.warning("%s is on the hub's own disk: stations go on keeping what they sent", made.path)
        note_copy(self._store, made.path.absolute(), epoch=made.epoch, pos=made.pos, off_disk=made.off_disk)
        with self._store.read() as connection:
            order = order_of(connection)
        try:
            thin_out(self._folder.absolute(), made.path.absolute(), order)
        except OSError as error:
            _log.error("earlier backups stay: %s", error)
        self.look()

    def _due_after(self, seconds: float) -> None:
        self._next_ns = self._store.clock.boot_ns() + int(seconds * 1_000_000_000)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  the one thread must not die: the next round may do better
            _log.exception("the backups could not be looked after")
            self._failed = str(error)
            self._due_after(min(self._every_s, AGAIN_S))


def _require_folder(folder: Path) -> None:
    """Without this a folder that is gone would become a file, and every later backup would find its name taken."""
    if not folder.is_dir():
        msg = (
            f"[backup] path {folder} is no folder; expected the folder of a mounted disk. Mount it, or make the folder."
        )
        raise BackupError(msg)
