"""Tag sessions: match the removal of a tag with the event of its arrival."""

from collections import OrderedDict
from dataclasses import dataclass

from drivers import Read, TagRemoved
from station.core.event import Event, LogPosition
from station.journal.records import Receipt

MAX_PRESENT = 4096  # arrivals kept for all readers together; the removal of a tag beyond them is not recorded


@dataclass(frozen=True, slots=True)
class TagArrival:
    """The event of a tag's arrival in a reader's field, and its position in the log."""

    position: LogPosition
    event: Event


def receipt_position(receipt: Receipt) -> LogPosition:
    """The log position of a committed event."""
    return LogPosition(receipt.log_id.hex(), receipt.seq)


class TagSessions:
    """The tags on readers now whose arrival was recorded since the daemon's start."""

    def __init__(self) -> None:
        self._arrivals: OrderedDict[tuple[str, bytes, int], TagArrival] = OrderedDict()

    def __len__(self) -> int:
        return len(self._arrivals)

    def add(self, read: Read, arrival: TagArrival) -> None:
        """Add a recorded arrival; `read` as its driver returned it."""
        self._arrivals[read.reader, read.raw, read.boot_ns] = arrival
        if len(self._arrivals) > MAX_PRESENT:
            self._arrivals.popitem(last=False)

    def replace(self, old: LogPosition, arrival: TagArrival) -> None:
        """Replace the arrival at `old`, which is void, by the one that was recorded in its place."""
        for key, present in self._arrivals.items():
            if present.position == old:
                self._arrivals[key] = arrival
                return

    def pop(self, removed: TagRemoved) -> TagArrival | None:
        """Remove and return the arrival of a tag; None where it was not recorded, or by an earlier daemon."""
        return self._arrivals.pop((removed.reader, removed.raw, removed.since_ns), None)
