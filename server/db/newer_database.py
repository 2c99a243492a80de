"""Newer database: refuse a database that a later version of this software wrote, before anything in it is changed.

Two numbers tell the version: that of the tables (the last migration) and that of the fold (`FOLD_VERSION`), whose rows an
earlier program would read by other rules.
"""

from sqlalchemy import Connection, inspect, select

from server.db.migrations import HEAD, version_of
from server.projection.tables import FOLD_VERSION, FOLD_VERSION_ROW, projection


class NewerDatabase(RuntimeError):
    """A later version wrote the database; the message has what came, what was expected and what to do."""


def refuse_newer(connection: Connection, name: object) -> None:
    """Raise `NewerDatabase` where the tables or the fold are of a later version. `name`: the database in the message.

    Reads alone. An empty database, and one without a projection, pass.
    """
    tables = version_of(connection)
    if tables is not None and tables not in _known_versions():
        raise NewerDatabase(_sentence(name, f"its tables have version {tables}", f"knows them up to {HEAD}"))
    fold = fold_version_of(connection)
    if fold is not None and fold > FOLD_VERSION:
        raise NewerDatabase(
            _sentence(name, f"its items were folded by version {fold} of the rules", f"knows version {FOLD_VERSION}")
        )


def fold_version_of(connection: Connection) -> int | None:
    """The version of the rules that folded the stored rows; None where nothing was folded."""
    if not inspect(connection).has_table(projection.name):
        return None
    return connection.execute(select(projection.c.v).where(projection.c.k == FOLD_VERSION_ROW)).scalar()


def _known_versions() -> set[str]:
    return {f"{number:04}" for number in range(1, int(HEAD) + 1)}


def _sentence(name: object, came: str, expected: str) -> str:
    return (
        f"{name} was written by a newer version of wipline: {came}, and this program {expected}."
        " Install that version or a later one. Nothing was changed."
    )
