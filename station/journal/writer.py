"""The writer: one connection, owned by the one thread that scans. An event is committed, then there is a receipt."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Self

from sqlite_utils import Database

from station.core.chain import link
from station.journal import disk, keep, lock, opening
from station.journal.reader import JournalReader
from station.journal.records import (
    Break,
    JournalError,
    JournalFull,
    JournalLost,
    LogState,
    Mark,
    OpenItem,
    OpenItems,
    Receipt,
    Stored,
    Tip,
)
from station.journal.schema import INSERT, PAGE_BYTES
from station.journal.switch import Recorder, finish, sync_folder
from station.journal.wal import wal_of

MIB = 1024 * 1024
IDLE_S = 1.0
MOST_WAL = 4 * MIB
HARD_WAL = 16 * MIB  # the bench never rests: fold even between two scans
ROW_BYTES = 512  # what an event takes in the database beside its bytes, and a little more
COMMIT_PAGES = 3  # what one commit usually writes, and a little more
KEEP_DAYS = 90
PRUNE_STEP = 500


class Journal(AbstractContextManager["Journal"]):
    """The durable, hash-chained log of this station, open for writing. Not thread-safe: one thread owns it."""

    def __init__(self, path: Path, recorder: Recorder, held: lock.Lock, db: Database, news: tuple[str, ...]) -> None:
        self.path = path
        self.news = news
        self._recorder = recorder
        self._lock = held
        self._lost: str | None = None
        self._attach(db)

    def _attach(self, db: Database) -> None:
        self._db = db
        self._execute = db.conn.execute
        self.log_id = keep.log_id(db.conn)
        self._seq, self._hash = keep.tip(db.conn)
        self._unfolded = self._to_fold = 0
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
        `JournalLost` where the medium failed, `JournalError` where something else must be mended first.
        """
        path = Path(path).resolve()  # SQLite keeps the write-ahead log beside the real file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held = lock.Lock(path)
        except OSError as error:
            msg = f"The journal's folder {path.parent} cannot be used: {error.strerror}. Create it for the station's user."
            raise JournalError(msg) from error
        try:
            recorder = Recorder(station, sw, boot, hardware_id, now_ns)
            held.write(None)
            db, news = opening.open_database(path, recorder, held.named_log())
            disk.lay_ballast(path)
            return cls(path, recorder, held, db, news)
        except (OSError, sqlite3.Error) as error:
            held.release()
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

        Raises `JournalFull` before the disk is full (nothing was written) and `JournalLost` after any failure.
        """
        if self._lost or self._unlooked <= 0 or self._unfolded > HARD_WAL:
            self._make_sure()
        seq = self._seq + 1
        digest = link(self._hash, encoded)
        try:
            self._execute(INSERT, (seq, encoded, self._hash, digest))
        except sqlite3.Error as error:
            raise self._lose(error) from error
        self._seq, self._hash = seq, digest
        written = len(encoded) + COMMIT_PAGES * PAGE_BYTES
        self._unlooked -= written
        self._unfolded += written
        self._to_fold += len(encoded) + ROW_BYTES
        return Receipt(self.log_id, seq, digest, self._recorder.now_ns())

    def _make_sure(self) -> None:
        self._check()
        if self._unfolded > HARD_WAL:
            self._fold()
        if self._unlooked <= 0 and self.disk_level() is disk.Level.FULL and self._to_fold:
            self._fold("TRUNCATE")  # what was folded needs no room in the log any more
        if self._level is disk.Level.FULL:
            msg = f"The disk under {self.path} is full. Not recorded. Reach the hub, so that old events can go."
            raise JournalFull(msg)

    def _check(self) -> None:
        if self._lost:
            raise JournalLost(self._lost)

    def _lose(self, error: Exception) -> JournalLost:
        """After an error nothing in memory can be believed, not even that a second attempt wrote anything."""
        name = getattr(error, "sqlite_errorname", None)
        what = f"{error} ({name})" if name else str(error)
        self._lost = f"The journal {self.path} failed: {what}. Not recorded; restart the station."
        return JournalLost(self._lost)

    def tidy(self, idle_s: float) -> bool:
        """Fold the write-ahead log into the database when the bench has been idle long enough or the log is long.

        Returns whether it did. Raises `JournalLost` where that fails or the files were taken away.
        """
        self._check()
        if not self._unfolded:
            return False
        if idle_s < IDLE_S and self._wal_bytes() <= MOST_WAL:
            return False
        self._fold()
        return True

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
            raise self._lose(error) from error
        if not busy and in_log == folded:
            self._unfolded = self._to_fold = 0
        self.disk_level()

    def _change(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Make a change beside the events, in one transaction."""
        self._check()
        try:
            with self._db.atomic():
                change(self._db.conn)
        except sqlite3.Error as error:
            raise self._lose(error) from error
        self._unfolded += PAGE_BYTES

    def mark(
        self, hub_epoch: int | str, accepted_thru: int, durable_thru: int, head: str, hub_us: int | None = None
    ) -> None:
        """Keep what the hub said of this log; `hub_us`, the hub's time, dates the events for pruning."""
        new = Mark(hub_epoch, accepted_thru, durable_thru, head)
        self._change(lambda db: keep.write_mark(db, new, hub_us))

    def prune(self, hub_us: int, most: int = PRUNE_STEP) -> int:
        """Delete at most `most` events that are durable at the hub in its present epoch and older than 90 days.

        Older by the hub's clock, `hub_us`; a station's own clock is no evidence. The last event always stays. Returns how
        many went; call again while it is more than 0.
        """
        self._check()
        now = keep.mark(self._db.conn)
        aged = keep.reached_by(self._db.conn, hub_us // keep.DAY_US - KEEP_DAYS)
        start = keep.prune_point(self._db.conn).seq
        end = min(aged, now.durable_thru if now else 0, self._seq - 1, start + most)
        if end <= start:
            return 0
        full = disk.level_of(disk.room(self.path)) is disk.Level.FULL
        if full:
            disk.free_ballast(self.path)
        self._change(lambda db: keep.delete_thru(db, end))
        if full:
            self._fold()
            disk.lay_ballast(self.path)
        self._unlooked = 0
        return end - start

    def save_snapshot(self, version: str, body: bytes) -> None:
        """Keep the hub's definitions for judging offline."""
        self._change(lambda db: keep.write_snapshot(db, version, body))

    def snapshot(self) -> tuple[str, bytes] | None:
        """The definitions the hub last sent, (version, body), or None."""
        return keep.snapshot(self._db.conn)

    def save_items(
        self,
        changed: Iterable[str],
        rows: Iterable[OpenItem],
        cursor: str,
        *,
        complete: bool = True,
        afresh: bool = False,
    ) -> None:
        """Keep the hub's news about open items: of `changed` only `rows` hold now; `afresh` forgets all others first."""
        self._change(lambda db: keep.write_items(db, changed, rows, cursor, complete=complete, afresh=afresh))

    def items(self) -> OpenItems:
        """The open items as the hub last told them."""
        return keep.items(self._db.conn)

    def state(self) -> LogState:
        """Everything a session with the hub begins with."""
        return keep.state(self._db.conn)

    def newest(self, limit: int) -> list[Stored]:
        """The last events, newest first."""
        return keep.newest(self._db.conn, limit, self._seq + 1)

    def new_log(self, cause: str, again_after: int | None = None) -> None:
        """Begin a new log with this one as parent (`cause`: "log_ahead", "reidentify"); the old file is moved aside.

        Events behind `again_after` are sent again in it, named by `origin`; None means none of them.
        """
        self._check()
        again = iter(()) if again_after is None else opening.stored_after(self._db.conn, again_after)
        try:
            said = opening.follow(self._db, self.path, self._recorder, cause, again)
            self._db.close()
            finish(self.path)
            db, news = opening.open_database(self.path, self._recorder, None)
        except (OSError, sqlite3.Error, JournalError) as error:
            raise self._lose(error) from error
        self.news = (*self.news, said, *news)
        self._attach(db)

    def verify(self) -> list[Break]:
        """Walk the whole chain; the breaks. Where there are any, the next start moves the files aside and salvages."""
        with closing(JournalReader(self.path)) as reader:
            breaks = reader.verify()
        if breaks:
            self.distrust()
        return breaks

    def distrust(self) -> None:
        """Let the next start walk the whole chain: somebody (the weekly walk of a reader) saw a break."""
        self._change(lambda db: keep.write_verified(db, 0, b""))

    def disk_level(self) -> disk.Level:
        """What the fill of the disk asks for, looked at now."""
        self.room = disk.room(self.path, self._to_fold)
        self._level = disk.level_of(self.room)
        self._unlooked = 0 if self._level is disk.Level.FULL else disk.reserve_bytes(self.room.size_bytes) // 2
        return self._level

    def days_left(self) -> float:
        """For how many days without the hub the disk lasts, at the pace of the last days the hub saw."""
        held = max(self._seq - keep.prune_point(self._db.conn).seq, 1)
        per_event = max(self.path.stat().st_size / held, 600.0)
        return disk.days_left(self.room, per_event, keep.events_per_day(self._db.conn) or disk.PLANNED_SCANS_A_DAY)

    def close(self) -> None:
        """Fold everything in and let go. After a failure the files are left as they are, for the next start to judge."""
        if self._lost is None:
            self._change(lambda db: keep.write_meta(db, "in_use", 0))
            self._db.close()
            sync_folder(self.path.parent)
        self._lock.release(closed=self._lost is None)

    def __exit__(self, *_: object) -> None:
        self.close()
