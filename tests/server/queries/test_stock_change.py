"""What came and went between two times reconciles with the two boards, whatever happened."""

from itertools import pairwise

import pytest
from drawn_shop import drawn_shop

from server.locale_format import LocaleFormat
from server.queries.board_state import board_state_at
from server.queries.stock_change import stock_change


def changes(shop_writer, from_us, to_us):
    with shop_writer.store.read() as connection:
        was, now = (board_state_at(connection, LocaleFormat(), us) for us in (from_us, to_us))
        return was, now, stock_change(connection, was, now)


def milli(amounts):
    return {amount.unit: amount.milli for amount in amounts}


def balance(place):
    units = {amount.unit for some in (place.was, place.came, place.went, place.now) for amount in some}
    was, came, went, now = (milli(some) for some in (place.was, place.came, place.went, place.now))
    return {unit: was.get(unit, 0) + came.get(unit, 0) - went.get(unit, 0) - now.get(unit, 0) for unit in units}


@pytest.mark.parametrize("seed", [3, 72])
def test_the_columns_reconcile_with_the_two_boards(shop_writer, seed):
    drawn_shop(shop_writer, seed)
    times = [shop_writer.ago(hours=hours) for hours in (100, 71, 30, 5, 0)]
    for from_us, to_us in [*pairwise(times), (times[0], times[-1])]:
        was, now, change = changes(shop_writer, from_us, to_us)
        tiles = [{tile.stage.stage: tile for tile in board.line.tiles} for board in (was, now)]
        for place in change.places:
            items = place.items
            assert items[0] + items[1] - items[2] == items[3]
            assert min(items) >= 0
            assert set(balance(place).values()) <= {0}
            if place.micros is not None:
                before, came, went, revalued, after = place.micros
                assert before + came - went + revalued == after
                assert revalued == 0  # no cost and no definition changed meanwhile
            if place.name == "Not started":
                continue
            for board, count, amounts in ((tiles[0], items[0], place.was), (tiles[1], items[3], place.now)):
                tile = board.get(place.place[1])
                assert (count, milli(amounts)) == (tile.items if tile else 0, milli(tile.amounts) if tile else {})
        whole = change.whole
        assert (whole.items[0], whole.items[3]) == (was.line.items, now.line.items)
        assert whole.items[0] + whole.items[1] - whole.items[2] == whole.items[3]
        assert whole.micros is None or whole.micros[3] == 0


def test_pieces_that_came_went_and_ended_are_told_apart(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40)
    shop_writer.release("WO-2", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=20))
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=8), qty_milli=30_000)
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=7), action="scrap", qty_milli=2_000)
    shop_writer.scan("WO-1", "pack", shop_writer.ago(hours=6), qty_milli=5_000)
    shop_writer.scan("WO-2", "saw", shop_writer.ago(hours=5))
    shop_writer.settle()
    _, _, change = changes(shop_writer, shop_writer.ago(hours=10), shop_writer.now_us)
    found = {
        place.name: [place.items, *(milli(part).get("pcs", 0) // 1000 for part in
                     (place.was, place.came, place.went, place.finished, place.scrapped, place.now))]
        for place in (*change.places, change.whole)
    }  # fmt: skip
    assert found == {
        "Not started": [(1, 0, 1, 0), 10, 0, 10, 0, 0, 0],
        "Saw": [(1, 1, 0, 2), 40, 10, 30, 0, 0, 20],
        "Deburr": [(0, 1, 0, 1), 0, 30, 7, 0, 2, 23],
        "Test": [(0, 0, 0, 0), 0, 0, 0, 0, 0, 0],
        "Pack": [(0, 1, 1, 0), 0, 5, 5, 5, 0, 0],
        "In process": [(1, 1, 0, 2), 40, 10, 7, 5, 2, 43],
    }
    (micros,) = (place.micros for place in change.places if place.name == "Saw")
    assert micros == (80_000_000, 20_000_000, 60_000_000, 0, 40_000_000)


def test_a_cost_that_changed_between_the_times_is_a_figure_of_its_own(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=20))
    shop_writer.say("cost.set", shop_writer.ago(hours=5), component="bar", basis="unit", micros=2_500_000)
    shop_writer.settle()
    _, _, change = changes(shop_writer, shop_writer.ago(hours=10), shop_writer.now_us)
    assert change.whole.micros == (20_000_000, 0, 0, 5_000_000, 25_000_000)
