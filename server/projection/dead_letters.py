"""Set aside: record an event, item or code that cannot be folded with its reason, and fold everything else.

An error in the fold is a defect of this software and not of the event: the event stays in the ledger, the pages list it, and
another version of the software or `wipline-hub rebuild` retries it. Errors of the disk, the memory or the connection are
errors of no event.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.exc import DBAPIError

from server.db.bulk_insert import insert_text, run_many
from server.db.schema import ledger, log
from server.db.storage_errors import storage_trouble
from server.projection.internal_tables import set_aside
from server.projection.tables import event_item
from station.core.ledger.fold import reason_of
from station.system.version import version

EVENT, FACT, ITEM, CODE = "event", "fact", "item", "code"  # the parts of the table
SET_ASIDE = "set_aside"  # the status of an event without effect
SHOWN = 20
TO_DO = "it is kept and all else was folded; report it, upgrade the hub, or try again with wipline-hub rebuild"
# SQLite's result codes for its file, disk, locks and memory; compared with the low byte of an extended code.
_MEDIUM = frozenset(
    {
        sqlite3.SQLITE_PERM, sqlite3.SQLITE_ABORT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB,
    }
)  # fmt: skip
_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


class Unfoldable(Exception):
    """Events that cannot be folded: position in the ledger -> reason."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__(", ".join(f"pos {pos}: {reason}" for pos, reason in reasons.items()))
        self.reasons = dict(reasons)


class RebuildNeeded(Exception):
    """New rows change the effect of projected rows in a way that only a rebuild computes correctly."""


class DeadLetter(NamedTuple):
    """One row of the table `set_aside` for the pages. `log`, `seq`, `station`: of the event, None for an item or code."""

    pos: int
    part: str
    name: str
    reason: str
    log: str | None
    seq: int | None
    station: str | None

    @property
    def about(self) -> str:
        """The subject: the event with its log and station, or the item or code."""
        if self.part in (EVENT, FACT):
            of_item = f" of item {self.name}" if self.part == FACT else ""
            return f"Event {self.seq}{of_item} in log {self.log} of station {self.station}"
        return f"Item {self.name}" if self.part == ITEM else f"Code {self.name}"

    @property
    def sentence(self) -> str:
        """One sentence with the subject, the reason and the remedy."""
        return f"{self.about} could not be folded and was set aside ({self.reason}): {TO_DO}."


def attribute_error(pos: int, function: Callable[_Args, _Result], *args: _Args.args, **named: _Args.kwargs) -> _Result:
    """Call a function that reads an event; raise an error in it as `Unfoldable` with the event's position."""
    try:
        return function(*args, **named)
    except Unfoldable:
        raise
    except Exception as error:
        raise unfoldable(pos, error) from error


def unfoldable(pos: int, error: Exception) -> Unfoldable:
    """An error in a function that reads the event at `pos`, as `Unfoldable`; raises an error that concerns no event.

    A loop over many events catches their errors itself, because most of these functions take no longer than a call through
    `attribute_error`.
    """
    if isinstance(error, Unfoldable):
        return error
    if is_of_medium(error):
        raise error
    return Unfoldable({pos: reason_of(error)})


def is_of_medium(error: BaseException) -> bool:
    """Whether an error concerns the disk, the memory, a lock or the connection, and so no event."""
    if hasattr(getattr(error, "orig", error), "sqlstate"):
        return storage_trouble(error) is not None  # PostgreSQL: any other error concerns the statement
    if isinstance(error, DBAPIError):
        return error.orig is not None and is_of_medium(error.orig)
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _MEDIUM
    return isinstance(error, OSError | MemoryError)


def add_dead_letters(connection: Connection, rows: Iterable[tuple[int, str, str, str]]) -> None:
    """Insert rows (pos, part, name, reason); an existing row keeps its reason."""
    names = ("pos", "part", "name", "reason", "sw")
    statement = insert_text(set_aside.name, names, connection.dialect.paramstyle)
    values = [(*row, version()) for row in rows]
    if values:
        run_many(connection, f"{statement} ON CONFLICT DO NOTHING", values)


def dead_events(connection: Connection, after_pos: int = 0) -> dict[int, str]:
    """The events that are set aside after a position: pos -> reason."""
    c = set_aside.c
    query = select(c.pos, c.reason).where(and_(c.part == EVENT, c.pos > after_pos))
    return {row.pos: row.reason for row in connection.execute(query)}


def dead_items(connection: Connection) -> set[str]:
    """The items that could not be refolded."""
    return set(connection.execute(select(set_aside.c.name).where(set_aside.c.part == ITEM)).scalars())


def delete_dead_items(connection: Connection, names: Iterable[str]) -> None:
    """Delete the rows about these items, because they are refolded."""
    row = set_aside.c
    for name in names:
        connection.execute(set_aside.delete().where(and_(row.name == name, row.part.in_((FACT, ITEM)))))


def delete_dead_events(connection: Connection, item: str, after_us: int) -> None:
    """Delete the rows about events of an item except those at or before a time, because it is refolded from there."""
    c, linked = set_aside.c, event_item.c
    before = select(linked.pos).where(and_(linked.item == item, linked.key_us <= after_us))
    connection.execute(set_aside.delete().where(and_(c.name == item, c.part == FACT, c.pos.not_in(before))))


def by_other_software(connection: Connection) -> bool:
    """Whether another version of the software set anything aside."""
    return connection.execute(select(set_aside.c.pos).where(set_aside.c.sw != version()).limit(1)).first() is not None


def shown(connection: Connection, most: int = SHOWN) -> tuple[list[DeadLetter], int]:
    """The newest rows that are set aside, at most `most`, and the number of all."""
    c = set_aside.c
    query = (
        select(c.pos, c.part, c.name, c.reason, ledger.c.log_id, ledger.c.seq, log.c.station)
        .outerjoin(ledger, and_(ledger.c.pos == c.pos, c.pos > 0))
        .outerjoin(log, log.c.log_id == ledger.c.log_id)
        .order_by(c.pos.desc(), c.part, c.name)
        .limit(most)
    )
    newest: list[Any] = list(connection.execute(query))
    count = connection.execute(select(func.count()).select_from(set_aside)).scalar_one()
    rows = [
        DeadLetter(row.pos, row.part, row.name, row.reason, row.log_id and row.log_id.hex(), row.seq, row.station)
        for row in newest
    ]
    return rows, int(count)
