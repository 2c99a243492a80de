"""Flow: what came and went on each day of the shop, and how long it took, as sums that a later fold can subtract again.

Each move that changes the account of a piece is counted on its day under its flow class: the product and routing of its
item, both accounts, the coordinates of the piece before, and the reason. A duration is the time between two events. Where
the scan mode has only one of them, because one scan is the arrival and the departure, there is no duration, not one of 0.

>>> saw = FlowClass("bracket", "line", "here", 10, "saw", "waiting", 20, "deburr", 10, None, "10", None)
>>> move = FlowMove(saw, at_us=90, qty_milli=8000, at_stage_since_us=30, run_since_us=50, started_us=30, released_us=5)
>>> durations(move)
((<Measure.STAGE: 0>, 60), (<Measure.QUEUE: 1>, 20), (<Measure.RUN: 2>, 40))
>>> sums = FlowSums()
>>> sums.add(20_000, 7, move)
>>> sums.days
{(20000, 7): [8000, 1, 60, 20, 40, 0, 0]}
"""

from datetime import date
from enum import IntEnum
from typing import NamedTuple

from station.core.ledger.duration_buckets import bucket_of
from station.core.ledger.parcels import ENDED, LIVE, ParcelState
from station.core.site import HOUR_US, SiteDays

_EPOCH = date(1970, 1, 1).toordinal()
_MOST_HOURS = 50_000  # in memory: more than five years
_AT_STAGE = LIVE - {ParcelState.RELEASED}
_STAYS = LIVE | ENDED


class Measure(IntEnum):
    """What a duration measures; a database has the number.

    STAGE: from the arrival at an operation to the departure. QUEUE and RUN: its parts before and after a `start`.
    THROUGHPUT: from the first move out of `released` to the finish. LEAD: from the release of the order to the finish.
    """

    STAGE = 0
    QUEUE = 1
    RUN = 2
    THROUGHPUT = 3
    LEAD = 4


class FlowClass(NamedTuple):
    """What moves have in common that are counted together. `entered`, `reached`, `scanned` are of the piece before."""

    product: str | None
    routing: str | None
    from_state: str
    from_operation: int | None
    from_stage: str | None
    to_state: str
    to_operation: int | None
    to_stage: str | None
    entered: int | None
    reached: int | None
    scanned: str | None  # operations, such as 10,20
    reason: str | None

    @property
    def same_place(self) -> bool:
        """Whether the piece is at the same operation and stage as before."""
        return self.from_operation == self.to_operation and self.from_stage == self.to_stage


class FlowMove(NamedTuple):
    """A move as flow counts it: times in UTC us, a quantity in thousandths (None: unknown).

    `released_us`: the release of the item's order. `restated`: no piece moved; what is known of it changed.
    """

    flow_class: FlowClass
    at_us: int
    qty_milli: int | None
    at_stage_since_us: int = 0
    run_since_us: int | None = None
    started_us: int | None = None
    released_us: int | None = None
    restated: bool = False


def counts(flow_class: FlowClass) -> bool:
    """Whether moves of a class are counted: those between two accounts."""
    return flow_class.from_state != flow_class.to_state or not flow_class.same_place


def departs(flow_class: FlowClass) -> bool:
    """Whether moves of a class take pieces away from an operation: to another one, or to their end."""
    if flow_class.from_state not in _AT_STAGE or flow_class.from_stage is None or flow_class.to_state not in _STAYS:
        return False
    return flow_class.to_state in ENDED or not flow_class.same_place


def durations(move: FlowMove) -> tuple[tuple[Measure, int], ...]:
    """The durations that end with a move (us), each longer than 0."""
    flow_class, at_us = move.flow_class, move.at_us
    if move.restated:
        return ()
    found: list[tuple[Measure, int]] = []
    since_us, run_us = move.at_stage_since_us, move.run_since_us
    if since_us < at_us and departs(flow_class):
        found.append((Measure.STAGE, at_us - since_us))
        if run_us is not None and since_us < run_us:
            found.append((Measure.QUEUE, run_us - since_us))
        if run_us is not None and run_us < at_us:
            found.append((Measure.RUN, at_us - run_us))
    if flow_class.to_state == ParcelState.FINISHED and flow_class.from_state != ParcelState.FINISHED:
        for measure, begin_us in ((Measure.THROUGHPUT, move.started_us), (Measure.LEAD, move.released_us)):
            if begin_us is not None and begin_us < at_us:
                found.append((measure, at_us - begin_us))
    return tuple(found)


class FlowSums:
    """Sums of moves by day and class; both are numbers, for the class any that stands for it.

    `days`: by (day, class) the quantity in thousandths, the number of moves, and the sum of each measure in us.
    `buckets`: by (day, class, measure, duration bucket) the number of durations.
    """

    def __init__(self) -> None:
        self.days: dict[tuple[int, int], list[int]] = {}
        self.buckets: dict[tuple[int, int, int, int], int] = {}

    def add(self, day: int, number: int, move: FlowMove, times: int = 1) -> None:
        """Add a move of the class `number`; with `times` -1 subtract it."""
        sums = self.days.get((day, number))
        if sums is None:
            sums = self.days[day, number] = [0] * (2 + len(Measure))
        sums[0] += times * (move.qty_milli or 0)
        sums[1] += times
        for measure, duration_us in durations(move):
            sums[2 + measure] += times * duration_us
            key = (day, number, int(measure), bucket_of(duration_us))
            self.buckets[key] = self.buckets.get(key, 0) + times


def day_number(day: date) -> int:
    """The number of a day: days since 1970-01-01.

    >>> day_number(date(1970, 1, 2)), day_of_number(1)
    (1, datetime.date(1970, 1, 2))
    """
    return day.toordinal() - _EPOCH


def day_of_number(number: int) -> date:
    """The day of a number."""
    return date.fromordinal(number + _EPOCH)


class DayNumbers:
    """The numbers of the days of a site; the hours that lie within one day are kept in memory.

    >>> from station.core.site import Site, SiteFrom
    >>> DayNumbers(SiteDays([SiteFrom(None, Site(zone="Europe/Berlin"))])).of(23 * HOUR_US)
    1
    """

    def __init__(self, days: SiteDays) -> None:
        self.days = days
        self._by_hour: dict[int, int] = {}

    def of(self, us: int) -> int:
        """The number of the day of an instant (UTC us)."""
        hour = us // HOUR_US
        number = self._by_hour.get(hour)
        if number is not None:
            return number
        number = day_number(self.days.day_of(us))
        # Days follow each other: an hour whose ends are of one day is of that day as a whole.
        ends = {day_number(self.days.day_of(end_us)) for end_us in (hour * HOUR_US, (hour + 1) * HOUR_US - 1)}
        if ends == {number}:
            if len(self._by_hour) >= _MOST_HOURS:
                self._by_hour.clear()
            self._by_hour[hour] = number
        return number
