"""Corners of the posting table: what a foreman would expect where two sentences of it meet."""

import pytest
from shop import MINUTE_US, Story, definition, routing, shop

from station.core.ledger.fold import balances
from station.core.ledger.rules import RULES, Movement, look_at


def at(*stages: str, qty: int = 100) -> Story:
    """An order that was scanned at these stages, one after another."""
    story = Story()
    story.release(qty)
    story.scan(*stages)
    return story


# On hold


def test_what_is_on_hold_here_does_not_go_on_and_the_operator_hears_why() -> None:
    story = at("saw", "deburr")
    story.tell("hold", "deburr")
    story.scan("deburr")
    assert story.said == []
    story.tell("out", "deburr")
    assert story.stands == {"held@deburr": 100}
    assert story.said == [("held", "WO-1 came to Deburr while on hold.")]


def test_scrap_takes_what_is_on_hold_here_before_anything_upstream() -> None:
    story = at("saw")
    story.tell("in", "weld", 20)
    story.tell("hold", "weld")
    story.tell("scrap", "weld", 5)
    assert story.stands == {"here@saw": 80, "held@weld": 15, "scrapped@weld": 5}


def test_a_stated_quantity_counts_what_is_on_hold_here_and_leaves_it_whole() -> None:
    story = at("saw", "deburr")
    story.tell("hold", "deburr")
    story.tell("in", "deburr", 10)
    assert [(each.state, each.qty_milli) for each in story.end.state.parcels] == [("held", 100_000)]
    assert story.end.state.outer == {"ordered": -100_000}
    assert story.said == [("held", "WO-1 came to Deburr while on hold.")]


def test_a_second_hold_does_not_fetch_work_from_far_away() -> None:
    story = at("saw")
    story.tell("in", "weld", 20)
    story.tell("hold", "weld")
    story.tell("hold", "weld")
    assert story.stands == {"here@saw": 80, "held@weld": 20}
    assert story.said == [
        ("skipped", "WO-1 came to Weld without Deburr."),
        ("no_effect", "WO-1 was scanned at Weld, but nothing was moved: it is on hold already."),
    ]


def test_a_hold_that_jumps_says_what_was_skipped() -> None:
    story = at("saw")
    story.tell("hold", "weld")
    assert story.stands == {"held@weld": 100}
    assert story.said == [("skipped", "WO-1 came to Weld without Deburr.")]


def test_a_hold_behind_the_work_brings_it_back() -> None:
    story = at("saw", "deburr", "weld")
    story.tell("hold", "deburr")
    assert story.stands == {"held@deburr": 100}
    assert story.said == [("out_of_order", "WO-1 came back to Deburr from Weld.")]


def test_work_between_stages_is_held_and_released_to_between_stages() -> None:
    story = Story()
    story.release(10, product="one-off")
    for verb in ("in", "out", "hold", "release"):
        story.tell(verb, "saw")
    assert story.stands == {"waiting": 10}
    assert balances(story.end.state) == {"ordered": -10_000, "waiting": 10_000}


# Scrap and rework


def test_all_of_it_scrapped_behind_where_it_stands_is_brought_back_for_it() -> None:
    story = at("saw", "deburr", "weld")
    story.tell("scrap", "deburr", all=True)
    assert story.stands == {"scrapped@deburr": 100}
    assert story.said == [("out_of_order", "WO-1 came back to Deburr from Weld.")]


def test_rework_from_a_stage_that_the_routing_lacks_goes_where_the_card_says() -> None:
    story = at("saw", "deburr")
    story.tell("rework", "oven", 5, to="saw")
    assert story.stands == {"here@deburr": 95, "waiting@saw": 5}
    story = at("saw", "deburr")
    story.tell("rework", "oven", 5)
    assert story.stands == {"here@deburr": 95, "held@oven": 5}
    assert story.said == [("not_in_routing", "WO-1 came to oven, which its routing does not have.")]


def test_one_scrapped_of_something_never_seen_leaves_the_rest_of_it_here() -> None:
    story = Story()
    story.tell("scrap", "saw")
    assert story.stands == {"here@saw": None, "scrapped@saw": 1}
    story.scan("deburr")
    assert story.stands == {"here@deburr": None, "scrapped@saw": 1}
    story.release(100)
    assert story.stands == {"here@deburr": 99, "scrapped@saw": 1}
    assert story.said == []


# The end


def test_a_stated_quantity_finishes_what_stands_beyond_before_it_believes_in_more() -> None:
    story = at("saw", "deburr", "weld", "test")
    story.tell("finish", "deburr", 60)
    assert story.stands == {"here@test": 40, "finished": 60}
    assert story.said == [("passed_unscanned", "WO-1 was finished at Deburr without a scan at Pack.")]


