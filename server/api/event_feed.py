"""Event feed: the server-sent events of the newest ledger positions, read and encoded once for all open streams."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, select

from server.db.schema import ledger, log
from server.db.store import Store
from server.projection.tables import event_item, event_state

MOST_POSITIONS = 1_000  # a stream that is further behind gets one `reload`


class _EventFields(msgspec.Struct):
    """The fields of an event that a notification contains."""

    kind: str | None = None
    stage: str | None = None
    seen: Any = None


_EVENT_FIELDS = msgspec.json.Decoder(_EventFields)
_EVENTS = (
    select(ledger.c.pos, ledger.c.bytes, log.c.station, event_state.c.status, event_item.c.item)
    .join(log, log.c.log_id == ledger.c.log_id)
    .outerjoin(event_state, event_state.c.pos == ledger.c.pos)
    .outerjoin(event_item, event_item.c.pos == ledger.c.pos)
    .where(and_(ledger.c.pos > bindparam("after"), ledger.c.pos <= bindparam("thru")))
    .order_by(ledger.c.pos, event_item.c.item)
)


@dataclass(slots=True)
class EventFeed:
    """The encoded events of the positions above `_after`, up to `_thru`. Thread-safe.

    They are discarded with each refold, because it may link an event to another item. `most`: the positions that are kept.
    """

    most: int = MOST_POSITIONS
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _of: tuple[int, int] | None = None  # the epoch, and the number of refolds before
    _after: int = 0
    _thru: int = 0
    _events: deque[tuple[int, bytes]] = field(default_factory=deque)
    _joined: tuple[int, int, bytes] = (0, 0, b"")  # the last result, which the other streams ask for as well

    def read(self, store: Store, epoch: int, again: int, after: int, thru: int) -> bytes:
        """The events above `after`, up to `thru`, as a stream sends them. `again`: the number of refolds so far."""
        with self._lock:
            if self._of != (epoch, again) or after > self._thru:
                self._of, self._after, self._thru = (epoch, again), after, after
                self._events.clear()
                self._joined = (0, 0, b"")
            if after < self._after:
                with store.read() as connection:
                    return b"".join(ledger_events(connection, epoch, after, thru))
            if thru > self._thru:
                with store.read() as connection:
                    self._events.extend(_numbered_events(connection, epoch, self._thru, thru))
                self._thru = thru
                while self._events and self._events[0][0] <= thru - self.most:
                    self._after = self._events.popleft()[0]
            if self._joined[:2] != (after, thru):
                wanted = b"".join(encoded for pos, encoded in self._events if after < pos <= thru)
                self._joined = (after, thru, wanted)
            return self._joined[2]


def ledger_events(connection: Connection, epoch: int, after: int, thru: int) -> Iterator[bytes]:
    """The server-sent events of the ledger positions above `after`, up to `thru`: one for each item of each event."""
    return (encoded for _, encoded in _numbered_events(connection, epoch, after, thru))


def _numbered_events(connection: Connection, epoch: int, after: int, thru: int) -> Iterator[tuple[int, bytes]]:
    for row in connection.execute(_EVENTS, {"after": after, "thru": thru}):
        yield row.pos, b"id: %d:%d\nevent: ledger\ndata: %s\n\n" % (epoch, row.pos, msgspec.json.encode(_data(row)))


def _data(row: Any) -> dict[str, Any]:
    try:
        fields = _EVENT_FIELDS.decode(row.bytes)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        fields = _EventFields()
    # The departure of a tag is encoded as a scan; its own kind lets clients count scans correctly.
    kind = "seen" if fields.kind == "scan" and fields.seen is not None else fields.kind
    return {"pos": row.pos, "station": row.station, "kind": kind, "item": row.item, "stage": fields.stage}
