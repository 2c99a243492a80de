"""Logs that lie aside: whole ones that another log followed (`earlier/`), and damaged ones (`quarantine/`).

Files are moved aside and never deleted, because a hub that is restored from an old backup may need them again. What the
log that followed carries of them stands in that log's `carried_after`; the rest is the duty of this log: events up to
`duty_thru` must be at the hub under this log's own identity, or be sent again in the log that is open now.
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
from station.system.files import flush_folder

NOTE = "hub.json"
SLICE = 1_000


class SetAsideNote(msgspec.Struct, frozen=True):
    """What is known of a log that lies aside: in which epoch the hub had it, and behind which event it was sent again."""

    epoch: int | str | None = None
    sent_again_after: Annotated[int, msgspec.Meta(ge=0)] | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """One log that lies aside. `duty_thru`: the last event that the log behind it does not carry."""

    path: Path
    log_id: bytes
    duty_thru: int
    pruned: Tip
    parent: PreviousLog | None
    mark: HubMark | None
    note: SetAsideNote
    whole: bool

    def state(self, thru: int) -> LogState | None:
        """This log as a session introduces it, as if it ended at event `thru`; None where that event cannot be read."""
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
        """The next events of the duty behind `after`, as they stand in a whole log. Raises `sqlite3.Error`."""
        with closing(connect_reading(self.path)) as connection:
            return read_events(connection, after, min(most, self.duty_thru - after), max_bytes)

    def events(self, after: int) -> Iterator[SalvagedEvent]:
        """The events of the duty behind `after`; one whose bytes cannot be proven comes without them."""
        if not self.whole:
            yield from self._carved(after)
            return
        try:
            while after < self.duty_thru and (some := self.stored(after, SLICE, 2**30)):
                for each in some:
                    sound = link(each.prev, each.encoded) == each.hash
                    yield SalvagedEvent(each.seq, each.hash, each.encoded if sound else None)
                after = some[-1].seq
        except UNREADABLE:
            yield from self._carved(after)

    def _carved(self, after: int) -> Iterator[SalvagedEvent]:
        files = (self.path, wal_of(self.path))
        main, wal = (path.read_bytes() if path.exists() else b"" for path in files)
        start = self.pruned if self.pruned.seq >= after else None
        found = {each.seq: each for each in in_order(carve(main, wal), after, start)}
        for seq in range(max(after, self.pruned.seq) + 1, self.duty_thru + 1):
            yield found.get(seq) or SalvagedEvent(seq, UNKNOWN_HASH, None)

    def unconfirmed(self, epoch: int | str | None) -> int:
        """How many events of the duty are not known to be at the hub, whose present epoch is `epoch`."""
        if epoch is not None and self.note.epoch == epoch:
            return 0
        known = self.mark.accepted_thru if self.mark and self.mark.hub_epoch == epoch else 0
        return max(0, self.duty_thru - max(known, self.pruned.seq))

    def noted(self, note: SetAsideNote) -> "SetAside":
        """Write the note, durable before this returns; the log with it."""
        path, fresh = self.path.with_name(NOTE), self.path.with_name(NOTE + ".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(note))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        flush_folder(path.parent)
        return replace(self, note=note, duty_thru=_duty(self.duty_thru, note))


def set_aside(journal: Path) -> list[SetAside]:
    """Every log that lies aside beside this journal and can be named, oldest first within each folder."""
    found = [folder / journal.name for room in (EARLIER, QUARANTINE) for folder in _numbered(journal.parent / room)]
    followed = dict(filter(None, (_followed(path, journal.parent) for path in (journal, *found))))
    return [log for path in found if (log := _read(path, followed.get(path.parent))) is not None]


def unconfirmed(journal: Path, epoch: int | str | None) -> int:
    """How many answered events lie aside and are not known to be at the hub in this epoch."""
    return sum(log.unconfirmed(epoch) for log in set_aside(journal))


def _numbered(room: Path) -> list[Path]:
    folders = [folder for folder in room.iterdir() if folder.name.isdecimal()] if room.is_dir() else []
    return sorted(folders, key=lambda folder: int(folder.name))


class _Follower(NamedTuple):
    """What the log that followed says of the one before: its id and last event, and behind which event it carries it."""

    log_id: bytes
    last: int
    carried_after: int | None


def _followed(path: Path, folder: Path) -> tuple[Path, _Follower] | None:
    """(folder of the log before, what this log says of it); None where there was none, or this log does not say.

    The first log of a card names the folder in which a log before it would have been.
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


def _read(path: Path, follower: _Follower | None) -> SetAside | None:
    note = _note(path.with_name(NOTE))
    whole = path.parent.parent.name == EARLIER
    carried_after = follower.carried_after if follower else None
    try:
        with closing(connect_reading(path)) as connection:
            if metadata.log_is_named(connection):
                log_id, pruned = metadata.log_id(connection), metadata.prune_point(connection)
                thru = metadata.tip(connection).seq if carried_after is None else carried_after
                parent, mark = metadata.parent(connection), metadata.mark(connection)
                return SetAside(path, log_id, _duty(thru, note), pruned, parent, mark, note, whole)
    except UNREADABLE:
        pass  # its pages can still be carved, under the name that the log behind it has kept
    if follower is None or follower.log_id == UNKNOWN_LOG or (carried_after is None and not whole):
        return None  # all that could be read of it is in the log that followed
    log_id, thru = follower.log_id, follower.last if carried_after is None else carried_after
    return SetAside(path, log_id, _duty(thru, note), Tip(0, genesis(log_id)), None, None, note, whole=False)


def _duty(thru: int, note: SetAsideNote) -> int:
    return thru if note.sent_again_after is None else min(thru, note.sent_again_after)


def _note(path: Path) -> SetAsideNote:
    try:
        return msgspec.json.decode(path.read_bytes(), type=SetAsideNote)
    except (OSError, msgspec.MsgspecError):
        return SetAsideNote()
