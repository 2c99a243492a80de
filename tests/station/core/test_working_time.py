"""Working time against a count of minutes on the wall clock, with nights, changes of the clock, holidays and calendars."""

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from station.core.site import HOUR_US
from station.core.working_time import DAY_US, Calendar, CalendarFrom, Shift, WorkingTime

MINUTE_US = 60_000_000
BERLIN = "Europe/Berlin"
WEEK = (1, 2, 3, 4, 5)
NIGHT = Shift(1320, 1800)


def us(text, zone=BERLIN, fold=0):
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(local.timestamp()) * 1_000_000


def only(*shifts, zone=BERLIN):
    return WorkingTime([CalendarFrom(None, zone, Calendar(shifts, {}))])


def hours(working, begin, end):
    return working.between(us(begin), us(end)) / HOUR_US


def test_a_week_of_one_shift_with_a_break():
    saw = only(Shift(360, 840, WEEK, ((540, 570),)))
    assert hours(saw, "2026-03-02T00:00", "2026-03-09T00:00") == 37.5
    assert hours(saw, "2026-03-02T09:10", "2026-03-02T09:20") == 0
    assert hours(saw, "2026-03-06T13:00", "2026-03-09T07:00") == 2


@pytest.mark.parametrize(("begin", "end", "lasts"), [
    ("2026-03-28T20:00", "2026-03-29T12:00", 7),  # the clock is put forward in this night
    ("2026-10-24T20:00", "2026-10-25T12:00", 9),  # and put back in this one
    ("2026-06-10T20:00", "2026-06-11T12:00", 8),
])  # fmt: skip
def test_a_night_shift_lasts_as_long_as_it_is_worked(begin, end, lasts):
    assert hours(only(NIGHT), begin, end) == lasts


def test_a_night_shift_before_a_holiday_is_worked_and_that_of_the_holiday_is_not():
    working = WorkingTime([CalendarFrom(None, BERLIN, Calendar((NIGHT,), {date(2026, 5, 1): ()}))])
    assert hours(working, "2026-04-30T12:00", "2026-05-01T12:00") == 8
    assert hours(working, "2026-05-01T12:00", "2026-05-02T12:00") == 0


def test_a_short_day_and_an_extra_saturday():
    short, saturday = date(2026, 12, 24), date(2026, 12, 19)
    exceptions = {short: (Shift(360, 600),), saturday: (Shift(360, 720),)}
    working = WorkingTime([CalendarFrom(None, BERLIN, Calendar((Shift(360, 840, WEEK),), exceptions))])
    assert hours(working, "2026-12-24T00:00", "2026-12-25T00:00") == 4
    assert hours(working, "2026-12-19T00:00", "2026-12-21T00:00") == 6


def test_a_time_that_the_clock_skips_is_as_many_minutes_after_the_skip():
    assert list(only(Shift(150, 240)).intervals(us("2026-03-29T00:00"), us("2026-03-29T12:00"))) == [
        (us("2026-03-29T03:30"), us("2026-03-29T04:00"))
    ]


def test_a_time_that_comes_twice_is_the_first_of_the_two():
    assert list(only(Shift(60, 150)).intervals(us("2026-10-25T00:00"), us("2026-10-25T12:00"))) == [
        (us("2026-10-25T01:00"), us("2026-10-25T02:30"))
    ]


def test_shifts_that_overlap_count_once_and_touch_as_one():
    working = only(Shift(360, 840), Shift(810, 1320), NIGHT)
    assert hours(working, "2026-06-10T06:00", "2026-06-11T06:00") == 24
    assert list(working.intervals(us("2026-06-10T07:00"), us("2026-06-12T07:00"))) == [
        (us("2026-06-10T07:00"), us("2026-06-12T07:00"))
    ]


def test_a_calendar_that_follows_another_holds_from_its_time():
    noon = us("2026-06-10T12:00")
    working = WorkingTime(
        [
            CalendarFrom(None, BERLIN, Calendar((Shift(360, 840),), {})),
            CalendarFrom(noon, BERLIN, Calendar((Shift(480, 1020),), {})),
            CalendarFrom(us("2026-06-11T00:00"), BERLIN, None),
        ]
    )
    assert hours(working, "2026-06-10T00:00", "2026-06-11T00:00") == 6 + 5
    assert hours(working, "2026-06-11T00:00", "2026-06-12T00:00") == 24


