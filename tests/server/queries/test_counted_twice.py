"""A lot that was counted at two stages without a move between: both lines say it, and neither is booked."""

import pytest
from counted_shop import COUNT, counted, decide, known, opened

from server.ledger.entries import EntryRefused
from server.queries.count_lines import LineKind, visible_lines


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=9))
    shop_writer.release("WO-2", qty=10)
    return shop_writer


def said(shop):
    return {line.stage: (line.kind, line.also, line.twice) for line in known(shop).lines if line.item == "WO-1"}


def test_both_lines_say_it_and_neither_is_booked_until_one_scan_is_taken_back(shop):
    opened(shop)
    counted(shop, "WO-1", "saw", 4)
    wrong = counted(shop, "WO-1", "deburr", 3)
    assert said(shop) == {
        "saw": (LineKind.AGREES, (("deburr", 10_000),), True),
        "deburr": (LineKind.ELSEWHERE, (("saw", 10_000),), True),
    }
    assert "counted at Saw too" in known(shop).bookings["WO-1", "deburr"].obstacle.why
    with pytest.raises(EntryRefused, match="Take back the scan at the stage where it is not"):
        decide(shop, ("WO-1", "deburr"))
    shop.say("void", log=wrong[0], seq=wrong[1])
    assert said(shop) == {"saw": (LineKind.AGREES, (), False)}


def test_a_lot_that_moved_between_is_counted_at_both_stages_and_agrees(shop):
    opened(shop)
    counted(shop, "WO-1", "saw", 4)
    shop.scan("WO-1", "deburr", shop.ago(hours=3.5))
    counted(shop, "WO-1", "deburr", 3)
    assert said(shop) == {"saw": (LineKind.AGREES, (), False), "deburr": (LineKind.AGREES, (), False)}


def test_a_part_at_each_stage_is_no_more_than_there_is(shop):
    """Both lines name each other; together they are as much as the ledger has, and both are booked."""
    opened(shop)
    counted(shop, "WO-1", "saw", 4, qty_milli=6000)
    counted(shop, "WO-1", "deburr", 3, qty_milli=4000)
    assert said(shop) == {
        "saw": (LineKind.DIFFERS, (("deburr", 4000),), False),
        "deburr": (LineKind.ELSEWHERE, (("saw", 6000),), False),
    }
    decide(shop, ("WO-1", "saw"), ("WO-1", "deburr"))
    opened(shop, hours=0.02, ended=0.01, name="C-2")
    assert {(line.stage, line.expected_milli) for line in known(shop, "C-2").lines if line.item == "WO-1"} == {
        ("saw", 10_000)  # the decision was made after this count
    }


def test_more_at_a_stage_where_it_is_expected_is_not_the_same_lot(shop):
    shop.scan("WO-1", "deburr", shop.ago(hours=8), qty_milli=5000)
    opened(shop)
    counted(shop, "WO-1", "saw", 4, qty_milli=7000)
    counted(shop, "WO-1", "deburr", 3, qty_milli=5000)
    assert said(shop) == {
        "saw": (LineKind.DIFFERS, (("deburr", 5000),), False),
        "deburr": (LineKind.AGREES, (("saw", 7000),), False),
    }
    decide(shop, ("WO-1", "saw"))


@pytest.mark.parametrize(("at_deburr", "twice"), [(10_000, True), (3000, False)])
def test_an_order_that_is_not_started_is_found_at_two_stages(shop, at_deburr, twice):
    opened(shop)
    counted(shop, "WO-2", "saw", 4, qty_milli=7000)
    counted(shop, "WO-2", "deburr", 3, qty_milli=at_deburr)
    found = known(shop)
    assert {line.twice for line in found.lines if line.item == "WO-2"} == {twice}
    bookings = [found.bookings["WO-2", stage] for stage in ("saw", "deburr")]
    if twice:
        assert all("together is more than there is" in one.obstacle.why for one in bookings)
    else:
        assert [one.parts for one in bookings] == [
            ({"from": "", "stage": "saw", "qty_milli": 7000},),
            ({"from": "", "stage": "deburr", "qty_milli": 3000},),
        ]
        decide(shop, ("WO-2", "saw"), ("WO-2", "deburr"))
        assert not known(shop).bookings.keys() & {("WO-2", "saw"), ("WO-2", "deburr")}


def test_a_blind_count_that_goes_on_does_not_say_it(shop):
    opened(shop, ended=None, blind=True)
    counted(shop, "WO-1", "saw", 4)
    counted(shop, "WO-1", "deburr", 3)
    found = known(shop, COUNT)
    assert {(line.also, line.twice) for line in visible_lines(found.of, found.lines)} == {((), False)}
