"""Both database engines of the hub for a test: new databases on SQLite, and on a PostgreSQL server of the test run.

A folder of tests runs on both where its conftest has `engine = engines.both`. A test's first hub on PostgreSQL is one
database, emptied before each test: to create one takes a hundred times as long.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from postgres_server import PostgresServer
from psycopg import sql

from server.db.schema import metadata
from server.db.store import Store
from server.ops.bootstrap import initialise

SQLITE, POSTGRESQL = "sqlite", "postgresql"
TEMPLATE, SHARED = "new_hub", "shared_hub"


def _engines(*marks: pytest.MarkDecorator) -> Any:
    """The fixture `engine` with both engines; `marks`: of the runs on PostgreSQL."""
    params = [SQLITE, pytest.param(POSTGRESQL, marks=[pytest.mark.host, *marks])]
    return pytest.fixture(params=params, name="engine")(lambda request: request.param)


both = _engines()
both_at_night = _engines(pytest.mark.nightly)  # of tests whose statements others run on PostgreSQL in every run


class HubsOnServer:
    """The hubs on a PostgreSQL server: a template with a new hub, and a database that is emptied for each test."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        made = Store(server.create(TEMPLATE))
        initialise(made)
        made.close()
        self._shared = server.create(SHARED, TEMPLATE)
        self._connection = psycopg.connect(self._shared, autocommit=True)
        self._connection.execute("SET session_replication_role = replica")  # no trigger of the ledger
        tables = [*(table.name for table in metadata.sorted_tables), "alembic_version"]
        self._rows = {name: self._connection.execute(_all(name)).fetchall() for name in tables}

    def emptied(self) -> str:
        """The address of the shared database, in which there is a new hub again."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for name, rows in self._rows.items():
                cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
                for row in rows:
                    marks = sql.SQL(", ").join([sql.Placeholder()] * len(row))
                    cursor.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(name), marks), row)
        return self._shared

    def close(self) -> None:
        """Close the connection to the shared database."""
        self._connection.close()


def _all(table: str) -> Any:
    return sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))


@dataclass
class Databases:
    """Makes databases of one engine. `new` is empty; `hub` has a new hub in it. `new_hub`: a file of one; `on_server`:
    the hubs of the other engine.
    """

    folder: Path
    new_hub: Callable[[], Path]
    on_server: HubsOnServer | None = None
    _made: list[str] = field(default_factory=list)

    def new(self) -> str:
        """The address of an empty database."""
        if self.on_server is not None:
            self._made.append(self.on_server.server.create())
        else:
            self._made.append(str(self.folder / f"hub-{len(self._made)}.db"))
        return self._made[-1]

    def hub(self) -> str:
        """The address of a database with a new hub."""
        if self.on_server is None:
            path = self.folder / "hub.db" if not self._made else Path(self.new())
            self._made.append(str(path))
            path.touch(0o600)
            path.write_bytes(self.new_hub().read_bytes())
            return str(path)
        first = not self._made
        self._made.append(self.on_server.emptied() if first else self.on_server.server.create(template=TEMPLATE))
        return self._made[-1]

    def forget(self) -> None:
        """Make the first database again with the next one; its store is closed."""
        self.close()
        self._made.clear()
        for path in self.folder.glob("hub.db*") if self.on_server is None else ():
            path.unlink()

    def close(self) -> None:
        """Remove the databases on the server. A folder of files is removed with the test's own."""
        for url in self._made if self.on_server is not None else []:
            assert self.on_server is not None
            if f"/{SHARED}?" not in url:
                self.on_server.server.drop(url)
