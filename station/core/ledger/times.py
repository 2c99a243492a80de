"""Event times: intervals and order keys from boottime readings and the anchors between boottime and UTC.

A station has no clock that survives a power cut, only one that counts since the boot (boottime). An anchor relates it to the
hub's time: the station sent a request at `t1`, the hub received it at `t2` and answered at `t3`, the answer arrived at
`t4`. The error is half of the round trip, plus the drift of the crystal for every second of distance from the anchor.

>>> noon_us = 1_700_000_000_000_000
>>> anchor = TimeAnchor(boot="b", t1_ns=10_000_000_000, t4_ns=10_002_000_000, t2_us=noon_us, t3_us=noon_us)
>>> ten_seconds_later = BootClock((anchor,)).at(20_001_000_000)
>>> ten_seconds_later.at_us - noon_us, ten_seconds_later.hi_us - ten_seconds_later.at_us
(10000000, 1501)
>>> next_key(OrderKey(us=ten_seconds_later.at_us + 7), ten_seconds_later).us - noon_us
10000007

Keys never use a wall clock or the time of receipt, so the same set of events has the same keys in any order of arrival.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

DRIFT_PPM = 50
EARLIEST_US = 0  # no lower bound known: nothing here happened before 1970
LATEST_US = 253_402_300_799_999_999  # no upper bound known: the end of the year 9999
ROUNDING_US = 1
_tuple = tuple.__new__  # makes a named tuple in a third of the time of its own constructor


class TimeAnchor(NamedTuple):
    """One exchange with the hub: boottime ns at the station's ends, UTC us at the hub's."""

    boot: str
    t1_ns: int
    t4_ns: int
    t2_us: int
    t3_us: int
    log: str = ""
    seq: int = 0

    @property
    def middle_ns(self) -> int:
        """The boottime of the hub's middle time."""
        return (self.t1_ns + self.t4_ns) // 2

    @property
    def middle_us(self) -> int:
        """The hub's time half way between request and answer."""
        return (self.t2_us + self.t3_us) // 2

    @property
    def error_us(self) -> int:
        """Half of the transmission time, rounded up: the largest distance of the two middles."""
        on_the_way_ns = self.t4_ns - self.t1_ns - (self.t3_us - self.t2_us) * 1000
        return -(-max(on_the_way_ns, 0) // 2000)

    @property
    def order(self) -> tuple[int, int, str, int, int, int]:
        """The sort key of a boot's anchors: by answer; of two at the same time the more precise one is last and counts."""
        return (self.t4_ns, -self.error_us, self.log, self.seq, self.t2_us, self.t3_us)


class Interval(NamedTuple):
    """An estimate in UTC us: the true time is in [lo_us, hi_us]. `approx`: it is not based on an anchor of its own boot."""

    at_us: int
    lo_us: int
    hi_us: int
    approx: bool = False


class OrderKey(NamedTuple):
    """The recorded key of an event, without its position (log, seq); `us` never decreases within a log."""

    us: int = 0
    lo_us: int = EARLIEST_US
    hi_us: int = LATEST_US
    approx: bool = True


class EventTime(NamedTuple):
    """The time fields of an event: its position, and its boottime where it has one.

    `since_ns` (stored scans): the scan was made at some time since then; 0 where the earliest time is unknown.
    """

    log: str
    seq: int
    boot: str | None = None
    mono_ns: int | None = None
    since_ns: int | None = None


class BootRun(NamedTuple):
    """Events of one log, in sequence, that were recorded in one boot."""

    log: str
    first_seq: int
    boot: str


class LogParent(NamedTuple):
    """The position in another log that a log continues: behind `seq` of `log`."""

    log: str
    seq: int


class BootClock:
    """The clock of one boot: from its anchors or, without any, by its end at the start of the following boot."""

    __slots__ = ("_answers", "_last_ns", "_marks", "_next")

    def __init__(self, anchors: Iterable[TimeAnchor] = (), last_ns: int = 0, following: Interval | None = None) -> None:
        in_order = sorted(anchors, key=lambda anchor: anchor.order)
        self._answers = [anchor.t4_ns for anchor in in_order]
        self._marks = [(anchor.middle_ns, anchor.middle_us, anchor.error_us + ROUNDING_US) for anchor in in_order]
        self._last_ns = last_ns
        self._next = following

    def at(self, mono_ns: int) -> Interval | None:
        """The estimate for a boottime; None where this boot has neither anchor nor following boot."""
        if self._marks:
            # The last anchor answered before the event, else the first after it: a later anchor changes no earlier key.
            middle_ns, middle_us, error_us = self._marks[max(bisect_right(self._answers, mono_ns) - 1, 0)]
            away_ns = mono_ns - middle_ns
            at_us = middle_us + away_ns // 1000
            error_us += -(-abs(away_ns) * DRIFT_PPM // 10**9)
            return _within(_tuple(Interval, (at_us, at_us - error_us, at_us + error_us, False)))
        if self._next is None:
            return None
        before_next_ns = max(self._last_ns - mono_ns, 0)
        surely_us = before_next_ns * (1_000_000 - DRIFT_PPM) // 10**9
        at_us = self._next.at_us - before_next_ns // 1000
        return _within(Interval(at_us, EARLIEST_US, self._next.hi_us - surely_us, approx=True))


def _within(interval: Interval) -> Interval:
    """The interval limited to the calendar: a station may send any 64-bit number."""
    at_us, lo_us, hi_us, _ = interval
    if lo_us >= EARLIEST_US and at_us >= EARLIEST_US and hi_us <= LATEST_US:
        return interval
    at_us, lo_us, hi_us = (min(max(us, EARLIEST_US), LATEST_US) for us in interval[:3])
    return Interval(at_us, lo_us, hi_us, interval.approx)


UNKNOWN = BootClock()


def next_key(before: OrderKey, estimate: Interval | None) -> OrderKey:
    """The key of an event whose predecessor in the log has the key `before`; equal to it without an estimate."""
    if estimate is None:
        return OrderKey(before.us, before.lo_us, LATEST_US)
    at_us, lo_us, hi_us, approx = estimate
    us = max(at_us, before.us)
    # A boot without anchor has no lower bound of its own, but it is later than the events before it in the log.
    if approx:
        lo_us = max(lo_us, before.lo_us)
    return _tuple(OrderKey, (us, min(lo_us, us), max(hi_us, us), approx))


def runs(stamps: Iterable[EventTime]) -> Iterator[BootRun]:
    """The boots of one log in their order; `stamps` in sequence."""
    boot: str | None = None
    for stamp in stamps:
        if stamp.boot is not None and stamp.boot != boot:
            boot = stamp.boot
            yield BootRun(stamp.log, stamp.seq, boot)


def followers(runs_of: Mapping[str, Sequence[BootRun]], parents: Mapping[str, LogParent]) -> dict[str, set[str]]:
    """For each boot, the boots that follow it: in its own logs, and at the end of a log in the logs that continue it."""
    following_boots: dict[str, set[str]] = {}
    for in_log in runs_of.values():
        for run, following in pairwise(in_log):
            following_boots.setdefault(run.boot, set()).add(following.boot)
    for child, parent in parents.items():
        before, after = runs_of.get(parent.log), runs_of.get(child)
        if before and after and before[-1].first_seq <= parent.seq and before[-1].boot != after[0].boot:
            following_boots.setdefault(before[-1].boot, set()).add(after[0].boot)
    return following_boots


def clocks(
    anchors: Mapping[str, Sequence[TimeAnchor]], last_ns: Mapping[str, int], following: Mapping[str, Iterable[str]]
) -> dict[str, BootClock]:
    """A clock for every boot in `last_ns` (boot -> the boottime of its last event).

    A boot without anchor ends at the start of the next boot of its log; if several continue it, at the earliest. Boots that
    follow each other in a cycle can only be forged; sorting makes the result deterministic even for them.
    """
    made: dict[str, BootClock] = {boot: BootClock(anchors[boot]) for boot in last_ns if anchors.get(boot)}
    for start in sorted(last_ns):
        # A loop instead of a recursion: a station may be rebooted daily for a year without reaching the hub.
        path = [start]
        entered = {start}
        while path:
            boot = path[-1]
            waiting = [later for later in sorted(following.get(boot, ())) if later not in made and later not in entered]
            if boot in made or not waiting:
                if boot not in made:
                    zeros = [zero for later in following.get(boot, ()) if later in made and (zero := made[later].at(0))]
                    made[boot] = BootClock((), last_ns.get(boot, 0), min(zeros, default=None))
                path.pop()
            else:
                entered.add(waiting[0])
                path.append(waiting[0])
    return made


def log_keys(
    stamps: Iterable[EventTime], clock_of: Mapping[str, BootClock], before: OrderKey | None = None
) -> Iterator[tuple[EventTime, OrderKey, OrderKey]]:
    """The recorded keys of one log's events, in sequence, each with the key that the next position is computed from.

    `before`: that key for the first one.
    """
    behind = OrderKey() if before is None else before
    seq, front = None, behind
    for stamp in stamps:
        fresh = stamp.seq != seq  # two branches of a fork have the same position; neither follows the other
        if fresh:
            seq, front = stamp.seq, behind
        here = _key(front, stamp, clock_of)
        behind = key_behind(front, stamp, here) if fresh else max(behind, key_behind(front, stamp, here))
        yield stamp, here, behind


def key_behind(front: OrderKey, stamp: EventTime, here: OrderKey) -> OrderKey:
    """The key that the next event is computed from: the early bound of a stored scan does not apply to it."""
    return here if stamp.since_ns is None else here._replace(lo_us=max(front.lo_us, here.lo_us))


def _key(before: OrderKey, stamp: EventTime, clock_of: Mapping[str, BootClock]) -> OrderKey:
    if stamp.boot is None or stamp.mono_ns is None:
        return next_key(before, None)
    clock = clock_of.get(stamp.boot, UNKNOWN)
    key = next_key(before, clock.at(stamp.mono_ns))
    if stamp.since_ns is None:
        return key
    since = clock.at(stamp.since_ns) if stamp.since_ns else None
    return key._replace(lo_us=EARLIEST_US if since is None else min(since.lo_us, key.lo_us))


def recorded_keys(
    stamps: Iterable[EventTime], anchors: Iterable[TimeAnchor], parents: Mapping[str, LogParent]
) -> dict[tuple[str, int], OrderKey]:
    """The recorded key of every (log, seq), from the whole set at once; the stepwise computation must give the same.

    `anchors`: the unvoided ones whose seal is good. `parents`: log -> where it continues another.
    """
    logs: dict[str, list[EventTime]] = {}
    last_ns: dict[str, int] = {}
    for stamp in stamps:
        logs.setdefault(stamp.log, []).append(stamp)
        if stamp.boot is not None:
            last_ns[stamp.boot] = max(last_ns.get(stamp.boot, 0), stamp.mono_ns or 0)
    for in_log in logs.values():
        in_log.sort(key=lambda stamp: (stamp.seq, stamp.boot or "", stamp.mono_ns or 0))
    by_boot: dict[str, list[TimeAnchor]] = {}
    for anchor in anchors:
        by_boot.setdefault(anchor.boot, []).append(anchor)
    runs_of = {log: tuple(runs(in_log)) for log, in_log in logs.items()}
    clock_of = clocks(by_boot, last_ns, followers(runs_of, parents))
    return {(stamp.log, stamp.seq): key for in_log in logs.values() for stamp, key, _ in log_keys(in_log, clock_of)}
