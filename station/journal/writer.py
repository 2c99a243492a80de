"""The writer: one connection, owned by the one thread that scans. An event is committed, then there is a receipt."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Self

from sqlite_utils import Database

from station.core.hash_chain import link
from station.core.protocol import OpenItem
from station.journal import disk_space, lock, metadata, startup
from station.journal.reader import JournalReader
from station.journal.records import (
    ChainBreak,
    HubMark,
    JournalError,
    JournalFull,
    JournalLost,
    LogState,
    OpenItems,
    Receipt,
    StoredEvent,
    Tip,
)
from station.journal.rotate import LogOrigin, finish, give_up_next
from station.journal.schema import INSERT, PAGE_BYTES, UNREADABLE, close_unfolded
from station.journal.wal import cut_refused, wal_of
from station.system.files import flush_folder

MIB = 1024 * 1024
IDLE_S = 1.0
MOST_WAL = 4 * MIB
HARD_WAL = 16 * MIB  # the bench never rests: fold even between two scans
ROW_BYTES = 512  # what an event takes in the database beside its bytes, and a little more
COMMIT_PAGES = 3  # what one commit usually writes, and a little more
KEEP_DAYS = 90
OUT_OF_RANGE = (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, UnicodeEncodeError)
PRUNE_STEP = 500


class Journal(AbstractContextManager["Journal"]):
    """The durable, hash-chained log of this station, open for writing. Not thread-safe: one thread owns it."""

    def __init__(
        self, path: Path, recorder: LogOrigin, held: lock.JournalLock, db: Database, news: tuple[str, ...]
    ) -> None:
        self.path = path
        self.news = news
        self._recorder = recorder
        self._lock = held
        self._lost: str | None = None
        self._owed: dict[str, Callable[[sqlite3.Connection], None]] = {}
        self._attach(db)

    def _attach(self, db: Database) -> None:
        self._db = db
        self._execute = db.conn.execute
        self.log_id = metadata.log_id(db.conn)
        self._seq, self._hash = metadata.tip(db.conn)
        self._unfolded = self._to_fold = 0
        self._unproved = False  # a write found no room: `_prove` comes before the next one
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
    ) -> Self:
        """Open the journal at `path`, or begin one; `news` says what happened on the way.

        `boot` is the kernel's boot_id, `now_ns` CLOCK_BOOTTIME. Raises `JournalLocked` where another daemon writes it,
        `JournalFull` where the disk has no room for that (try again later), `JournalLost` where the medium failed,
        `JournalError` where something else must be mended first.
        """
        path = Path(path).resolve()  # SQLite keeps the write-ahead log beside the real file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held = lock.JournalLock(path)
        except OSError as error:
            if disk_space.lacks_room(error, path):
                raise startup.full(path, error) from error
            msg = f"The journal's folder {path.parent} cannot be used: {error.strerror}. Create it for the station's user."
            raise JournalError(msg) from error
        try:
            recorder = LogOrigin(station, sw, boot, hardware_id, now_ns)
            held.write(None)
            db, news = startup.open_with_ballast(path, recorder, held.named_log())
            disk_space.lay_ballast(path)
            return cls(path, recorder, held, db, news)
        except (OSError, sqlite3.Error) as error:
            held.release()
            if disk_space.lacks_room(error, path):
                raise startup.full(path, error) from error
            msg = f"The journal {path} cannot be opened: {error}. Look at the card and at its free space."
            raise JournalLost(msg) from error
        except BaseException:
            held.release()
            raise

    @property
    def tip(self) -> Tip:
        """The last event's place and hash; seq 0 and the genesis hash while there is none."""
        return Tip(self._seq, self._hash)

    def commit(self, encoded: bytes) -> Receipt:
        """Put an event's bytes on the medium; the only maker of receipts.

        Raises `JournalFull` before the disk is full, or where it is full all the same because another program fills it:
        nothing was written. Raises `JournalLost` after any other failure.
        """
        if self._lost or self._unlooked <= 0 or self._unfolded > HARD_WAL:
            self._make_sure()
        seq = self._seq + 1
        digest = link(self._hash, encoded)
        try:
            self._execute(INSERT, (seq, encoded, self._hash, digest))
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self._seq, self._hash = seq, digest
        written = len(encoded) + COMMIT_PAGES * PAGE_BYTES
        self._unlooked -= written
        self._unfolded += written
        self._to_fold += len(encoded) + ROW_BYTES
        return Receipt(self.log_id, seq, digest, self._recorder.now_ns())

    def _make_sure(self) -> None:
        self._check()
        if self._unproved:
            if self.disk_level() is disk_space.DiskLevel.FULL:
                raise self._full()
            self._prove()
        if self._unfolded > HARD_WAL:
            self._fold()
        if self._unlooked <= 0 and self.disk_level() is disk_space.DiskLevel.FULL and self._to_fold:
            self._fold("TRUNCATE")  # what was folded needs no room in the log any more
        if self._level is disk_space.DiskLevel.FULL:
            raise self._full()

    def has_room(self) -> bool:
        """Look again, after `JournalFull`, whether events can be recorded. Raises `JournalLost`."""
        try:
            self._make_sure()
        except JournalFull:
            return False
        return True

    def _prove(self) -> None:
        """After a write that found no room: open the database again, and go on only where it holds what was answered."""
        self._unlooked = 0  # whatever fails here, the next commit comes here again
        old = self._db
        try:
            db = startup.open_again(self.path, self.log_id, self.tip)
        except startup.DamagedJournal as error:
            raise self._lose(error) from error
        except JournalError as error:  # another program reads: the proof needs the whole log folded in
            raise JournalFull(str(error)) from error
        except (OSError, *UNREADABLE) as error:
            raise self._failed(error) from error
        self._attach(db)
        old.close()  # only now: see `open_again`
        disk_space.lay_ballast(self.path)
        self.disk_level()
        for name, change in list(self._owed.items()):
            self._change(change)
            self._owed.pop(name)

    def _check(self) -> None:
        if self._lost:
            raise JournalLost(self._lost)

    def _failed(self, error: Exception) -> JournalError:
        """What a failed write means: the disk is full, and SQLite took the statement back; or the medium is lost."""
        if getattr(error, "sqlite_errorname", "") != "SQLITE_FULL":
            return self._lose(error)
        self._unproved, self._unlooked = True, 0
        try:
            cut_refused(self.path)  # else a start reads the event back from its frames, though it was answered red
        except OSError as left:
            return self._lose(left)
        return self._full()

    def _full(self) -> JournalFull:
        return JournalFull(
            f"The disk under {self.path} is full. Not recorded. Reach the hub, so that old events can go."
        )

    def _lose(self, error: Exception) -> JournalLost:
        """After an error nothing in memory can be believed, not even that a second attempt wrote anything."""
        name = getattr(error, "sqlite_errorname", None)
        what = f"{error} ({name})" if name else str(error)
        self._lost = f"The journal {self.path} failed: {what}. Not recorded; restart the station."
        return JournalLost(self._lost)

    def tidy(self, idle_s: float) -> bool:
        """Fold the write-ahead log into the database when the bench has been idle long enough or the log is long.

        Returns whether it did; not on a full disk, where the log keeps everything until there is room. Raises
        `JournalLost` where that fails or the files were taken away.
        """
        self._check()
        if not self._unfolded or self._unproved:
            return False
        if idle_s < IDLE_S and self._wal_bytes() <= MOST_WAL:
            return False
        with suppress(JournalFull):
            self._fold()
            return True
        return False

    def _wal_bytes(self) -> int:
        """How long the write-ahead log is; it also shows whether somebody took the files away under us."""
        try:
            self.path.stat()
            return wal_of(self.path).stat().st_size
        except OSError as error:
            raise self._lose(error) from error

    def _fold(self, how: str = "PASSIVE") -> None:
        try:
            self._wal_bytes()
            busy, in_log, folded = self._execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        if not busy and in_log == folded:
            self._unfolded = self._to_fold = 0
        self.disk_level()

    def _change(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Make a change beside the events, in one transaction. Raises `JournalFull` as `commit` does."""
        self._make_sure() if self._unproved else self._check()
        try:
            with self._db.atomic():
                change(self._db.conn)
        except (sqlite3.IntegrityError, *OUT_OF_RANGE) as error:
            # The transaction is rolled back, and nothing is wrong with the medium: the values could not be right.
            msg = f"The journal {self.path} refuses a change: {error}. Nothing was written."
            raise JournalError(msg) from error
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self._unfolded += PAGE_BYTES

    def _change_or_owe(self, name: str, change: Callable[[sqlite3.Connection], None]) -> None:
        """Make a change that replaces the one of this name before it; on a full disk, as soon as there is room."""
        self._owed.pop(name, None)
        try:
            self._change(change)
        except JournalFull:
            self._owed[name] = change

    def mark(self, hub_epoch: int | str, accepted_thru: int, durable_thru: int, head: str) -> None:
        """Keep what the hub said of this log. Raises `JournalError` where that cannot be true of it.

        On a full disk it is written as soon as there is room: sending must go on, so that there can be.
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
        boot, now_ns = self._recorder.boot, self._recorder.now_ns
        self._change_or_owe("age", lambda db: metadata.count_time(db, boot, now_ns()))

    def prune(self, most: int = PRUNE_STEP) -> int:
        """Delete at most `most` events that are durable at the hub in its present epoch and 90 days of the log old.

        The days are counted in the station's own boot time and in its scans (`keep.count_time`): no jump of another clock
        prunes anything. The last event always stays. Returns how many went; call again while it is more than 0. On a disk
        that is full to the brim the ballast makes room for that; 0 where there is none.
        """
        self._check()
        try:
            return self._pruned(most)
        except JournalFull:
            return 0

    def _pruned(self, most: int) -> int:
        full = disk_space.level_of(disk_space.room(self.path)) is disk_space.DiskLevel.FULL
        start, end = self._prunable(most)
        if end <= start:
            return 0
        if full:
            disk_space.free_ballast(self.path)
        if self._unproved:
            self._prove()
            start, end = self._prunable(most)  # a mark that was owed is written now: the hub may have been restored
        if end > start:
            self._change(lambda db: metadata.delete_thru(db, end))
        if full:
            self._fold()
            disk_space.lay_ballast(self.path)
        self._unlooked = 0
        return max(0, end - start)

    def _prunable(self, most: int) -> tuple[int, int]:
        """The last event that was pruned, and the last that may be pruned now, `most` events further on at most."""
        now, start = metadata.mark(self._db.conn), metadata.prune_point(self._db.conn).seq
        aged = metadata.older_than(self._db.conn, KEEP_DAYS)
        return start, min(aged, now.durable_thru if now else 0, self._seq - 1, start + most)

    def save_snapshot(self, version: str, body: bytes) -> None:
        """Keep the hub's definitions for judging offline; on a full disk, as soon as there is room."""
        self._change_or_owe("snapshot", lambda db: metadata.write_snapshot(db, version, body))

    def forget_snapshot(self) -> None:
        """Forget the definitions: none of them can be read."""
        self._change_or_owe("snapshot", metadata.forget_snapshot)

    def snapshot(self) -> tuple[str, bytes] | None:
        """The definitions the hub last sent, (version, body), or None."""
        return metadata.snapshot(self._db.conn)

    def save_items(
        self,
        changed: Iterable[str],
        rows: Iterable[OpenItem],
        cursor: str,
        *,
        complete: bool = True,
        afresh: bool = False,
    ) -> None:
        """Keep the hub's news about open items: of `changed` only `rows` hold now; `afresh` forgets all others first.

        Raises `JournalFull`: the cursor has not moved, and the same news comes again.
        """
        self._change(lambda db: metadata.write_items(db, changed, rows, cursor, complete=complete, afresh=afresh))

    def items(self) -> OpenItems:
        """The open items as the hub last told them."""
        return metadata.items(self._db.conn)

    def state(self) -> LogState:
        """Everything a session with the hub begins with."""
        return metadata.state(self._db.conn)

    def newest(self, limit: int) -> list[StoredEvent]:
        """The last events, newest first."""
        return metadata.newest(self._db.conn, limit, self._seq + 1)

    def new_log(self, cause: str, again_after: int | None = None, begins_at: Tip | None = None) -> None:
        """Begin a new log with this one as parent (`cause`: "log_ahead", "reidentify"); the old file is moved aside.

        It begins behind `begins_at`, the last event where that is None. Events behind `again_after` are sent again in it,
        named by `origin`; None means none of them. Raises `JournalFull` where there is no room for a whole new log: this
        one stays in use.
        """
        self._make_sure() if self._unproved else self._check()
        try:
            said = startup.follow(self._db, self.path, self._recorder, cause, again_after, begins_at)
        except (OSError, sqlite3.Error, JournalError) as error:
            raise self._without_next(error) from error
        try:
            self._db.close()
            finish(self.path)
            db, news = startup.open_database(self.path, self._recorder, None)
        except (OSError, sqlite3.Error, JournalError) as error:
            raise self._lose(error) from error
        self._owed.clear()  # what was to be kept is of the log before
        self.news = (*self.news, said, *news)
        self._attach(db)

    def _without_next(self, error: Exception) -> JournalError:
        """A new log could not be made: for want of room this one goes on, and nothing of the new one may be left."""
        try:
            if disk_space.lacks_room(error, self.path):
                give_up_next(self.path)
                self._unproved, self._unlooked = True, 0  # the fold of this log may be what found no room
                return self._full()
        except OSError as left:
            return self._lose(left)
        return self._lose(error)

    def verify(self) -> list[ChainBreak]:
        """Walk the whole chain; the breaks. Where there are any, the next start moves the files aside and salvages."""
        with closing(JournalReader(self.path)) as reader:
            breaks = reader.verify()
        if breaks:
            self.distrust()
        return breaks

    def distrust(self) -> None:
        """Let the next start walk the whole chain: somebody (the weekly walk of a reader) saw a break."""
        self._change_or_owe("verified", lambda db: metadata.write_verified(db, 0, b""))

    def disk_level(self) -> disk_space.DiskLevel:
        """What the fill of the disk asks for, looked at now."""
        self.room = disk_space.room(self.path, self._to_fold)
        self._level = disk_space.level_of(self.room)
        self._unlooked = (
            0 if self._level is disk_space.DiskLevel.FULL else disk_space.reserve_bytes(self.room.size_bytes) // 2
        )
        return self._level

    def days_left(self) -> float:
        """For how many days without the hub the disk lasts, at the pace of the last days the hub saw."""
        held = max(self._seq - metadata.prune_point(self._db.conn).seq, 1)
        per_event = max(self.path.stat().st_size / held, 600.0)
        return disk_space.days_left(
            self.room, per_event, metadata.events_per_day(self._db.conn) or disk_space.PLANNED_SCANS_A_DAY
        )

    def close(self) -> None:
        """Fold everything in and let go. After a failure the files are left as they are, for the next start to judge."""
        if self._lost is None:
            try:
                self._change(lambda db: metadata.write_meta(db, "in_use", 0))
            except JournalFull:
                close_unfolded(self._db, self.path)
            else:
                self._db.close()
                flush_folder(self.path.parent)
        self._lock.release(closed=self._lost is None)

    def __exit__(self, *_: object) -> None:
        self.close()
