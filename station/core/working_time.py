"""Working time: the shifts of a calendar on the clock of its zone, and how much of a span lies in them.

A shift begins on each of its days of the week and has its begin and end in minutes after midnight; 1320 to 1800 is 22:00 to
06:00 of the next day. Times are of the wall clock, so a night shift lasts an hour less or more where the clock changes.
A begin or end that the clock skips is as many minutes after the skip; one that comes twice is the first of the two. Shifts
that overlap count once. On the day of an exception only its own shifts begin. Without a calendar all time is working time;
with one, there is none before 2000 and after 2099, because a time there is not known.

>>> early = Shift(begin=360, end=840, days=(1, 2, 3, 4, 5), breaks=((540, 570),))
>>> saw = WorkingTime([CalendarFrom(None, "Europe/Berlin", Calendar((early,), {date(2026, 3, 20): ()}))])
>>> friday = datetime(2026, 3, 20, 12, tzinfo=UTC)  # no shift on that day
>>> from_us = round(friday.timestamp()) * 1_000_000
>>> saw.between(from_us, from_us + 3 * 24 * HOUR_US) / HOUR_US  # until Monday at 13:00 in Berlin
6.5
>>> (saw.after(from_us, 2 * HOUR_US) - from_us) / HOUR_US  # Monday at 08:00
67.0
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from station.core.site import HOUR_US

DAY_US = 24 * HOUR_US
MINUTE_US = 60_000_000
BLOCK_DAYS = 64  # whose sum is kept, so that a span of years costs its blocks and not its days
MOST_AHEAD = 3_660  # days in which a span of working time is looked for
MOST_MINUTES = 2880  # to which a shift may last: it begins on its day, and ends on the next one at the latest
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_EPOCH_DAY = date(1970, 1, 1)
# The first and the last day of UTC with working time (the last without it), since 1970-01-01.
_FIRST, _LAST = ((date(year, 1, 1) - _EPOCH_DAY).days for year in (2000, 2100))

Interval = tuple[int, int]


class Shift(NamedTuple):
    """A shift: begin and end in minutes after midnight, its days of the week (1 is Monday), its breaks as (begin, end)."""

    begin: int
    end: int
    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    breaks: tuple[Interval, ...] = ()


class Calendar(NamedTuple):
    """The shifts of each week, and of the days that are otherwise: () of a holiday."""

    shifts: tuple[Shift, ...]
    exceptions: Mapping[date, tuple[Shift, ...]]

    def on(self, day: date) -> Iterable[Shift]:
        """The shifts that begin on a day."""
        if day in self.exceptions:
            return self.exceptions[day]
        return (shift for shift in self.shifts if day.isoweekday() in shift.days)


class CalendarFrom(NamedTuple):
    """The calendar (None: all time is working time) and its zone from a time on (UTC us; None: from ever)."""

    from_us: int | None
    zone: str
    calendar: Calendar | None


class _Day(NamedTuple):
    """The working time of one day of UTC: its intervals in order, and the sum of those before each and of all."""

    intervals: tuple[Interval, ...]
    sums: tuple[int, ...]


class WorkingTime:
    """How much of a span is working time, by calendars that follow each other. A shift ends where its calendar does."""

    def __init__(self, history: Sequence[CalendarFrom], zone_of: Callable[[str], tzinfo] = ZoneInfo) -> None:
        """`history`: in order, the first from ever. `zone_of`: the time zone of a name."""
        self._history = list(history)
        self._zones = [zone_of(part.zone) for part in history]
        self._days: dict[int, _Day] = {}
        self._blocks: dict[int, int] = {}
        self._begun: dict[tuple[int, int], tuple[Interval, ...]] = {}  # by part and day of its zone
        self.is_all = all(part.calendar is None for part in history)

    def between(self, from_us: int, to_us: int) -> int:
        """The working time (us) from one instant to another (UTC us); 0 where the second is not later."""
        if self.is_all or to_us <= from_us:
            return max(to_us - from_us, 0)
        first, last = (min(max(us // DAY_US, _FIRST), _LAST) for us in (from_us, to_us))
        return self._days_between(first, last) + self._until(to_us, last) - self._until(from_us, first)

    def intervals(self, from_us: int, to_us: int) -> Iterator[Interval]:
        """The working time of a span as (begin, end), in order and without overlap; what touches is one."""
        if self.is_all and from_us < to_us:
            yield from_us, to_us
            return
        last: Interval | None = None
        for begin_us, end_us in self._clipped(from_us, to_us):
            if last is not None and last[1] == begin_us:
                last = (last[0], end_us)
                continue
            if last is not None:
                yield last
            last = (begin_us, end_us)
        if last is not None:
            yield last

    def after(self, from_us: int, working_us: int) -> int | None:
        """The first instant at which so much working time has passed since another one; None where MOST_AHEAD days have not.

        With 1 that is a microsecond after the next working time begins, or after `from_us` where it is working time.
        """
        if self.is_all:
            return from_us + working_us
        first = number = min(max(from_us // DAY_US, _FIRST), _LAST)
        lacks = working_us + self._until(from_us, first)
        while number <= first + MOST_AHEAD:
            if number % BLOCK_DAYS == 0 and self._block(number // BLOCK_DAYS) < lacks:
                lacks -= self._block(number // BLOCK_DAYS)
                number += BLOCK_DAYS
                continue
            day = self._day(number)
            if day.sums[-1] >= lacks:
                place = next(at for at in range(len(day.intervals)) if day.sums[at + 1] >= lacks)
                return day.intervals[place][0] + lacks - day.sums[place]
            lacks -= day.sums[-1]
            number += 1
        return None

    def _clipped(self, from_us: int, to_us: int) -> Iterator[Interval]:
        for number in range(max(from_us // DAY_US, _FIRST), min(to_us // DAY_US + 1, _LAST)):
            for begin_us, end_us in self._day(number).intervals:
                if max(begin_us, from_us) < min(end_us, to_us):
                    yield max(begin_us, from_us), min(end_us, to_us)

    def _until(self, at_us: int, number: int) -> int:
        """The working time of a day of UTC before an instant in it."""
        day = self._day(number)
        place = bisect_right(day.intervals, (at_us, at_us)) - 1
        if place < 0:
            return 0
        begin_us, end_us = day.intervals[place]
        return day.sums[place] + min(at_us, end_us) - begin_us

    def _days_between(self, first: int, last: int) -> int:
        """The working time of the days of UTC from `first` up to and without `last`."""
        total, number = 0, first
        while number < last:
            if number % BLOCK_DAYS == 0 and number + BLOCK_DAYS <= last:
                total += self._block(number // BLOCK_DAYS)
                number += BLOCK_DAYS
            else:
                total += self._day(number).sums[-1]
                number += 1
        return total

    def _block(self, number: int) -> int:
        if number not in self._blocks:
            first = number * BLOCK_DAYS
            self._blocks[number] = sum(self._day(day).sums[-1] for day in range(first, first + BLOCK_DAYS))
        return self._blocks[number]

    def _day(self, number: int) -> _Day:
        if number not in self._days:
            intervals = merged(self._made(number)) if _FIRST <= number < _LAST else ()
            sums = [0]
            for begin_us, end_us in intervals:
                sums.append(sums[-1] + end_us - begin_us)
            self._days[number] = _Day(intervals, tuple(sums))
        return self._days[number]

    def _made(self, number: int) -> Iterator[Interval]:
        """The shifts within a day of UTC, by the calendars that hold in it."""
        begin_us, end_us = number * DAY_US, (number + 1) * DAY_US
        for place, part in enumerate(self._history):
            ends_us = self._history[place + 1].from_us if place + 1 < len(self._history) else None
            from_us = begin_us if part.from_us is None else max(begin_us, part.from_us)
            to_us = end_us if ends_us is None else min(end_us, ends_us)
            if from_us >= to_us:
                continue
            if part.calendar is None:
                yield from_us, to_us
                continue
            # A shift that reaches into the day began on a day of its zone that is at most two days earlier.
            for days in range(number - 2, number + 2):
                for since_us, until_us in self._begun_on(place, days):
                    if max(since_us, from_us) < min(until_us, to_us):
                        yield max(since_us, from_us), min(until_us, to_us)

    def _begun_on(self, place: int, days: int) -> tuple[Interval, ...]:
        """The spans of the shifts that begin on a day (since 1970-01-01) by one of the calendars, UTC us."""
        begun = self._begun.get((place, days))
        if begun is None:
            calendar, zone = self._history[place].calendar, self._zones[place]
            shifts = calendar.on(_EPOCH_DAY + timedelta(days=days)) if calendar is not None else ()
            spans = [span for shift in shifts for span in _spans(shift)]
            midnight_us = _utc(days, 0, zone)
            if _utc(days, MOST_MINUTES, zone) - midnight_us == 2 * DAY_US:  # the clock does not change
                begun = tuple((midnight_us + begin * MINUTE_US, midnight_us + end * MINUTE_US) for begin, end in spans)
            else:
                begun = tuple((_utc(days, begin, zone), _utc(days, end, zone)) for begin, end in spans)
            self._begun[place, days] = begun
        return begun


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Intervals in order, those that overlap or touch as one.

    >>> merged([(5, 7), (1, 3), (2, 4), (4, 5)])
    ((1, 7),)
    """
    joined: list[Interval] = []
    for begin, end in sorted(intervals):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return tuple(joined)


def _spans(shift: Shift) -> Iterator[Interval]:
    """A shift without its breaks, in minutes after midnight."""
    ends = [shift.begin, *(minute for span in sorted(shift.breaks) for minute in span), shift.end]
    for begin, end in list(pairwise(ends))[::2]:
        if begin < end:
            yield begin, end


def _utc(days: int, minutes: int, zone: tzinfo) -> int:
    """Minutes after midnight of a day (since 1970-01-01) on the wall clock of a zone, UTC us."""
    local = datetime.combine(_EPOCH_DAY + timedelta(days=days), datetime.min.time(), tzinfo=zone)
    return ((local + timedelta(minutes=minutes)).astimezone(UTC) - _EPOCH) // _US
