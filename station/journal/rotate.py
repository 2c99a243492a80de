"""Rotate: replace the journal by a new log, completely or not at all, even if the power fails meanwhile.

1. `make_next` writes the new log as `<journal>.part` and renames it to `<journal>.next` when it is complete and on the
medium.
   From this rename on the change is decided.
2. `finish` moves the old files aside (they are never deleted) and renames `<journal>.next` to the journal. After a power cut
   the next start calls it again.
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
EARLIER = "earlier"  # undamaged logs that a new one followed


@dataclass(frozen=True, slots=True)
class LogOrigin:
    """The origin of a log's events: station, software, the kernel's boot id, the board's id (None: unknown) and the clock.

    `now_ns` is CLOCK_BOOTTIME.
    """

    station: str
    sw: str
    boot: str
    hardware_id: str | None
    now_ns: Callable[[], int]

    def event(self, kind: str) -> Event:
        """An event of this kind, recorded now."""
        return Event(kind=kind, station=self.station, sw=self.sw, boot=self.boot, mono_ns=self.now_ns())


def _next(journal: Path) -> Path:
    return journal.with_name(journal.name + ".next")


def is_rotating(journal: Path) -> bool:
    """Whether a change to a new log is decided and not finished."""
    return _next(journal).exists()


def _part(journal: Path) -> Path:
    return journal.with_name(journal.name + ".part")


def _drop(file: Path) -> None:
    for suffix in (*SUFFIXES, "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def give_up_next(journal: Path) -> None:
    """Remove an unfinished new log, so that the old one stays in use and a full disk gets the room back."""
    _drop(_part(journal))
    _drop(_next(journal))
    flush_folder(journal.parent)  # a `.next` that reappears after a power cut would replace a log with later events


def make_next(
    journal: Path,
    origin: LogOrigin,
    parent: PreviousLog | None,
    carried: Iterable[bytes],
    room: str,
    *,
    carried_after: int | None = None,
) -> bytes:
    """Write `<journal>.next`, a complete journal with the `open` event and the carried events; returns its log id.

    `room` is the folder that the old files will be moved to, QUARANTINE or EARLIER. `carried` are the events of the log
    before behind `carried_after`; None: none of them.
    """
    part = _part(journal)
    _drop(part)
    try:
        log_id = _write_part(journal, origin, parent, carried, room, carried_after)
    except BaseException:
        _drop(part)  # a partial file would keep a full disk full
        raise
    part.rename(_next(journal))  # the checkpoint flushed its content, `finish` flushes its name
    return log_id


def _write_part(
    journal: Path,
    origin: LogOrigin,
    parent: PreviousLog | None,
    carried: Iterable[bytes],
    room: str,
    carried_after: int | None,
) -> bytes:
    log_id = secrets.token_bytes(LOG_ID_BYTES)
    with closing(connect(_part(journal))) as db:
        bring_up_to_date(db)
        with db.atomic():
            metadata.name_log(db.conn, log_id)
            metadata.write_meta(db.conn, "station", origin.station)
            metadata.write_meta(db.conn, "hardware_id", origin.hardware_id)
            metadata.write_meta(db.conn, "aside", str(_place_aside(journal, room).relative_to(journal.parent)))
            metadata.write_meta(db.conn, "carried_after", carried_after)
            prev, seq = genesis(log_id), 0
            for seq, encoded in enumerate(_first_events(origin, parent, carried), 1):
                digest = link(prev, encoded)
                db.conn.execute(INSERT, (seq, encoded, prev, digest))
                prev = digest
            if parent:
                metadata.write_parent(db.conn, parent)
            metadata.write_verified(db.conn, seq, prev)
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return log_id


def _first_events(origin: LogOrigin, parent: PreviousLog | None, carried: Iterable[bytes]) -> Iterable[bytes]:
    if parent:
        identity = EventIdentity(log=parent.log_id.hex(), seq=parent.seq, hash=parent.hash.hex())
        yield encode(msgspec.structs.replace(origin.event("open"), parent=identity, cause=parent.cause))
    yield from carried


def _place_aside(journal: Path, room: str) -> Path:
    """The next free numbered folder for old files."""
    number = 1
    while (journal.parent / room / str(number)).exists():
        number += 1
    return journal.parent / room / str(number)


def finish(journal: Path) -> Path | None:
    """If there is a `<journal>.next`, move the old files aside and put it in their place; returns the folder of the old
    ones.

    None where there was nothing to do. It may be called again after any interruption.
    """
    next_log = _next(journal)
    if not next_log.exists():
        return None
    with closing(connect_reading(next_log, main_file_only=True)) as connection:
        aside = journal.parent / str(metadata.read_meta(connection, "aside"))
    old_files = [old for suffix in SUFFIXES if (old := journal.with_name(journal.name + suffix)).exists()]
    if old_files:
        aside.mkdir(parents=True, exist_ok=True)
        flush_folder(journal.parent)  # the name `.next` must be durable before the first old file moves
        flush_folder(aside.parent)
        for old in old_files:
            old.rename(aside / old.name)
        flush_folder(aside)  # the new names first: a power cut between the two leaves a file two names, never none
        flush_folder(journal.parent)
    next_log.rename(journal)
    flush_folder(journal.parent)
    return aside
