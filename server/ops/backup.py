"""Backup and restore of the hub's database: verified copies, and a new epoch after a restore.

A backup is made while the hub runs, with SQLite's online backup or PostgreSQL's `pg_dump` (`server.ops.dump`), and is then
opened or restored elsewhere, and verified from the first event to the last. Only a verified copy off the hub's disk permits
stations to prune. A ledger with a break is copied too: the copy must have the same breaks, and lists them. A restored hub
begins a new epoch, in which stations send again what it lacks.
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from server.db.newer_database import refuse_newer
from server.db.schema import known_break
from server.db.store import Store, as_url, sqlite_path
from server.db.writer_lock import WriterLock
from server.ledger.hub_log import hub_row
from server.ledger.ingest import last_pos
from server.ledger.verify import verify
from server.ops import dump, restore_swap
from server.ops.bootstrap import NoHub, open_hub, open_read_only
from server.ops.disk_need import SPARE_BYTES, require
from server.ops.host import Host
from station.system.files import flush_folder
from station.system.progress import Advance, Show, unseen

KEPT = 14  # scheduled backups in a folder; earlier ones are removed after a later one is verified
NAMES = "hub-*Z*.db"  # file names of scheduled backups
DUMP_NAMES = "hub-*Z*.dump"
PAGES = 1_024  # pages copied at a time; the hub's writer can run in between


class BackupError(RuntimeError):
    """The backup failed or does not verify; the message has what came, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A verified backup: its path, epoch and last position, whether it is off the hub's disk, and the ledger's breaks."""

    path: Path
    epoch: int
    pos: int
    off_disk: bool
    breaks: tuple[str, ...] = ()


def back_up(db: str, target: Path, now_us: int, host: Host | None = None, show: Show = unseen) -> VerifiedBackup:
    """Copy the hub's database to `target` and verify the copy. A folder as target gets a file with a free name.

    1. Copy to `<target>.part`, so that an interrupted backup never has the name of a backup.
    2. Record the breaks that the source has too, and verify the copy.
    3. Rename it to `target` and flush the folder.

    Raises `NoHub`, `TooLittleDisk`, or `BackupError` where the target exists, cannot be written or does not verify.
    """
    source = _source(db)
    with open_read_only(db):
        pass  # raises `NoHub`
    if target.is_dir():
        target = _free_name(target, now_us, ".db" if source is not None else ".dump")
    if target.exists():
        msg = f"{target} exists; expected a new file or a folder. Name another one: a backup overwrites no file."
        raise BackupError(msg)
    if source is not None:
        need = source.stat().st_size + SPARE_BYTES
        require("A backup", source, need, target.parent, (host or Host()).free_bytes)
    half = target.with_name(target.name + ".part")
    try:
        half.unlink(missing_ok=True)
        if source is None:
            breaks = _dump(db, half, show)
        else:
            _copy(source, half, show("Backup, copy", "page"))
            breaks = _note_breaks(db, half, show)
        epoch, pos = check(half, db, show)
        half.rename(target)
        flush_folder(target.parent)
    except KeyboardInterrupt:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise
    except (OSError, sqlite3.Error) as error:
        msg = f"No backup at {target}: {error}. Check that disk: its free space and its permissions."
        raise BackupError(msg) from error
    off_disk = _off_server(db, target, host or Host()) if source is None else (host or Host()).off_disk(target, source)
    return VerifiedBackup(target, epoch, pos, off_disk, breaks)


def _dump(db: str, half: Path, show: Show) -> tuple[str, ...]:
    """Write a dump of a database server. Returns the breaks of the ledger, which the database knows before the dump."""
    with closing(Store(db)) as store:
        with store.read() as connection:
            breaks = sorted({str(found) for found in verify(connection, show("Backup, source", "event"))})
        with store.write() as connection:
            connection.execute(known_break.delete())
            if breaks:
                connection.execute(known_break.insert(), [{"text": text} for text in breaks])
    dump.dump(as_url(db), half)
    return tuple(breaks)


def _off_server(db: str, target: Path, host: Host) -> bool:
    """Whether a dump survives the loss of the server's disk; False where the server does not tell its folder."""
    try:
        folder = dump.data_folder(as_url(db))
        return folder is None or host.off_disk(target, folder)
    except OSError:
        return False  # the role lacks pg_read_all_settings, or the folder cannot be looked at: nothing proves it


