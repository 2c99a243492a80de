"""The calendar that holds at a stage: its own, else that of the site, in its own zone, else in that of the site."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from server.projection.rebuild import rebuild
from server.queries.current_master_data import master_data
from server.queries.working_times import WorkingTimes
from station.core.master_data import Definition, MasterData
from station.core.site import HOUR_US

WEEK = {"days": [1, 2, 3, 4, 5], "begin": 360, "end": 840}
LATE = {"days": [1, 2, 3, 4, 5], "begin": 840, "end": 1320}
BERLIN, TOKYO = "Europe/Berlin", "Asia/Tokyo"


def us(text, zone=BERLIN):
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


MONDAY, TUESDAY, SATURDAY = us("2026-03-02T00:00"), us("2026-03-03T00:00"), us("2026-03-07T00:00")


def shop(*entries):
    """The working times of entries (what, from, fields)."""
    return WorkingTimes(
        MasterData(
            Definition(what, from_us, (from_us, "hub", number), data)
            for number, (what, from_us, data) in enumerate(entries)
        )
    )


def hours(working, stage, begin_us=MONDAY, end_us=TUESDAY):
    return working.of(stage).between(begin_us, end_us) / HOUR_US


SITE = ("site.define", 0, {"zone": BERLIN})


def test_without_a_calendar_a_site_works_at_all_times():
    assert hours(shop(SITE), None) == 24
    assert shop(SITE).of("saw").is_all


def test_a_stage_has_the_calendar_of_the_site_until_it_has_its_own():
    working = shop(
        SITE,
        ("calendar.define", 0, {"shifts": [WEEK]}),
        ("calendar.define", 0, {"stage": "paint", "shifts": [LATE, WEEK]}),
    )
    assert hours(working, "saw") == hours(working, None) == 8
    assert hours(working, "paint") == 16
    assert working.of("saw") is working.of(None)
    assert working.own == {"paint"}


def test_a_withdrawn_calendar_of_a_stage_gives_back_that_of_the_site():
    working = shop(
        SITE,
        ("calendar.define", 0, {"shifts": [WEEK]}),
        ("calendar.define", 0, {"stage": "paint", "shifts": []}),
        ("calendar.define", TUESDAY, {"stage": "paint", "withdrawn": True}),
    )
    assert hours(working, "paint") == 0
    assert hours(working, "paint", MONDAY, SATURDAY) == 32


def test_a_withdrawn_calendar_of_the_site_is_all_time():
    working = shop(SITE, ("calendar.define", 0, {"shifts": [WEEK]}), ("calendar.define", TUESDAY, {"withdrawn": True}))
    assert hours(working, None, MONDAY, us("2026-03-04T00:00")) == 8 + 24


def test_a_later_calendar_holds_from_its_time_and_the_first_from_ever():
    working = shop(
        SITE,
        ("calendar.define", TUESDAY, {"shifts": [WEEK]}),
        ("calendar.define", us("2026-03-04T00:00"), {"shifts": [LATE, WEEK]}),
    )
    assert hours(working, None, MONDAY, SATURDAY) == 8 + 8 + 16 + 16 + 16


def test_a_supplier_may_be_in_another_zone():
    working = shop(
        SITE,
        ("calendar.define", 0, {"shifts": [WEEK]}),
        ("calendar.define", 0, {"stage": "plating", "zone": TOKYO, "shifts": [WEEK]}),
    )
    assert list(working.of("plating").intervals(MONDAY, TUESDAY)) == [
        (MONDAY, us("2026-03-02T14:00", TOKYO)),
        (us("2026-03-03T06:00", TOKYO), TUESDAY),
    ]


def test_a_calendar_is_in_the_zone_that_the_site_has_at_that_time():
    working = shop(
        SITE, ("calendar.define", 0, {"shifts": [WEEK]}), ("site.define", TUESDAY, {"zone": "Europe/London"})
    )
    begins = [begin_us for begin_us, _ in working.of(None).intervals(MONDAY, SATURDAY)]
    assert begins[:2] == [us("2026-03-02T06:00"), us("2026-03-03T06:00", "Europe/London")]


@pytest.mark.parametrize("data", [{"shifts": [{"begin": "x"}]}, {"shifts": [WEEK], "zone": "Mars/Base"}, {"shifts": 7}])
def test_a_calendar_of_a_later_version_defines_nothing(data):
    assert hours(shop(SITE, ("calendar.define", 0, data)), None) == 24


def test_it_is_read_from_the_projection_also_after_a_rebuild(shop_writer):
    shop_writer.small_shop()
    shop_writer.say("site.define", 0, zone=BERLIN)
    shop_writer.say("calendar.define", 0, shifts=[WEEK])
    shop_writer.say("calendar.define", 0, stage="saw", shifts=[WEEK, LATE])
    shop_writer.settle()
    for _ in range(2):
        with shop_writer.store.read() as connection:
            working = WorkingTimes(master_data(connection))
        assert (hours(working, "deburr"), hours(working, "saw")) == (8, 16)
        rebuild(shop_writer.store)