def test_without_a_calendar_all_time_is_working_time():
    working = WorkingTime([CalendarFrom(None, BERLIN, None)])
    assert working.between(5, 9) == 4
    assert working.between(9, 5) == 0
    assert working.after(5, 7) == 12
    assert list(working.intervals(5, 9)) == [(5, 9)]


def test_a_calendar_without_a_shift_never_works():
    working = WorkingTime([CalendarFrom(None, BERLIN, Calendar((), {}))])
    begin_us = us("2026-01-01T00:00")
    assert working.between(begin_us, begin_us + 3_000 * DAY_US) == 0
    assert working.after(begin_us, 1) is None
    assert working.after(2**62, 1) is None


def test_an_unknown_time_is_before_or_after_all_working_time():
    always = only(Shift(0, 1440), zone="UTC")
    begin_us, end_us = us("2000-01-01T00:00", "UTC"), us("2100-01-01T00:00", "UTC")
    assert always.between(-(2**63), 2**63) == end_us - begin_us
    assert list(always.intervals(-(2**63), begin_us + DAY_US)) == [(begin_us, begin_us + DAY_US)]
    assert always.after(-(2**63), HOUR_US) == begin_us + HOUR_US


@pytest.mark.parametrize("seed", range(12))
def test_drawn_calendars_count_as_the_minutes_on_the_wall_clock(seed):
    chance = random.Random(seed)
    print(f"seed {seed}")
    zone = chance.choice([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"])
    shifts = tuple(drawn_shift(chance) for _ in range(chance.randrange(1, 4)))
    first = date(2026, chance.choice([3, 4, 10, 11]), 1)
    exceptions = {first + timedelta(days=chance.randrange(40)): shifts[: chance.randrange(2)] for _ in range(3)}
    calendar = Calendar(shifts, exceptions)
    working = WorkingTime([CalendarFrom(None, zone, calendar)])
    begin_us = us(f"{first}T00:00", "UTC")
    minutes = [is_worked(calendar, begin_us + minute * MINUTE_US, ZoneInfo(zone)) for minute in range(35 * 1440)]
    counted = [0]
    for minute in minutes:
        counted.append(counted[-1] + minute)
    for _ in range(300):
        since, until = sorted(chance.randrange(len(minutes)) for _ in range(2))
        span = (begin_us + since * MINUTE_US, begin_us + until * MINUTE_US)
        assert working.between(*span) == (counted[until] - counted[since]) * MINUTE_US
        assert sum(end - begin for begin, end in working.intervals(*span)) == working.between(*span)
        if working.between(*span):
            ends = working.after(span[0], working.between(*span))
            assert ends <= span[1]
            assert working.between(span[0], ends) == working.between(*span)
            assert working.between(span[0], ends - 1) == working.between(*span) - 1


def test_years_are_the_sum_of_their_days():
    working = only(Shift(360, 840, WEEK), NIGHT)
    begin_us, end_us = us("2019-02-03T04:05"), us("2029-06-07T08:09")
    ends = [begin_us, *range(begin_us + DAY_US, end_us, DAY_US), end_us]
    assert working.between(begin_us, end_us) == sum(map(working.between, ends, ends[1:]))


def drawn_shift(chance):
    begin = chance.randrange(1440)
    end = begin + chance.randrange(2, 1440)
    days = tuple(sorted(chance.sample(range(1, 8), chance.randrange(1, 8))))
    middle = chance.randrange(begin + 1, end)
    return Shift(begin, end, days, ((middle, chance.randrange(middle, end + 1)),) if chance.random() < 0.5 else ())


def is_worked(calendar, at_us, zone):
    """Whether a minute is worked: a shift of its day or of one before contains it, by the offset of the shift's ends."""
    at = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    for back in range(-1, 3):
        day = at.astimezone(zone).date() - timedelta(days=back)
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        for shift in calendar.on(day):
            begin, end = ((midnight + timedelta(minutes=minute)).astimezone(UTC) for minute in shift[:2])
            breaks = [
                tuple((midnight + timedelta(minutes=minute)).astimezone(UTC) for minute in pause)
                for pause in shift.breaks
            ]
            if begin <= at < end and not any(since <= at < until for since, until in breaks):
                return True
    return False
