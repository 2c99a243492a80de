"""Restore swap: replace the database by a restored one atomically, also if the process is killed at any step.

1. `<db>.restoring` is written and flushed. Nothing has changed yet; the next open removes it.
2. It is renamed to `<db>.restored`. The swap is decided: the next open for writing finishes it first.
3. The old files move to `<db>.before-restore-N`: the database and its write-ahead log, in any order.
4. `<db>.restored` is renamed to `<db>`.

A write-ahead log does not name its database: SQLite would replay the old log into the new database. Therefore nothing opens
`<db>` between steps 3 and 4. All functions are called under the lock of `server.db.writer_lock`.
"""

from pathlib import Path

from station.system.files import flush_folder

SUFFIXES = ("-wal", "-shm", "-journal", "")


def fresh(db: Path) -> Path:
    """The path that step 1 writes."""
    return db.with_name(db.name + ".restoring")


def decided(db: Path) -> bool:
    """Whether a decided swap is not finished."""
    return _decided(db).exists()


def decide(db: Path) -> None:
    """Step 2. `fresh(db)` must be complete and flushed."""
    fresh(db).rename(_decided(db))
    flush_folder(db.parent)


def finish(db: Path) -> Path | None:
    """Steps 3 and 4 of a decided swap; the files of an undecided one are removed. Returns the path of the old database.

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
    """Move the old files to the first number at which nothing is overwritten; an interrupted move continues there."""
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
