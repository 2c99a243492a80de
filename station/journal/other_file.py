"""Other file: refuse a journal path that names something else, before anything is locked, moved or written.

A damaged journal is moved to quarantine at the start. A file that is no journal must stay where it is, even if `journal` in
station.toml names it. So a file that SQLite cannot read counts as a damaged journal only where something proves that it was
one: the head of an SQLite file, its rows, its write-ahead log, its lock file, or a change of logs that was interrupted. An
empty file, and one of zeros alone, contain nothing of anybody: a power cut leaves such files, and the station starts.
"""

import stat
from contextlib import closing
from pathlib import Path

from station.journal.lock import log_in_lock_file
from station.journal.page_recovery import carve
from station.journal.records import JournalError
from station.journal.rotate import is_rotating
from station.journal.schema import PAGE_BYTES, UNREADABLE, connect_reading
from station.journal.wal import head_is_whole, read_wal

SQLITE_HEAD = b"SQLite format 3\0"
MOST_SEARCHED_BYTES = 64 * 1024 * 1024
"""Rows are searched for in this much of a file. A journal has its first rows in its first pages."""
_SEARCHED_AT_ONCE = 8 * 1024 * 1024
_SHOWN_BYTES = 16
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class NotAJournal(JournalError):
    """The path names something that is no journal and never was one. It stays as it is."""


def refuse_other_file(path: Path) -> None:
    """Raise `NotAJournal` where the path names something other than a journal, damaged or not.

    The file is only read. A file that cannot be read passes: the start gives the reason.
    """
    what = _other_file(path)
    if what is not None:
        msg = f"{path} is {what}. Expected a journal, or a path without a file. Correct `journal` in station.toml."
        raise NotAJournal(msg)


def _other_file(path: Path) -> str | None:
    """What the path names instead of a journal; None for a journal, a damaged one, or nothing."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # before any open, which would wait for the writer of a pipe
            return _KINDS.get(stat.S_IFMT(mode), "no file")
        with path.open("rb") as file:
            head = file.read(_SHOWN_BYTES)
    except OSError:
        return None
    if head != SQLITE_HEAD:
        is_journal = _has_no_content(path) or _was_journal(path)
        return None if is_journal else f"a file of another kind, which begins with {head!r}"
    try:
        # The database file alone: a connection with the write-ahead log could create one that is missing.
        with closing(connect_reading(path, main_file_only=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    except (OSError, *UNREADABLE):
        return None
    if tables & {"meta", "event"}:
        return None
    if tables:
        return f"another database, with the tables {', '.join(sorted(tables)[:5])}"
    return None if _was_journal(path) else "a database without tables"


def _has_no_content(path: Path) -> bool:
    """Whether a file is empty or holds only zeros. One that is too large to be searched may hold more."""
    try:
        if path.stat().st_size > MOST_SEARCHED_BYTES:
            return False
        with path.open("rb") as file:
            while part := file.read(_SEARCHED_AT_ONCE):
                if part.strip(b"\0"):
                    return False
    except OSError:
        return True  # a medium that cannot be read: the start names it
    return True


def _was_journal(path: Path) -> bool:
    """Whether a file without a readable head was a journal, by what is beside it or by its own rows."""
    if is_rotating(path) or log_in_lock_file(path) is not None:
        return True
    try:
        wal = read_wal(path)
        if wal and ((head_is_whole(wal) and b"log_id" in wal) or any(row.whole for row in carve(b"", wal))):
            return True
        with path.open("rb") as file:
            while file.tell() < MOST_SEARCHED_BYTES and len(part := file.read(_SEARCHED_AT_ONCE)) >= PAGE_BYTES:
                if any(row.whole for row in carve(part)):
                    return True
    except OSError:
        return True  # a medium that cannot be read: the start names it
    return False