def _free_name(folder: Path, now_us: int, suffix: str) -> Path:
    """The path `hub-<UTC>.db` or `.dump`, with a number where it exists already. No code depends on the time in the name."""
    stamp = datetime.fromtimestamp(now_us / 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"hub-{stamp}{number}{suffix}" for number in chain(("",), (f"-{n}" for n in count(2))))
    return next(folder / name for name in names if not (folder / name).exists())


def thin_out(folder: Path, made: Path, order: Mapping[str, int]) -> list[Path]:
    """Remove this hub's earliest backups above KEPT, and return them; `made`, the newest one, always stays.

    The order is epoch, then ledger position, then `order` (path -> number); not the time in the name, because the clock may
    have been wrong. Backups of other hubs and unreadable files stay.
    """
    newest = _extent(made)
    candidates = []
    for path in folder.glob(NAMES):
        extent = None if path == made else _extent(path)
        if newest is not None and extent is not None and extent.hub_id == newest.hub_id:
            candidates.append((extent.epoch, extent.pos, order.get(str(path), 0), path))
    removed = [path for *_, path in sorted(candidates)[: max(0, len(candidates) - (KEPT - 1))]]
    for path in removed:
        path.unlink()
    return removed


def thin_out_dumps(folder: Path, made: Path, extents: Mapping[str, tuple[int, int, int]]) -> list[Path]:
    """As `thin_out` for dumps, of which `extents` has (epoch, last position, number) by path; unknown files stay."""
    files = (path for path in folder.glob(DUMP_NAMES) if path != made and str(path) in extents)
    candidates = sorted(files, key=lambda path: extents[str(path)])
    removed = candidates[: max(0, len(candidates) - (KEPT - 1))]
    for path in removed:
        path.unlink()
    return removed


def sweep(folder: Path) -> list[Path]:
    """Remove and return the files of interrupted backups; SQLite's lock protects a backup that is being written."""
    removed = []
    for part in folder.glob(NAMES + ".part"):
        if not _being_written(part):
            for path in (part, *(part.with_name(part.name + end) for end in ("-journal", "-wal", "-shm"))):
                path.unlink(missing_ok=True)
            removed.append(part)
    return removed


class _Extent(NamedTuple):
    """The hub of a backup, and its last epoch and ledger position."""

    hub_id: bytes
    epoch: int
    pos: int


def _extent(path: Path) -> _Extent | None:
    """The extent of a backup; None for an unreadable file."""
    query = "SELECT hub_id, epoch, (SELECT coalesce(max(pos), 0) FROM ledger) FROM hub"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as raw:
            return _Extent(*raw.execute(query).fetchone())
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


def check(path: Path, db: str = "", show: Show = unseen) -> tuple[int, int]:
    """Verify a backup; returns its (epoch, last pos). Raises `BackupError` for any break that its source did not have.

    `db`: the hub's database. A dump of a database server is restored on that server, in a database of its own.
    """
    if db and sqlite_path(db) is None:
        try:
            with dump.restored(as_url(db), path) as url:
                return _verified(path, url.render_as_string(hide_password=False), show)
        except dump.DumpError as error:
            msg = f"{path} cannot be restored for its verification: {error}. See docs/postgresql.md, Backups."
            raise BackupError(msg) from error
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as raw:
            results = [str(row[0]) for row in raw.execute("PRAGMA quick_check(5)")]
    except sqlite3.Error as error:
        results = [str(error)]
    if results != ["ok"]:
        msg = f"{path} is damaged: {'; '.join(results)[:300]}. Use another backup."
        raise BackupError(msg)
    return _verified(path, path, show)


def _verified(path: Path, database: str | Path, show: Show) -> tuple[int, int]:
    """The (epoch, last pos) of a backup that can be read as this database. Raises as `check`."""
    store = Store(database, writing=False)
    try:
        with store.read() as connection:
            refuse_newer(connection, path)
            known = _known_breaks(connection)
            breaks = [
                found for found in verify(connection, show("Verify of the copy", "event")) if str(found) not in known
            ]
            epoch, pos = hub_row(connection).epoch, last_pos(connection)
    finally:
        store.close()
    if breaks:
        msg = f"{path} does not verify: {breaks[0]} ({len(breaks)} in all). Use another backup."
        raise BackupError(msg)
    return epoch, pos


