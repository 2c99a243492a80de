"""The start of a journal, before the first green: is what was promised still here?

A crash leaves a write-ahead log, which SQLite folds in; that is whole. Damage is something else: a log that is gone or
belongs to another day, a page that cannot be read, a chain that does not hold. Then the files are moved aside, never
deleted, and what they still say is told again in a new log.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from station.journal import disk_space, metadata, verify_marker
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
)
from station.journal.verify_chain import walk
from station.journal.wal import believed_frames, commits_behind, read_wal, wal_of
from station.system.files import flush_folder

SLICE = 1_000


class DamagedJournal(JournalError):
    """The files do not hold what was promised; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class JournalGlance:
    """What can be read of a journal without trusting it; None and 0 where it cannot."""

    log_id: bytes | None = None
    durable_thru: int = 0
    start: Tip | None = None
    tip: Tip | None = None
    in_use: bool = False


def glance(journal: Path, *, main_file_only: bool) -> JournalGlance:
    """Look at a journal that may be damaged."""
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


def open_database(journal: Path, recorder: LogOrigin, named_log: bytes | None) -> tuple[Database, tuple[str, ...]]:
    """The writing connection to a journal that holds, and what happened on the way, in sentences.

    `named_log`: the log the lock file names, for a journal that cannot say it any more.
    """
    news: list[str] = []
    if not disk_space.has_least(journal):
        raise full(journal, f"less than {disk_space.LEAST_FREE // 1024} KiB are free")
    if finish(journal):
        news.append("A change to a new log, cut short by the last stop, was finished.")
    if not journal.exists() and not wal_of(journal).exists():
        make_next(journal, recorder, None, (), EARLIER)
        finish(journal)
        news.append("A new journal was begun.")
    try:
        db = _start(journal, news)
    except DamagedJournal as damage:
        news.append(replace_damaged(journal, recorder, named_log, str(damage)))
        try:
            db = _start(journal, news)
        except DamagedJournal as error:
            msg = f"The journal {journal}, just made anew, is damaged too: {error} Replace the card."
            raise JournalLost(msg) from error
    if _other_board(db, recorder):
        news.append(follow(db, journal, recorder, "hardware", _durable_thru(db.conn)))
        db.close()
        finish(journal)
        db = _start(journal, news)
    verify_marker.clear_marker(journal)
    return db, tuple(news)


def open_with_ballast(journal: Path, recorder: LogOrigin, named_log: bytes | None) -> tuple[Database, tuple[str, ...]]:
    """As `open_database`; on a full disk with the ballast's room, since only a station that runs can prune."""
    try:
        return open_database(journal, recorder, named_log)
    except (OSError, sqlite3.Error, JournalFull) as error:
        without_room = isinstance(error, JournalFull) or disk_space.lacks_room(error, journal)
        if not without_room or not disk_space.free_ballast(journal):
            raise
    return open_database(journal, recorder, named_log)


def full(journal: Path, why: object) -> JournalFull:
    """The error of a journal that cannot be opened for want of room."""
    return JournalFull(f"The disk under {journal} is full: {why}. Free some space; the station then goes on by itself.")


def _start(journal: Path, news: list[str]) -> Database:
    """Check, set up and checkpoint the database, verify the chain; the connection.

    Raises `DamagedJournal`, or `JournalError` where no file is to blame.
    """
    if not journal.exists():
        msg = "The database file is gone; its write-ahead log is still here."
        raise DamagedJournal(msg)
    before = glance(journal, main_file_only=True)
    if before.in_use and not wal_of(journal).exists():
        msg = "The write-ahead log is gone: what was recorded since the last checkpoint is missing."
        raise DamagedJournal(msg)
    try:
        # Look before folding, and without the right to write: the old frames of a write-ahead log are second copies, and
        # the last writer to close a database folds its log in, be it the right one or not.
        with closing(connect_reading(journal)) as reading:
            late = _behind_the_end(reading, journal, before)
            _look_through(reading, doubted=verify_marker.is_marked(journal))
        db = connect(journal)
        try:
            _settle(db, journal, late, news)
        except BaseException:
            close_unfolded(db, journal)
            raise
    except UNREADABLE as error:
        raise _blame(error, journal) from error
    return db


def open_again(journal: Path, log_id: bytes, promised: Tip) -> Database:
    """A new writing connection after the disk was full: proof that the journal is what it was. `promised`: the last receipt.

    The steps of a start, but for the look through every page, which no refused write touches:
    1. The settings are made and read back.
    2. All of the write-ahead log is folded in and flushed, then cut to nothing: the frames of the refused commit go, which
       no commit ends, and no later event stands on what is in memory alone.
    3. The log and its last event are those of the last receipt, and the chain holds from the last verified point.
    4. The verified point is written: a commit is possible again.
    The connection before it must still be open: a last one would fold the log in when it closes, and hide the error.
    Raises `DamagedJournal`, `JournalError` where another program reads, `sqlite3.Error`.
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
    if breaks := _breaks(connection, metadata.verified(connection)):
        raise DamagedJournal(breaks[0].sentence)


def _blame(error: Exception, journal: Path) -> Exception:
    """A full disk, another program's lock and a missing right are no damage: the files are right."""
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
            f"The journal {journal} cannot be opened for writing by this user: {error}. Mend it: {owner}"
        )
    return DamagedJournal(f"The database cannot be read: {error}.")


