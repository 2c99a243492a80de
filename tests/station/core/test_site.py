"""The days of a site: no gap, no overlap, 23 and 25 hours, a start of day, and a definition that changes on the way."""

import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from station.core.master_data import Definition
from station.core.site import FIRST_DAY, HOUR_US, LAST_DAY, Site, SiteDays, SiteFrom, site_at, site_history

DAYS = json.loads((Path(__file__).parents[2] / "contract" / "v1" / "days.json").read_text())["sites"]
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/St_Johns", "Asia/Kolkata", "Asia/Kathmandu",
    "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Africa/Casablanca", "Asia/Beirut",
    "America/Sao_Paulo", "Antarctica/Troll",
)  # fmt: skip
START_US = 1_262_304_000_000_000  # 2010-01-01


def defined(holds_from_us: int, seq: int = 1, **data: Any) -> Definition:
    return Definition("site.define", holds_from_us, (holds_from_us, "hub", seq), data)


def days_of(*history: tuple[int | None, str, int]) -> SiteDays:
    return SiteDays([SiteFrom(from_us, Site(zone=zone, day_start=start)) for from_us, zone, start in history])


@pytest.mark.parametrize("case", DAYS, ids=lambda case: case["about"])
def test_a_day_has_these_bounds_for_ever(case: dict[str, Any]) -> None:
    site = days_of(*((part.get("from_us"), part["zone"], part["day_start"]) for part in case["history"]))
    for day, start_us, end_us in case["days"]:
        assert site.day_bounds(date.fromisoformat(day)) == (start_us, end_us)
        if start_us < end_us:
            assert (site.day_of(start_us), site.day_of(end_us - 1)) == (date.fromisoformat(day),) * 2


def a_history(rng: random.Random) -> list[tuple[int | None, str, int]]:
    history: list[tuple[int | None, str, int]] = [(None, rng.choice(ZONES), rng.choice((0, 0, 360, 1080, 1439, 150)))]
    at_us = START_US
    for _ in range(rng.randrange(4)):
        at_us += rng.choice((1, 3 * HOUR_US, rng.randrange(400 * 24 * HOUR_US)))
        history.append((at_us, rng.choice(ZONES), rng.choice((0, 360, 1080, rng.randrange(1440)))))
    return history


def test_days_never_overlap_and_never_leave_a_gap() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(120):
        history = a_history(rng)
        site = days_of(*history)
        changes = [from_us for from_us, _, _ in history if from_us is not None]
        around = rng.choice([*changes, START_US + rng.randrange(1_500 * 24 * HOUR_US)])
        day = site.day_of(around) - timedelta(days=5)
        before_us, end_us = site.day_bounds(day)
        assert before_us <= end_us, history
        for _ in range(12):
            day += timedelta(days=1)
            start_us, next_us = site.day_bounds(day)
            assert (start_us, next_us >= start_us) == (end_us, True), history
            for us in (start_us, (start_us + next_us) // 2, next_us - 1) if start_us < next_us else ():
                assert site.day_of(us) == day, (history, us)
            end_us = next_us


def test_an_instant_before_a_change_keeps_its_day() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(60):
        history = a_history(rng)
        change_us = (history[-1][0] or START_US) + rng.randrange(1, 300 * 24 * HOUR_US)
        later = days_of(*history, (change_us, rng.choice(ZONES), rng.randrange(1440)))
        for us in (change_us - 1, change_us - rng.randrange(1, 10**16)):
            assert later.day_of(us) == days_of(*history).day_of(us), (history, change_us, us)


def test_outside_the_calendar_the_first_and_the_last_day_go_on() -> None:
    site = days_of((None, "Europe/Berlin", 360))
    assert (site.day_of(-(2**63)), site.day_of(2**63 - 1)) == (FIRST_DAY, LAST_DAY)
    with pytest.raises(ValueError, match="the day 0001-05-05; expected one from 0002-01-01 to 9998-12-31"):
        site.day_bounds(date(1, 5, 5))


def test_a_field_that_an_entry_leaves_out_stays_and_the_first_holds_from_ever() -> None:
    history = site_history(
        [defined(50, zone="Asia/Tokyo"), defined(10, zone="Europe/Berlin", currency="CHF"), defined(90, day_start=360)],
        Site("UTC", "EUR", "de", 0),
    )
    assert history == [
        SiteFrom(None, Site("Europe/Berlin", "CHF", "de", 0)),
        SiteFrom(50, Site("Asia/Tokyo", "CHF", "de", 0)),
        SiteFrom(90, Site("Asia/Tokyo", "CHF", "de", 360)),
    ]
    assert [site_at(history, us).zone for us in (-5, 49, 50)] == ["Europe/Berlin", "Europe/Berlin", "Asia/Tokyo"]


def test_of_two_definitions_of_one_time_the_later_recorded_one_holds() -> None:
    history = site_history([defined(0, zone="UTC"), defined(9, 3, day_start=60), defined(9, 2, day_start=30)])
    assert [part.site.day_start for part in history] == [0, 60]


@pytest.mark.parametrize(
    "data",
    [{"zone": "Europe/Berln"}, {"zone": 5}, {"day_start": 1440}, {"day_start": -1}, {"zone": "../../etc/passwd"}],
)
def test_a_definition_that_cannot_be_read_defines_nothing(data: dict[str, Any]) -> None:
    assert site_history([defined(5, **data)]) == [SiteFrom(None, Site())]
