"""Transfer of a hub into another database: the move to a database server, and the snapshot for questions.

A move copies everything that is not folded from the ledger, folds the ledger anew in the target, and compares two hashes
before it commits: that of the ledger's rows and that of the folded state. A snapshot is one portable SQLite file without
keys, tokens and accounts, with views that answer common questions by themselves.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import sqlite_utils
from sqlalchemy import Connection, Table, create_engine, func, select, text

from server.db import schema
from server.db.bulk_insert import insert_many
from server.db.migrations import HEAD, upgrade, version_of
from server.db.position_signal import PositionSignal
from server.db.store import Store, sqlite_path
from server.ledger.hub_log import begin_epoch
from server.ledger.ingest import last_pos
from server.ops.bootstrap import db_name, open_hub, open_read_only, require_empty, save_location
from server.ops.disk_need import SPARE_BYTES, database_bytes, require
from server.ops.host import Host
from server.projection.fold_version import is_outdated
from server.projection.rebuild import rebuild_tables
from server.projection.tables import TABLES, folded_rows
from server.projection.worker import Projector
from station.system.progress import Show, unseen

ROWS_AT_ONCE = 1_000
SHARED = (
    schema.ledger,
    schema.log,
    schema.fork,
    schema.gap,
    schema.damage,
    schema.epoch,
    schema.period,
    schema.period_listing,
    schema.heartbeat,
)
_UTC = re.compile(r"UTC\(([a-z_.]+)\)")
_AS_TEXT = r"strftime('%Y-%m-%d %H:%M:%f', \1 / 1000000.0, 'unixepoch')"
VIEWS = {
    "in_process": """
        SELECT product, stage, operation, state, item, carrier, qty_milli / 1000.0 AS quantity,
            UTC(since_us) AS since_utc, UTC(at_stage_since_us) AS at_stage_since_utc
        FROM parcel WHERE state IN ('released', 'waiting', 'here', 'held')""",
    "orders": """
        SELECT item AS work_order, product, customer, status, due, priority, ordered_milli / 1000.0 AS ordered,
            finished_milli / 1000.0 AS finished, scrapped_milli / 1000.0 AS scrapped,
            UTC(released_us) AS released_utc, UTC(started_us) AS started_utc, UTC(ended_us) AS ended_utc
        FROM item WHERE released_us IS NOT NULL AND (order_ IS NULL OR order_ = item)""",
    "item_history": """
        SELECT event_item.item, UTC(event_item.key_us) AS at_utc, event_item.verb, event_item.code,
            log.station, event_state.status, event_item.pos
        FROM event_item JOIN event_state ON event_state.pos = event_item.pos
            JOIN ledger ON ledger.pos = event_item.pos JOIN log ON log.log_id = ledger.log_id""",
    "open_findings": """
        SELECT item, rule, stage, station, UTC(key_us) AS at_utc, args
        FROM finding WHERE answered_us IS NULL AND NOT ended""",
}


class TransferError(RuntimeError):
    """The target cannot be used or does not equal its source; the message has what came, what was expected, what to do."""


class MovedHub(NamedTuple):
    """A moved hub: the number of its events, the two hashes in hex, and its new epoch."""

    events: int
    ledger_hash: str
    state_hash: str
    epoch: int


def move(source: str, target: str, host: Host | None = None, show: Show = unseen) -> MovedHub:
    """Move the hub of an SQLite file into an empty database. The file stays as it is.

    1. Open the source under the writer's lock, and fold all that is new.
    2. Create the tables in the target; copy what is not folded; fold the ledger there.
    3. Compare both hashes; begin a new epoch, in which stations resume from what this database has.

    One transaction of the target: after any error it is empty. Raises `TransferError`, `NoHub`, and `HubLocked` while the
    hub runs.
    """
    path = sqlite_path(source)
    if path is None or sqlite_path(target) is not None:
        msg = f"a move from {source} to {target}; expected an SQLite file and the URL of a database server. Name both."
        raise TransferError(msg)
    with closing(open_hub(source, host=host)) as old, closing(Store(target, host=host)) as new:
        require_empty(new)
        Projector(old, PositionSignal()).drain()
        with old.read() as rows, new.write(lock=False) as connection:
            upgrade(connection)
            folded = {table.name for table in TABLES}
            for table in schema.metadata.sorted_tables:
                if table.name not in folded and table is not schema.long_work:
                    _copy(rows, connection, table, show)
            _continue_numbers(connection)
            rebuild_tables(connection, advance=show("Move, fold", "event"))
            hashes = [(ledger_hash(each), state_hash(each)) for each in (rows, connection)]
            if hashes[0] != hashes[1]:
                msg = f"the rows in {new.url.render_as_string()} differ from {path}; expected equal ones. Nothing was moved."
                raise TransferError(msg)
            events = last_pos(connection)
            epoch = begin_epoch(connection, f"moved from {path.name}", None, new.host)
        save_location(new)
    return MovedHub(events, *hashes[0], epoch)


def snapshot(db: str, target: Path, show: Show = unseen, host: Host | None = None) -> int:
    """Write the ledger and its folded state into a new SQLite file with views. Returns the number of events.

    The views `in_process`, `orders`, `item_history` and `open_findings` have quantities in units and times in UTC. Works
    while the hub runs. Raises `TransferError` where the target exists or cannot be written or the hub is of an
    earlier version, and `NoHub`.
    """
    if target.exists():
        msg = f"{target} exists; expected a new file. Name another one: a snapshot overwrites no file."
        raise TransferError(msg)
    tables = [*SHARED, *TABLES]
    try:
        target.touch(mode=0o600)
        with open_read_only(db) as store, store.read() as rows:
            _require_this_version(rows, store)
            require(
                "A snapshot",
                db_name(store),
                database_bytes(rows) + SPARE_BYTES,
                target.parent,
                (host or Host()).free_bytes,
            )
            engine = create_engine(f"sqlite:///{target}")
            with engine.begin() as connection:
                schema.metadata.create_all(connection, tables=tables)
                for table in tables:
                    _copy(rows, connection, table, show)
            engine.dispose()
            events = last_pos(rows)
        with closing(sqlite_utils.Database(target)) as made:
            for name, query in VIEWS.items():
                made.create_view(name, _UTC.sub(_AS_TEXT, query))
    except BaseException as error:
        with suppress(OSError):
            target.unlink()
        if isinstance(error, OSError):
            msg = f"No snapshot at {target}: {error}. Check that disk: its free space and its permissions."
            raise TransferError(msg) from error
        raise
    return events


def _require_this_version(rows: Connection, store: Store) -> None:
    if version_of(rows) != HEAD or is_outdated(rows):
        msg = (
            f"{db_name(store)} is of an earlier version; expected items that this version folded."
            " Start the hub once, wait until its pages are up to date, and repeat the command."
        )
        raise TransferError(msg)


def ledger_hash(connection: Connection) -> str:
    """SHA-256 of all rows of the ledger in their order, in hex."""
    digest = sha256()
    for row in connection.execute(select(schema.ledger).order_by(schema.ledger.c.pos)).yield_per(ROWS_AT_ONCE):
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def state_hash(connection: Connection) -> str:
    """A hash of the folded state, in hex: the sum of the hashes of its rows without surrogate ids, in whatever order."""
    total = 0
    for table in TABLES:
        for row in connection.execute(folded_rows(table)).yield_per(ROWS_AT_ONCE):
            total += int.from_bytes(sha256(repr((table.name, *row)).encode()).digest())
    return (total % 2**256).to_bytes(32).hex()


def _copy(source: Connection, target: Connection, table: Table, show: Show) -> None:
    count = source.execute(select(func.count()).select_from(table)).scalar_one()
    advance, done = show(f"Copy of {table.name}", "row"), 0
    for rows in _parts(source, table):
        insert_many(target, table, rows)
        done += len(rows)
        advance(done, count)


def _parts(source: Connection, table: Table) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows of a table, some at a time; a NUL in a text is escaped, as in all that comes in."""
    for part in source.execute(select(table)).yield_per(ROWS_AT_ONCE).partitions():
        yield [tuple(value.replace("\0", "{00}") if isinstance(value, str) else value for value in row) for row in part]


def _continue_numbers(connection: Connection) -> None:
    """Let the numbers that the database gives continue after the copied ones."""
    if connection.dialect.name != "postgresql":
        return
    for table in schema.metadata.sorted_tables:
        key = table.autoincrement_column
        if key is None:
            continue
        names = {"table": table.name, "column": key.name}
        sequence = connection.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), names).scalar()
        last = connection.execute(select(func.max(key))).scalar()
        if sequence is not None and last is not None:
            connection.execute(text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last})
