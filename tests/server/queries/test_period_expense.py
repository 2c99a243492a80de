"""The expense of a period: abnormal scrap is the line of the roll-forward, work that is done again counts once a pass."""

import random
from itertools import pairwise

import pytest
from eventful_shop import eventful

from server.projection.worker import projected_pos
from server.queries.period_expense import ExpenseCause, period_expense
from server.queries.roll_forward import Period, RollBy, roll_forward
from server.queries.value_entries import ValueLine


@pytest.fixture
def small(shop_writer):
    shop_writer.small_shop()
    return shop_writer


def period(shop_writer, connection, from_us, to_us=None):
    pos = projected_pos(connection)
    return Period(from_us, shop_writer.now_us if to_us is None else to_us, shop_writer.now_us, pos, pos)


def expense(shop_writer, from_us, to_us=None):
    with shop_writer.store.read() as connection:
        return period_expense(connection, period(shop_writer, connection, from_us, to_us))


def rework(rows):
    return [
        (row.key.op, row.key.stage, row.qty_milli, row.kinds, row.uncosted_milli)
        for row in rows
        if row.key.cause == ExpenseCause.REWORK
    ]


def scrap(rows):
    return [(row.key.reason, row.qty_milli, row.micros) for row in rows if row.key.cause == ExpenseCause.SCRAP]


@pytest.mark.parametrize("seed", [3, 72])
def test_abnormal_scrap_by_reason_is_the_line_of_the_roll_forward_and_adjacent_periods_add_up(shop_writer, seed):
    eventful(shop_writer, seed)
    chance = random.Random(seed)
    times = [shop_writer.ago(hours=hour) for hour in sorted([200, *chance.sample(range(1, 99), 3)], reverse=True)]
    sums, whole = {}, {}
    for periods, found in ((pairwise(times), sums), ([(times[0], times[-1])], whole)):
        for from_us, to_us in periods:
            rows = expense(shop_writer, from_us, to_us)
            with shop_writer.store.read() as connection:
                of = period(shop_writer, connection, from_us, to_us)
                total = roll_forward(connection, of, RollBy.COMPONENT).total
            scrapped = sum(row.micros for row in rows if row.key.cause == ExpenseCause.SCRAP)
            assert abs(scrapped + total.lines.get(ValueLine.SCRAPPED, 0)) <= len(rows)  # each is rounded once
            for row in rows:
                found[row.key] = found.get(row.key, 0) + row.qty_milli
    assert {key: milli for key, milli in sums.items() if milli} == {key: milli for key, milli in whole.items() if milli}
    assert {key.cause for key in whole} == set(ExpenseCause)


def test_abnormal_scrap_has_its_reason_and_no_normal_scrap_is_in_it(small):
    operations = [{"op": 10, "stage": "saw", "scrap_ppm": 100_000}, {"op": 20, "stage": "pack"}]
    small.say("routing.define", small.ago(days=20), routing="line", operations=operations)
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=9))
    small.scan("WO-1", "saw", small.ago(hours=8), action="scrap", qty_milli=3_000, reason="burr")
    small.scan("WO-1", "saw", small.ago(hours=7), action="scrap", qty_milli=1_000)
    small.settle()
    assert scrap(expense(small, small.ago(hours=10))) == [("burr", 2_000, 4_000_000), (None, 1_000, 2_000_000)]
    assert scrap(expense(small, small.ago(hours=7.5))) == [(None, 1_000, 2_000_000)]


def test_a_second_pass_through_an_operation_is_expense_and_adds_nothing_to_the_value(small):
    small.say("cost.set", 0, product="bracket", op=10, component="overhead", basis="unit", micros=250_000)
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=9))
    small.scan("WO-1", "deburr", small.ago(hours=8))
    small.scan("WO-1", "deburr", small.ago(hours=7), action="rework", qty_milli=4_000, to="saw")
    small.scan("WO-1", "saw", small.ago(hours=6), qty_milli=4_000)
    small.settle()
    assert rework(expense(small, small.ago(hours=10))) == []  # they are there, and have not passed it yet
    small.scan("WO-1", "saw", small.ago(hours=5), action="out", qty_milli=3_000)
    small.settle()
    found = [(10, "saw", 3_000, {ValueLine.LABOUR: 3_000_000, ValueLine.OVERHEAD: 750_000}, 0)]
    assert rework(expense(small, small.ago(hours=10))) == found
    assert rework(expense(small, small.ago(hours=5.5))) == found
    assert rework(expense(small, small.ago(hours=4))) == []
    with small.store.read() as connection:
        roll = roll_forward(connection, period(small, connection, small.ago(hours=6.5)), RollBy.COMPONENT)
    assert (roll.gap, roll.total.lines, roll.total.opening) == (0, {}, roll.total.closing)


def test_a_second_pass_without_a_scan_at_the_operation_counts_each_mandatory_one(small):
    small.say(
        "cost.set", 0, product="bracket", op=20, component="labour", basis="minute", micros=1
    )  # no run time: unknown
    small.release("WO-1", qty=10)
    for hours, stage in ((9, "saw"), (8, "deburr"), (7, "test")):
        small.scan("WO-1", stage, small.ago(hours=hours))
    small.scan("WO-1", "test", small.ago(hours=6), action="rework", qty_milli=2_000, to="saw")
    small.scan("WO-1", "test", small.ago(hours=5), qty_milli=2_000)
    small.scan("WO-1", "pack", small.ago(hours=4))
    small.settle()
    assert rework(expense(small, small.ago(hours=10))) == [
        (10, "saw", 2_000, {ValueLine.LABOUR: 2_000_000}, 0),
        (20, "deburr", 2_000, {}, 2_000),
    ]


def test_a_first_pass_is_no_rework(small):
    small.release("WO-1", qty=10)
    for hours, stage in ((9, "saw"), (8, "deburr"), (7, "test"), (6, "pack")):
        small.scan("WO-1", stage, small.ago(hours=hours))
    small.settle()
    assert expense(small, small.ago(hours=10)) == []
