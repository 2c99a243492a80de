"""A stated quantity comes from the walk, then from pieces that passed without a scan, then from overrun; names of ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from shop import MINUTE_US, Story, definition, shop

from station.core.ledger.fold import balances, fold
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import Finding

STORIES = json.loads((Path(__file__).parents[3] / "contract" / "v1" / "postings.json").read_text())["stories"]
LATER_US = 60 * MINUTE_US
ALWAYS_LATER = {"skipped", "passed_unscanned"}  # of pieces that move on; the vectors name the other findings


def told(before: list[tuple[str, str, int | None]], ordered: int = 100) -> Story:
    story = Story()
    story.release(ordered)
    for verb, stage, quantity in before:
        story.tell(verb, stage, quantity)
    return story


def newest(story: Story) -> list[Finding]:
    """The findings of the last event."""
    seq = story.item_events[-1].seq
    return [found for found in story.end.findings if found.seq == seq]


@pytest.mark.parametrize("vector", STORIES, ids=lambda vector: f"{vector['before']} {vector['then']}")
def test_a_golden_story(vector: dict[str, Any]) -> None:
    story = told(vector["before"], int(vector["given"].split()[-1]))
    before = story.end
    verb, stage, quantity = vector["then"]
    story.tell(verb, stage, quantity)
    posts = story.end.postings[len(before.postings) :]
    assert [[post.source, post.target, post.qty_milli // 1000] for post in posts] == vector["posts"]
    assert story.stands == vector["stands"]
    assert {found.rule: found.args for found in newest(story) if found.rule not in ALWAYS_LATER} == vector["finds"]


def test_a_gap_is_filled_once_and_then_it_is_overrun() -> None:
    story = told([("in", "weld", 100), ("in", "deburr", 60)])
    assert story.stands == {"here@weld": 100}
    assert newest(story) == []
    story.tell("in", "deburr", 60)
    assert story.stands == {"here@weld": 100, "here@deburr": 20}
    assert [(found.rule, found.args["qty_milli"]) for found in newest(story)] == [("overrun", 20_000)]
    assert story.said[-1][1].endswith("more than ordered, or did 20 come back? REWORK.")


def test_scrap_rework_and_hold_take_pieces_from_somewhere_and_fill_no_gap() -> None:
    for verb in ("scrap", "rework", "hold"):
        story = told([("in", "weld", 100), (verb, "deburr", 5)])
        assert [found.rule for found in newest(story)] == ["overrun"]


def test_a_first_quantity_is_that_of_the_pieces_that_are_here_already() -> None:
    story = Story()
    story.scan("saw")
    story.scan("saw", qty=10)
    assert story.stands == {"here@saw": 10}
    story.scan("weld", qty=10)
    assert story.stands == {"here@weld": 10}


@pytest.mark.parametrize(
    ("verb", "stage"),
    [(verb, stage) for verb in ("", "in", "start", "out", "done", "hold", "finish") for stage in ("saw", "pack")],
)
def test_a_first_quantity_after_a_scan_without_one_is_counted_once(verb: str, stage: str) -> None:
    story = Story()
    story.tell(verb, stage)
    (place,) = story.stands
    story.tell(verb, stage, 20)
    assert story.stands == {place: 20}
    assert balances(story.end.state)["overrun"] == -20_000


@pytest.mark.parametrize("verb", ["scrap", "rework"])
def test_all_and_then_a_quantity_is_that_quantity(verb: str) -> None:
    story = Story()
    story.tell(verb, "saw", all=True)
    (place,) = story.stands
    story.tell(verb, "saw", 5)
    assert story.stands == {place: 5}


def test_what_is_held_without_a_quantity_is_released_with_the_first_one() -> None:
    story = Story()
    story.tell("hold", "saw")
    story.tell("release", "saw", 20)
    assert story.stands == {"here@saw": 20}


def test_a_tracked_item_that_jumps_at_its_first_scan_has_skipped() -> None:
    for verb, rule in (("in", "skipped"), ("finish", "passed_unscanned")):
        story = Story()
        data = {"order": "WO-0", "product": "bracket", "qty_milli": 2_000, "items": ["WO-1"]}
        story.tell("order.release", data=data)
        story.tell(verb, "test")
        assert rule in [found.rule for found in newest(story)]


def test_a_quantity_that_the_office_adds_later_is_that_of_what_is_present() -> None:
    story = Story()
    story.tell("order.release", data={"order": "WO-1", "product": "bracket"})
    story.scan("saw")
    story.tell("order.change", data={"order": "WO-1", "qty_milli": 10_000})
    assert story.stands == {"here@saw": 10}
    assert balances(story.end.state)["ordered"] == -10_000


def test_more_than_ordered_is_found_whichever_came_first() -> None:
    story = Story()
    story.tell("in", "saw", 50)
    story.release(40)
    assert [(found.rule, found.args) for found in newest(story)] == [("more_than_ordered", {"qty_milli": 10_000})]
    story.tell("order.change", data={"order": "WO-1", "qty_milli": 60_000})
    assert newest(story) == []


@pytest.mark.parametrize(
    ("verbs", "status"),
    [
        ([("scrap", "saw", 100)], "scrapped"),
        ([("scrap", "saw", 60), ("finish", "saw", None)], "finished"),
        ([("done", "pack", 100)], "finished"),
        ([("in", "saw", 100)], "open"),
    ],
)
def test_an_order_is_named_by_how_it_ended(verbs: list[tuple[str, str, int | None]], status: str) -> None:
    state = told(verbs).end.state
    assert state.status == status
    assert (state.ended_us is None) == (status == "open")


def test_an_order_that_was_adjusted_away_has_an_end_and_is_not_finished() -> None:
    story = told([])
    story.tell("adjust", data={"item": "WO-1", "qty_milli": -100_000})
    assert (story.end.state.status, story.end.state.ended_us) == ("adjusted", story.item_events[-1].key_us)


def test_a_cancelled_order_is_closed_with_its_time() -> None:
    story = told([("in", "saw", 40)])
    story.tell("order.close", data={"order": "WO-1", "how": "cancelled"})
    state = story.end.state
    assert (state.status, state.how, state.closed_us) == ("closed", "cancelled", story.item_events[-1].key_us)
    assert state.ended_us == state.closed_us


def test_a_fraction_is_found_where_the_unit_has_none() -> None:
    pieces, metres = Story(), Story(shop(definition("product.define", product="wire", decimals=1, routing="line")))
    for story, product in ((pieces, "bracket"), (metres, "wire")):
        story.release(100, product=product)
        story.item_events.append(
            ItemEvent(key_us=LATER_US, log="log", seq=9, verb="scrap", stage="saw", qty_milli=2_500)
        )
    assert [(found.rule, found.args) for found in pieces.end.findings] == [("part_unit", {"qty_milli": 2_500})]
    assert metres.end.findings == ()


def test_a_finished_piece_that_was_never_in_process_is_a_visit() -> None:
    state = fold("X", [story_event()], shop())
    assert [(visit.went_to_state, visit.qty_milli) for visit in state.visits] == [("finished", 3_000)]


def story_event() -> Any:
    story = Story()
    return story.tell("finish", "pack", 3)
