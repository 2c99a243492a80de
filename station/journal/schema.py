"""Journal schema: tables, the triggers that protect them, migrations, and the settings of a connection.

SQLite settings belong to the connection, not to the file, and SQLite ignores an unknown pragma silently. So each setting is
made and then read back.
"""

import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from station.journal.records import JournalError
from station.system.progress import Show, unseen

PAGE_BYTES = 4096
INSERT = "INSERT INTO event (seq, bytes, prev, hash) VALUES (?, ?, ?, ?)"
BUSY_MS = 5_000
# Longer than the log becomes before a checkpoint: a flush that also extends the file takes twice as long.
WAL_KEPT_BYTES = 8 * 1024 * 1024

PRAGMAS: dict[str, str | int] = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: NORMAL may lose the last commits in a power cut, but a green answer must survive one
    "mmap_size": 0,  # a page that cannot be read must be an error, not a SIGBUS
    "cell_size_check": 1,  # damage is detected when the page is read
    "trusted_schema": 0,
    "wal_autocheckpoint": 0,  # it would hide an fsync error; Journal.tidy() checkpoints and raises it
    "journal_size_limit": WAL_KEPT_BYTES,
    "busy_timeout": BUSY_MS,
}

_TABLES = """
CREATE TABLE meta (k TEXT PRIMARY KEY, v ANY) STRICT, WITHOUT ROWID;
CREATE TABLE event (
    seq INTEGER PRIMARY KEY CHECK (seq >= 1),
    bytes BLOB NOT NULL CHECK (length(bytes) > 0),
    prev BLOB NOT NULL CHECK (length(prev) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TABLE mark (
    hub_epoch ANY PRIMARY KEY NOT NULL,
    accepted_thru INTEGER NOT NULL CHECK (accepted_thru >= 0),
    durable_thru INTEGER NOT NULL CHECK (durable_thru >= 0),
    head TEXT NOT NULL
) STRICT;
CREATE TABLE snapshot (version TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE item (item TEXT NOT NULL, product TEXT, operation ANY, state TEXT, qty_milli INTEGER) STRICT;
CREATE INDEX item_by_name ON item (item);
CREATE TABLE verified (seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE reached (hub_day INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
"""

# INSERT OR REPLACE deletes without firing the delete trigger; the insert trigger prevents it.
_TRIGGERS = (
    """CREATE TRIGGER event_follows BEFORE INSERT ON event
    WHEN CASE WHEN NEW.seq = 1 THEN EXISTS (SELECT 1 FROM event)
        ELSE (NEW.seq, NEW.prev) IS NOT (SELECT seq + 1, hash FROM event ORDER BY seq DESC LIMIT 1) END
    BEGIN SELECT RAISE(ABORT, 'an event follows the last one'); END""",
    """CREATE TRIGGER event_stays_as_it_is BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END""",
    """CREATE TRIGGER event_leaves_when_durable BEFORE DELETE ON event
    WHEN OLD.seq > coalesce((SELECT durable_thru FROM mark
            WHERE hub_epoch = (SELECT v FROM meta WHERE k = 'hub_epoch')), 0)
        OR OLD.seq > coalesce((SELECT v FROM meta WHERE k = 'pruned_thru'), 0)
        OR OLD.seq = (SELECT max(seq) FROM event)
    BEGIN SELECT RAISE(ABORT, 'an event leaves only when it is durable at the hub'); END""",
    """CREATE TRIGGER log_id_stays BEFORE UPDATE ON meta WHEN OLD.k = 'log_id'
    BEGIN SELECT RAISE(ABORT, 'a log keeps its id'); END""",
    """CREATE TRIGGER log_id_remains BEFORE DELETE ON meta WHEN OLD.k = 'log_id'
    BEGIN SELECT RAISE(ABORT, 'a log keeps its id'); END""",
)

# The errors of reading a damaged file: SQLite's own, messages that are not UTF-8, values of the wrong type.
UNREADABLE = (sqlite3.Error, ValueError, TypeError)

migrations = Migrations("journal")


def bring_up_to_date(db: Database, show: Show = unseen) -> None:
    """Apply the missing migrations, each in a transaction of its own. Raises `JournalError` for a file of later software."""
    refuse_newer(db.conn)
    pending = [step.name for step in migrations.pending(db)]
    advance = show("Migration of the journal", "step") if pending else unseen("", "")
    for done, following in enumerate([*pending[1:], None], 1):
        migrations.apply(db, stop_before=following)
        advance(done, len(pending))


