"""Storage errors: the meaning of a database error for a client, and when it may retry.

>>> import sqlite3
>>> storage_trouble(OSError(28, "No space left on device")).retry_s
30
>>> storage_trouble(ValueError("anything else")) is None
True
"""

import errno
import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

LOW_BYTES = 4 * 1024 * 1024  # below this free space the next checkpoint or backup may fail


class StorageTrouble(NamedTuple):
    """A fault of the database as a sentence, the seconds until a client may retry, and whether it is permanent."""

    text: str
    retry_s: int
    lasting: bool = False


FULL = StorageTrouble("The hub's disk is full: nothing can be written. Free some space.", 30)
DAMAGED = StorageTrouble(
    "The hub's database is damaged. Stop the hub, keep its files, and restore a backup: wipline-hub restore.",
    60,
    lasting=True,
)
FAILED = StorageTrouble("The hub's disk fails: the database cannot be read or written. Check the disk.", 30)
BUSY = StorageTrouble("The hub's database is busy. Try again.", 5)
CLOSED = StorageTrouble("The hub's database file cannot be opened or written. Check its folder and permissions.", 30)
AWAY = StorageTrouble("The hub's database server does not answer. Check that server.", 10)
_SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_IOERR: FAILED,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_READONLY: CLOSED,
    sqlite3.SQLITE_CANTOPEN: CLOSED,
    sqlite3.SQLITE_PERM: CLOSED,
}
# PostgreSQL's SQLSTATE, by the code or by its class (appendix A of its manual). Other codes concern the statement.
_POSTGRESQL = {
    "53100": FULL,
    "53": BUSY,  # connections, memory
    "55P03": BUSY,  # the lock was not free in time
    "40": BUSY,  # a deadlock, or a row that changed since the snapshot
    "57014": BUSY,
    "25P03": BUSY,  # the server ended a transaction that waited for this process
    "57": AWAY,  # the server stops or recovers
    "08": AWAY,
    "25006": CLOSED,  # a standby
    "28": CLOSED,
    "3D": CLOSED,
    "42501": CLOSED,
    "58": FAILED,
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}
_LOST = frozenset({"OperationalError", "InterfaceError"})  # the driver's classes, without an import of the driver
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


def storage_trouble(error: BaseException) -> StorageTrouble | None:
    """The storage fault behind an error; None for any other error."""
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None:
            return _SQLITE.get(code & 0xFF)  # the low byte is the primary code
        return AWAY if error.connection_invalidated else _of_server(error.orig)
    if hasattr(error, "sqlstate"):
        return _of_server(error)  # of the driver itself, by which rows are inserted in bulk
    if isinstance(error, PoolTimeout):
        return BUSY
    if isinstance(error, sqlite3.Error):
        return _SQLITE.get(getattr(error, "sqlite_errorcode", -1) & 0xFF)
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return FULL
    return None


def _of_server(error: BaseException | None) -> StorageTrouble | None:
    """The fault that the driver of PostgreSQL reports; a lost connection has no SQLSTATE."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return AWAY if _LOST.intersection(kind.__name__ for kind in type(error).__mro__) else None
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])


def low_space(db: Path) -> str | None:
    """A sentence where the disk of the database is nearly full, else None."""
    status = os.statvfs(db.parent)
    free = status.f_bavail * status.f_frsize
    if free >= LOW_BYTES:
        return None
    return f"The hub's disk is nearly full: {free // 1024} KiB left under {db.parent}. Free some space."
