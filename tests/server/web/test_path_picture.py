"""The picture of an item's path: its rows, bars, nights and due line, and the sentence above it."""

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from shop_writer import ShopWriter

from server.locale_format import LocaleFormat
from server.queries.item_moves import Stay
from server.queries.working_times import WorkingTimes
from server.web.path_picture import LEFT, WIDTH, PathWords, path_picture
from station.core.ledger.routing import Operation, Routing
from station.core.master_data import Definition, MasterData

HOUR_US = 3_600_000_000
ROUTING = Routing("line", (Operation(10, "saw"), Operation(20, "mill"), Operation(30, "pack")))
NOON_US = round(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()) * 1_000_000


def words(zone: str = "UTC") -> PathWords:
    return PathWords(
        {"here": "in work", "waiting": "waiting", "held": "on hold"}, _name, LocaleFormat(zone=ZoneInfo(zone))
    )


def _name(stage: str | None) -> str:
    return (stage or "").capitalize()


def stay(
    stage: str | None, state: str, since_h: float, until_h: float | None, op: int | None = None, pos: int = 1
) -> Stay:
    until_us = None if until_h is None else NOON_US + round(until_h * HOUR_US)
    return Stay(op, stage, state, 1000, NOON_US + round(since_h * HOUR_US), until_us, pos)


STAYS = [
    stay(None, "released", 0, 2),
    stay("saw", "here", 2, 4, 10, pos=7),
    stay("mill", "waiting", 4, 30, 20, pos=8),
    stay("mill", "here", 30, 31, 20, pos=9),
    stay("mill", "held", 31, None, 20, pos=10),
]


def test_each_operation_has_a_row_and_each_stay_a_bar_that_names_its_event() -> None:
    picture = path_picture(STAYS, ROUTING, None, NOON_US + 40 * HOUR_US, words())
    assert picture is not None
    assert [row.name for row in picture.rows] == ["no stage yet", "Saw 10", "Mill 20", "Pack 30"]
    assert [(bar.state, bar.pos) for bar in picture.bars] == [
        ("released", 1), ("here", 7), ("waiting", 8), ("here", 9), ("held", 10),
    ]  # fmt: skip
    hour = (WIDTH - LEFT) / 40
    assert [round((bar.x - LEFT) / hour) for bar in picture.bars] == [0, 2, 4, 30, 31]
    assert [round(bar.width / hour) for bar in picture.bars] == [2, 2, 26, 1, 9]
    assert picture.bars[2].title.replace("\xa0", " ") == "Mill: waiting 1 d 2 h, from 02 Mar 16:00"


def test_the_sentence_has_the_time_in_process_the_work_and_the_longest_stage() -> None:
    picture = path_picture(STAYS, ROUTING, None, NOON_US + 40 * HOUR_US, words())
    assert picture is not None
    assert picture.sentence.replace("\xa0", " ") == "1 d 14 h, of which 3 h in work; 1 d 12 h at Mill."


def test_work_on_several_pieces_at_once_counts_once() -> None:
    both = [stay("saw", "here", 0, 4, 10), stay("saw", "here", 1, 6, 10), stay("mill", "here", 2, 5, 20)]
    picture = path_picture(both, ROUTING, None, NOON_US + 9 * HOUR_US, words())
    assert picture is not None
    assert picture.sentence.replace("\xa0", " ") == "6 h, of which 6 h in work; 6 h at Saw."
    assert [(bar.state, round(bar.width)) for bar in picture.bars] == [("here", 810), ("here", 405)]


def test_many_stays_are_drawn_as_no_more_bars_than_can_be_seen() -> None:
    many = [stay("saw" if n % 2 else "mill", "here", n, n + 1, 10 if n % 2 else 20, pos=n) for n in range(6_000)]
    picture = path_picture(many, ROUTING, None, NOON_US + 6_000 * HOUR_US, words())
    assert picture is not None
    assert len(picture.bars) == 2
    few = path_picture(many[:400], ROUTING, None, NOON_US + 400 * HOUR_US, words())
    assert few is not None
    assert len(few.bars) == 400


