"""`start` on what is here begins its run: `run_since_us` of the pieces, and nothing else changes."""

import random

import msgspec
import pytest
from shop import MINUTE_US, Story, definition, routing, shop

from station.core.ledger.fold import balances, fold
from station.core.ledger.fold_result import FoldResult
from station.core.ledger.parcels import Parcel


def runs(story: Story) -> list[tuple[str, int | None, int | None]]:
    """The parcels of the story: account, whole units, and the minute since which they run."""
    return sorted(
        (
            (
                str(parcel.account),
                None if parcel.qty_milli is None else parcel.qty_milli // 1000,
                None if parcel.run_since_us is None else parcel.run_since_us // MINUTE_US,
            )
            for parcel in story.end.state.parcels
        ),
        key=repr,
    )


def arrived(qty: int = 100) -> Story:
    """An order that is here at Deburr (op 20) since minute 3, by `in`."""
    story = Story()
    story.release(qty)
    story.tell("in", "saw")
    story.tell("in", "deburr")
    return story


def without_run(parcel: Parcel) -> Parcel:
    return msgspec.structs.replace(parcel, run_since_us=None, put=0, placed_us=0)


def test_a_start_on_what_is_here_sets_the_run_alone() -> None:
    story = arrived()
    (before,) = story.end.state.parcels
    story.tell("start", "deburr", operator="kim", carrier="tote-1")
    (after,) = story.end.state.parcels
    assert (before.run_since_us, after.run_since_us) == (None, 4 * MINUTE_US)
    assert (after.since_us, without_run(after)) == (3 * MINUTE_US, without_run(before))
    assert (story.said, len(story.end.visits)) == ([], 2)  # the visits are those of the arrivals


def test_a_start_of_a_quantity_splits_what_runs_from_what_waits_to_run() -> None:
    story = arrived()
    story.tell("start", "deburr", 40)
    assert runs(story) == [("here@20", 40, 4), ("here@20", 60, None)]
    story.tell("start", "deburr", 60)
    assert runs(story) == [("here@20", 40, 4), ("here@20", 60, 5)]
    assert story.said == []


@pytest.mark.parametrize("qty", [None, 100, 40])
def test_a_second_start_keeps_the_first(qty: int | None) -> None:
    story = arrived()
    story.tell("start", "deburr")
    once = story.end.state.parcels
    story.tell("start", "deburr", qty)
    assert story.end.state.parcels == once
    assert story.said == []


@pytest.mark.parametrize("qty", [None, 40])
def test_a_second_start_moves_nothing_of_what_is_upstream(qty: int | None) -> None:
    story = Story()
    story.release(100)
    story.tell("in", "saw")
    story.tell("in", "deburr", 40)
    story.tell("start", "deburr", qty)
    once = story.end.state.parcels
    story.tell("start", "deburr", qty)
    assert story.end.state.parcels == once
    assert (story.stands, story.said) == ({"here@saw": 60, "here@deburr": 40}, [])


def test_what_arrives_by_a_start_runs_from_its_arrival() -> None:
    story = Story()
    story.release(100)
    story.tell("start", "saw", 30)
    story.tell("start", "saw", 30)
    assert runs(story) == [("here@10", 30, 2), ("here@10", 30, 3), ("released", 40, None)]
    assert {parcel.since_us == parcel.run_since_us for parcel in story.end.state.parcels if parcel.op} == {True}


def test_a_second_start_of_what_arrived_by_one_is_no_overrun() -> None:
    story = Story()
    story.release(30)
    story.tell("start", "saw", 30)
    story.tell("start", "saw", 30)
    assert (runs(story), story.said) == ([("here@10", 30, 2)], [])


def test_the_rest_of_a_stated_quantity_arrives_and_runs() -> None:
    story = Story()
    story.release(100)
    story.tell("in", "saw")
    story.tell("in", "deburr", 40)
    story.tell("start", "deburr", 50)
    assert runs(story) == [("here@10", 50, None), ("here@20", 10, 4), ("here@20", 40, 4)]
    story.tell("start", "deburr", 110)
    assert runs(story)[-1] == ("here@20", 50, 5)
    assert story.said == [("overrun", "WO-1 has 10 more at Deburr than was there.")]
    assert story.end.findings[-1].args == {"qty_milli": 10_000, "there_milli": 100_000, "op": 20}


