"""Calendar check: the fields of an entry `calendar.define`, the working time of the site or of one stage.

>>> early = {"begin": 360, "end": 840, "breaks": [[540, 570]]}
>>> calendar_mistake({"shifts": [{"days": [1, 2, 3, 4, 5], **early}], "exceptions": [{"day": "2026-12-25"}]})
>>> calendar_mistake({"shifts": [{"days": [1], "begin": 840, "end": 360}]})[:2]
('calendar.define with a shift from 840 to 360', 'an end after the begin, at most 1440 minutes later')
"""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

import msgspec

from server.ledger.print_schema import Name
from server.ledger.site_check import zone_mistake
from station.core.site import FIRST_DAY, LAST_DAY, MINUTES_OF_DAY
from station.core.working_time import MOST_MINUTES, Calendar, Shift

CALENDAR = "calendar.define"
MOST_SHIFTS, MOST_BREAKS, MOST_EXCEPTIONS = 50, 10, 400
Minute = Annotated[int, msgspec.Meta(ge=0, le=MOST_MINUTES)]
Breaks = Annotated[list[tuple[Minute, Minute]], msgspec.Meta(max_length=MOST_BREAKS)]
Mistake = tuple[str, str, str]


class _DayShift(msgspec.Struct, forbid_unknown_fields=True):
    """A shift of one day. Minutes after midnight of the day on which it begins."""

    begin: Annotated[int, msgspec.Meta(ge=0, lt=MINUTES_OF_DAY)]
    end: Minute
    breaks: Breaks = []


class _WeekShift(_DayShift, forbid_unknown_fields=True, kw_only=True):
    """`days`: of the week on which it begins, 1 is Monday."""

    days: Annotated[list[Annotated[int, msgspec.Meta(ge=1, le=7)]], msgspec.Meta(min_length=1, max_length=7)]


class _Exception(msgspec.Struct, forbid_unknown_fields=True):
    """The shifts that begin on one day instead of those of the week; without any it is a holiday."""

    day: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    shifts: Annotated[list[_DayShift], msgspec.Meta(max_length=MOST_SHIFTS)] = []


class CalendarFields(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of the entry. Without `stage` it is of the site; without `zone`, in the zone of the site."""

    stage: Name | None = None
    zone: str | None = None
    shifts: Annotated[list[_WeekShift], msgspec.Meta(max_length=MOST_SHIFTS)] | None = None
    exceptions: Annotated[list[_Exception], msgspec.Meta(max_length=MOST_EXCEPTIONS)] | None = None
    withdrawn: bool | None = None


PARTS: dict[str, type[msgspec.Struct]] = {"shifts": _WeekShift, "exceptions": _Exception}


def calendar_mistake(data: dict[str, Any]) -> Mistake | None:
    """What came, what was expected and what to do, of the first field that is invalid; None where all are valid."""
    fields = msgspec.convert(data, CalendarFields)
    if (fields.shifts is None) != (fields.withdrawn is True) or (fields.withdrawn and fields.exceptions):
        came = f"{CALENDAR} with shifts that are withdrawn" if fields.withdrawn else f"{CALENDAR} without shifts"
        do = "Send one of the two: all shifts, or that from then on there is no calendar."
        return came, "`shifts`, or `withdrawn` true", do
    if fields.zone is not None and (mistake := zone_mistake(CALENDAR, fields.zone)) is not None:
        return mistake
    return next(_mistakes(fields), None)


def read_calendar(data: dict[str, Any]) -> Calendar | None:
    """The calendar in a recorded entry; None of a withdrawn one. Raises `msgspec.ValidationError` and `ValueError`."""
    fields = msgspec.convert(data, CalendarFields)
    if fields.withdrawn or fields.shifts is None:
        return None
    return Calendar(
        tuple(_shift(shift)._replace(days=tuple(shift.days)) for shift in fields.shifts),
        {date.fromisoformat(one.day): tuple(map(_shift, one.shifts)) for one in fields.exceptions or []},
    )


def _shift(shift: _DayShift) -> Shift:
    return Shift(shift.begin, shift.end, breaks=tuple(shift.breaks))


def _mistakes(fields: CalendarFields) -> Iterator[Mistake]:
    exceptions = fields.exceptions or []
    days = [one.day for one in exceptions]
    for number, day in enumerate(days):
        if not _is_day(day):
            do = f"Correct it: a day from {FIRST_DAY} to {LAST_DAY}."
            yield f"{CALENDAR} with the day {day}", "a day of the calendar such as 2026-12-25", do
        if day in days[:number]:
            yield f"{CALENDAR} with two exceptions for {day}", "one for each day", "Send its shifts together."
    for shift in [*(fields.shifts or []), *(shift for one in exceptions for shift in one.shifts)]:
        yield from _shift_mistakes(shift)


def _shift_mistakes(shift: _DayShift) -> Iterator[Mistake]:
    came = f"{CALENDAR} with a shift from {shift.begin} to {shift.end}"
    if not shift.begin < shift.end <= shift.begin + MINUTES_OF_DAY:
        expected = f"an end after the begin, at most {MINUTES_OF_DAY} minutes later"
        yield came, expected, f"Of a shift over midnight, add {MINUTES_OF_DAY} to the minutes of the end."
    last = shift.begin
    for begin, end in sorted(shift.breaks):
        if not last <= begin < end <= shift.end:
            expected = "breaks within the shift that do not overlap, each with its begin before its end"
            yield f"{came} and a break from {begin} to {end}", expected, "Minutes count from the day of the shift."
        last = end


def _is_day(text: str) -> bool:
    try:
        return FIRST_DAY <= date.fromisoformat(text) <= LAST_DAY
    except ValueError:
        return False
