"""Backup and restore: copies that were read back, and a hub that says honestly when it went back in time.

A backup is made while the hub runs, with SQLite's own online copy, then opened again as a database and verified from the
first event to the last. Only such a copy off the hub's own disk lets stations prune. A ledger that has a break itself is
copied all the same: the copy must have the same breaks, and names them. A restored hub is in a new epoch: stations then send
again what it lacks.
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from server.db.schema import known_break
from server.db.store import Store, as_url, sqlite_path
from server.db.writer_lock import WriterLock
from server.ledger.hub_log import hub_row
from server.ledger.ingest import last_pos
from server.ledger.verify import verify
from server.ops import restore_swap
from server.ops.bootstrap import NoHub, open_hub, open_read_only
from server.ops.host import Host
from station.system.files import flush_folder

KEPT = 14  # backups of the schedule in a folder; earlier ones go once a later one was verified
NAMES = "hub-*Z*.db"  # those of the schedule
PAGES = 1_024  # copied at a time: the hub's writer goes on in between


class BackupError(RuntimeError):
    """No backup, or none that can be trusted; the message says what came, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A verified backup: where it lies, how far it goes, whether it is off the hub's disk, and the ledger's own breaks."""

    path: Path
    epoch: int
    pos: int
    off_disk: bool
    breaks: tuple[str, ...] = ()


def back_up(db: str, target: Path, now_us: int, host: Host | None = None) -> VerifiedBackup:
    """Copy the hub's database to `target` (a file, or a folder in which a name is made) and verify the copy."""
    source = _sqlite_path(db)
    with open_read_only(db):
        pass  # there is a hub to copy
    if target.is_dir():
        target = _free_name(target, now_us)
    if target.exists():
        msg = f"{target} exists; expected a new file or a folder. Name another: a backup overwrites nothing."
        raise BackupError(msg)
    half = target.with_name(target.name + ".part")
    try:
        half.unlink(missing_ok=True)
        _copy(source, half)
        breaks = _note_breaks(db, half)
        epoch, pos = check(half)
        half.rename(target)
        flush_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        msg = f"No backup at {target}: {error}. Look at that disk: its space, and who may write there."
        raise BackupError(msg) from error
    return VerifiedBackup(target, epoch, pos, (host or Host()).off_disk(target, source), breaks)


def _free_name(folder: Path, now_us: int) -> Path:
    """`hub-<UTC>.db`, with a number where the clock was at this second before. The name is for people: no rule reads it."""
    stamp = datetime.fromtimestamp(now_us / 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"hub-{stamp}{number}.db" for number in chain(("",), (f"-{n}" for n in count(2))))
    return next(folder / name for name in names if not (folder / name).exists())


def thin_out(folder: Path, made: Path, order: Mapping[str, int]) -> list[Path]:
    """Remove this hub's earliest backups beyond those that are kept, and return them; `made` always stays.

    Earliest by epoch and position in the ledger, and of equal ones by `order` (path -> number): a clock may have been wrong
    when a name was made. Another hub's backups and files that cannot be read stay.
    """
    own = _place(made)
    placed = []
    for path in folder.glob(NAMES):
        place = None if path == made else _place(path)
        if own is not None and place is not None and place.hub_id == own.hub_id:
            placed.append((place.epoch, place.pos, order.get(str(path), 0), path))
    gone = [path for *_, path in sorted(placed)[: max(0, len(placed) - (KEPT - 1))]]
    for path in gone:
        path.unlink()
    return gone


def sweep(folder: Path) -> list[Path]:
    """Remove and return what backups that were cut off left behind; SQLite's lock protects one that is being written."""
    gone = []
    for part in folder.glob(NAMES + ".part"):
        if not _being_written(part):
            for path in (part, *(part.with_name(part.name + end) for end in ("-journal", "-wal", "-shm"))):
                path.unlink(missing_ok=True)
            gone.append(part)
    return gone


class _Place(NamedTuple):
    hub_id: bytes
    epoch: int
    pos: int


def _place(path: Path) -> _Place | None:
    """Which hub's backup this is and how far it goes; None where it cannot be read."""
    wanted = "SELECT hub_id, epoch, (SELECT coalesce(max(pos), 0) FROM ledger) FROM hub"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as raw:
            return _Place(*raw.execute(wanted).fetchone())
    except (sqlite3.Error, TypeError):
        return None