def test_nights_are_those_of_the_shops_zone() -> None:
    stays = [stay("saw", "here", 0, 24, 10)]
    assert [
        [round((x - LEFT) / (WIDTH - LEFT) * 24, 1) for x, _ in picture.grey]
        for zone in ("UTC", "America/New_York")
        if (picture := path_picture(stays, ROUTING, None, NOON_US, words(zone))) is not None
    ] == [[8.0], [13.0]]  # noon UTC is 7:00 in New York


WEEK = {"days": [1, 2, 3, 4, 5], "begin": 360, "end": 840}
CALENDARS = WorkingTimes(
    MasterData(
        [
            Definition("calendar.define", 0, (0, "hub", 1), {"shifts": [WEEK]}),
            Definition("calendar.define", 0, (0, "hub", 2), {"stage": "mill", "shifts": [{**WEEK, "end": 1080}]}),
        ]
    )
)


def test_with_a_calendar_the_time_outside_it_is_grey_and_working_hours_stand_beside_the_time() -> None:
    picture = path_picture(STAYS, ROUTING, None, NOON_US + 40 * HOUR_US, words()._replace(working=CALENDARS))
    assert picture is not None
    assert picture.has_calendar
    hour = (WIDTH - LEFT) / 40
    grey = [(round((x - LEFT) / hour, 1), round(width / hour, 1)) for x, width in picture.grey]
    assert grey == [(2, 16), (26, 14)]  # from 14:00 to 6:00, and from 14:00 on
    assert picture.sentence.replace("\xa0", " ") == (
        "1 d 14 h (8 h in working hours), of which 3 h in work; 1 d 12 h at Mill (14 h in working hours)."
    )
    assert (
        picture.bars[2].title.replace("\xa0", " ") == "Mill: waiting 1 d 2 h (14 h in working hours), from 02 Mar 16:00"
    )


def test_the_due_line_is_left_out_where_it_would_make_the_bars_too_small() -> None:
    for hours, drawn in ((30, True), (100, True), (5_000, False), (-10, False)):
        picture = path_picture(STAYS, ROUTING, NOON_US + hours * HOUR_US, NOON_US + 40 * HOUR_US, words())
        assert picture is not None
        assert (picture.due_x is not None) == drawn, hours


def test_what_has_not_started_and_what_never_was() -> None:
    picture = path_picture([stay(None, "released", 0, None)], ROUTING, None, NOON_US + 3 * HOUR_US, words())
    assert picture is not None
    assert picture.sentence == "Released 3\xa0h ago and not started."
    assert path_picture([], ROUTING, None, NOON_US, words()) is None


@pytest.mark.parametrize("since_us", [-(2**63), 2**62, 0])
def test_a_time_outside_the_calendar_draws_a_picture(since_us: int) -> None:
    extreme = [Stay(None, "saw", "here", None, since_us, None, 1)]
    assert path_picture(extreme, None, None, max(NOON_US, since_us), words()) is not None


def test_the_page_has_the_picture_the_accounts_and_each_posting_with_its_event(hub_app: Any, store: Any) -> None:
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=30))
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=3), qty_milli=15_000)
    shop_writer.settle()
    page = hub_app.app.test_client().get("/items/WO-1").get_data(as_text=True)
    text = " ".join(re.sub("<[^>]*>", " ", page).replace("\xa0", " ").split())
    assert "1 d 6 h, of which 1 d 6 h in work; 1 d 6 h at" in text
    assert "They sum to zero." in text
    assert page.count('<rect class="bar here"') == 3  # two stays and the key
    events = {part.split('"')[0] for part in page.split('id="pos-')[1:]}
    named = {part.split('"')[0] for part in page.split('href="#pos-')[1:]}
    assert len(named) == 3
    assert named <= events
