"""The value of work in process by each attribute and by two crossed: the same total, and the same sums in each table."""

import itertools
from collections import Counter

import engines
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.queries.current_master_data import master_data
from server.queries.current_stock import stock_now
from server.queries.historical_stock import stock_at
from server.queries.valuation import Valuation
from server.queries.value_slices import DAY_US, ValueBy, age_of, cells, chosen, leaves, ranked, value_slices
from server.queries.wip import GroupBy, wip
from station.core.ledger.costs import half_even, shares

engine = engines.both_at_night

LEAVES = st.integers(min_value=0, max_value=10**15)


@pytest.fixture
def small(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40)
    shop_writer.release("WO-2", qty=7)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=3))
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=2), qty_milli=30_000)
    shop_writer.settle()
    return shop_writer


def valued(shop_writer, at_us=None):
    """(leaves, valuation) now or at a time."""
    with shop_writer.store.read() as connection:
        valuation = Valuation(master_data(connection), shop_writer.now_us if at_us is None else at_us)
        stock = stock_now(connection) if at_us is None else stock_at(connection, at_us)
        return leaves(stock, valuation), valuation


def sliced(shop_writer, by, across=ValueBy.COMPONENT, at_us=None, **wanted):
    found, valuation = valued(shop_writer, at_us)
    keys = {ValueBy(name): key for name, key in wanted.items()}
    return value_slices(chosen(found, keys, valuation.at_us), by, across, valuation)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
@given(
    st.integers(1, 5).flatmap(
        lambda width: st.lists(st.lists(LEAVES, min_size=width, max_size=width), min_size=1, max_size=8)
    )
)
def test_cells_have_the_sums_of_their_rows_and_columns(table):
    rows, columns = shares(map(sum, table)), shares(map(sum, zip(*table, strict=True)))
    parts = cells(table, rows, columns)
    assert [sum(row) for row in parts] == rows
    assert [sum(column) for column in zip(*parts, strict=True)] == columns
    assert all(
        part >= leaf // 1000 for row, own in zip(parts, table, strict=True) for part, leaf in zip(row, own, strict=True)
    )


def test_each_slicing_has_the_same_total_and_the_same_sums(full):
    found, valuation = valued(full)
    whole = value_slices(found, ValueBy.STAGE, ValueBy.COMPONENT, valuation).total.value_micros
    assert whole > 0
    for by, across in itertools.product(ValueBy, ValueBy):
        one, other = (value_slices(found, *pair, valuation) for pair in ((by, across), (across, by)))
        assert one.total.value_micros == sum(row.value_micros for row in one.rows) == whole, (by, across)
        assert all(sum(row.parts.values()) == row.value_micros for row in one.rows), (by, across)
        of_rows = Counter()
        for row in other.rows:
            of_rows[row.key or ""] += row.value_micros
        assert +of_rows == +Counter(one.total.parts), (by, across)
        for key, micros in one.total.parts.items():
            assert sum(row.parts.get(key, 0) for row in one.rows) == micros, (by, across, key)


def test_the_total_is_that_of_work_in_process(full):
    found, valuation = valued(full)
    with full.store.read() as connection:
        report = wip(stock_now(connection), GroupBy.STAGE, valuation)
        value = valuation.total(row for row in stock_now(connection) if row.in_process)
    total = value_slices(found, ValueBy.STAGE, ValueBy.COMPONENT, valuation).total
    assert total.value_micros == half_even(value.value.total, 1000)
    assert total.unvalued_items == value.unvalued_items
    assert abs(total.value_micros - sum(each.value_micros or 0 for each in report.totals)) <= len(report.totals)


def test_each_row_opens_to_its_items(full):
    found, valuation = valued(full)
    for by in ValueBy:
        rows = value_slices(found, by, ValueBy.COMPONENT, valuation).rows
        for key in {row.key for row in rows}:
            of_key = [row for row in rows if row.key == key]
            opened = chosen(found, {by: key or ""}, valuation.at_us)
            items = value_slices(opened, ValueBy.ITEM, ValueBy.COMPONENT, valuation)
            assert abs(items.total.value_micros - sum(row.value_micros for row in of_key)) <= len(of_key), (by, key)
            assert items.total.items == len({row.key for row in items.rows}) > 0
            assert items.total.items <= sum(row.items for row in of_key)


def test_a_component_has_the_quantity_that_is_in_the_pieces(small):
    rows = {row.key: row for row in sliced(small, ValueBy.COMPONENT, ValueBy.STAGE).rows}
    bar, labour = rows["bar"], rows["labour"]
    assert (bar.qty_milli, bar.value_micros, bar.parts) == (
        40_000,
        80_000_000,
        {"saw": 20_000_000, "deburr": 60_000_000},
    )
    assert (labour.qty_milli, labour.unit, labour.value_micros, labour.parts) == (
        None,
        None,
        30_000_000,
        {"deburr": 30_000_000},
    )


def test_rows_have_pieces_once_and_keep_units_apart(small):
    small.release("WO-3", "tube", qty=3, customer="Nord")
    small.scan("WO-3", "saw", small.ago(hours=1))
    small.settle()
    found = sliced(small, ValueBy.STAGE)
    assert [(row.key, row.unit, row.qty_milli, row.items, row.unvalued_milli) for row in found.rows] == [
        ("deburr", "pcs", 30_000, 1, 0),
        ("saw", "m", 3_000, 1, 3_000),
        ("saw", "pcs", 10_000, 1, 0),
    ]
    assert [(found.rows[n].key, found.rows[n].unit) for n in (found.start_after("e", None), 2)] == [
        ("saw", "m"),
        ("saw", "pcs"),
    ]
    assert [row.key for row in ranked(found, valued(small)[1])] == ["saw", "saw", "deburr"]
    assert (found.total.items, found.total.unvalued_items) == (2, 1)
    (no_cost,) = (row for row in sliced(small, ValueBy.COMPONENT).rows if row.key is None)
    assert (no_cost.value_micros, no_cost.items, no_cost.unvalued_milli) == (0, 1, 3_000)
    assert [row.key for row in sliced(small, ValueBy.CUSTOMER).rows] == ["Nord", None]
    assert [row.key for row in sliced(small, ValueBy.OPERATION).rows] == ["line/10", "line/10", "line/20"]


def test_the_past_has_its_own_stock_and_prices(small):
    at_us = small.ago(hours=2, minutes=30)
    assert sliced(small, ValueBy.STAGE, at_us=at_us).total.parts == {"bar": 80_000_000}
    small.say("cost.set", small.ago(hours=1), component="bar", basis="unit", micros=3_000_000)
    small.settle()
    assert sliced(small, ValueBy.STAGE, at_us=at_us).total.parts == {"bar": 80_000_000}
    assert sliced(small, ValueBy.STAGE).total.parts == {"bar": 120_000_000, "labour": 30_000_000}


def test_ages_are_whole_days_since_the_first_scan(small):
    (row, *_) = (leaf.row for leaf in valued(small)[0])
    for days, key in (
        (0, "0-30"),
        (30, "0-30"),
        (31, "31-60"),
        (60, "31-60"),
        (61, "61-90"),
        (90, "61-90"),
        (91, "over 90"),
    ):
        for more_us in (0, DAY_US - 1):
            assert age_of(row, row.started_us + days * DAY_US + more_us) == key, (days, more_us)
    assert age_of(row._replace(started_us=None), small.now_us) is None
