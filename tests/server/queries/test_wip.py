"""What stands where and what it is worth: sums that add up, whatever they are made of, now and at any past minute."""

import pytest
from floor_full import full_floor
from hypothesis import given
from hypothesis import strategies as st

from server.locale_format import LocaleFormat
from server.queries.board_state import board_state_at, board_state_now
from server.queries.current_master_data import master_data
from server.queries.current_stock import stock_now
from server.queries.historical_stock import stock_at
from server.queries.stage_order import line_of
from server.queries.stage_summary import moved_on
from server.queries.valuation import Valuation, spread
from server.queries.wip import GroupBy, wip
from station.core.ledger.costs import half_even
from station.core.quantity import decimal_text

LEAVES = st.integers(min_value=0, max_value=10**15)


@pytest.fixture
def small(shop_writer):
    shop_writer.small_shop()
    return shop_writer


def read(shop_writer, look):
    with shop_writer.store.read() as connection:
        return look(connection)


def wip_of(shop_writer, by=GroupBy.STAGE, at_us=None):
    def look(connection):
        valuation = Valuation(master_data(connection), shop_writer.now_us if at_us is None else at_us)
        stands = stock_now(connection) if at_us is None else stock_at(connection, at_us)
        return wip(stands, by, valuation)

    return read(shop_writer, look)


@given(st.lists(st.lists(LEAVES, min_size=3, max_size=3), min_size=1, max_size=12))
def test_a_table_of_leaves_divided_adds_up_in_rows_columns_and_whole(table):
    parts = spread(table)
    assert sum(map(sum, parts)) == half_even(sum(map(sum, table)), 1000)
    for column, divided in zip(zip(*table, strict=True), zip(*parts, strict=True), strict=True):
        assert abs(sum(divided) * 1000 - sum(column)) < 1000
    assert all(
        abs(part * 1000 - leaf) < 2000 for r, row in enumerate(table) for leaf, part in zip(row, parts[r], strict=True)
    )


def test_a_parcel_has_the_materials_it_entered_and_the_work_behind_it(small):
    small.release("WO-1", qty=40)
    small.scan("WO-1", "saw", small.ago(hours=3))
    small.settle()
    (row,) = wip_of(small).rows
    assert (row.key, row.value_micros, row.components) == ("saw", 80_000_000, {"bar": 80_000_000})
    small.scan("WO-1", "deburr", small.ago(hours=1))
    small.settle()
    found = wip_of(small)
    (row,) = found.rows
    assert (row.key, row.qty_milli, row.value_micros) == ("deburr", 40_000, 120_000_000)
    assert row.components == {"bar": 80_000_000, "labour": 40_000_000}
    assert (row.at_stage.max_s, row.in_production.p50_s) == (3600, 10_800)
    assert found.totals[0].value_micros == 120_000_000
    assert found.not_started == ()


def test_what_is_not_begun_and_what_is_finished_stand_apart(small):
    small.release("WO-1", qty=10)
    small.release("WO-2", qty=7)
    small.scan("WO-1", "pack", small.ago(hours=1))
    small.settle()
    found = wip_of(small)
    assert found.rows == ()
    assert [tuple(each) for each in found.not_started] == [("pcs", 1, 7_000)]


def test_units_are_never_added(small):
    small.release("WO-1", qty=10)
    small.release("WO-2", "tube", qty=3)
    for order in ("WO-1", "WO-2"):
        small.scan(order, "saw", small.ago(hours=1))
    small.settle()
    found = wip_of(small)
    assert [(row.key, row.unit, row.qty_milli) for row in found.rows] == [("saw", "m", 3_000), ("saw", "pcs", 10_000)]
    assert [(total.unit, total.unvalued_items, total.unvalued_milli) for total in found.totals] == [
        ("m", 1, 3_000),
        ("pcs", 0, 0),
    ]
    assert (found.rows[0].value_micros, found.totals[0].value_micros) == (None, None)


def test_more_than_was_ordered_is_valued_beside_the_total_and_in_it(small):
    small.release("WO-1", qty=40)
    small.scan("WO-1", "saw", small.ago(hours=1), qty_milli=50_000)
    small.settle()
    (total,) = wip_of(small).totals
    assert (total.qty_milli, total.value_micros, total.overrun_value_micros) == (50_000, 100_000_000, 20_000_000)


@pytest.mark.parametrize("by", list(GroupBy))
def test_a_total_is_the_sum_of_its_rows(shop_writer, by):
    full_floor(shop_writer)
    found = wip_of(shop_writer, by)
    assert found.rows
    for total in found.totals:
        rows = [row for row in found.rows if row.unit == total.unit]
        assert sum(row.qty_milli for row in rows) == total.qty_milli
        assert sum(row.held_milli for row in rows) == total.held_milli
        assert sum(row.value_micros or 0 for row in rows) == (total.value_micros or 0)
        assert sum(row.unvalued_milli for row in rows) == total.unvalued_milli
        for row in rows:
            assert sum(row.components.values()) == (row.value_micros or 0)
        for name, micros in total.components.items():
            assert sum(row.components.get(name, 0) for row in rows) == micros
    values = {each: {t.unit: t.value_micros for t in wip_of(shop_writer, each).totals} for each in GroupBy}
    assert all(value == values[GroupBy.STAGE] for value in values.values())


def test_the_headline_of_the_board_is_the_sum_of_its_tiles(shop_writer):
    full_floor(shop_writer)
    line = read(shop_writer, lambda connection: board_state_now(connection, LocaleFormat(), shop_writer.now_us)).line
    assert line.items > 10
    assert sum(tile.items for tile in line.tiles) == line.items + line.spread_items
    assert sum(tile.shown_micros or 0 for tile in line.tiles) == line.shown_micros
    assert line.shown_micros == half_even(line.stock_value.value.total, 10**9) * 10**6
    for amount in line.amounts:
        assert sum(a.milli for tile in line.tiles for a in tile.amounts if a.unit == amount.unit) == amount.milli
    assert sum(len(tile.ticks) for tile in line.tiles) >= line.items


