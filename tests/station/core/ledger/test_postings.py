"""The posting table, row by row: from which accounts to which, how much, and what the rules said."""

import json
from pathlib import Path
from typing import Any

import pytest
from shop import Story, definition, routing, shop

from station.core.ledger.fold import apply, balances, empty
from station.core.ledger.moves import Posting


def postings(story: Story) -> list[tuple[str, str, int]]:
    """What the last fact posted, in whole units."""
    state = empty("WO-1")
    step = None
    for event in story.item_events:
        step = apply(state, event, story.master_data)
        state = step.state
    assert step is not None
    return [(source, target, qty // 1000) for source, target, qty in step.postings]


def at_deburr(qty: int = 100) -> Story:
    """An order that stands at Deburr (op 20)."""
    story = Story()
    story.release(qty)
    story.scan("saw", "deburr")
    return story


TABLE = json.loads((Path(__file__).parents[3] / "contract" / "v1" / "postings.json").read_text())


def posted(row: dict[str, Any]) -> list[tuple[str, str, int]]:
    """A row's postings as tuples."""
    return [(source, target, qty) for source, target, qty in row["posts"]]


@pytest.mark.parametrize(
    "row", TABLE["scans"], ids=lambda row: f"{row['verb'] or 'bare'}-{row['stage']}-{row['fields']}"
)
def test_a_scan_posts_its_row(row: dict[str, Any]) -> None:
    story = at_deburr()
    story.tell(row["verb"], row["stage"], **row["fields"])
    assert postings(story) == posted(row)
    assert story.stands == row["stands"]


@pytest.mark.parametrize("row", TABLE["entries"], ids=lambda row: f"{row['entry']}-{row['data']}")
def test_an_entry_posts_its_row(row: dict[str, Any]) -> None:
    story = Story()
    story.release(100)
    story.tell(row["entry"], data={"order": "WO-1", **row["data"]})
    assert postings(story) == posted(row)
    assert story.stands == row["stands"]


def test_an_order_can_be_cut_only_by_what_is_not_started() -> None:
    story = Story()
    story.release(100)
    story.tell("in", "saw", 70)
    story.tell("order.change", data={"order": "WO-1", "qty_milli": 40_000})
    assert story.stands == {"here@saw": 70}
    assert story.said == [("late_change", "WO-1 could not be cut by 30 more: that is already in process.")]


def test_close_complete_finishes_what_runs_and_adjusts_what_is_held_or_unstarted() -> None:
    story = Story()
    story.release(100)
    story.tell("in", "saw", 60)
    story.tell("hold", "saw", 10)
    story.tell("order.close", data={"order": "WO-1", "how": "complete"})
    assert story.stands == {"finished": 50}
    assert story.said[-1] == ("left_behind", "WO-1 was completed with 50 on hold or not started.")


def test_a_release_after_the_floor_was_ahead_adds_only_the_rest() -> None:
    story = Story()
    story.tell("in", "saw", 50)
    story.release(100)
    assert story.stands == {"here@saw": 50, "released": 50}
    assert balances(story.end.state) == {"ordered": -100_000, "here@10": 50_000, "released": 50_000}


def test_release_puts_back_to_the_state_it_was_held_from() -> None:
    story = at_deburr()
    story.tell("out", "deburr")
    story.tell("hold", "weld")
    assert story.stands == {"held@weld": 100}
    story.tell("release", "weld")
    assert story.stands == {"waiting@weld": 100}


def test_held_work_is_drawn_before_more_than_was_there_is_believed() -> None:
    story = at_deburr()
    story.tell("hold", "deburr")
    story.tell("in", "weld", 10)
    assert story.stands == {"held@deburr": 90, "held@weld": 10}
    assert story.said == [("held", "WO-1 came to Weld while on hold.")]


def test_all_of_it_in_several_places_beyond_moves_nothing_and_asks() -> None:
    story = at_deburr()
    story.scan("weld")
    story.tell("in", "test", 60)
    story.tell("in", "deburr")
    assert story.stands == {"here@weld": 40, "here@test": 60}
    assert story.said[-1] == (
        "which_quantity",
        "WO-1 was scanned at Deburr, but its pieces are in several places: say how many.",
    )


def test_an_operation_that_moves_in_boxes_takes_one_box_a_scan() -> None:
    boxes = shop(
        routing("boxes", "saw", "pack", saw={"transfer_qty_milli": 25_000}),
        definition("product.define", product="boxed", routing="boxes"),
    )
    story = Story(boxes)
    story.release(100, product="boxed")
    story.scan("saw", "saw")
    assert story.stands == {"released": 50, "here@saw": 50}


def test_a_repeat_and_a_presence_end_move_nothing() -> None:
    story = at_deburr()
    story.tell("", "weld", repeat=True)
    story.tell("", "weld", seen=True)
    assert story.stands == {"here@deburr": 100}


def test_a_stage_that_the_routing_lacks_is_kept_as_a_sighting() -> None:
    story = at_deburr()
    story.scan("oven")
    assert story.stands == {"here@deburr": 100}
    assert story.said == [("not_in_routing", "WO-1 came to oven, which its routing does not have.")]


def test_unread_and_unknown_scans_say_so_and_move_nothing() -> None:
    story = Story()
    story.tell("", "saw", unknown=True)
    story.tell("", "weld", unread="too long")
    assert story.stands == {}
    assert story.said == [
        ("unknown_code", "WO-1, scanned at Saw, is not known."),
        ("unread", "A scan at Weld could not be read: too long."),
    ]


def test_finishing_past_an_unscanned_operation_is_said_once() -> None:
    story = at_deburr()
    story.tell("finish", "deburr")
    assert story.said == [("passed_unscanned", "WO-1 was finished at Deburr without a scan at Weld, Test and Pack.")]


def test_parcels_leave_by_carrier_then_first_in_first_out() -> None:
    story = Story()
    story.release(100)
    story.tell("in", "saw", 40, carrier="tote-1")
    story.tell("in", "saw", 40, carrier="tote-2")
    story.tell("in", "deburr", 40, carrier="tote-2")
    assert {(parcel.stage, parcel.carrier) for parcel in story.end.state.parcels if parcel.carrier} == {
        ("saw", "tote-1"),
        ("deburr", "tote-2"),
    }


def test_a_posting_is_a_plain_record() -> None:
    assert Posting("here@20", "here@30", 5) == ("here@20", "here@30", 5)
