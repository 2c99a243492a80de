"""Tags in the field of a reader: one arrival, however often a tag is read.

A tag arrives when it has been seen for `enter_s` (0: at once) and leaves when it has not been seen for `leave_s`; a tag that
flickers at the edge of the field stays one arrival. Two readers that see one tag hold a `Presence` each: two facts.

>>> field = Presence(leave_s=1.0)
>>> [field.seen("3C00CE754C", ms * 1_000_000) for ms in (0, 300, 900)]
[True, False, False]
>>> list(field.quiet(2_000_000_000))
[Left(uid='3C00CE754C', seen=3, signal_dbm=None, first_ns=0, last_ns=900000000)]
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

MAX_TAGS = 1024
"""Tags that are held at once; beyond them the one that was not seen for longest is let go."""
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Left:
    """A tag that had arrived is gone: how often it was seen, its best signal, and when first and last."""

    uid: str
    seen: int
    signal_dbm: int | None
    first_ns: int
    last_ns: int


@dataclass(slots=True)
class _Tag:
    first_ns: int
    last_ns: int
    seen: int = 0
    signal_dbm: int | None = None
    arrived: bool = False


class Presence:
    """The tags in the field of one reader. Times are of any clock that does not step."""

    def __init__(self, *, leave_s: float, enter_s: float = 0.0) -> None:
        self._leave_ns, self._enter_ns = int(leave_s * _NS), int(enter_s * _NS)
        self._tags: OrderedDict[str, _Tag] = OrderedDict()  # seen longest ago first

    def __len__(self) -> int:
        return len(self._tags)

    def seen(self, uid: str, now_ns: int, signal_dbm: int | None = None) -> bool:
        """The reader saw this tag; whether it has arrived with that."""
        tag = self._tags.pop(uid, None)
        if tag is None or now_ns - tag.last_ns >= self._leave_ns:
            tag = _Tag(now_ns, now_ns)
        self._tags[uid] = tag
        if len(self._tags) > MAX_TAGS:
            self._tags.popitem(last=False)
        tag.last_ns = now_ns
        tag.seen += 1
        if signal_dbm is not None:
            tag.signal_dbm = signal_dbm if tag.signal_dbm is None else max(signal_dbm, tag.signal_dbm)
        if tag.arrived or now_ns - tag.first_ns < self._enter_ns:
            return False
        tag.arrived = True
        return True

    def quiet(self, now_ns: int) -> Iterator[Left]:
        """It is now so late: yield the tags that have left. Ask before `seen` to hear of every one."""
        while self._tags:
            uid, tag = next(iter(self._tags.items()))
            if now_ns - tag.last_ns < self._leave_ns:
                return
            del self._tags[uid]
            if tag.arrived:
                yield Left(uid, tag.seen, tag.signal_dbm, tag.first_ns, tag.last_ns)