@pytest.mark.parametrize("verb", ["out", "done", "scrap", "rework", "finish"])
def test_leaving_ends_the_run(verb: str) -> None:
    story = arrived()
    story.tell("start", "deburr")
    story.tell(verb, "deburr", 40)
    left_to = {"out": "waiting@30", "done": "waiting@30", "scrap": "scrapped@20", "rework": "waiting@20"}
    assert runs(story) == sorted([("here@20", 60, 4), (left_to.get(verb, "finished"), 40, None)], key=repr)


def test_an_arrival_at_the_next_operation_waits_to_run_there() -> None:
    story = arrived()
    story.tell("start", "deburr")
    story.tell("in", "weld")
    assert runs(story) == [("here@30", 100, None)]


def test_a_hold_ends_the_run_and_a_release_does_not_begin_one() -> None:
    story = arrived()
    story.tell("start", "deburr")
    story.tell("hold", "deburr")
    assert runs(story) == [("held@20", 100, None)]
    story.tell("start", "deburr")  # work on hold does not run
    assert runs(story) == [("held@20", 100, None)]
    story.tell("release", "deburr")
    assert runs(story) == [("here@20", 100, None)]
    story.tell("start", "deburr")
    assert runs(story) == [("here@20", 100, 8)]


def test_without_the_start_nothing_of_it_is_left() -> None:
    """The fold of what an UNDO leaves: the start alone is missing."""
    story, undone = arrived(), arrived()
    story.tell("start", "deburr", 40)
    undone.item_events = [event for event in story.item_events if event.verb != "start"]
    assert runs(undone) == [("here@20", 100, None)]


def test_an_item_of_unknown_quantity_runs_as_a_whole() -> None:
    story = Story()
    story.tell("in", "saw")
    story.tell("start", "saw")
    story.tell("start", "saw", 40)
    assert runs(story) == [("here@saw", 40, 2)]
    story = Story()
    story.tell("in", "saw")
    story.tell("start", "saw", 40)
    assert runs(story) == [("here@saw", 40, 2)]


def test_a_release_of_what_runs_keeps_its_run() -> None:
    story = Story()
    story.tell("in", "saw", 40)
    story.tell("start", "saw", 40)
    story.release(100)
    assert runs(story) == [("here@10", 40, 2), ("released", 60, None)]


def test_an_operation_that_moves_in_boxes_starts_one_box_a_scan() -> None:
    boxes = shop(
        routing("boxes", "saw", "pack", saw={"transfer_qty_milli": 25_000}),
        definition("product.define", product="boxed", routing="boxes"),
    )
    story = Story(boxes)
    story.release(100, "boxed")
    story.tell("in", "saw", 100)
    story.tell("start", "saw")
    story.tell("start", "saw")
    assert runs(story) == [("here@10", 25, 3), ("here@10", 25, 4), ("here@10", 50, None)]


def test_a_part_of_a_unit_is_said_of_a_start_too() -> None:
    story = arrived()
    story.tell("start", "deburr", 2)
    story.item_events[-1] = msgspec.structs.replace(story.item_events[-1], qty_milli=2_500)
    assert [rule for rule, _ in story.said] == ["part_unit"]


def test_the_run_is_the_same_in_whatever_order_the_events_arrive() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(60):
        story = Story()
        story.release(100)
        for _ in range(rng.randrange(1, 12)):
            verb = rng.choice(("in", "start", "start", "out", "hold", "release", ""))
            story.tell(verb, rng.choice(("saw", "deburr")), rng.choice((None, None, 10, 30, 70)))
        expected = story.end
        rng.shuffle(story.item_events)
        assert story.end == expected
        assert_runs_are_here(expected)


def assert_runs_are_here(result: FoldResult) -> None:
    """Only what is here runs, never from before its arrival."""
    for parcel in result.state.parcels:
        if parcel.run_since_us is not None:
            assert (parcel.state, parcel.run_since_us >= parcel.since_us) == ("here", True)


def test_a_start_posts_nothing_where_it_begins_a_run() -> None:
    story = arrived()
    before = story.end
    story.tell("start", "deburr", 40)
    after = fold("WO-1", story.item_events, story.master_data)
    assert (after.postings, after.visits) == (before.postings, before.visits)
    assert balances(after.state) == balances(before.state)
