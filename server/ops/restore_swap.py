"""Swap: a restored database takes the place of the one before, whole or not at all, whenever the process is killed.

1. `<db>.restoring` is written and flushed. Until here nothing has changed; it is removed at the next opening.
2. It is renamed to `<db>.restored`. From here the swap is decided: the next opening for writing finishes it first.
3. The old files move to `<db>.before-restore-N`: the database and its write-ahead log, in any order.
4. `<db>.restored` is renamed to `<db>`.

A write-ahead log names no database: SQLite would play the old one into the new database. So nothing opens `<db>` between 3
and 4. Everything here is called under the lock of `server.db.writer_lock`.
"""

from pathlib import Path

from station.system.files import flush_folder

SUFFIXES = ("-wal", "-shm", "-journal", "")


def fresh(db: Path) -> Path:
    """Where step 1 writes."""
    return db.with_name(db.name + ".restoring")


def decided(db: Path) -> bool:
    """Whether a swap waits to be finished."""
    return _decided(db).exists()


def decide(db: Path) -> None:
    """Step 2; `fresh(db)` is complete and flushed."""
    fresh(db).rename(_decided(db))
    flush_folder(db.parent)


def finish(db: Path) -> Path | None:
    """Steps 3 and 4 of a swap that was decided, and what is left of one that was not; where the old database is now.

    None where no swap was decided, or where there was no database before.
    """
    if not decided(db):
        for suffix in SUFFIXES:
            fresh(db).with_name(fresh(db).name + suffix).unlink(missing_ok=True)
        return None
    aside = _move_aside(db)
    _decided(db).rename(db)
    flush_folder(db.parent)
    return aside


def _decided(db: Path) -> Path:
    return db.with_name(db.name + ".restored")


def _move_aside(db: Path) -> Path | None:
    """The first number at which nothing would be overwritten: also the one at which a move was cut off."""
    present = [suffix for suffix in SUFFIXES if db.with_name(db.name + suffix).exists()]
    number, aside = 1, _aside(db, 1)
    while any(aside.with_name(aside.name + suffix).exists() for suffix in present):
        number, aside = number + 1, _aside(db, number + 1)
    for suffix in present:
        db.with_name(db.name + suffix).rename(aside.with_name(aside.name + suffix))
    flush_folder(db.parent)
    return aside if aside.exists() else None


def _aside(db: Path, number: int) -> Path:
    return db.with_name(f"{db.name}.before-restore-{number}")