def test_the_line_runs_as_the_routings_say(shop_writer):
    shop_writer.demo_shop()
    shop_writer.settle()
    found = read(shop_writer, lambda connection: line_of(master_data(connection), shop_writer.now_us))
    assert found == ["store", "saw", "mill", "deburr", "plating", "assembly", "test", "pack"]


def test_the_tiles_follow_the_branches_of_the_routings(shop_writer):
    shop_writer.demo_shop()
    at_us = shop_writer.ago(days=2)
    shop_writer.release("WO-9001", "BRK-20", qty=5, at_us=at_us)
    shop_writer.scan("WO-9001", "deburr", shop_writer.ago(hours=3))
    shop_writer.scan("WO-9001", "plating", shop_writer.ago(hours=2))
    shop_writer.settle()
    line = read(shop_writer, lambda connection: board_state_now(connection, LocaleFormat(), shop_writer.now_us)).line
    columns = [[tile.stage.stage for tile in column] for column in line.columns]
    assert columns == [["store"], ["saw"], ["mill"], ["deburr"], ["plating", "assembly"], ["test"], ["pack"]]
    branches = {tile.stage.stage: tile.branches for tile in line.tiles if tile.branches}
    assert branches["deburr"] == (("Plating (Nordgalvan)", 1), ("Test", 0))
    assert branches["plating"] == (("Packed", 0), ("Test", 0))
    assert [branch.name for branch in line.not_started_branches] == ["Raw goods", "Saw", "Assembly"]


def test_an_empty_stage_keeps_its_tile(small):
    def tiles():
        small.settle()
        line = read(small, lambda connection: board_state_now(connection, LocaleFormat(), small.now_us)).line
        return [(tile.stage.stage, tile.items) for tile in line.tiles]

    assert tiles() == [("saw", 0), ("deburr", 0), ("test", 0), ("pack", 0)]
    small.scan("LOOSE", "pack", small.ago(hours=2), action="hold")
    assert tiles() == [("saw", 0), ("deburr", 0), ("test", 0), ("pack", 1)]
    small.scan("STRAY", "gate", small.ago(hours=2))
    assert ("gate", 1) in tiles()
    small.scan("STRAY", "saw", small.ago(hours=1))
    assert ("gate", 0) in tiles()  # its departures of the last shift are in the tile


def test_what_moved_on_is_counted_by_item_and_only_when_it_left(small):
    for n in range(3):
        small.release(f"WO-{n}", qty=10)
        small.scan(f"WO-{n}", "saw", small.ago(hours=20))
    small.scan("WO-2", "deburr", small.ago(hours=9))
    small.scan("WO-0", "saw", small.ago(hours=6), action="done")
    small.scan("WO-0", "deburr", small.ago(hours=5))
    small.scan("WO-1", "deburr", small.ago(hours=4))
    small.settle()
    assert read(small, lambda connection: moved_on(connection, small.now_us)).left == {"saw": 2}


def test_any_past_minute_is_as_it_was(shop_writer):
    shop_writer.small_shop()
    steps = (
        lambda at: shop_writer.release("WO-1", qty=40, at_us=at),
        lambda at: shop_writer.release("WO-2", "tube", qty=9, at_us=at),
        lambda at: shop_writer.scan("WO-1", "saw", at),
        lambda at: shop_writer.scan("WO-1", "deburr", at, qty_milli=15_000),
        lambda at: shop_writer.scan("WO-2", "saw", at),
        lambda at: shop_writer.scan("WO-1", "saw", at, action="hold", reason="burr"),
        lambda at: shop_writer.scan("WO-1", "test", at, qty_milli=5_000),
        lambda at: shop_writer.scan("WO-1", "test", at, action="rework", to="deburr", qty_milli=2_000),
        lambda at: shop_writer.scan("WO-2", "pack", at),
        lambda at: shop_writer.scan("WO-1", "saw", at, action="release"),
        lambda at: shop_writer.scan("NOBODY", "saw", at),
        lambda at: shop_writer.scan("WO-1", "pack", at, qty_milli=3_000),
    )
    was = []
    for n, step in enumerate(steps):
        at_us = shop_writer.ago(days=6 - n / 2)
        step(at_us)
        shop_writer.settle()
        was.append((at_us, sorted(read(shop_writer, stock_now)), wip_of(shop_writer, GroupBy.ITEM)._replace(rows=())))
    for at_us, stands, _ in was:
        for asked_us in (at_us, at_us + 3_600_000_000):
            found = read(shop_writer, lambda connection, asked_us=asked_us: stock_at(connection, asked_us))
            assert sorted(found) == stands
    assert read(shop_writer, lambda connection: stock_at(connection, shop_writer.ago(days=30))) == []
    then = read(shop_writer, lambda connection: board_state_at(connection, LocaleFormat(), was[4][0])).line
    assert (then.items, [decimal_text(each.milli) for each in then.amounts]) == (2, ["40", "9"])


def test_a_quantity_that_became_known_later_holds_for_the_time_before(small):
    small.scan("WO-9", "saw", small.ago(hours=9))
    small.release("WO-9", qty=25, at_us=small.ago(hours=2))
    small.settle()
    (row,) = wip_of(small, at_us=small.ago(hours=5)).rows
    assert (row.key, row.items, row.qty_milli) == ("saw", 1, 25_000)