def _being_written(part: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(part.absolute()))}?mode=rw", uri=True, timeout=0)) as raw:
            raw.execute("BEGIN EXCLUSIVE")
            raw.rollback()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    except sqlite3.Error:
        return False
    return False


def check(path: Path) -> tuple[int, int]:
    """(epoch, last pos) of a backup that is whole, but for breaks that its source had. Raises `BackupError` otherwise."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as raw:
            found = [str(row[0]) for row in raw.execute("PRAGMA quick_check(5)")]
    except sqlite3.Error as error:
        found = [str(error)]
    if found != ["ok"]:
        msg = f"{path} is damaged: {'; '.join(found)[:300]}. Use another backup."
        raise BackupError(msg)
    store = Store(path, writing=False)
    try:
        with store.read() as connection:
            known = _known_breaks(connection)
            breaks = [each for each in verify(connection) if str(each) not in known]
            epoch, pos = hub_row(connection).epoch, last_pos(connection)
    finally:
        store.close()
    if breaks:
        msg = f"{path} does not verify: {breaks[0]} ({len(breaks)} in all). Use another backup."
        raise BackupError(msg)
    return epoch, pos


def _note_breaks(db: str, copy: Path) -> tuple[str, ...]:
    """Write into a fresh copy which of its breaks the source has, too; those."""
    store = Store(copy, writing=False)
    try:
        with store.read() as connection:
            found = {str(each) for each in verify(connection)}
    except (SQLAlchemyError, sqlite3.Error):
        return ()  # what cannot be read at all is what `check` reports
    finally:
        store.close()
    if found:
        with open_read_only(db) as source, source.read() as connection:
            found &= {str(each) for each in verify(connection)}
    with closing(sqlite3.connect(copy)) as raw, raw:
        raw.execute("CREATE TABLE IF NOT EXISTS known_break (text VARCHAR NOT NULL PRIMARY KEY)")
        raw.execute("DELETE FROM known_break")
        raw.executemany("INSERT INTO known_break VALUES (?)", [(text,) for text in sorted(found)])
    _flush(copy)
    return tuple(sorted(found))


def _known_breaks(connection: Connection) -> set[str]:
    if not inspect(connection).has_table(known_break.name):
        return set()
    return set(connection.execute(select(known_break.c.text)).scalars())


def restore(db: str, backup: Path, host: Host | None = None) -> tuple[Path | None, int]:
    """Put a backup in the database's place and begin a new epoch; where the old one was moved to, and the new epoch.

    Raises `HubRuns` while a hub has the database, and `BackupError` for a backup that cannot be trusted.
    """
    target = _sqlite_path(db)
    if not backup.is_file():
        msg = f"{backup} is no file; expected a backup that wipline-hub backup made. Name one."
        raise BackupError(msg)
    lock = WriterLock(target)
    try:
        restore_swap.finish(target)  # one that was cut off before: its old database has its own place already
        check(backup)
        fresh = restore_swap.fresh(target)
        # With what its write-ahead log holds: it may be a database that an earlier restore moved aside.
        _copy(backup, fresh)
        _owned_as(fresh, target if target.exists() else target.parent)
        restore_swap.decide(target)
        aside = restore_swap.finish(target)
        lock.hold(target)
        store = open_hub(db, lock=lock, cause=f"restored from {backup.name}", host=host)
        try:
            with store.read() as connection:
                return aside, hub_row(connection).epoch
        finally:
            store.close()
    finally:
        lock.release()


def _owned_as(path: Path, other: Path) -> None:
    """Restored by root, the database still belongs to the user whose service opens it."""
    owner = other.stat()
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def _copy(source: Path, target: Path) -> None:
    target.touch(mode=0o600)
    with (
        # Read-only: this process must not checkpoint beside the hub's writer.
        closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as from_,
        closing(sqlite3.connect(target)) as to,
    ):
        from_.backup(to, pages=PAGES)
        to.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
    _flush(target)


def _sqlite_path(db: str) -> Path:
    url = as_url(db)
    if url.get_backend_name() != "sqlite":
        msg = f"{url.render_as_string()} is no SQLite database. Back it up and restore it with its own tools."
        raise BackupError(msg)
    path = sqlite_path(db) or Path()
    if not path.parent.is_dir():
        msg = f"{db} holds no hub. Make one: wipline-hub init --db {db}"
        raise NoHub(msg)
    return path


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
