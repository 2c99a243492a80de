"""Logs set aside: undamaged ones that a new log followed (`earlier/`), and damaged ones (`quarantine/`).

Files are moved aside and never deleted, because a hub that is restored from an old backup may need them again. The log that
followed carries the events behind its `carried_after`. The events up to there are the duty of the log set aside: up to
`duty_thru` they must be at the hub under this log's own identity, or be sent again in the log that is open now.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from station.core.hash_chain import genesis, link
from station.journal import metadata
from station.journal.page_recovery import carve
from station.journal.reader import read_events
from station.journal.records import HubMark, LogState, PreviousLog, StoredEvent, Tip
from station.journal.rotate import EARLIER, QUARANTINE
from station.journal.salvage import UNKNOWN_HASH, UNKNOWN_LOG, SalvagedEvent, in_order
from station.journal.schema import UNREADABLE, connect_reading
from station.journal.wal import wal_of
from station.system.access import require_readable
from station.system.files import flush_folder

NOTE = "hub.json"
SLICE = 1_000


class EarlierLogNote(msgspec.Struct, frozen=True):
    """Progress of a log set aside: the epoch in which the hub has all of it, the event behind which it was sent again."""

    epoch: int | str | None = None
    sent_again_after: Annotated[int, msgspec.Meta(ge=0)] | None = None


@dataclass(frozen=True, slots=True)
class EarlierLog:
    """One log set aside. `duty_thru`: the last event that the following log does not carry."""

    path: Path
    log_id: bytes
    duty_thru: int
    pruned: Tip
    parent: PreviousLog | None
    mark: HubMark | None
    note: EarlierLogNote
    whole: bool

    def state(self, thru: int) -> LogState | None:
        """The session fields of this log, as if it ended at event `thru`; None where that event cannot be read."""
        digest = self.hash_at(thru)
        return (
            None
            if digest is None
            else LogState(self.log_id, Tip(thru, digest), self.pruned.seq, self.parent, self.mark)
        )

    def hash_at(self, seq: int) -> bytes | None:
        """The hash of an event; None where it cannot be read."""
        if seq == 0:
            return genesis(self.log_id)
        if seq == self.pruned.seq:
            return self.pruned.hash
        try:
            with closing(connect_reading(self.path)) as connection:
                row = connection.execute("SELECT hash FROM event WHERE seq = ?", (seq,)).fetchone()
        except UNREADABLE:
            return None
        return bytes(row[0]) if row else None

    def stored(self, after: int, most: int, max_bytes: int) -> list[StoredEvent]:
        """The next events of the duty behind `after`, from an undamaged file. Raises `sqlite3.Error`."""
        with closing(connect_reading(self.path)) as connection:
            return read_events(connection, after, min(most, self.duty_thru - after), max_bytes)

    def events(self, after: int) -> Iterator[SalvagedEvent]:
        """The events of the duty behind `after`; one whose hash does not prove its bytes has none."""
        if not self.whole:
            yield from self._carved(after)
            return
        try:
            while after < self.duty_thru and (stored := self.stored(after, SLICE, 2**30)):
                for event in stored:
                    sound = link(event.prev, event.encoded) == event.hash
                    yield SalvagedEvent(event.seq, event.hash, event.encoded if sound else None)
                after = stored[-1].seq
        except UNREADABLE:
            yield from self._carved(after)

    def _carved(self, after: int) -> Iterator[SalvagedEvent]:
        files = (self.path, wal_of(self.path))
        main, wal = (path.read_bytes() if path.exists() else b"" for path in files)
        start = self.pruned if self.pruned.seq >= after else None
        recovered = {event.seq: event for event in in_order(carve(main, wal), after, start)}
        for seq in range(max(after, self.pruned.seq) + 1, self.duty_thru + 1):
            yield recovered.get(seq) or SalvagedEvent(seq, UNKNOWN_HASH, None)

    def unconfirmed(self, epoch: int | str | None) -> int:
        """How many events of the duty are not confirmed by the hub in its present epoch `epoch`."""
        if epoch is not None and self.note.epoch == epoch:
            return 0
        accepted_thru = self.mark.accepted_thru if self.mark and self.mark.hub_epoch == epoch else 0
        return max(0, self.duty_thru - max(accepted_thru, self.pruned.seq))

    def noted(self, note: EarlierLogNote) -> "EarlierLog":
        """Write the note durably; returns the log with it."""
        path, fresh = self.path.with_name(NOTE), self.path.with_name(NOTE + ".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(note))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        flush_folder(path.parent)
        return replace(self, note=note, duty_thru=_duty(self.duty_thru, note))


def require_access(journal: Path) -> None:
    """Raise `PermissionError` where this user may not read a log set aside, or may not see whether there is one."""
    for room in (EARLIER, QUARANTINE):
        require_readable(journal.parent / room)
        for folder in _numbered(journal.parent / room):
            require_readable(folder / journal.name)


def set_aside(journal: Path) -> list[EarlierLog]:
    """Every log set aside beside this journal whose log id is known, oldest first within each folder."""
    paths = [folder / journal.name for room in (EARLIER, QUARANTINE) for folder in _numbered(journal.parent / room)]
    followed = dict(filter(None, (_followed(path, journal.parent) for path in (journal, *paths))))
    return [log for path in paths if (log := _read(path, followed.get(path.parent))) is not None]


def unconfirmed(journal: Path, epoch: int | str | None) -> int:
    """How many events of all logs set aside are not confirmed by the hub in this epoch."""
    return sum(log.unconfirmed(epoch) for log in set_aside(journal))


def _numbered(room: Path) -> list[Path]:
    folders = [folder for folder in room.iterdir() if folder.name.isdecimal()] if room.is_dir() else []
    return sorted(folders, key=lambda folder: int(folder.name))


class _Follower(NamedTuple):
    """What a log records of the one before: its id, its last event, and the event behind which it carries it."""

    log_id: bytes
    last: int
    carried_after: int | None


def _followed(path: Path, folder: Path) -> tuple[Path, _Follower] | None:
    """The folder of the log before this one, and what this log records of it; None where it records none.

    The first log of a card names a folder too, but has no parent.
    """
    try:
        with closing(connect_reading(path)) as connection:
            aside, after = metadata.read_meta(connection, "aside"), metadata.read_meta(connection, "carried_after")
            parent = metadata.parent(connection)
    except UNREADABLE:
        return None
    if not isinstance(aside, str) or parent is None:
        return None
    return folder / aside, _Follower(parent.log_id, parent.seq, after if isinstance(after, int) else None)


def _read(path: Path, follower: _Follower | None) -> EarlierLog | None:
    note = _note(path.with_name(NOTE))
    whole = path.parent.parent.name == EARLIER
    carried_after = follower.carried_after if follower else None
    try:
        with closing(connect_reading(path)) as connection:
            if metadata.log_is_named(connection):
                log_id, pruned = metadata.log_id(connection), metadata.prune_point(connection)
                thru = metadata.tip(connection).seq if carried_after is None else carried_after
                parent, mark = metadata.parent(connection), metadata.mark(connection)
                return EarlierLog(path, log_id, _duty(thru, note), pruned, parent, mark, note, whole)
    except UNREADABLE:
        pass  # its pages can still be carved; the following log holds its log id
    if follower is None or follower.log_id == UNKNOWN_LOG or (carried_after is None and not whole):
        return None  # all its readable events are in the following log
    log_id, thru = follower.log_id, follower.last if carried_after is None else carried_after
    return EarlierLog(path, log_id, _duty(thru, note), Tip(0, genesis(log_id)), None, None, note, whole=False)


def _duty(thru: int, note: EarlierLogNote) -> int:
    return thru if note.sent_again_after is None else min(thru, note.sent_again_after)


def _note(path: Path) -> EarlierLogNote:
    try:
        return msgspec.json.decode(path.read_bytes(), type=EarlierLogNote)
    except (OSError, msgspec.MsgspecError):
        return EarlierLogNote()
