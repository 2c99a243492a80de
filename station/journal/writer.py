"""Journal writer: one connection, used by one thread. `commit` returns a receipt after the event is on the medium."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Self

from sqlite_utils import Database

from station.core.hash_chain import link
from station.core.protocol import OpenItem
from station.journal import disk_space, metadata, startup
from station.journal.disk_space import MIB, DiskLevel
from station.journal.lock import JournalLock
from station.journal.queries import JournalQueries, Result
from station.journal.reader import JournalReader
from station.journal.records import ChainBreak, HubMark, JournalError, JournalFull, JournalLost, Receipt, Tip
from station.journal.rotate import LogOrigin, finish, give_up_next
from station.journal.schema import INSERT, UNREADABLE, close_unfolded
from station.journal.wal import cut_refused, wal_of
from station.journal.write_budget import WriteBudget
from station.system.files import flush_folder
from station.system.progress import Show, unseen

IDLE_S, MOST_WAL = 1.0, 4 * MIB
KEEP_DAYS, PRUNE_STEP = 90, 500
OUT_OF_RANGE = (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, UnicodeEncodeError)


class Journal(JournalQueries, AbstractContextManager["Journal"]):
    """The durable, hash-chained log of this station, open for writing. Not thread-safe: one thread owns it."""

    def __init__(
        self, path: Path, origin: LogOrigin, lock: JournalLock, db: Database, news: tuple[str, ...],
        most_ballast_bytes: int,
    ) -> None:  # fmt: skip
        self.path, self.news = path, news
        self._origin, self._lock, self._most_ballast_bytes = origin, lock, most_ballast_bytes
        self._lost: str | None = None
        self._owed: dict[str, Callable[[sqlite3.Connection], None]] = {}
        self._attach(db)

    def _attach(self, db: Database) -> None:
        self._db = db
        self._execute = db.conn.execute
        self.log_id = metadata.log_id(db.conn)
        self._seq, self._hash = metadata.tip(db.conn)
        self._budget = WriteBudget(self.path, self._most_ballast_bytes)
        self._unproved = False  # a write found no room: `_prove` must succeed before the next one
        self.disk_level()
        self._lock.hold()
        self._lock.write(self.log_id)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        station: str,
        sw: str,
        boot: str,
        now_ns: Callable[[], int],
        hardware_id: str | None = None,
        most_ballast_bytes: int = disk_space.MOST_BALLAST,
        show: Show = unseen,
    ) -> Self:
        """Open the journal at `path`, or begin one; `news` reports in sentences what was done.

        `boot`: the kernel's boot_id; `now_ns`: CLOCK_BOOTTIME; `most_ballast_bytes`: on a large file system. Raises
        `JournalLocked` where another daemon writes it, `JournalFull`, `JournalLost`, or `JournalError` for another fault.
        """
        path = Path(path).resolve()  # SQLite keeps the write-ahead log beside the real file
        origin, most = LogOrigin(station, sw, boot, hardware_id, now_ns), most_ballast_bytes
        return startup.open_locked(
            path, origin, most, lambda lock, db, news: cls(path, origin, lock, db, news, most), show
        )

    @property
    def tip(self) -> Tip:
        """The last event's position and hash; seq 0 and the genesis hash of an empty log."""
        return Tip(self._seq, self._hash)

    def commit(self, encoded: bytes) -> Receipt:
        """Write an event to the medium; only this method makes receipts.

        Raises `JournalFull` before the disk is full, or where another program has filled it: nothing was written. Raises
        `JournalLost` after any other failure.
        """
        if self._lost or self._budget.is_spent or self._budget.must_checkpoint:
            self._ensure_writable()
        seq = self._seq + 1
        digest = link(self._hash, encoded)
        try:
            self._execute(INSERT, (seq, encoded, self._hash, digest))
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self._seq, self._hash = seq, digest
        self._budget.add_commit(len(encoded))
        return Receipt(self.log_id, seq, digest, self._origin.now_ns())

    def _ensure_writable(self) -> None:
        """Before a commit with a spent budget.

        1. A lost medium stays lost.
        2. After a refused write, prove that the journal is what it was.
        3. Checkpoint a log that is too long.
        4. Check the disk. If it is full, checkpoint and truncate: folded events need no room in the log any more.
        5. Raise `JournalFull` if it is still full.
        """
        self._check()
        if self._unproved:
            if self.disk_level() is DiskLevel.FULL:
                raise self._full()
            self._prove()
        if self._budget.must_checkpoint:
            self._checkpoint()
        if self._budget.is_spent and self.disk_level() is DiskLevel.FULL and self._budget.has_events_to_fold:
            self._checkpoint("TRUNCATE")
        if self._budget.level is DiskLevel.FULL:
            raise self._full()

    def has_room(self) -> bool:
        """After `JournalFull`: whether events can be recorded again. Raises `JournalLost`."""
        try:
            self._ensure_writable()
        except JournalFull:
            return False
        return True

    def _prove(self) -> None:
        """After a write that found no room: open the database again, and continue only if it ends with the last receipt."""
        self._budget.spend()  # if this fails, the next commit tries it again
        old = self._db
        try:
            db = startup.open_again(self.path, self.log_id, self.tip)
        except startup.DamagedJournal as error:
            raise self._lose(error) from error
        except JournalError as error:  # another program reads, which prevents the complete checkpoint
            raise JournalFull(str(error)) from error
        except (OSError, *UNREADABLE) as error:
            raise self._failed(error) from error
        self._attach(db)
        old.close()  # after `open_again`, whose docstring gives the reason
        disk_space.lay_ballast(self.path, self._most_ballast_bytes)
        self.disk_level()
        for name, change in list(self._owed.items()):
            self._change(change)
            self._owed.pop(name)

    def _check(self) -> None:
        if self._lost:
            raise JournalLost(self._lost)

    def _failed(self, error: Exception) -> JournalError:
        """Classify a failed write: the disk is full and SQLite rolled the statement back, or the medium is lost."""
        if getattr(error, "sqlite_errorname", "") != "SQLITE_FULL":
            return self._lose(error)
        self._unproved = True
        self._budget.spend()
        try:
            cut_refused(self.path)  # else a start could recover the event from its frames, although it was answered red
        except OSError as cut_error:
            return self._lose(cut_error)
        return self._full()

    def _full(self) -> JournalFull:
        return JournalFull(
            f"The disk under {self.path} is full. Not recorded. Reach the hub, so that old events can go."
        )

    def _lose(self, error: Exception) -> JournalLost:
        """Refuse all further writes: after such an error even a successful second attempt would prove nothing."""
        name = getattr(error, "sqlite_errorname", None)
        what = f"{error} ({name})" if name else str(error)
        self._lost = f"The journal {self.path} failed: {what}. Not recorded; restart the station."
        return JournalLost(self._lost)

    def tidy(self, idle_s: float) -> bool:
        """Checkpoint the write-ahead log if the station has been idle for `IDLE_S` or the log is long.

        Returns whether it did. On a full disk it does nothing: the log keeps everything until there is room. Raises
        `JournalLost` where the checkpoint fails or the files were removed.
        """
        self._check()
        if not self._budget.has_unfolded or self._unproved:
            return False
        if idle_s < IDLE_S and self._wal_bytes() <= MOST_WAL:
            return False
        with suppress(JournalFull):
            self._checkpoint()
            return True
        return False

    def _wal_bytes(self) -> int:
        """The length of the write-ahead log. Raises `JournalLost` where the files were removed."""
        try:
            self.path.stat()
            return wal_of(self.path).stat().st_size
        except OSError as error:
            raise self._lose(error) from error

    def _checkpoint(self, mode: str = "PASSIVE") -> None:
        try:
            self._wal_bytes()
            busy, in_log, folded = self._execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        if not busy and in_log == folded:
            self._budget.add_checkpoint()
        self.disk_level()

    def _change(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Make a change beside the events, in one transaction. Raises `JournalFull` as `commit` does."""
        self._ensure_writable() if self._unproved else self._check()
        try:
            with self._db.atomic():
                change(self._db.conn)
        except (sqlite3.IntegrityError, *OUT_OF_RANGE) as error:
            # The transaction is rolled back and the medium is sound: the values were invalid.
            msg = f"The journal {self.path} refuses a change: {error}. Nothing was written."
            raise JournalError(msg) from error
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self._budget.add_change()

    def _change_or_owe(self, name: str, change: Callable[[sqlite3.Connection], None]) -> None:
        """Make a change, on a full disk as soon as there is room. A later change of the same name replaces it."""
        self._owed.pop(name, None)
        try:
            self._change(change)
        except JournalFull:
            self._owed[name] = change

    def mark(self, hub_epoch: int | str, accepted_thru: int, durable_thru: int, head: str) -> None:
        """Store the hub's cursors of this log. Raises `JournalError` where they cannot be true of it.

        On a full disk they are stored as soon as there is room: sending must continue, because it leads to room.
        """
        if not 0 <= durable_thru <= accepted_thru <= self._seq:
            msg = (
                f"The hub says accepted {accepted_thru} and durable {durable_thru} of a log that ends at {self._seq};"
                " expected 0 <= durable <= accepted <= the end. Nothing was marked."
            )
            raise JournalError(msg)
        new = HubMark(hub_epoch, accepted_thru, durable_thru, head)
        self._change_or_owe("mark", lambda db: metadata.write_mark(db, new))

    def count_time(self) -> None:
        """Count how long this log has been in use, by CLOCK_BOOTTIME; called at least once an hour."""
        boot, now_ns = self._origin.boot, self._origin.now_ns
        self._change_or_owe("age", lambda db: metadata.count_time(db, boot, now_ns()))

    def prune(self, most: int = PRUNE_STEP) -> int:
        """Delete at most `most` events that are durable at the hub in its present epoch and 90 days of the log old.

        The days are counted in the station's boot time and in its scans (`metadata.count_time`), so no jump of another
        clock prunes anything. The last event always stays. Returns how many were deleted; call again while it is more than
        0. On a full disk the ballast gives the room for the deletion; 0 where there is no ballast.
        """
        self._check()
        try:
            return self._prune(most)
        except JournalFull:
            return 0

    def _prune(self, most: int) -> int:
        space = disk_space.room(self.path, most_ballast_bytes=self._most_ballast_bytes)
        full = disk_space.level_of(space) is DiskLevel.FULL
        start, end = self._prunable(most)
        if end <= start:
            return 0
        if full:
            disk_space.free_ballast(self.path)
        if self._unproved:
            self._prove()
            start, end = self._prunable(most)  # again: `_prove` wrote an owed mark, after which less may be durable
        if end > start:
            self._change(lambda db: metadata.delete_thru(db, end))
        if full:
            self._checkpoint()
            disk_space.lay_ballast(self.path, self._most_ballast_bytes)
        self._budget.spend()
        return max(0, end - start)

    def _prunable(self, most: int) -> tuple[int, int]:
        """The last event that was pruned, and the last that may be pruned now: `most` events after it at most."""
        mark, start = metadata.mark(self._db.conn), metadata.prune_point(self._db.conn).seq
        aged = metadata.older_than(self._db.conn, KEEP_DAYS)
        return start, min(aged, mark.durable_thru if mark else 0, self._seq - 1, start + most)

    def save_snapshot(self, version: str, body: bytes) -> None:
        """Store the hub's definitions; on a full disk, as soon as there is room."""
        self._change_or_owe("snapshot", lambda db: metadata.write_snapshot(db, version, body))

    def forget_snapshot(self) -> None:
        """Delete the definitions, because this version cannot read them."""
        self._change_or_owe("snapshot", metadata.forget_snapshot)

    def save_items(
        self,
        changed: Iterable[str],
        rows: Iterable[OpenItem],
        cursor: str,
        *,
        complete: bool = True,
        afresh: bool = False,
        thru: int = 0,
    ) -> None:
        """Store changed items: `rows` replace all rows of `changed`; `afresh` deletes all others first.

        `thru`: the last event of this log that all items include. Raises `JournalFull`: the hub sends the changes again.
        """
        self._change(
            lambda db: metadata.write_items(db, changed, rows, cursor, complete=complete, afresh=afresh, thru=thru)
        )

    def run_query(self, query: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a query on the writing connection, in the thread that owns the journal; returns its result."""
        return query(self._db.conn)

    def new_log(self, cause: str, again_after: int | None = None, begins_at: Tip | None = None) -> None:
        """Begin a new log with this one as parent (`cause`: "log_ahead", "reidentify"); the old file is moved aside.

        It begins behind `begins_at`, or behind the last event where that is None. Events behind `again_after` are sent
        again in it with their `origin`; None sends none of them. Raises `JournalFull` where there is no room for a whole
        new log: this one stays in use.

        1. Write the new log completely, beside this one. A failure up to here leaves this log in use.
        2. Close this log, move it aside and open the new one. A failure from here on is final: restart.
        """
        self._ensure_writable() if self._unproved else self._check()
        try:
            sentence = startup.follow(self._db, self.path, self._origin, cause, again_after, begins_at)
        except (OSError, sqlite3.Error, JournalError) as error:
            raise self._give_up_new_log(error) from error
        try:
            self._db.close()
            finish(self.path)
            db, news = startup.open_database(self.path, self._origin, None)
        except (OSError, sqlite3.Error, JournalError) as error:
            raise self._lose(error) from error
        self._owed.clear()  # changes of the log before
        self.news = (*self.news, sentence, *news)
        self._attach(db)

    def _give_up_new_log(self, error: Exception) -> JournalError:
        """A new log could not be written. For want of room this one continues, and all of the new one is removed."""
        try:
            if disk_space.lacks_room(error, self.path):
                give_up_next(self.path)
                self._unproved = True  # the checkpoint of this log may be what found no room
                self._budget.spend()
                return self._full()
        except OSError as removal_error:
            return self._lose(removal_error)
        return self._lose(error)

    def verify(self) -> list[ChainBreak]:
        """Verify the whole chain; returns the breaks. After a break the next start moves the files aside and salvages."""
        with closing(JournalReader(self.path)) as reader:
            breaks = reader.verify()
        if breaks:
            self.distrust()
        return breaks

    def distrust(self) -> None:
        """Make the next start verify the whole chain, because a reader found a break."""
        self._change_or_owe("verified", lambda db: metadata.write_verified(db, 0, b""))

    def disk_level(self) -> DiskLevel:
        """Check the disk; returns its level now."""
        return self._budget.check()

    def days_left(self) -> float:
        """How many days the disk lasts without the hub, at the pace of the last days that the hub received."""
        events = max(self._seq - metadata.prune_point(self._db.conn).seq, 1)
        bytes_per_event = max(self.path.stat().st_size / events, 600.0)
        per_day = metadata.events_per_day(self._db.conn) or disk_space.PLANNED_SCANS_A_DAY
        return disk_space.days_left(self._budget.space, bytes_per_event, per_day)

    def close(self) -> None:
        """Checkpoint and close. After a failure the files stay as they are, and the next start examines them."""
        if self._lost is None:
            try:
                self._change(lambda db: metadata.write_meta(db, "in_use", 0))
            except JournalFull:
                self.abandon()
                return
            self._db.close()
            flush_folder(self.path.parent)
        self._lock.release(closed=self._lost is None)

    def abandon(self) -> None:
        """Close without a checkpoint, and leave the files as a cut of the power would: the next start recovers them."""
        close_unfolded(self._db, self.path)
        self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.close()
