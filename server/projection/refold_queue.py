"""What is to be done again: items to fold anew and codes to link anew, in queues that survive a restart."""

from collections.abc import Iterable

from sqlalchemy import Connection, Table, select

from server.db.bulk_insert import insert_text, run_many
from server.projection.internal_tables import dirty_code
from server.projection.tables import dirty


class RefoldQueue:
    """A table of names with the position since which each waits; the names are in memory too."""

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
        """Queue names that do not wait already."""
        new = sorted({name for name in names if name not in self._waiting})
        if new:
            statement = insert_text(self._table.name, (self._name.name, "since"), connection.dialect.paramstyle)
            run_many(connection, statement, [(name, pos) for name in new])
            self._waiting.update(dict.fromkeys(new))

    def first(self, most: int) -> list[str]:
        """The names that wait longest."""
        return [name for name, _ in zip(self._waiting, range(most), strict=False)]

    def done(self, connection: Connection, names: list[str]) -> None:
        """Take names off the queue."""
        connection.execute(self._table.delete().where(self._name.in_(names)))
        for name in names:
            del self._waiting[name]


def dirty_items(connection: Connection) -> RefoldQueue:
    """Items to be folded anew."""
    return RefoldQueue(connection, dirty)


def dirty_codes(connection: Connection) -> RefoldQueue:
    """Codes that may name another item now."""
    return RefoldQueue(connection, dirty_code)
