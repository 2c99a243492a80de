"""Bootstrap of a hub: create a new one, open and upgrade an existing one, and detect a replaced database."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from sqlalchemy import inspect, select, text

from server.db import schema
from server.db.long_work import forget
from server.db.migrations import HEAD, upgrade, version_of
from server.db.newer_database import refuse_newer
from server.db.postgresql import server_location
from server.db.rollback_guard import DatabaseLocation, moved, set_back
from server.db.store import Store, sqlite_path
from server.db.writer_lock import WriterLock
from server.ledger.hub_log import begin_epoch, hub_row
from server.ops import restore_swap
from server.ops.disk_need import migration_need, rebuild_need, require
from server.ops.dump import data_folder
from server.ops.host import Host
from server.projection.fold_version import is_outdated
from server.projection.rebuild_beside import remove_scratch
from station.core.hash_chain import LOG_ID_BYTES, ledger_genesis
from station.system.access import is_there, require_readable
from station.system.progress import Show, unseen

_log = logging.getLogger(__name__)


class NoHub(RuntimeError):
    """The database holds no hub, or already holds one where a new hub was to be created."""


def initialise(store: Store) -> None:
    """Create the tables, keys and first epoch of a new hub.

    Raises `NoHub` where the database already holds one, or an SQLite file holds the tables of another application.
    """
    with store.read() as connection:  # a writing connection would change the head of another application's file
        tables = inspect(connection).get_table_names()
    if "hub" in tables:
        msg = f"{store.url.render_as_string()} already holds a hub. Use it, or name another database."
        raise NoHub(msg)
    if tables and store.path is not None:
        names = ", ".join(sorted(tables)[:5])
        msg = f"{store.path} is another database, with the tables {names}. Expected an empty one or none. Name another."
        raise NoHub(msg)
    with store.write(lock=False) as connection:
        upgrade(connection)
        now_us, hub_id = store.clock.utc_us(), store.host.random_bytes(LOG_ID_BYTES)
        row = {
            "one": 1,
            "hub_id": hub_id,
            "epoch": 1,
            "head": ledger_genesis(hub_id),
            "log_id": store.host.random_bytes(LOG_ID_BYTES),
            "mac_key": store.host.random_bytes(32),
            "cookie_key": store.host.random_bytes(32),
            "clock_doubt": False,
            "backup_pos": 0,
        }
        connection.execute(schema.hub.insert(), [row])
        connection.execute(schema.counter.insert(), [{"name": "ledger", "pos": 0}])
        first = {"epoch": 1, "since_us": now_us, "cause": "the hub was made", "pos": 0, "high_pos": None}
        connection.execute(schema.epoch.insert(), [first])
    save_location(store)


def require_empty(store: Store) -> None:
    """Raise `NoHub` where the database has any table."""
    with store.read() as connection:
        tables = inspect(connection).get_table_names()
    if tables:
        names = ", ".join(sorted(tables)[:5])
        msg = f"{store.url.render_as_string()} has the tables {names}. Expected an empty database. Name another."
        raise NoHub(msg)


def remove_hub(store: Store) -> None:
    """Remove all tables of the hub with everything in them: for the demonstration."""
    with store.write() as connection:
        schema.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP FUNCTION IF EXISTS ledger_append_only()"))


def open_hub(
    db: str | Path,
    *,
    lock: WriterLock | None = None,
    cause: str | None = None,
    host: Host | None = None,
    folds: bool = False,
    show: Show = unseen,
) -> Store:
    """Open the hub in this database for writing: upgrade its tables, and begin a new epoch after a move or for `cause`.

    `show`: gets the progress of a migration. `folds`: the caller projects, so the disk must have room for a rebuild that
    other rules of the fold make necessary. The store is closed again where a step fails. Raises `NoHub` where there is no
    hub, `NewerDatabase` for one of a later version, `TooLittleDisk` before an upgrade, and `HubLocked` where another process
    has the database.
    """
    with ExitStack() as on_error:
        store = on_error.enter_context(closing(Store(db, lock=lock, host=host))) if database_exists(db) else None
        if store is None or not is_hub(store):
            msg = f"{db} holds no hub. Create one: wipline-hub init --db {db}"
            raise NoHub(msg)
        with store.read() as connection:  # a writing connection would already change the file
            refuse_newer(connection, db_name(store))
            pending = version_of(connection) != HEAD
            need = migration_need(connection) if pending else 0
            if is_outdated(connection) and (pending or folds):
                need += rebuild_need(connection)
        require_room(store, "The update", need)
        with store.write() as connection:
            upgrade(connection, show)
            if store.path is not None:
                forget(connection)  # this process alone writes: the others were killed
        if store.path is not None:
            remove_scratch(store.path)
        begin_epoch_if_moved(store, cause=cause)
        on_error.pop_all()
    return store


@contextmanager
def open_read_only(db: str | Path) -> Iterator[Store]:
    """Open the hub in this database read-only, also while the hub runs.

    Raises `NoHub` where there is none, `NewerDatabase` for one of a later version, and `PermissionError` where this user may
    not read it.
    """
    path = sqlite_path(db)
    if path is not None:
        require_readable(path)
    if path is not None and restore_swap.decided(path):
        msg = f"A restore of {db} was interrupted. Repeat it, or start the hub: either finishes it."
        raise NoHub(msg)
    store = Store(db, writing=False) if database_exists(db) else None
    try:
        if store is None or not is_hub(store):
            msg = f"{db} holds no hub. Create one: wipline-hub init --db {db}"
            raise NoHub(msg)
        with store.read() as connection:
            refuse_newer(connection, db_name(store))
        yield store
    finally:
        if store is not None:
            store.close()


def require_room(store: Store, work: str, need: int) -> None:
    """Raise `TooLittleDisk` where the disk of the database has no room for `need` bytes of this work.

    The disk of a server elsewhere is not seen: the log then has the need.
    """
    if not need:
        return
    try:
        folder = store.path.parent if store.path is not None else data_folder(store.url)
    except OSError:
        folder = None  # the role lacks pg_read_all_settings
    if folder is None:
        _log.warning(
            "%s of %s needs about %d MiB on the disk of its server", work, db_name(store), max(1, need // 2**20)
        )
    require(work, db_name(store), need, folder, store.host.free_bytes)


def db_name(store: Store) -> str:
    """The database in a message: the path of its file, or the address of the server without its password."""
    return str(store.path) if store.path is not None else store.url.render_as_string()


def is_hub(store: Store) -> bool:
    """Whether this database holds a hub."""
    with store.read() as connection:
        return inspect(connection).has_table("hub")


def begin_epoch_if_moved(store: Store, *, cause: str | None = None) -> str | None:
    """Begin a new epoch for `cause`, or where the rollback guard finds a replaced database. Returns the cause or None."""
    if store.path is None:
        return _begin_epoch_if_other_database(store, cause)
    assert store.rollback_guard is not None
    high = store.rollback_guard.read()
    with store.write() as connection:
        hub = hub_row(connection)
        pos = connection.execute(select(schema.counter.c.pos).where(schema.counter.c.name == "ledger")).scalar_one()
        if cause is None:
            now = store.host.location_of(store.path)
            cause = moved(DatabaseLocation(hub.inode, hub.machine), now, ledger_pos=pos, high=high, epoch=hub.epoch)
        if cause is not None:
            begin_epoch(connection, cause, high, store.host)
    if cause is not None:
        save_location(store)
    return cause


def _begin_epoch_if_other_database(store: Store, cause: str | None) -> str | None:
    """As `begin_epoch_if_moved` on a database server. A dump that was restored, or a server that was set back to an earlier
    time, has another identity. A copy of the server's folder that was put back has the same one; there the ledger ends below
    this machine's high-water file. A hub of an earlier version has recorded no identity; the present one is recorded then.
    """
    with store.read() as connection:
        guard = store.guard_server(hub_row(connection).hub_id)
    high = None if guard is None else guard.read()
    with store.write() as connection:
        hub, now = hub_row(connection), server_location(connection)
        pos = connection.execute(select(schema.counter.c.pos).where(schema.counter.c.name == "ledger")).scalar_one()
        if cause is None and hub.machine is not None and (hub.inode, hub.machine) != (now.inode, now.machine):
            cause = "the database is another one than before"
        cause = cause or set_back(ledger_pos=pos, high=high, epoch=hub.epoch)
        if cause is not None:
            begin_epoch(connection, cause, high, store.host)
        if (hub.inode, hub.machine) != (now.inode, now.machine):
            connection.execute(schema.hub.update().values(inode=now.inode, machine=now.machine))
    return cause


def save_location(store: Store) -> None:
    """Record the inode and the machine of the database, and write its high-water file; on a server its own identity."""
    if store.path is None:
        with store.write() as connection:
            now = server_location(connection)
            connection.execute(schema.hub.update().values(inode=now.inode, machine=now.machine))
        return
    assert store.rollback_guard is not None
    location = store.host.location_of(store.path)
    with store.write() as connection:
        connection.execute(schema.hub.update().values(inode=location.inode, machine=location.machine))
        epoch = hub_row(connection).epoch
        pos = connection.execute(select(schema.counter.c.pos).where(schema.counter.c.name == "ledger")).scalar_one()
    store.rollback_guard.write(epoch, pos)


def database_exists(db: str | Path) -> bool:
    """Whether a hub may exist: a non-empty database file, a decided restore, or the address of a database server.

    Raises `PermissionError` where this user may not look.
    """
    path = sqlite_path(db)
    if path is not None:
        is_there(path)  # raises `PermissionError` where this user may not look, instead of a missing hub
    return path is None or restore_swap.decided(path) or (path.is_file() and path.stat().st_size > 0)
