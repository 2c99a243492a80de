"""Refold queues: items to refold and codes to relink, in tables that survive a restart."""

from collections.abc import Iterable

from sqlalchemy import Connection, Table, select

from server.db.bulk_insert import insert_text, run_many
from server.projection.internal_tables import dirty_code
from server.projection.tables import dirty


class RefoldQueue:
    """A queue of names in a table, each with the position since which it waits; the names are cached in memory."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._table = table
        self._name = table.c[0]
        rows = connection.execute(select(table).order_by(table.c.since, self._name))
        self._waiting: dict[str, None] = {row[0]: None for row in rows}

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, connection: Connection, names: Iterable[str], pos: int) -> None:
        """Enqueue the names that are not in the queue yet."""
        new = sorted({name for name in names if name not in self._waiting})
        if new:
            statement = insert_text(self._table.name, (self._name.name, "since"), connection.dialect.paramstyle)
            run_many(connection, statement, [(name, pos) for name in new])
            self._waiting.update(dict.fromkeys(new))

    def first(self, most: int) -> list[str]:
        """The names that have waited longest, at most `most`."""
        return [name for name, _ in zip(self._waiting, range(most), strict=False)]

    def remove(self, connection: Connection, names: list[str]) -> None:
        """Remove names from the queue."""
        connection.execute(self._table.delete().where(self._name.in_(names)))
        for name in names:
            del self._waiting[name]


def dirty_items(connection: Connection) -> RefoldQueue:
    """The queue of items to refold."""
    return RefoldQueue(connection, dirty)


def dirty_codes(connection: Connection) -> RefoldQueue:
    """The queue of codes whose item may have changed."""
    return RefoldQueue(connection, dirty_code)
