"""Ten stories from the floor, each from its first scan to what stands where and what the rules said."""

from shop import MINUTE_US, Story, definition, routing, shop


def test_a_stage_missed_and_scanned_late_comes_back_with_a_finding() -> None:
    story = Story()
    story.release(100)
    story.scan("saw", "weld", "deburr")
    assert story.stands == {"here@deburr": 100}
    assert story.said == [
        ("skipped", "WO-1 came to Weld without Deburr."),
        ("out_of_order", "WO-1 came back to Deburr from Weld."),
    ]


def test_a_late_scan_of_uncertain_order_is_a_sighting() -> None:
    story = Story()
    story.release(100)
    story.scan("saw", "weld")
    moved = story.item_events[-1]
    late = story.tell("", "deburr", log="other")
    story.item_events[-1] = type(late)(
        **{**{name: getattr(late, name) for name in late.__struct_fields__}, "lo_us": moved.lo_us, "hi_us": late.key_us}
    )
    assert story.stands == {"here@weld": 100}
    assert story.said == [("skipped", "WO-1 came to Weld without Deburr.")]


def test_500_in_dribs_then_a_bare_scan_takes_the_rest_and_another_is_a_sighting() -> None:
    story = Story()
    story.release(500)
    story.scan("saw")
    story.tell("in", "deburr", 50)
    story.tell("in", "deburr", 60)
    assert story.stands == {"here@saw": 390, "here@deburr": 110}
    story.scan("deburr")
    assert story.stands == {"here@deburr": 500}
    story.scan("deburr")
    assert story.stands == {"here@deburr": 500}
    assert story.said == []


def test_480_packed_12_scrapped_closed_and_scanned_once_more() -> None:
    story = Story()
    story.release(500)
    story.scan("saw", "deburr", "weld", "test")
    story.tell("scrap", "test", 12)
    story.tell("done", "pack", 480)
    assert story.stands == {"scrapped@test": 12, "here@test": 8, "finished": 480}
    story.tell("order.close", data={"order": "WO-1", "how": "short"})
    story.scan("pack")
    assert story.stands == {"scrapped@test": 12, "finished": 480}
    assert story.end.state.outer == {"ordered": -500_000, "adjusted": 8_000}
    assert story.said == [("closed", "WO-1 was scanned at Pack after it was closed: nothing was moved.")]


def test_a_code_scanned_twice_before_its_order_is_released_gets_its_quantity_where_it_is() -> None:
    story = Story()
    story.scan("saw", "deburr")
    assert story.stands == {"here@deburr": None}
    story.release(100)
    assert story.stands == {"here@deburr": 100}
    assert [(visit.stage, visit.qty_milli) for visit in story.end.visits] == [("saw", 100_000)]
    story.scan("weld")
    assert story.stands == {"here@weld": 100}
    assert story.said == []


def test_5_of_100_reworked_from_test_to_deburr_and_back_are_no_finding() -> None:
    story = Story()
    story.release(100)
    story.scan("saw", "deburr", "weld", "test")
    story.tell("rework", "test", 5, to="deburr")
    assert story.stands == {"here@test": 95, "waiting@deburr": 5}
    story.scan("deburr")
    assert story.stands == {"here@test": 95, "here@deburr": 5}
    story.scan("test")
    assert story.stands == {"here@test": 100}
    assert story.said == []
    assert {(parcel.entered, parcel.reached) for parcel in story.end.state.parcels} == {(50, 40)}


def test_20_held_the_rest_moved_then_all_held_and_moved() -> None:
    story = Story()
    story.release(100)
    story.scan("saw", "deburr")
    story.tell("hold", "deburr", 20)
    story.scan("weld")
    assert story.stands == {"held@deburr": 20, "here@weld": 80}
    story.tell("hold", "weld")
    assert story.stands == {"held@deburr": 20, "held@weld": 80}
    story.scan("test")
    assert story.stands == {"held@deburr": 20, "held@test": 80}
    assert story.said == [("held", "WO-1 came to Test while on hold.")]
    story.tell("release", "test")
    assert story.stands == {"held@deburr": 20, "here@test": 80}


def test_no_routing_there_and_back() -> None:
    story = Story()
    story.release(40, product="one-off")
    story.scan("saw", "weld", "saw")
    assert story.stands == {"here@saw": 40}
    assert story.said == []


def test_in_in_out_out_moves_once() -> None:
    story = Story()
    story.release(100)
    for verb in ("in", "in", "out", "out"):
        story.tell(verb, "saw")
    assert story.stands == {"waiting@deburr": 100}
    assert story.said == [("no_effect", "WO-1 was scanned at Saw, but nothing was moved: it was done already.")]


def test_in_in_out_out_moves_once_without_a_routing() -> None:
    story = Story()
    story.release(100, product="one-off")
    for verb in ("in", "in", "out", "out"):
        story.tell(verb, "saw")
    assert story.stands == {"waiting": 100}
    assert story.said == [("no_effect", "WO-1 was scanned at Saw, but nothing was moved: it was done already.")]


def test_a_void_of_the_first_scan_after_everything_leaves_a_story_that_still_balances() -> None:
    story = Story()
    story.release(100)
    story.scan("saw", "deburr", "weld", "test", "pack")
    assert story.stands == {"finished": 100}
    del story.item_events[1]  # a void: the fold never sees the scan
    assert story.stands == {"finished": 100}
    assert story.said == [("skipped", "WO-1 came to Deburr without Saw.")]
    assert story.end.state.started_us == 3 * MINUTE_US


def test_a_stage_that_the_routing_visits_twice_means_the_nearest_operation() -> None:
    twice = shop(
        routing("twice", "saw", "wash", "weld", "wash", "pack"),
        definition("product.define", product="twice", routing="twice"),
    )
    story = Story(twice)
    story.release(100, product="twice")
    story.scan("saw", "wash")
    assert [(parcel.op, parcel.stage) for parcel in story.end.state.parcels] == [(20, "wash")]
    story.scan("wash")  # a second look, not a jump over Weld
    assert [(parcel.op, parcel.stage) for parcel in story.end.state.parcels] == [(20, "wash")]
    story.scan("weld", "wash")
    assert [(parcel.op, parcel.stage) for parcel in story.end.state.parcels] == [(40, "wash")]
    assert story.said == []
