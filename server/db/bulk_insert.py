"""Bulk insert: the database driver's own `executemany`, for a hundred thousand rows a second.

SQLAlchemy executes every other statement of the hub. Only the two hot paths, appends to the ledger and writes of projection
rows, use the driver directly (docs/adr/0002-driver-executemany.md).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table


def insert_many(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], *columns: str) -> None:
    """Insert `rows` with one value for each of `columns` (default: all columns of the table in their order)."""
    if rows:
        names = columns or tuple(column.name for column in table.columns)
        run_many(connection, insert_text(table.name, names, connection.dialect.paramstyle), rows)


def run_many(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Execute one statement in the driver's SQL for each of `rows`, inside the connection's transaction."""
    raw = connection.connection.driver_connection
    assert raw is not None  # a connection in a transaction has a driver connection
    cursor = raw.cursor()
    try:
        if (
            len(rows) == 1
        ):  # for several, the driver of PostgreSQL begins a pipeline, which costs as much as five statements
            cursor.execute(statement, rows[0])
        else:
            cursor.executemany(statement, rows)
    finally:
        cursor.close()


@cache
def insert_text(table: str, columns: tuple[str, ...], paramstyle: str) -> str:
    """The INSERT statement of these columns with the driver's placeholders.

    >>> insert_text("ledger", ("pos", "seq"), "qmark")
    'INSERT INTO "ledger" ("pos", "seq") VALUES (?, ?)'
    """
    mark = "?" if paramstyle == "qmark" else "%s"
    names = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join([mark] * len(columns))})'  # noqa: S608  names of our tables


@cache
def upsert_text(table: Table, paramstyle: str) -> str:
    """The upsert of a row: an update leaves unchanged indexes unwritten, which delete and insert would not."""
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    conflict = ", ".join(f'"{name}"' for name in keys)
    return f"{insert_text(table.name, tuple(names), paramstyle)} ON CONFLICT ({conflict}) DO UPDATE SET {changes}"