def _note_breaks(db: str, copy: Path, show: Show) -> tuple[str, ...]:
    """Write the breaks that a fresh copy shares with its source into the copy, and return them."""
    store = Store(copy, writing=False)
    try:
        with store.read() as connection:
            breaks = {str(found) for found in verify(connection, show("Backup, breaks", "event"))}
    except (SQLAlchemyError, sqlite3.Error):
        return ()  # `check` reports an unreadable copy
    finally:
        store.close()
    if breaks:
        with open_read_only(db) as source, source.read() as connection:
            breaks &= {str(found) for found in verify(connection)}
    with closing(sqlite3.connect(copy)) as raw, raw:
        raw.execute("CREATE TABLE IF NOT EXISTS known_break (text VARCHAR NOT NULL PRIMARY KEY)")
        raw.execute("DELETE FROM known_break")
        raw.executemany("INSERT INTO known_break VALUES (?)", [(text,) for text in sorted(breaks)])
    _flush(copy)
    return tuple(sorted(breaks))


def _known_breaks(connection: Connection) -> set[str]:
    if not inspect(connection).has_table(known_break.name):
        return set()
    return set(connection.execute(select(known_break.c.text)).scalars())


def restore(db: str, backup: Path, host: Host | None = None, show: Show = unseen) -> tuple[Path | None, int]:
    """Replace the database by a backup and begin a new epoch. Returns the path of the old database, and the epoch.

    1. Take the writer's lock; finish an interrupted restore, whose old database has its own path already.
    2. Verify the backup and copy it beside the database.
    3. Decide and finish the swap (`server.ops.restore_swap`); lock the new file.
    4. Open the hub, which begins the new epoch.

    Raises `HubLocked` while a hub uses the database, `BackupError` for a backup that does not verify, and `NewerDatabase`
    for one that a later version made.
    """
    if not backup.is_file():
        msg = f"{backup} is not a file; expected a backup made by wipline-hub backup. Name one."
        raise BackupError(msg)
    target = _source(db)
    if target is None:
        return _restore_on_server(db, backup, host, show)
    need = backup.stat().st_size + SPARE_BYTES
    require("A restore", target, need, target.parent, (host or Host()).free_bytes)
    lock = WriterLock(target)
    try:
        restore_swap.finish(target)
        check(backup, show=show)
        fresh = restore_swap.fresh(target)
        # SQLite's backup includes the write-ahead log, which a database that an earlier restore moved aside has.
        _copy(backup, fresh, show("Restore, copy", "page"))
        _copy_owner(fresh, target if target.exists() else target.parent)
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


def _restore_on_server(db: str, backup: Path, host: Host | None, show: Show) -> tuple[Path | None, int]:
    """Restore a dump into a new database, verify it there, and swap the names of both databases in one transaction."""
    url = as_url(db)
    with closing(Store(db, host=host)) as store, store.project():
        pass  # raises `HubLocked` while a hub projects
    fresh = url.set(database=f"{url.database}_restoring")
    try:
        dump.restore_into(fresh, backup)
        try:
            _verified(backup, fresh.render_as_string(hide_password=False), show)
            aside = dump.swap(url, fresh)
        except BaseException:
            dump.drop(fresh)
            raise
    except dump.DumpError as error:
        msg = f"{backup} was not restored: {error}. The database is unchanged. See docs/postgresql.md, Backups."
        raise BackupError(msg) from error
    with closing(open_hub(db, cause=f"restored from {backup.name}", host=host)) as store, store.read() as connection:
        return Path(str(aside.database)), hub_row(connection).epoch


def _copy_owner(path: Path, other: Path) -> None:
    """Give the file the owner of `other`: after a restore by root, the service's user must be able to open it."""
    owner = other.stat()
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def _copy(source: Path, target: Path, advance: Advance) -> None:
    target.touch(mode=0o600)
    with (
        # Read-only, because this process must not checkpoint while the hub's writer is open.
        closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as from_,
        closing(sqlite3.connect(target)) as to,
    ):
        from_.backup(to, pages=PAGES, progress=lambda _status, left, total: advance(total - left, total))
        to.execute("PRAGMA journal_mode = DELETE")  # a single file without a write-ahead log
    _flush(target)


def _source(db: str) -> Path | None:
    """The file of the hub's database; None on a database server. Raises `NoHub` where its folder is missing."""
    path = sqlite_path(db)
    if path is not None and not path.parent.is_dir():
        msg = f"{db} holds no hub. Create one: wipline-hub init --db {db}"
        raise NoHub(msg)
    return path


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