def _look_through(connection: sqlite3.Connection, *, doubted: bool) -> None:
    """SQLite's own check, then the chain from the last verified point (`doubted`: all of it); raises `DamagedJournal`."""
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        msg = f"SQLite's quick_check says: {answer}."
        raise DamagedJournal(msg)
    if not metadata.log_is_named(connection):
        msg = "The name of the log is not the one it was given."
        raise DamagedJournal(msg)
    whole = metadata.prune_point(connection)
    start = whole if doubted else metadata.verified(connection)
    breaks = _breaks(connection, start)
    if breaks and start != whole:  # the note of how far it held may be what is damaged
        breaks = _breaks(connection, whole)
    if breaks:
        raise DamagedJournal(breaks[0].sentence)


def _breaks(connection: sqlite3.Connection, last: Tip) -> list[ChainBreak]:
    while events := read_events(connection, last.seq, SLICE, 2**30):
        breaks, last = walk(events, last)
        if breaks:
            return breaks
    return []


def _settle(db: Database, journal: Path, late: StoredEvent | None, news: list[str]) -> None:
    """Fold, bring up to date, and note on the medium that from now on a write-ahead log belongs to this database."""
    _checkpoint(db, journal)
    check_pragmas(db.conn)
    bring_up_to_date(db)
    if late is not None:
        db.conn.execute(INSERT, late)
        news.append(f"Event {late.seq}, cut off in its commit, was read back whole.")
    with db.atomic():
        metadata.write_verified(db.conn, *metadata.tip(db.conn))
        metadata.write_meta(db.conn, "in_use", 1)
    # The log's name must last before the database says that there is one; else the next start misses it.
    flush_folder(journal.parent)
    _checkpoint(db, journal)


def _behind_the_end(connection: sqlite3.Connection, journal: Path, before: JournalGlance) -> StoredEvent | None:
    """Compare the end of the log with the database file alone and with the write-ahead log's raw bytes.

    Returns one event that stands whole behind the end: a commit that the power cut off, or that one bad bit hides.
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
        msg = f"The write-ahead log is damaged: it ends at event {end.seq}, and more stands behind the damage."
        raise DamagedJournal(msg)
    return StoredEvent(end.seq + 1, following.encoded, following.prev, following.hash) if following else None


def _checkpoint(db: Database, journal: Path) -> None:
    """Fold the write-ahead log in, all of it: nothing may stand on what an fsync error left in memory."""
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


def replace_damaged(journal: Path, recorder: LogOrigin, named_log: bytes | None, damage: str) -> str:
    """Move the files to quarantine; what they still say begins a new log. Returns what happened, in one sentence."""
    files = [path for path in (journal, wal_of(journal)) if path.exists()]
    seen = glance(journal, main_file_only=False) if journal.exists() else JournalGlance()
    if seen.log_id is None and journal.exists():
        seen = glance(journal, main_file_only=True)
    try:
        raw = {path: path.read_bytes() for path in files}
    except OSError as error:
        msg = f"The medium under {journal} cannot be read: {error}. Replace the card."
        raise JournalLost(msg) from error
    rows = carve(raw.get(journal, b""), raw.get(wal_of(journal), b""))
    old = in_order(rows, seen.durable_thru, seen.start)
    log_id = seen.log_id or named_log or UNKNOWN_LOG
    last = old[-1] if old else None
    before = PreviousLog(log_id, last.seq if last else 1, last.hash if last else UNKNOWN_HASH, f"damaged: {damage}")
    template = recorder.event("salvage")
    told = (salvage_event(event, log_id.hex(), template) for event in old)
    make_next(journal, recorder, before, told, QUARANTINE, carried_after=seen.durable_thru)
    aside = finish(journal)
    readable = sum(event.encoded is not None for event in old)
    return f"{damage} The files are in {aside}; {readable} of {len(old)} events were read back into a new log."


def follow(
    db: Database, journal: Path, recorder: LogOrigin, cause: str, again_after: int | None, begins_at: Tip | None = None
) -> str:
    """Make the log that follows this whole one (`finish` puts it in place); returns what happened, in one sentence.

    `begins_at`: the event behind which it begins, the last one where it is None. Events behind `again_after` are sent again
    in it, named by their origin; None: none of them.
    """
    log_id, last = metadata.log_id(db.conn), begins_at or metadata.tip(db.conn)
    template = recorder.event("salvage")
    again = iter(()) if again_after is None else stored_after(db.conn, again_after)
    told = [resent_event(SalvagedEvent(e.seq, e.hash, e.encoded), log_id.hex(), template) for e in again]
    parent = PreviousLog(log_id, last.seq, last.hash, cause) if last.seq else None  # nothing stands in an empty log
    make_next(journal, recorder, parent, told, EARLIER, carried_after=again_after)
    db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return f"A new log follows {log_id.hex()} ({cause}); {len(told)} events are sent again in it."


def _durable_thru(connection: sqlite3.Connection) -> int:
    mark = metadata.mark(connection)
    return mark.durable_thru if mark else 0


def stored_after(connection: sqlite3.Connection, after: int) -> Iterator[StoredEvent]:
    """Every event behind `after`."""
    while events := read_events(connection, after, SLICE, 2**30):
        yield from events
        after = events[-1].seq


def _other_board(db: Database, recorder: LogOrigin) -> bool:
    """Is this the log of another board? Ids of different kinds (`serial:…`, `machine:…`) say nothing about each other."""
    born = metadata.read_meta(db.conn, "hardware_id")
    if recorder.hardware_id is None:
        return False
    if born is None:
        metadata.write_meta(db.conn, "hardware_id", recorder.hardware_id)
        return False
    same_kind = str(born).partition(":")[0] == recorder.hardware_id.partition(":")[0] or ":" not in str(born)
    return same_kind and born != recorder.hardware_id
