"""Presence of tags in the field of a reader: one arrival and one departure, however often a tag is detected in between.

A tag arrives when it has been detected for `enter_s` (0: at once), and leaves when it has not been detected for `leave_s`. A
tag that flickers at the edge of the field is one arrival. Each reader has its own `TagPresence`.

>>> field = TagPresence(leave_s=1.0)
>>> [field.seen("3C00CE754C", ms * 1_000_000) for ms in (0, 300, 900)]
[True, False, False]
>>> field.due_ns()
1900000000
>>> list(field.quiet(2_000_000_000))
[TagDeparture(uid='3C00CE754C', seen=3, signal_dbm=None, since_ns=0, last_ns=900000000)]
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

MAX_TAGS = 1024
"""The most tags at once; beyond them the tag that was detected longest ago is dropped."""
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TagDeparture:
    """The departure of a tag: number of detections, best signal, time of arrival, time of the last detection (ns)."""

    uid: str
    seen: int
    signal_dbm: int | None
    since_ns: int
    last_ns: int


@dataclass(slots=True)
class _Tag:
    first_ns: int
    last_ns: int
    seen: int = 0
    signal_dbm: int | None = None
    since_ns: int | None = None  # None: it has not arrived yet
    silent: bool = False


class TagPresence:
    """The tags in the field of one reader. Times are of any clock that does not step."""

    def __init__(self, *, leave_s: float, enter_s: float = 0.0) -> None:
        self._leave_ns, self._enter_ns = int(leave_s * _NS), int(enter_s * _NS)
        self._tags: OrderedDict[str, _Tag] = OrderedDict()  # detected longest ago first
        self._ended: deque[TagDeparture] = deque(maxlen=MAX_TAGS)  # not yielded yet

    def __len__(self) -> int:
        return len(self._tags)

    def seen(self, uid: str, now_ns: int, signal_dbm: int | None = None, *, silent: bool = False) -> bool:
        """Register a detection; whether the tag has arrived with it. A `silent` tag has no departure."""
        tag = self._tags.pop(uid, None)
        if tag is not None and now_ns - tag.last_ns >= self._leave_ns:
            self._end(uid, tag)
            tag = None
        tag = tag or _Tag(now_ns, now_ns, silent=silent)
        self._tags[uid] = tag
        if len(self._tags) > MAX_TAGS:
            self._end(*self._tags.popitem(last=False))
        tag.last_ns = now_ns
        tag.seen += 1
        if signal_dbm is not None:
            tag.signal_dbm = signal_dbm if tag.signal_dbm is None else max(signal_dbm, tag.signal_dbm)
        if tag.since_ns is not None or now_ns - tag.first_ns < self._enter_ns:
            return False
        tag.since_ns = now_ns
        return True

    def stays(self, uid: str, now_ns: int) -> None:
        """Register that the tag is still present, without a detection."""
        tag = self._tags.get(uid)
        if tag is not None:
            tag.last_ns = now_ns
            self._tags.move_to_end(uid)

    def due_ns(self) -> int | None:
        """When the next tag leaves if it is not detected again; None without a tag."""
        return next(iter(self._tags.values())).last_ns + self._leave_ns if self._tags else None

    def quiet(self, now_ns: int) -> Iterator[TagDeparture]:
        """Process the time until now: yield the tags that have left."""
        while self._tags:
            uid, tag = next(iter(self._tags.items()))
            if now_ns - tag.last_ns < self._leave_ns:
                break
            del self._tags[uid]
            self._end(uid, tag)
            yield from self._departures()
        yield from self._departures()

    def all_left(self) -> Iterator[TagDeparture]:
        """End the presence of every tag, after the loss of the reader."""
        while self._tags:
            self._end(*self._tags.popitem(last=False))
            yield from self._departures()
        yield from self._departures()

    def _end(self, uid: str, tag: _Tag) -> None:
        if tag.since_ns is not None and not tag.silent:
            self._ended.append(TagDeparture(uid, tag.seen, tag.signal_dbm, tag.since_ns, tag.last_ns))

    def _departures(self) -> Iterator[TagDeparture]:
        while self._ended:
            yield self._ended.popleft()
