"""A new log takes the place of the old one, whole or not at all, whenever the power goes.

The new file is made beside the journal, complete and on the medium, before the old files are touched; they are moved
aside and never deleted. From the moment `<journal>.next` exists the change is decided, and the next start finishes it.
"""

import secrets
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from station.core.event import Event, EventIdentity, encode
from station.core.hash_chain import LOG_ID_BYTES, genesis, link
from station.journal import metadata
from station.journal.records import PreviousLog
from station.journal.schema import INSERT, bring_up_to_date, connect, connect_reading
from station.system.files import flush_folder

SUFFIXES = ("", "-wal", "-shm")
QUARANTINE = "quarantine"  # damaged files
EARLIER = "earlier"  # whole logs that another one followed


@dataclass(frozen=True, slots=True)
class LogOrigin:
    """Who records: the station, its software, the kernel's boot id, the board's id (None: unknown) and its clock.

    `now_ns` is CLOCK_BOOTTIME.
    """

    station: str
    sw: str
    boot: str
    hardware_id: str | None
    now_ns: Callable[[], int]

    def event(self, kind: str) -> Event:
        """An event of this kind, recorded here and now."""
        return Event(kind=kind, station=self.station, sw=self.sw, boot=self.boot, mono_ns=self.now_ns())


def _next(journal: Path) -> Path:
    return journal.with_name(journal.name + ".next")


def _part(journal: Path) -> Path:
    return journal.with_name(journal.name + ".part")


def _drop(file: Path) -> None:
    for suffix in (*SUFFIXES, "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def give_up_next(journal: Path) -> None:
    """Drop a new log that was not finished, so that the old one stays in use; also what a full disk holds of it."""
    _drop(_part(journal))
    _drop(_next(journal))
    flush_folder(journal.parent)  # a `.next` that came back after a power cut would replace a log with later events


def make_next(
    journal: Path,
    recorder: LogOrigin,
    parent: PreviousLog | None,
    told: Iterable[bytes],
    room: str,
    *,
    carried_after: int | None = None,
) -> bytes:
    """Write `<journal>.next`, a complete journal with the `open` event and what is told again; returns its log id.

    `room` is the folder that the old files will be moved to, one of QUARANTINE and EARLIER. `told` are the events of the
    log before behind `carried_after`; None: none of them.
    """
    part = _part(journal)
    _drop(part)
    try:
        log_id = _write_part(journal, recorder, parent, told, room, carried_after)
    except BaseException:
        _drop(part)  # what a full disk took of it would keep the disk full
        raise
    part.rename(_next(journal))  # the checkpoint flushed its content, `finish` flushes its name
    return log_id


def _write_part(
    journal: Path,
    recorder: LogOrigin,
    parent: PreviousLog | None,
    told: Iterable[bytes],
    room: str,
    carried_after: int | None,
) -> bytes:
    log_id = secrets.token_bytes(LOG_ID_BYTES)
    with closing(connect(_part(journal))) as db:
        bring_up_to_date(db)
        with db.atomic():
            metadata.name_log(db.conn, log_id)
            metadata.write_meta(db.conn, "station", recorder.station)
            metadata.write_meta(db.conn, "hardware_id", recorder.hardware_id)
            metadata.write_meta(db.conn, "aside", str(_place_aside(journal, room).relative_to(journal.parent)))
            metadata.write_meta(db.conn, "carried_after", carried_after)
            prev, seq = genesis(log_id), 0
            for seq, encoded in enumerate(_opening(recorder, parent, told), 1):
                digest = link(prev, encoded)
                db.conn.execute(INSERT, (seq, encoded, prev, digest))
                prev = digest
            if parent:
                metadata.write_parent(db.conn, parent)
            metadata.write_verified(db.conn, seq, prev)
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return log_id


def _opening(recorder: LogOrigin, parent: PreviousLog | None, told: Iterable[bytes]) -> Iterable[bytes]:
    if parent:
        place = EventIdentity(log=parent.log_id.hex(), seq=parent.seq, hash=parent.hash.hex())
        yield encode(msgspec.structs.replace(recorder.event("open"), parent=place, cause=parent.cause))
    yield from told


def _place_aside(journal: Path, room: str) -> Path:
    """The next free numbered folder for old files."""
    number = 1
    while (journal.parent / room / str(number)).exists():
        number += 1
    return journal.parent / room / str(number)


def finish(journal: Path) -> Path | None:
    """Put `<journal>.next` in place if it is there, the old files aside; returns where they are.

    None where nothing was due.
    """
    coming = _next(journal)
    if not coming.exists():
        return None
    with closing(connect_reading(coming, main_file_only=True)) as connection:
        aside = journal.parent / str(metadata.read_meta(connection, "aside"))
    old_files = [old for suffix in SUFFIXES if (old := journal.with_name(journal.name + suffix)).exists()]
    if old_files:
        aside.mkdir(parents=True, exist_ok=True)
        flush_folder(journal.parent)  # the next log's name lasts before the first old file moves
        flush_folder(aside.parent)
        for old in old_files:
            old.rename(aside / old.name)
        flush_folder(aside)  # the new names first: between the two a file has two names, never none
        flush_folder(journal.parent)
    coming.rename(journal)
    flush_folder(journal.parent)
    return aside
