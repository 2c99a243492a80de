"""The entry `calendar.define`: valid fields, refused ones, and no entry without effect."""

import pytest

from server.accounting.period_close import close_period
from server.auth.roles import Role, needed_for
from server.ledger.calendar_check import CALENDAR
from server.ledger.entries import Entry, EntryRefused, record, record_all
from server.projection.station_snapshot import NOT_FOR_STATIONS

WEEK = [1, 2, 3, 4, 5]
EARLY = {"days": WEEK, "begin": 360, "end": 840, "breaks": [[540, 570]]}
DAY = 86_400_000_000


def refusal(store, *entries, holds_from_us=None):
    """The sentences of the refusal of entries in one request; None for accepted ones."""
    try:
        record_all(store, [Entry(CALENDAR, data, "Kim", holds_from_us) for data in entries])
    except EntryRefused as error:
        return f"{error.came}; {error.expected}. {error.do}"
    return None


@pytest.mark.parametrize(
    "data",
    [
        {"shifts": []},
        {"shifts": [EARLY], "zone": "Asia/Tokyo"},
        {"shifts": [{"days": [7], "begin": 1320, "end": 1800, "breaks": [[1420, 1450], [1500, 1520]]}]},
        {"shifts": [{"days": [1], "begin": 0, "end": 1440}]},
        {"shifts": [EARLY], "exceptions": [{"day": "2026-12-25"}]},
        {"shifts": [EARLY], "exceptions": [{"day": "2026-12-24", "shifts": [{"begin": 360, "end": 600}]}]},
    ],
)
def test_a_calendar_is_accepted(store, data):
    assert refusal(store, data) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "calendar.define without shifts; `shifts`, or `withdrawn` true."),
        ({"shifts": [], "withdrawn": True}, "calendar.define with shifts that are withdrawn"),
        ({"shifts": [], "zone": "Europe/Berln"}, "the zone 'Europe/Berln'; a name of the tz database"),
        ({"shifts": [], "zone": "localtime"}, "the zone 'localtime'"),
        ({"shifts": [{**EARLY, "end": 360}]}, "a shift from 360 to 360; an end after the begin"),
        ({"shifts": [{**EARLY, "end": 1801}]}, "a shift from 360 to 1801"),
        ({"shifts": [{**EARLY, "begin": 1440, "end": 1500}]}, "Expected `int` <= 1439"),
        ({"shifts": [{**EARLY, "days": []}]}, "length >= 1"),
        ({"shifts": [{**EARLY, "days": [0]}]}, "`int` >= 1"),
        ({"shifts": [{**EARLY, "day": 1}]}, "Did you mean days?"),
        ({"shifts": [{"begin": 360, "end": 840}]}, "missing required field `days`"),
        (
            {"shifts": [{**EARLY, "breaks": [[540, 560], [550, 570]]}]},
            "a break from 550 to 570; breaks within the shift",
        ),
        ({"shifts": [{**EARLY, "breaks": [[300, 400]]}]}, "a break from 300 to 400"),
        ({"shifts": [{**EARLY, "breaks": [[560, 540]]}]}, "a break from 560 to 540"),
        ({"shifts": [EARLY], "exceptions": [{"day": "2026-02-30"}]}, "the day 2026-02-30; a day of the calendar"),
        ({"shifts": [EARLY], "exceptions": [{"day": "2026-12-25"}] * 2}, "two exceptions for 2026-12-25"),
        ({"shifts": [EARLY], "exceptions": [{"day": "2026-12-25", "shifts": [EARLY]}]}, "unknown field `days`"),
        ({"shifts": [EARLY], "exceptions": [{"day": "2026-1-1"}]}, "matching regex"),
        ({"shifts": [EARLY] * 51}, "length <= 50"),
    ],
)
def test_what_is_refused_says_why(store, data, said):
    assert said in refusal(store, data)


def test_a_stage_of_a_calendar_is_one_of_the_shop(store):
    record(store, "stage.define", {"stage": "paint", "name": "Paint"}, "Kim")
    assert refusal(store, {"stage": "paint", "shifts": []}) is None
    assert "calendar.define with the stage 'pant'" in refusal(store, {"stage": "pant", "shifts": []})


def test_a_calendar_as_it_is_defined_is_refused(shop_writer):
    assert refusal(shop_writer.store, {"shifts": [EARLY]}) is None
    shop_writer.settle()
    assert "calendar.define of the site as it is defined" in refusal(shop_writer.store, {"shifts": [EARLY]})
    assert refusal(shop_writer.store, {"shifts": [EARLY], "exceptions": [{"day": "2026-12-25"}]}) is None
    said = "calendar.define of stage saw, withdrawn; a calendar that holds."
    assert said in refusal(shop_writer.store, {"stage": "saw", "withdrawn": True})


def test_a_calendar_may_hold_from_before_a_close(store):
    close_period(store, Entry("period.close", {"why": "month end"}, "Kim", DAY))
    assert refusal(store, {"shifts": [EARLY]}, holds_from_us=DAY // 2) is None


def test_a_supervisor_enters_it_and_no_station_gets_it():
    assert needed_for(CALENDAR) == Role.SUPERVISE
    assert CALENDAR in NOT_FOR_STATIONS
