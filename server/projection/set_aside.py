"""Set aside: what could not be folded is written down with its reason, and everything else is folded without it.

An error in the fold is a defect of this software and not of the event, so the event stays in the ledger, the pages name it,
and another version of the software or `wipline-hub rebuild` tries it again. Errors of the medium are no errors of an event.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.exc import DBAPIError, OperationalError

from server.db.bulk_insert import insert_text, run_many
from server.db.schema import ledger, log
from server.projection.internal_tables import set_aside
from station.core.ledger.fold import reason_of
from station.system.version import version

EVENT, FACT, ITEM, CODE = "event", "fact", "item", "code"  # the parts of the table
SET_ASIDE = "set_aside"  # the status of an event that counts for nothing
SHOWN = 20
TO_DO = "it is kept and all else was folded; report it, upgrade the hub, or try again with wipline-hub rebuild"
# What SQLite reports of its file, its disk, its locks and its memory; the low byte of an extended code.
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
    """What was projected stands otherwise by what came now, in a way that only a fold of everything gets right."""


class SetAsideRow(NamedTuple):
    """What was set aside, as pages show it. `log`, `seq`, `station`: of the event, None where it is none."""

    pos: int
    part: str
    name: str
    reason: str
    log: str | None
    seq: int | None
    station: str | None

    @property
    def about(self) -> str:
        """What it is: the event with its log and station, or the item or code."""
        if self.part in (EVENT, FACT):
            of_item = f" of item {self.name}" if self.part == FACT else ""
            return f"Event {self.seq}{of_item} in log {self.log} of station {self.station}"
        return f"Item {self.name}" if self.part == ITEM else f"Code {self.name}"

    @property
    def sentence(self) -> str:
        """One sentence with what it is about and what to do."""
        return f"{self.about} could not be folded and was set aside ({self.reason}): {TO_DO}."


def blame(pos: int, function: Callable[_Args, _Result], *args: _Args.args, **named: _Args.kwargs) -> _Result:
    """Call one of the functions that read an event; an error in it becomes `Unfoldable` with the event's position."""
    try:
        return function(*args, **named)
    except Unfoldable:
        raise
    except Exception as error:
        if is_of_medium(error):
            raise
        raise Unfoldable({pos: reason_of(error)}) from error


def is_of_medium(error: BaseException) -> bool:
    """Whether an error tells of the disk, the memory, a lock or the connection: then no event is to blame."""
    if isinstance(error, DBAPIError):
        if isinstance(error, OperationalError) and not isinstance(error.orig, sqlite3.Error):
            return True  # PostgreSQL: the connection, the disk, the server
        return error.orig is not None and is_of_medium(error.orig)
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _MEDIUM
    return isinstance(error, OSError | MemoryError)


def put_aside(connection: Connection, rows: Iterable[tuple[int, str, str, str]]) -> None:
    """Write down (pos, part, name, reason); the first reason stays."""
    names = ("pos", "part", "name", "reason", "sw")
    statement = insert_text(set_aside.name, names, connection.dialect.paramstyle)
    values = [(*row, version()) for row in rows]
    if values:
        run_many(connection, f"{statement} ON CONFLICT DO NOTHING", values)


def events_aside(connection: Connection, after_pos: int = 0) -> dict[int, str]:
    """The events that are set aside behind a position: pos -> reason."""
    row = set_aside.c
    wanted = select(row.pos, row.reason).where(and_(row.part == EVENT, row.pos > after_pos))
    return {one.pos: one.reason for one in connection.execute(wanted)}


def items_aside(connection: Connection) -> set[str]:
    """The items that could not be folded anew."""
    return set(connection.execute(select(set_aside.c.name).where(set_aside.c.part == ITEM)).scalars())


def forget_items(connection: Connection, names: Iterable[str]) -> None:
    """Drop what was set aside of these items: they are folded anew."""
    row = set_aside.c
    for name in names:
        connection.execute(set_aside.delete().where(and_(row.name == name, row.part.in_((FACT, ITEM)))))


def by_other_software(connection: Connection) -> bool:
    """Whether something was set aside by another version of the software than this one."""
    return connection.execute(select(set_aside.c.pos).where(set_aside.c.sw != version()).limit(1)).first() is not None


def shown(connection: Connection, most: int = SHOWN) -> tuple[list[SetAsideRow], int]:
    """The newest of what is set aside, and how much there is in all."""
    row, at, of = set_aside.c, ledger.c, log.c
    wanted = (
        select(row.pos, row.part, row.name, row.reason, at.log_id, at.seq, of.station)
        .outerjoin(ledger, and_(at.pos == row.pos, row.pos > 0))
        .outerjoin(log, of.log_id == at.log_id)
        .order_by(row.pos.desc(), row.part, row.name)
        .limit(most)
    )
    found: list[Any] = list(connection.execute(wanted))
    count = connection.execute(select(func.count()).select_from(set_aside)).scalar_one()
    rows = [
        SetAsideRow(one.pos, one.part, one.name, one.reason, one.log_id and one.log_id.hex(), one.seq, one.station)
        for one in found
    ]
    return rows, int(count)