def test_a_stated_quantity_does_not_finish_what_is_on_hold() -> None:
    story = at("saw", "deburr")
    story.tell("hold", "deburr", 70)
    story.tell("finish", "pack", 60)
    assert story.stands == {"held@deburr": 70, "finished": 30}
    assert story.end.state.outer == {"ordered": -100_000}
    assert ("held", "WO-1 came to Pack while on hold.") in story.said


def test_finishing_something_never_seen_and_finishing_again() -> None:
    story = Story()
    story.tell("finish", "pack")
    assert story.stands == {"finished": None}
    assert story.end.state.parcels[0].at_stage_since_us == 1 * MINUTE_US
    story.tell("finish", "pack")
    assert story.stands == {"finished": None}
    assert story.said == [("ended", "WO-1 was scanned at Pack after its end: nothing was moved.")]


@pytest.mark.parametrize("verb", ["in", "out", "hold", "finish"])
def test_whatever_is_scanned_after_the_end_moves_nothing_and_says_so(verb: str) -> None:
    story = at("pack")
    told = story.said
    story.tell(verb, "weld")
    assert story.stands == {"finished": 100}
    assert story.said == [*told, ("ended", "WO-1 was scanned at Weld after its end: nothing was moved.")]


def test_a_closed_order_is_not_released_changed_or_adjusted() -> None:
    story = at("saw")
    story.tell("order.close", data={"order": "WO-1", "how": "cancelled"})
    story.release(100)
    assert story.said == []  # the same folder imported twice
    story.release(120)
    story.tell("order.change", data={"order": "WO-1", "qty_milli": 130_000})
    story.tell("adjust", data={"item": "WO-1", "stage": "saw", "qty_milli": 5_000})
    assert story.end.state.outer == {"ordered": -100_000, "adjusted": 100_000}
    assert story.said == [("changed_after_close", "WO-1 was changed by the office after it was closed.")] * 3
    assert not story.end.state.live


def test_the_time_at_which_it_was_finished_is_that_of_the_last_piece_and_goes_when_more_of_it_comes() -> None:
    story = at()
    story.tell("done", "pack", 60)
    assert story.end.state.ended_us is None
    story.tell("done", "pack", 40)
    assert story.end.state.ended_us == 3 * MINUTE_US
    story.scan("pack")
    assert story.end.state.ended_us == 3 * MINUTE_US
    story.tell("in", "weld", 105)
    assert story.end.state.ended_us is None


# A stage that the routing visits twice


def washed_twice() -> Story:
    """Saw 10, Wash 20, Weld 30, Wash 40, Pack 50."""
    story = Story(
        shop(
            routing("twice", "saw", "wash", "weld", "wash", "pack"),
            definition("product.define", product="twice", routing="twice"),
        )
    )
    story.release(100, product="twice")
    return story


def test_work_that_comes_back_to_such_a_stage_comes_to_the_operation_that_it_passed_last() -> None:
    story = washed_twice()
    story.scan("saw", "wash", "weld", "wash")
    story.tell("in", "pack")
    story.scan("wash")
    assert [(each.op, each.stage) for each in story.end.state.parcels] == [(40, "wash")]
    assert story.said == [("out_of_order", "WO-1 came back to wash from Pack.")]


def test_work_on_hold_counts_for_which_of_the_two_is_meant() -> None:
    story = washed_twice()
    story.scan("saw", "wash", "weld")
    story.tell("hold", "weld")
    story.scan("wash")
    assert balances(story.end.state) == {"ordered": -100_000, "held@40": 100_000}


def test_out_means_the_operation_at_which_it_stands() -> None:
    story = washed_twice()
    story.scan("saw", "wash", "weld", "wash")
    story.tell("out", "wash")
    assert story.stands == {"waiting@pack": 100}


def test_an_adjustment_there_finds_the_operation_at_which_it_stands() -> None:
    story = washed_twice()
    story.scan("saw", "wash", "weld", "wash")
    story.tell("adjust", data={"item": "WO-1", "stage": "wash", "qty_milli": -8_000})
    story.tell("adjust", data={"item": "WO-1", "stage": "wash", "qty_milli": 3_000})
    assert balances(story.end.state) == {"ordered": -100_000, "here@40": 95_000, "adjusted": 5_000}


def test_an_adjustment_beyond_what_is_there_says_so() -> None:
    story = at("saw", qty=4)
    story.tell("adjust", data={"item": "WO-1", "stage": "saw", "qty_milli": -10_000})
    story.tell("adjust", data={"item": "WO-1", "stage": ["saw"], "qty_milli": 1_000})
    assert balances(story.end.state) == {"ordered": -4_000, "adjusted": 3_000, "released": 1_000}
    assert story.said == [("missing", "An adjustment would take 6 more of WO-1 from Saw than is there.")]


def test_every_rule_looks_and_none_refuses() -> None:
    assert [rule.name for rule in RULES if not (rule.about.endswith(".") and rule.sentence.endswith("."))] == []
    assert look_at(Movement(item="WO-1", stage="saw")) == []
