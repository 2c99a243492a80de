"""Durability: the ledger position up to which verified backups off the hub's disk are present.

A backup counts while its file is present and unchanged (size and modification time) and of the current epoch.
`hub.backup_pos` and each log's `durable_thru` follow the present backups, upwards and downwards. A value that a station has
received cannot be withdrawn, but the hub does not repeat a value that it can no longer prove.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, func, select

from server.db import schema
from server.db.store import Store

MOST_KNOWN = 64  # rows of the table `backup`; older rows are deleted
_log = logging.getLogger(__name__)


def note_copy(store: Store, path: Path, *, epoch: int, pos: int, off_disk: bool) -> bool:
    """Record a verified backup. Returns whether it counts: off the disk, of this epoch, and readable by this process."""
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
    update_durable(store)
    return off_disk and epoch == current


def note_breaks(store: Store, breaks: list[str]) -> None:
    """Replace the known breaks of the ledger, found by the last verified backup; one line each."""
    with store.write() as connection:
        connection.execute(schema.known_break.delete())
        if breaks:
            connection.execute(schema.known_break.insert(), [{"text": text} for text in breaks])


def update_durable(store: Store, verify: Callable[[Path], tuple[int, int]] | None = None) -> int:
    """Set `backup_pos` and the logs' `durable_thru` by the backups that are present. Returns `backup_pos`.

    `verify` reads a whole backup and returns its (epoch, pos), or raises. It is called for each file that changed since it
    was verified; without it a changed file does not count. Files are read outside any transaction, because a disk may hang.
    """
    with store.read() as connection:
        rows = connection.execute(select(schema.backup).order_by(schema.backup.c.id)).all()
    present = {row.id for row in rows if _unchanged(row) or (verify is not None and _verify_again(store, row, verify))}
    with store.write() as connection:
        return _set_backup_pos(connection, present)


def recheck(store: Store, verify: Callable[[Path], tuple[int, int]]) -> int:
    """Update as `update_durable` does, and verify the counting backup as a whole; continue with the one before it
    until one verifies. Returns `backup_pos`.
    """
    pos = update_durable(store, verify)
    while pos:
        with store.read() as connection:
            row = _counting(connection)
        if row is None or _verify_again(store, row, verify):
            return pos
        pos = update_durable(store, verify)
    return pos


def order_of(connection: Connection) -> dict[str, int]:
    """The order in which the known backups were made: path -> ascending number."""
    return {row.path: row.id for row in connection.execute(select(schema.backup.c.path, schema.backup.c.id))}


def extents_of(connection: Connection) -> dict[str, tuple[int, int, int]]:
    """The known backups by path: (epoch, last position, ascending number)."""
    c = schema.backup.c
    rows = connection.execute(select(c.path, c.epoch, c.pos, c.id))
    return {row.path: (row.epoch, row.pos, row.id) for row in rows}


def last_verified_us(connection: Connection) -> int | None:
    """UTC us of the last verified backup on any disk; None where there is none."""
    newest = select(schema.backup.c.verified_us).order_by(schema.backup.c.id.desc()).limit(1)
    return connection.execute(newest).scalar()


def _set_backup_pos(connection: Connection, present: set[int]) -> int:
    hub = connection.execute(select(schema.hub.c.epoch, schema.hub.c.backup_pos, schema.hub.c.backup_us)).one()
    table = schema.backup
    counting = and_(table.c.id.in_(present), table.c.epoch == hub.epoch, table.c.off_disk)
    best = connection.execute(select(table).where(counting).order_by(table.c.pos.desc(), table.c.id.desc())).first()
    pos, at_us = (0, None) if best is None else (best.pos, best.verified_us)
    if (pos, at_us) != (hub.backup_pos, hub.backup_us):
        connection.execute(schema.hub.update().values(backup_pos=pos, backup_us=at_us))
        if pos != hub.backup_pos:
            _set_durable_thru(connection, pos)
        if pos < hub.backup_pos:
            _log.warning("verified backups off the hub's disk reach position %d, before %d", pos, hub.backup_pos)
    return int(pos)


def _set_durable_thru(connection: Connection, pos: int) -> None:
    rows = schema.ledger.c
    highest = select(func.max(rows.seq)).where(and_(rows.log_id == schema.log.c.log_id, rows.pos <= pos))
    thru = func.coalesce(highest.scalar_subquery(), 0)
    connection.execute(schema.log.update().where(schema.log.c.durable_thru != thru).values(durable_thru=thru))
    if not pos:
        return
    # An event that filled a gap has a greater ledger position than later events of its log: durability ends before it.
    late = select(rows.log_id, func.min(rows.seq).label("seq")).where(rows.pos > pos).group_by(rows.log_id)
    for first in connection.execute(late).all():
        includes_it = and_(schema.log.c.log_id == first.log_id, schema.log.c.durable_thru >= first.seq)
        connection.execute(schema.log.update().where(includes_it).values(durable_thru=first.seq - 1))


def _counting(connection: Connection) -> Any:
    """The row of the backup that gives `backup_pos`; None where its file changed."""
    hub, table = schema.hub.c, schema.backup
    epoch, pos = connection.execute(select(hub.epoch, hub.backup_pos)).one()
    rows = select(table).where(and_(table.c.epoch == epoch, table.c.pos == pos, table.c.off_disk))
    return next((row for row in connection.execute(rows.order_by(table.c.id.desc())) if _unchanged(row)), None)


def _verify_again(store: Store, row: Any, verify: Callable[[Path], tuple[int, int]]) -> bool:
    """Verify a known backup as a whole. The row of an absent file stays; the row of a file that does not verify goes."""
    path, stamp = Path(row.path), _stamp(Path(row.path))
    if stamp is None:
        return False
    table = schema.backup
    try:
        whole = verify(path) == (row.epoch, row.pos) and stamp == _stamp(path)
    except Exception as error:  # noqa: BLE001  SQLite raises many kinds of errors for a damaged file
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
    """Size and modification time; None for an absent or inaccessible file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
