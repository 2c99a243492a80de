"""Journal startup: check before the first commit that the files hold every event that was committed.

A crash leaves a write-ahead log, which SQLite folds in: that is no damage. Damage is a write-ahead log that is missing or
belongs to another database, a page that cannot be read, or a hash chain that does not hold. Damaged files are moved aside,
never deleted, and the events that can be read from them are recorded again in a new log.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from station.journal import disk_space, metadata, verify_marker
from station.journal.lock import JournalLock
from station.journal.other_file import refuse_other_file
from station.journal.page_recovery import carve
from station.journal.reader import read_events
from station.journal.records import ChainBreak, JournalError, JournalFull, JournalLost, PreviousLog, StoredEvent, Tip
from station.journal.rotate import EARLIER, QUARANTINE, LogOrigin, finish, make_next
from station.journal.salvage import UNKNOWN_HASH, UNKNOWN_LOG, SalvagedEvent, in_order, resent_event, salvage_event
from station.journal.schema import (
    INSERT,
    UNREADABLE,
    bring_up_to_date,
    check_pragmas,
    close_unfolded,
    connect,
    connect_reading,
    refuse_newer_file,
)
from station.journal.verify_chain import walk
from station.journal.wal import believed_frames, commits_behind, read_wal, wal_of
from station.system.files import flush_folder
from station.system.progress import Show, counted, unseen

SLICE = 1_000
Opened = TypeVar("Opened")
Opening = tuple[Database, tuple[str, ...]]


class DamagedJournal(JournalError):
    """The files do not hold every committed event; the message is a sentence for the log."""


@dataclass(frozen=True, slots=True)
class JournalGlance:
    """The fields of a journal that may be damaged; None and 0 where they cannot be read."""

    log_id: bytes | None = None
    durable_thru: int = 0
    start: Tip | None = None
    tip: Tip | None = None
    in_use: bool = False


def open_locked(
    path: Path,
    origin: LogOrigin,
    most_ballast_bytes: int,
    make: Callable[[JournalLock, Database, tuple[str, ...]], Opened],
    show: Show = unseen,
) -> Opened:
    """Lock the journal at `path`, open it with its ballast laid, and return the result of `make`.

    The lock is released if anything fails. Raises as `Journal.open`.
    """
    refuse_other_file(path)
    refuse_newer_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = JournalLock(path)
    except OSError as error:
        if disk_space.lacks_room(error, path):
            raise full(path, error) from error
        if isinstance(error, PermissionError):
            msg = (
                f"{error.filename} may not be used by this user. Expected the user of the station."
                " Start it as that user: sudo systemctl start wipline-station."
                f" Or give the folder to this one: sudo chown -R $(id -un) {path.parent}"
            )
            raise JournalError(msg) from error
        msg = f"The journal's folder {path.parent} cannot be used: {error.strerror}. Create it for the station's user."
        raise JournalError(msg) from error
    try:
        lock.write(None)
        db, news = open_with_ballast(path, origin, lock.named_log(), show)
        disk_space.lay_ballast(path, most_ballast_bytes)
        return make(lock, db, news)
    except (OSError, sqlite3.Error) as error:
        lock.release()
        if disk_space.lacks_room(error, path):
            raise full(path, error) from error
        msg = f"The journal {path} cannot be opened: {error}. Look at the card and at its free space."
        raise JournalLost(msg) from error
    except BaseException:
        lock.release()
        raise


def glance(journal: Path, *, main_file_only: bool) -> JournalGlance:
    """Read the fields of a journal that may be damaged."""
    try:
        with closing(connect_reading(journal, main_file_only=main_file_only)) as connection:
            mark = metadata.mark(connection)
            in_use = metadata.read_meta(connection, "in_use") == 1
            log_id = metadata.log_id(connection) if metadata.log_is_named(connection) else None
            durable = mark.durable_thru if mark else 0
            try:
                last = metadata.tip(connection)
            except UNREADABLE:
                last = None
            return JournalGlance(log_id, durable, metadata.prune_point(connection) if log_id else None, last, in_use)
    except UNREADABLE:
        return JournalGlance()


def open_database(journal: Path, origin: LogOrigin, named_log: bytes | None, show: Show = unseen) -> Opening:
    """The writing connection to a checked journal, and what was done, in sentences.

    1. Finish a change to a new log that a stop interrupted.
    2. Begin a journal where there is none.
    3. Check it (`_start`). A damaged one is replaced by a new log, which is checked too.
    4. On another board, begin a new log with this one as parent.

    `named_log`: the log id in the lock file, for a journal whose own cannot be read.
    """
    news: list[str] = []
    if not disk_space.has_least(journal):
        raise full(journal, f"less than {disk_space.LEAST_FREE // 1024} KiB are free")
    if finish(journal):
        news.append("A change to a new log, cut short by the last stop, was finished.")
    if not journal.exists() and not wal_of(journal).exists():
        make_next(journal, origin, None, (), EARLIER)
        finish(journal)
        news.append("A new journal was begun.")
    try:
        db = _start(journal, news, show)
    except DamagedJournal as damage:
        news.append(replace_damaged(journal, origin, named_log, str(damage), show))
        try:
            db = _start(journal, news, show)
        except DamagedJournal as error:
            msg = f"The journal {journal}, just made anew, is damaged too: {error} Replace the card."
            raise JournalLost(msg) from error
    if _is_other_board(db, origin):
        news.append(follow(db, journal, origin, "hardware", _durable_thru(db.conn)))
        db.close()
        finish(journal)
        db = _start(journal, news, show)
    verify_marker.clear_marker(journal)
    return db, tuple(news)


def open_with_ballast(journal: Path, origin: LogOrigin, named_log: bytes | None, show: Show = unseen) -> Opening:
    """As `open_database`. On a full disk the ballast is freed, because only a running station can prune."""
    try:
        return open_database(journal, origin, named_log, show)
    except (OSError, sqlite3.Error, JournalFull) as error:
        without_room = isinstance(error, JournalFull) or disk_space.lacks_room(error, journal)
        if not without_room or not disk_space.free_ballast(journal):
            raise
    return open_database(journal, origin, named_log, show)


def full(journal: Path, why: object) -> JournalFull:
    """The error of a journal that cannot be opened for want of room."""
    return JournalFull(f"The disk under {journal} is full: {why}. Free some space; the station then goes on by itself.")


def _start(journal: Path, news: list[str], show: Show) -> Database:
    """Check, set up and checkpoint the database, and verify its chain; returns the connection.

    Raises `DamagedJournal`, or `JournalError` where the files are sound and another cause prevents it.
    """
    if not journal.exists():
        msg = "The database file is gone; its write-ahead log is still here."
        raise DamagedJournal(msg)
    before = glance(journal, main_file_only=True)
    if before.in_use and not wal_of(journal).exists():
        msg = "The write-ahead log is gone: what was recorded since the last checkpoint is missing."
        raise DamagedJournal(msg)
    try:
        # Checked before the checkpoint, on a read-only connection: the frames of the write-ahead log are second copies of
        # pages, and the last writer to close a database folds the log in, even one of another database.
        with closing(connect_reading(journal)) as reading:
            cut_off = _event_behind_the_end(reading, journal, before)
            _check_content(reading, show, whole_chain=verify_marker.is_marked(journal))
        db = connect(journal)
        try:
            _prepare(db, journal, cut_off, news, show)
        except BaseException:
            close_unfolded(db, journal)
            raise
    except UNREADABLE as error:
        raise _classify(error, journal) from error
    return db


def open_again(journal: Path, log_id: bytes, promised: Tip) -> Database:
    """A new writing connection after the disk was full, checked against the last receipt (`promised`).

    The steps are those of a start, without the check of every page, because a refused write touches no page:

    1. Make the settings and read them back.
    2. Checkpoint the whole write-ahead log with a flush, and truncate it. This removes the frames of the refused commit,
       and no later event depends on pages that are in memory alone.
    3. Compare the log id and the last event with the last receipt, and verify the chain from the last verified point.
    4. Write the verified point, which proves that a commit is possible again.

    The previous connection must still be open: closing the last one would checkpoint the log and hide an error. Raises
    `DamagedJournal`, `JournalError` where another program reads, `sqlite3.Error`.
    """
    db = connect(journal)
    try:
        _checkpoint(db, journal)
        _compare(db.conn, log_id, promised)
        with db.atomic():
            metadata.write_verified(db.conn, *promised)
    except BaseException:
        db.close()
        raise
    return db


def _compare(connection: sqlite3.Connection, log_id: bytes, promised: Tip) -> None:
    """Raise `DamagedJournal` unless this log ends with the last receipt and its chain holds."""
    if metadata.log_id(connection) != log_id or metadata.tip(connection) != promised:
        msg = f"The journal does not end with event {promised.seq}, the last that was answered."
        raise DamagedJournal(msg)
    if breaks := _breaks(connection, metadata.verified(connection), unseen):
        raise DamagedJournal(breaks[0].sentence)


def _classify(error: Exception, journal: Path) -> Exception:
    """The error to raise: a full disk, another program's lock and a missing permission are no damage."""
    if disk_space.lacks_room(error, journal):
        return full(journal, error)
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return JournalError(
            f"Another program is using {journal}; `fuser {journal}` names it. End it, then start again."
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        owner = f"sudo chown -R $(id -un) {journal.parent}"
        return JournalError(
            f"The journal {journal} cannot be opened for writing by this user: {error}. Correct it: {owner}"
        )
    return DamagedJournal(f"The database cannot be read: {error}.")


def _check_content(connection: sqlite3.Connection, show: Show, *, whole_chain: bool) -> None:
    """SQLite's quick_check, then the chain from the last verified point or all of it. Raises `DamagedJournal`."""
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        msg = f"SQLite's quick_check says: {answer}."
        raise DamagedJournal(msg)
    if not metadata.log_is_named(connection):
        msg = "The name of the log is not the one it was given."
        raise DamagedJournal(msg)
    first = metadata.prune_point(connection)
    start = first if whole_chain else metadata.verified(connection)
    breaks = _breaks(connection, start, show)
    if breaks and start != first:  # the verified point itself may be damaged
        breaks = _breaks(connection, first, show)
    if breaks:
        raise DamagedJournal(breaks[0].sentence)


def _breaks(connection: sqlite3.Connection, last: Tip, show: Show) -> list[ChainBreak]:
    advance, first, end = show("Check of the journal", "event"), last.seq, metadata.tip(connection).seq
    while events := read_events(connection, last.seq, SLICE, 2**30):
        breaks, last = walk(events, last)
        if breaks:
            return breaks
        advance(last.seq - first, end - first)
    return []


def _prepare(db: Database, journal: Path, cut_off: StoredEvent | None, news: list[str], show: Show) -> None:
    """Checkpoint, migrate, and record on the medium that from now on a write-ahead log belongs to this database.

    `cut_off`: an event whose commit was interrupted; it is committed again.
    """
    _checkpoint(db, journal)
    check_pragmas(db.conn)
    bring_up_to_date(db, show)
    if cut_off is not None:
        db.conn.execute(INSERT, cut_off)
        news.append(f"Event {cut_off.seq}, cut off in its commit, was read back whole.")
    with db.atomic():
        metadata.write_verified(db.conn, *metadata.tip(db.conn))
        metadata.write_meta(db.conn, "in_use", 1)
    # The write-ahead log's name must be durable before `in_use` is: else the next start finds the file missing.
    flush_folder(journal.parent)
    _checkpoint(db, journal)


def _event_behind_the_end(connection: sqlite3.Connection, journal: Path, before: JournalGlance) -> StoredEvent | None:
    """Compare the end of the log with the database file alone and with the write-ahead log's raw bytes.

    Returns one event that is whole behind the end: its commit was interrupted, or one damaged bit hides it. Raises
    `DamagedJournal` where more than one is.
    """
    end = metadata.tip(connection)
    if before.tip is not None and before.tip.seq:
        row = connection.execute("SELECT hash FROM event WHERE seq = ?", (before.tip.seq,)).fetchone()
        if row is None or row[0] != before.tip.hash:
            msg = f"The write-ahead log is not this database's: it takes back event {before.tip.seq}."
            raise DamagedJournal(msg)
    raw = read_wal(journal)
    whole = [row for row in carve(b"", raw, above=end.seq) if row.whole]
    following = next((row for row in whole if row.prev == end.hash), None)
    beyond = any((row.seq or 0) > end.seq + 1 or (following and row.prev == following.hash) for row in whole)
    if beyond or commits_behind(raw, believed_frames(journal)) > 1:
        msg = f"The write-ahead log is damaged: it ends at event {end.seq}, and more follows the damage."
        raise DamagedJournal(msg)
    return StoredEvent(end.seq + 1, following.encoded, following.prev, following.hash) if following else None


def _checkpoint(db: Database, journal: Path) -> None:
    """Checkpoint the whole write-ahead log: no later event may depend on pages that an fsync error left in memory alone."""
    fold = "PRAGMA wal_checkpoint(TRUNCATE)"
    try:
        busy, _, _ = db.conn.execute(fold).fetchone()
    except sqlite3.Error as error:
        if not disk_space.lacks_room(error, journal) or not disk_space.free_ballast(journal):
            raise
        busy, _, _ = db.conn.execute(fold).fetchone()
    if busy:
        msg = f"Another program is reading {journal}; `fuser {journal}` names it. End it, then start again."
        raise JournalError(msg)


def replace_damaged(journal: Path, origin: LogOrigin, named_log: bytes | None, damage: str, show: Show = unseen) -> str:
    """Move the files to quarantine, and begin a new log with the events that can be read. Returns a sentence about it."""
    files = [path for path in (journal, wal_of(journal)) if path.exists()]
    fields = glance(journal, main_file_only=False) if journal.exists() else JournalGlance()
    if fields.log_id is None and journal.exists():
        fields = glance(journal, main_file_only=True)
    try:
        raw = {path: path.read_bytes() for path in files}
    except OSError as error:
        msg = f"The medium under {journal} cannot be read: {error}. Replace the card."
        raise JournalLost(msg) from error
    rows = carve(raw.get(journal, b""), raw.get(wal_of(journal), b""))
    old, log_id = in_order(rows, fields.durable_thru, fields.start), fields.log_id or named_log or UNKNOWN_LOG
    last = old[-1] if old else None
    before = PreviousLog(log_id, last.seq if last else 1, last.hash if last else UNKNOWN_HASH, f"damaged: {damage}")
    template = origin.event("salvage")
    salvaged = (salvage_event(event, log_id.hex(), template) for event in counted(old, show("Salvage", "event")))
    make_next(journal, origin, before, salvaged, QUARANTINE, carried_after=fields.durable_thru)
    aside = finish(journal)
    readable = sum(event.encoded is not None for event in old)
    return f"{damage} The files are in {aside}; {readable} of {len(old)} events were read back into a new log."


def follow(
    db: Database, journal: Path, origin: LogOrigin, cause: str, again_after: int | None, begins_at: Tip | None = None
) -> str:
    """Write the log that follows this one (`finish` puts it in place); returns a sentence about it.

    It begins behind `begins_at`, or behind the last event where that is None. Events behind `again_after` are sent again in
    it with their `origin`; None sends none of them.
    """
    log_id, last = metadata.log_id(db.conn), begins_at or metadata.tip(db.conn)
    template = origin.event("salvage")
    again = iter(()) if again_after is None else stored_after(db.conn, again_after)
    resent = [resent_event(SalvagedEvent(e.seq, e.hash, e.encoded), log_id.hex(), template) for e in again]
    parent = PreviousLog(log_id, last.seq, last.hash, cause) if last.seq else None  # an empty log is no parent
    make_next(journal, origin, parent, resent, EARLIER, carried_after=again_after)
    db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return f"A new log follows {log_id.hex()} ({cause}); {len(resent)} events are sent again in it."


def _durable_thru(connection: sqlite3.Connection) -> int:
    mark = metadata.mark(connection)
    return mark.durable_thru if mark else 0


def stored_after(connection: sqlite3.Connection, after: int) -> Iterator[StoredEvent]:
    """Every event behind `after`."""
    while events := read_events(connection, after, SLICE, 2**30):
        yield from events
        after = events[-1].seq


def _is_other_board(db: Database, origin: LogOrigin) -> bool:
    """Whether this log was begun on another board. Ids of different kinds (`serial:…`, `machine:…`) cannot be compared."""
    begun_on = metadata.read_meta(db.conn, "hardware_id")
    if origin.hardware_id is None:
        return False
    if begun_on is None:
        metadata.write_meta(db.conn, "hardware_id", origin.hardware_id)
        return False
    same_kind = str(begun_on).partition(":")[0] == origin.hardware_id.partition(":")[0] or ":" not in str(begun_on)
    return same_kind and begun_on != origin.hardware_id
