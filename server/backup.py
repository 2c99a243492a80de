"""Backup and restore: copies that were read back, and a hub that says honestly when it went back in time.

A backup is made while the hub runs, with SQLite's own online copy, then opened again as a database and verified from the
first event to the last. Only such a copy off the hub's own disk lets stations prune. A ledger that has a break itself is
copied all the same: the copy must have the same breaks, and names them. A restored hub is in a new epoch: stations then send
again what it lacks.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from server.hublog import hub_row
from server.ledger import last_pos
from server.lock import Lock
from server.opening import NoHub, open_hub, reading
from server.schema import known_break
from server.store import Store, as_url
from server.verify import verify

KEPT = 14  # backups of the schedule in a folder; older ones go once a newer one was verified
PAGES = 1_024  # copied at a time: the hub's writer goes on in between


class BackupError(RuntimeError):
    """No backup, or none that can be trusted; the message says what came, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A verified backup: where it lies, how far it goes, whether it is off the hub's disk, and the ledger's own breaks."""

    path: Path
    epoch: int
    pos: int
    off_disk: bool
    breaks: tuple[str, ...] = ()


def back_up(db: str, target: Path, now_us: int) -> Copy:
    """Copy the hub's database to `target` (a file, or a folder in which a name is made) and verify the copy."""
    source = _sqlite_path(db)
    with reading(db):
        pass  # there is a hub to copy
    if target.is_dir():
        stamp = datetime.fromtimestamp(now_us / 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
        target = target / f"hub-{stamp}.db"
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
        _flush_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        msg = f"No backup at {target}: {error}. Look at that disk: its space, and who may write there."
        raise BackupError(msg) from error
    return Copy(target, epoch, pos, target.stat().st_dev != source.stat().st_dev, breaks)


def thin_out(folder: Path) -> None:
    """Remove the oldest backups of the schedule beyond those that are kept."""
    for old in sorted(folder.glob("hub-*Z.db"))[:-KEPT]:
        old.unlink()


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
        with reading(db) as source, source.read() as connection:
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


def restore(db: str, backup: Path) -> tuple[Path | None, int]:
    """Put a backup in the database's place and begin a new epoch; where the old one was moved to, and the new epoch.

    Raises `HubRuns` while a hub has the database, and `BackupError` for a backup that cannot be trusted.
    """
    target = _sqlite_path(db)
    if not backup.is_file():
        msg = f"{backup} is no file; expected a backup that wipline-hub backup made. Name one."
        raise BackupError(msg)
    lock = Lock(target)
    try:
        check(backup)
        fresh = target.with_name(target.name + ".restoring")
        shutil.copyfile(backup, fresh)
        fresh.chmod(0o600)
        _owned_as(fresh, target if target.exists() else target.parent)
        _flush(fresh)
        aside = _move_aside(target)
        fresh.rename(target)
        _flush_folder(target.parent)
        store = open_hub(db, lock=lock, cause=f"restored from {backup.name}")
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


def _move_aside(target: Path) -> Path | None:
    """The database that was there is kept, with its write-ahead log: it may hold what the backup lacks."""
    if not target.exists():
        return None
    number = 1
    while (aside := target.with_name(f"{target.name}.before-restore-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        part = target.with_name(target.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


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
    path = Path(url.database or "")
    if not path.parent.is_dir():
        msg = f"{db} holds no hub. Make one: wipline-hub init --db {db}"
        raise NoHub(msg)
    return path


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
