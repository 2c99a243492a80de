"""Tags at a station: which arrival the end of a presence belongs to."""

from collections import OrderedDict
from dataclasses import dataclass

from drivers import Read, TagRemoved
from station.core.event import Event
from station.core.event import LogPosition as LogPlace
from station.journal.records import Receipt

MAX_PRESENT = 4096  # tags at all readers whose arrival is remembered; of those beyond, the end is not recorded


@dataclass(frozen=True, slots=True)
class TagArrival:
    """The event of a tag that came into a reader's field, and where it stands."""

    place: LogPlace
    event: Event


def receipt_place(receipt: Receipt) -> LogPlace:
    """Where the event behind a receipt stands."""
    return LogPlace(receipt.log_id.hex(), receipt.seq)


class TagSessions:
    """The tags that lie on readers now and whose arrival was recorded since the daemon's start."""

    def __init__(self) -> None:
        self._arrivals: OrderedDict[tuple[str, bytes, int], TagArrival] = OrderedDict()

    def __len__(self) -> int:
        return len(self._arrivals)

    def arrived(self, read: Read, arrival: TagArrival) -> None:
        """A tag's arrival was recorded; `read` as its reader gave it."""
        self._arrivals[read.reader, read.raw, read.boot_ns] = arrival
        if len(self._arrivals) > MAX_PRESENT:
            self._arrivals.popitem(last=False)

    def recorded_again(self, old: LogPlace, arrival: TagArrival) -> None:
        """What was recorded at `old` is void, and stands anew as this arrival."""
        for key, each in self._arrivals.items():
            if each.place == old:
                self._arrivals[key] = arrival
                return

    def left(self, gone: TagRemoved) -> TagArrival | None:
        """The arrival of a tag that has left; None where it was not recorded, or by an earlier daemon."""
        return self._arrivals.pop((gone.reader, gone.raw, gone.since_ns), None)
