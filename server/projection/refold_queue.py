"""Refold queues: items to refold and codes to relink, in tables that survive a restart."""

from collections.abc import Iterable, Mapping
from itertools import islice

from sqlalchemy import Connection, Table, bindparam, select

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


class ItemQueue:
    """The queue of items to refold, each with the first time at which anything of it changed (UTC us).

    None in place of that time: from its first event.
    """

    def __init__(self, connection: Connection) -> None:
        rows = connection.execute(select(dirty).order_by(dirty.c.since, dirty.c.item))
        self._from_us: dict[str, int | None] = {row.item: row.from_us for row in rows}

    def __contains__(self, name: str) -> bool:
        return name in self._from_us

    def __len__(self) -> int:
        return len(self._from_us)

    def add(self, connection: Connection, changed: Mapping[str, int | None], pos: int) -> None:
        """Enqueue items with the first time of their change; an item that waits keeps the earlier of both times."""
        new = sorted(name for name in changed if name not in self._from_us)
        if new:
            statement = insert_text("dirty", ("item", "since", "from_us"), connection.dialect.paramstyle)
            run_many(connection, statement, [(name, pos, changed[name]) for name in new])
        earlier = [name for name, from_us in changed.items() if name not in new and self._is_earlier(name, from_us)]
        if earlier:
            update = dirty.update().where(dirty.c.item == bindparam("name")).values(from_us=bindparam("earlier_us"))
            connection.execute(update, [{"name": name, "earlier_us": changed[name]} for name in earlier])
        self._from_us.update((name, changed[name]) for name in (*new, *earlier))

    def _is_earlier(self, name: str, from_us: int | None) -> bool:
        before_us = self._from_us[name]
        return before_us is not None and (from_us is None or from_us < before_us)

    def first(self, most: int) -> dict[str, int | None]:
        """The items that have waited longest, at most `most`, with the first time of their change."""
        return dict(islice(self._from_us.items(), most))

    def remove(self, connection: Connection, names: list[str]) -> None:
        """Remove items from the queue."""
        connection.execute(dirty.delete().where(dirty.c.item.in_(names)))
        for name in names:
            del self._from_us[name]


def dirty_items(connection: Connection) -> ItemQueue:
    """The queue of items to refold."""
    return ItemQueue(connection)


def dirty_codes(connection: Connection) -> RefoldQueue:
    """The queue of codes whose item may have changed."""
    return RefoldQueue(connection, dirty_code)
