"""Driver statement: a SQLAlchemy statement that is compiled once and executed by the database driver.

For the few statements of each request of a station: SQLAlchemy takes several times as long for one of them as SQLite does
(docs/adr/0002-driver-executemany.md). No SQLAlchemy type converts the values, so the columns must be plain ones.
"""

from collections import namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.sql.expression import Executable


class DriverStatement:
    """One statement for both engines; `values` are its bound parameters by name."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def first(self, connection: Connection, values: dict[str, Any]) -> Any:
        """The first row with its columns as attributes; None where there is none."""
        cursor = self.execute(connection, values)
        row = cursor.fetchone()
        cursor.close()
        return None if row is None else self._of(connection).row(*row)

    def run(self, connection: Connection, values: dict[str, Any]) -> int:
        """Execute a statement without rows; returns the number of changed rows."""
        cursor = self.execute(connection, values)
        count: int = cursor.rowcount
        cursor.close()
        return count

    def execute(self, connection: Connection, values: dict[str, Any]) -> Any:
        """Execute inside the connection's transaction; returns the cursor of the driver."""
        compiled = self._of(connection)
        named = {**compiled.fixed, **values}
        raw: Any = connection.connection.driver_connection
        order = compiled.order
        return raw.execute(compiled.text, named if order is None else [named[name] for name in order])

    def text(self, connection: Connection) -> str:
        """The SQL text for the engine of this connection."""
        return self._of(connection).text

    def _of(self, connection: Connection) -> "_Compiled":
        return self._compiled.get(connection.dialect.name) or self._compile(connection)

    def _compile(self, connection: Connection) -> "_Compiled":
        compiled: Any = self._statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
        names = [column.keyname for column in compiled._result_columns]  # noqa: SLF001  no public name
        made = _Compiled(
            str(compiled),
            None if compiled.positiontup is None else tuple(compiled.positiontup),
            {name: value for name, value in compiled.params.items() if value is not None},
            namedtuple("Row", names),  # noqa: PYI024  the columns are known only here
        )
        self._compiled[connection.dialect.name] = made
        return made


class _Compiled(NamedTuple):
    """A statement of one engine. `order`: the names of its positions, None where the driver takes names; `fixed`: values
    in the statement itself; `row`: makes a row of its columns.
    """

    text: str
    order: tuple[str, ...] | None
    fixed: dict[str, Any]
    row: Callable[..., Any]
