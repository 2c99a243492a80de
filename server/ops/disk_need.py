"""Disk need: refuse a migration, a rebuild or a copy before it begins where the disk has too little room for it.

The need is an upper estimate. A migration may write every page of the database once more, into the write-ahead log. A
rebuild writes the folded rows into a file of its own, and then once more into the write-ahead log
(`server.projection.rebuild_beside`).

>>> print(sentence("A backup", "hub.db", 300 * 2**20, 20 * 2**20, Path("/mnt")))
A backup of hub.db needs about 300 MiB under /mnt, and 20 MiB are free. Nothing was begun. Free 280 MiB there and repeat it.
"""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from server.db.schema import ledger
from server.projection.tables import TABLES

MIB = 2**20
SPARE_BYTES = 4 * MIB  # for what is written beside: the high-water file, a scan that arrives meanwhile
SAMPLE = 500  # events whose size is read
EVENT_BYTES = 180  # of a row of the ledger and its index, without the event's own bytes; measured on SQLite 3.40
COPIES = (
    2.2  # of the folded rows that a rebuild writes; measured: a file of 9.5 MB and a log of 9.8 MB for 9.8 MB of rows
)
LEAST_FOLDED = 0.2  # part of the database that the folded rows have at least

Free = Callable[[Path], int]  # of `server.ops.host`: the free bytes of the file system with a folder


class TooLittleDisk(RuntimeError):
    """The disk has too little room; the message has what is needed, what is free and what to do."""


def require(work: str, name: object, need: int, folder: Path | None, free: Free) -> None:
    """Raise `TooLittleDisk` where `folder` has less than `need` bytes; None: a server elsewhere, which is not known."""
    if folder is None:
        return
    try:
        left = free(folder)
    except OSError:
        return  # the folder of a server belongs to its own user
    if left < need:
        raise TooLittleDisk(sentence(work, name, need, left, folder))


def sentence(work: str, name: object, need: int, left: int, folder: Path) -> str:
    """The message: what is needed, what is free, what to do."""
    return (
        f"{work} of {name} needs about {_mib(need)} under {folder}, and {_mib(left)} are free. Nothing was begun."
        f" Free {_mib(need - left)} there and repeat it."
    )


def migration_need(connection: Connection) -> int:
    """Bytes that a migration may need: the whole database once more."""
    return database_bytes(connection) + SPARE_BYTES


def rebuild_need(connection: Connection) -> int:
    """Bytes that a rebuild of the projection may need."""
    return round(COPIES * folded_bytes(connection)) + SPARE_BYTES


def database_bytes(connection: Connection) -> int:
    """The size of the database: of its file, or as its server counts it."""
    if connection.dialect.name == "postgresql":
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    return int(pages) * int(connection.execute(text("PRAGMA page_size")).scalar_one())


def folded_bytes(connection: Connection) -> int:
    """The size of the projection with its indexes; on SQLite what the ledger leaves of the file."""
    if connection.dialect.name == "postgresql":
        names = [table.name for table in TABLES]
        query = text(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c"
            " WHERE c.relkind = 'r' AND c.relname = ANY(:names) AND c.relnamespace = current_schema()::regnamespace"
        )
        return int(connection.execute(query, {"names": names}).scalar_one())
    sample = select(func.length(ledger.c.bytes).label("size")).order_by(ledger.c.pos.desc()).limit(SAMPLE).subquery()
    mean = connection.execute(select(func.avg(sample.c.size))).scalar() or 0
    events = int(connection.execute(select(func.coalesce(func.max(ledger.c.pos), 0))).scalar_one())
    whole = database_bytes(connection)
    return int(max(round(whole - events * (float(mean) + EVENT_BYTES)), round(LEAST_FOLDED * whole)))


def _mib(size: int) -> str:
    return f"{max(1, -(-size // MIB)):,} MiB"
