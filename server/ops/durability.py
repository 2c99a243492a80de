"""Durability: how far the ledger lies in verified backups that are present now, off the hub's disk.

A backup counts while its file is where it was verified and unchanged (size and time of change), and of the current epoch.
`hub.backup_pos` and each log's `durable_thru` follow that, upwards and downwards: what a station was told before cannot be
taken back, but the hub repeats nothing that it can no longer show.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, func, select

from server.db import schema
from server.db.store import Store

MOST_KNOWN = 64  # rows; what was thinned out long ago is forgotten
_log = logging.getLogger(__name__)


def note_copy(store: Store, path: Path, *, epoch: int, pos: int, off_disk: bool) -> bool:
    """Record a backup that was just verified; whether it counts: off the disk, of this epoch, and readable from here."""
    stamp = _stamp(path)
    if stamp is None:
        return False
    table = schema.backup
    row = {
        "path": str(path),
        "epoch": epoch,
        "pos": pos,
        "off_disk": off_disk,
        "size": stamp[0],
        "mtime_ns": stamp[1],
        "verified_us": store.clock.utc_us(),
    }
    with store.write() as connection:
        connection.execute(table.delete().where(table.c.path == str(path)))
        connection.execute(table.insert(), [row])
        oldest = select(table.c.id).order_by(table.c.id.desc()).offset(MOST_KNOWN).limit(1).scalar_subquery()
        connection.execute(table.delete().where(table.c.id <= oldest))
        current = connection.execute(select(schema.hub.c.epoch)).scalar_one()
    follow(store)
    return off_disk and epoch == current


def note_breaks(store: Store, breaks: list[str]) -> None:
    """Record what is wrong with the ledger itself, as a verified backup found it, one line each."""
    with store.write() as connection:
        connection.execute(schema.known_break.delete())
        if breaks:
            connection.execute(schema.known_break.insert(), [{"text": text} for text in breaks])


def follow(store: Store, verify: Callable[[Path], tuple[int, int]] | None = None) -> int:
    """Move `backup_pos` and the logs' `durable_thru` to what is present; the position.

    `verify` reads a whole backup and returns its (epoch, pos), or raises. It is called for each file that changed since it
    was verified. Without it a changed file does not count. Files are looked at outside any transaction: a disk may hang.
    """
    with store.read() as connection:
        rows = connection.execute(select(schema.backup).order_by(schema.backup.c.id)).all()
    present = {row.id for row in rows if _unchanged(row) or (verify is not None and _again(store, row, verify))}
    with store.write() as connection:
        return _claim(connection, present)


def recheck(store: Store, verify: Callable[[Path], tuple[int, int]]) -> int:
    """As `follow`; the backup that counts is read as a whole, and where it does not verify the one before it, and so on."""
    pos = follow(store, verify)
    while pos:
        with store.read() as connection:
            row = _counting(connection)
        if row is None or _again(store, row, verify):
            return pos
        pos = follow(store, verify)
    return pos


def order_of(connection: Connection) -> dict[str, int]:
    """The order in which the known backups were made: path -> a number that grows."""
    return {row.path: row.id for row in connection.execute(select(schema.backup.c.path, schema.backup.c.id))}


def last_verified_us(connection: Connection) -> int | None:
    """UTC us of the last backup that was verified, wherever it lies; None where there is none."""
    newest = select(schema.backup.c.verified_us).order_by(schema.backup.c.id.desc()).limit(1)
    return connection.execute(newest).scalar()


def _claim(connection: Connection, present: set[int]) -> int:
    hub = connection.execute(select(schema.hub.c.epoch, schema.hub.c.backup_pos, schema.hub.c.backup_us)).one()
    table = schema.backup
    counting = and_(table.c.id.in_(present), table.c.epoch == hub.epoch, table.c.off_disk)
    best = connection.execute(select(table).where(counting).order_by(table.c.pos.desc(), table.c.id.desc())).first()
    pos, at_us = (0, None) if best is None else (best.pos, best.verified_us)
    if (pos, at_us) != (hub.backup_pos, hub.backup_us):
        connection.execute(schema.hub.update().values(backup_pos=pos, backup_us=at_us))
        if pos != hub.backup_pos:
            _move_durable(connection, pos)
        if pos < hub.backup_pos:
            _log.warning("verified backups off the hub's disk reach position %d, before %d", pos, hub.backup_pos)
    return int(pos)


def _move_durable(connection: Connection, pos: int) -> None:
    rows = schema.ledger.c
    highest = select(func.max(rows.seq)).where(and_(rows.log_id == schema.log.c.log_id, rows.pos <= pos))
    thru = func.coalesce(highest.scalar_subquery(), 0)
    connection.execute(schema.log.update().where(schema.log.c.durable_thru != thru).values(durable_thru=thru))
    if not pos:
        return
    # What came into a gap has a position behind that of later events.
    late = select(rows.log_id, func.min(rows.seq).label("seq")).where(rows.pos > pos).group_by(rows.log_id)
    for each in connection.execute(late).all():
        reached = and_(schema.log.c.log_id == each.log_id, schema.log.c.durable_thru >= each.seq)
        connection.execute(schema.log.update().where(reached).values(durable_thru=each.seq - 1))


def _counting(connection: Connection) -> Any:
    """The row that `backup_pos` stands on."""
    hub, table = schema.hub.c, schema.backup
    epoch, pos = connection.execute(select(hub.epoch, hub.backup_pos)).one()
    rows = select(table).where(and_(table.c.epoch == epoch, table.c.pos == pos, table.c.off_disk))
    return next((row for row in connection.execute(rows.order_by(table.c.id.desc())) if _unchanged(row)), None)


def _again(store: Store, row: Any, verify: Callable[[Path], tuple[int, int]]) -> bool:
    """Read a backup as a whole. One that is absent stays known; one that is not what it was is forgotten."""
    path, stamp = Path(row.path), _stamp(Path(row.path))
    if stamp is None:
        return False
    table = schema.backup
    try:
        whole = verify(path) == (row.epoch, row.pos) and stamp == _stamp(path)
    except Exception as error:  # noqa: BLE001  whatever a damaged file makes SQLite say
        if _stamp(path) is None:
            return False
        _log.error("a backup no longer counts: %s", error)
        whole = False
    with store.write() as connection:
        if whole:
            changed = table.update().values(size=stamp[0], mtime_ns=stamp[1])
            connection.execute(changed.where(table.c.id == row.id))
        else:
            connection.execute(table.delete().where(table.c.id == row.id))
    return whole


def _unchanged(row: Any) -> bool:
    return _stamp(Path(row.path)) == (row.size, row.mtime_ns)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of change; None where the file is not there or not for this user to see."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
