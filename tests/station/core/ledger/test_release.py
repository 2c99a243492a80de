"""What was there before its order was released, and what its release makes of it."""

import pytest
from shop import MINUTE_US, Story

from station.core.ledger.fold import balances


def test_an_order_released_without_a_quantity_is_tracked_and_gets_it_later() -> None:
    story = Story()
    story.tell("order.release", data={"order": "WO-1", "product": "bracket"})
    story.scan("saw", "deburr")
    assert story.stands == {"here@deburr": None}
    assert [(each.op, each.reached) for each in story.end.state.parcels] == [(20, 10)]
    story.release(30)
    assert story.stands == {"here@deburr": 30}
    assert story.said == []


def test_what_is_tracked_under_an_order_is_not_that_much_again() -> None:
    story = Story()
    story.tell("order.release", data={"order": "WO-0", "product": "bracket", "qty_milli": 100_000, "items": ["WO-1"]})
    assert story.stands == {}
    story.scan("saw", "deburr")
    assert story.stands == {"here@deburr": None}
    assert (story.end.state.header.order, story.end.state.header.product) == ("WO-0", "bracket")


def test_a_field_of_another_form_leaves_the_others_standing() -> None:
    story = Story()
    story.release(10, due=5, priority="high", customer="Ada")
    head = story.end.state.header
    assert (head.product, head.due, head.priority, head.customer) == ("bracket", None, None, "Ada")


def test_what_was_counted_before_the_release_stands_in_the_routing_from_then_on() -> None:
    story = Story()
    story.tell("in", "saw", 30)
    story.tell("in", "deburr", 20)
    story.release(100)
    assert balances(story.end.state) == {
        "ordered": -100_000,
        "released": 70_000,
        "here@10": 10_000,
        "here@20": 20_000,
    }
    stood = {each.op: each.at_stage_since_us for each in story.end.state.parcels if each.op}
    assert stood == {10: 1 * MINUTE_US, 20: 2 * MINUTE_US}
    story.scan("saw")
    assert story.stands == {"here@saw": 80, "here@deburr": 20}


def test_what_was_done_before_the_release_waits_for_the_next_operation() -> None:
    story = Story()
    story.scan("saw")
    story.tell("out", "deburr")
    story.release(100)
    assert story.stands == {"waiting@weld": 100}
    story.scan("weld")
    assert story.said == []
    assert [(each.entered, each.reached) for each in story.end.state.parcels] == [(30, 20)]


def test_what_was_finished_before_the_release_has_passed_everything() -> None:
    story = Story()
    story.tell("finish", "saw")
    story.release(100)
    assert [(each.qty_milli, each.entered, each.reached) for each in story.end.state.parcels] == [(100_000, 60, 60)]


@pytest.mark.parametrize("state", ["held", "scrapped"])
def test_what_was_held_or_scrapped_before_the_release_gets_its_quantity_there(state: str) -> None:
    story = Story()
    story.scan("deburr")
    story.tell("hold" if state == "held" else "scrap", "deburr", all=True)
    story.release(100)
    assert story.stands == {f"{state}@deburr": 100}
    assert [(each.op, each.reached) for each in story.end.state.parcels] == [(20, 10)]


def test_raw_goods_stand_since_their_release() -> None:
    story = Story()
    story.release(100)
    story.scan("saw")
    assert [(each.state, each.at_stage_since_us, each.left_us) for each in story.end.visits] == [
        ("released", 1 * MINUTE_US, 2 * MINUTE_US)
    ]