def refuse_newer_file(path: Path) -> None:
    """Raise `JournalError` for a file of later software, before anything is locked, checked or written.

    It reads the database file alone, because a connection that looks for a write-ahead log creates a missing one. A file
    that cannot be read passes: the checks of the start name its damage.
    """
    with suppress(OSError, *UNREADABLE), closing(connect_reading(path, main_file_only=True)) as connection:
        refuse_newer(connection)


def refuse_newer(connection: sqlite3.Connection) -> None:
    """Raise `JournalError` for a journal of later software."""
    query = "SELECT name FROM sqlite_schema WHERE name = '_sqlite_migrations'"
    if connection.execute(query).fetchone() is None:
        return
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'journal'")
    later = {str(row[0]) for row in rows} - {known.name for known in _known()}
    if later:
        msg = f"The journal was written by later software ({', '.join(sorted(later))}). Install that version again."
        raise JournalError(msg)


def _known() -> list[Migrations._Migration]:
    return migrations._migrations  # noqa: SLF001 - sqlite-utils has no public list of a set's migrations


@migrations()
def version_1(db: Database) -> None:
    """The tables of the first release."""
    db.executescript(_TABLES)
    for trigger in _TRIGGERS:
        db.execute(trigger)


@migrations()
def version_2(db: Database) -> None:
    """The progress of the log is counted in the station's own days, no longer in days of the hub's clock."""
    db.execute("CREATE TABLE day (day INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT")
    db.execute("DROP TABLE reached")


@migrations()
def version_3(db: Database) -> None:
    """Open items keep their stage: an item without a routing has no operation to find it by."""
    db.execute("ALTER TABLE item ADD COLUMN stage TEXT")


@migrations()
def version_4(db: Database) -> None:
    """Items keep all fields of the hub's row, as JSON, so that the rules have the state that the hub has."""
    db.execute("ALTER TABLE item ADD COLUMN more TEXT")
    db.execute("DELETE FROM meta WHERE k = 'items_cursor'")  # all items are fetched again, with these fields
    # The rows until then include what the hub had accepted, and nothing behind it.
    db.execute(
        "INSERT INTO meta (k, v) SELECT 'items_thru', accepted_thru FROM mark"
        " WHERE hub_epoch = (SELECT v FROM meta WHERE k = 'hub_epoch')"
    )


def connect(path: Path) -> Database:
    """The writing connection, with its settings read back. Autocommit: one statement is one transaction.

    Raises `JournalError` where a setting does not hold, `sqlite3.Error` where the file cannot be read.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=32)
    try:
        for name, wanted in PRAGMAS.items():
            connection.execute(f"PRAGMA {name} = {wanted}")
        check_pragmas(connection)
    except BaseException:
        connection.close()
        raise
    return Database(connection, execute_plugins=False)


def check_pragmas(connection: sqlite3.Connection) -> None:
    """Raise `JournalError` unless every setting reads back as it was made."""
    for name, wanted in PRAGMAS.items():
        (actual,) = connection.execute(f"PRAGMA {name}").fetchone()
        if actual != wanted:
            msg = (
                f"SQLite {sqlite3.sqlite_version} answers {name} = {actual}; expected {wanted}."
                " Nothing can be promised."
            )
            raise JournalError(msg)


def close_unfolded(db: Database, path: Path) -> None:
    """Close a writing connection and leave its write-ahead log in place.

    The last connection with write access checkpoints the log when it closes, and deletes it. After an interrupted stop the
    next start would then miss a log that the database claims to have (`in_use`). Therefore a read-only connection is open
    meanwhile: closing that one does not checkpoint.
    """
    with closing(connect_reading(path)) as reading:
        with suppress(*UNREADABLE):
            reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # SQLite opens the files at the first read
        db.close()


def connect_reading(path: Path, *, main_file_only: bool = False) -> sqlite3.Connection:
    """A read-only connection; `main_file_only` ignores the write-ahead log and reads the database file alone.

    Raises `ValueError` for a path that SQLite must not open: it would wait for the writer of a named pipe, and beside an
    empty file it deletes the write-ahead log, also read-only, although the log may hold every event.
    """
    with suppress(OSError):
        seen = path.stat()
        if not stat.S_ISREG(seen.st_mode) or (seen.st_size == 0 and not main_file_only):
            msg = f"{path} is {'an empty file' if stat.S_ISREG(seen.st_mode) else 'no file'}"
            raise ValueError(msg)
    how = "mode=ro&immutable=1" if main_file_only else "mode=ro"
    uri = f"file:{quote(str(path.absolute()))}?{how}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
