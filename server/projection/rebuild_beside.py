"""Rebuild beside: make the projection of a running hub anew while it takes scans.

On SQLite one transaction at a time writes, and a rebuild takes minutes. Therefore the ledger of a snapshot is folded into a
file of its own, and one short transaction then replaces the rows; events that arrived meanwhile are projected after it. On
PostgreSQL the projector writes beside the other writers anyway, so one transaction does all of it. In both, pages read the
rows of before until the commit.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event

from server.db.schema import metadata
from server.db.store import OTHER, Store
from server.projection.definitions import change_counts, count_rebuild
from server.projection.interpreter import EventInterpreter
from server.projection.rebuild import empty, first_change, fold_all, rebuild_tables
from server.projection.tables import TABLES
from station.system.progress import Advance, unheard

_PRAGMAS = ("journal_mode = DELETE", "synchronous = OFF", "locking_mode = NORMAL", "cache_size = -65536")


@contextmanager
def rebuilt(
    store: Store, interpreter: EventInterpreter, aside: Mapping[int, str] | None = None, advance: Advance = unheard
) -> Iterator[Connection]:
    """The projector's transaction in which the projection has just been rebuilt, committed at the end of the block.

    `aside`: events that stay set aside, pos -> reason. Raises as `Store.project`. No other projector may run meanwhile.
    """
    if store.path is None:
        with store.project() as connection:
            rebuild_tables(connection, interpreter, aside, advance)
            yield connection
        return
    scratch = scratch_of(store.path)
    remove_scratch(store.path)
    try:
        with store.read() as source:
            _fold_into(scratch, source, interpreter, aside, advance)
        with store.write_with(scratch) as connection:
            counted = change_counts(connection)
            empty(connection)
            for table in TABLES:
                names = ", ".join(f'"{column.name}"' for column in table.columns)
                # The names are those of our own tables.
                connection.exec_driver_sql(
                    f'INSERT INTO main."{table.name}" ({names}) SELECT {names} FROM {OTHER}."{table.name}"'  # noqa: S608
                )
            count_rebuild(connection, counted)
            yield connection
    finally:
        remove_scratch(store.path)


def scratch_of(db: Path) -> Path:
    """The file into which a rebuild folds, beside the database."""
    return db.with_name(db.name + ".rebuild")


def remove_scratch(db: Path) -> None:
    """Remove the file of a rebuild, also one that a killed process left."""
    scratch = scratch_of(db)
    for suffix in ("", "-journal", "-wal", "-shm"):
        scratch.with_name(scratch.name + suffix).unlink(missing_ok=True)


def _fold_into(
    scratch: Path,
    source: Connection,
    interpreter: EventInterpreter,
    aside: Mapping[int, str] | None,
    advance: Advance,
) -> None:
    scratch.touch(mode=0o600)
    engine = _engine(scratch)
    try:
        with engine.begin() as target:
            metadata.create_all(target, tables=list(TABLES))
            fold_all(source, target, interpreter, aside, first_change(source), advance)
    finally:
        engine.dispose()


def _engine(path: Path) -> Engine:
    """Connections to the file of a rebuild: nothing is flushed, because after a crash the rebuild begins again."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"isolation_level": None, "cached_statements": 256}
    )

    def prepare(raw: object, _record: object) -> None:
        for pragma in _PRAGMAS:
            raw.execute(f"PRAGMA {pragma}").close()  # type: ignore[attr-defined]

    def start(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", start)
    return engine
