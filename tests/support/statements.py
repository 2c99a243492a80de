"""Count the statements and commits on every database that is open meanwhile, without inserts by the driver."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine, event

from server.db.driver_statement import DriverStatement

AROUND = ("BEGIN", "LOCK TABLE", "SELECT pg_notify")  # the begin and the end of a transaction, on both engines


@dataclass
class Statements:
    """`texts`: the statements, without begins and notifications; `commits`: the transactions that wrote or read."""

    texts: list[str] = field(default_factory=list)
    commits: int = 0

    def naming(self, table: str) -> list[str]:
        """The statements that name a table."""
        return [text for text in self.texts if f" {table}" in text.replace("\n", " ").replace('"', "")]

    def execute(self, _connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        """Count a statement."""
        if not text.startswith(AROUND):
            self.texts.append(text)

    def commit(self, _connection: Any) -> None:
        """Count a transaction."""
        self.commits += 1


@contextmanager
def counted_statements() -> Iterator[Statements]:
    """The statements of the block."""
    counted = Statements()
    listeners = (("before_cursor_execute", counted.execute), ("commit", counted.commit))
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    execute = DriverStatement.execute

    def count(statement: DriverStatement, connection: Connection, values: dict[str, Any]) -> Any:
        counted.texts.append(statement.text(connection))
        return execute(statement, connection, values)

    try:
        with patch.object(DriverStatement, "execute", count):
            yield counted
    finally:
        for name, listener in listeners:
            event.remove(Engine, name, listener)
