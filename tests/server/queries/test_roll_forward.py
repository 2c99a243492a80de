"""The roll-forward closes to zero millionths for any two times, whatever happened; known cases have their lines."""

import random
from itertools import pairwise

import pytest
from eventful_shop import eventful
from rolled_shop import lines, period, rolled
from sqlalchemy import func, select

from server.db.schema import ledger
from server.projection.tables import DAY_US
from server.projection.worker import projected_pos
from server.queries.as_known_at import past_stock
from server.queries.roll_forward import (
    Period,
    RollBy,
    RollRow,
    _divided,
    entries_of,
    grain_of,
    key_of,
    position_at,
)
from server.queries.value_entries import ValueLine
from server.queries.value_slices import ValueBy, leaves, value_slices


@pytest.fixture
def small(shop_writer):
    shop_writer.small_shop()
    return shop_writer


def total_at(shop_writer, at_us, known=None, step=1):
    with shop_writer.store.read() as connection:
        valuation, stock = past_stock(connection, known, at_us, shop_writer.now_us)
        slices = value_slices(leaves(stock, valuation), ValueBy.STAGE, ValueBy.COMPONENT, valuation, step)
        return slices.total.value_micros


def pos_of(shop_writer):
    with shop_writer.store.read() as connection:
        return projected_pos(connection)


def whole(shop_writer, from_us, to_us, **more):
    """(opening, lines, closing) of the whole in whole units of the currency; it closes and has no gap."""
    roll = rolled(shop_writer, from_us, to_us, **more)
    assert roll.gap == 0
    return (
        roll.total.opening / 1e6,
        {line: micros / 1e6 for line, micros in lines(roll.total).items()},
        roll.total.closing / 1e6,
    )


@pytest.mark.parametrize("seed", [3, 72])
def test_it_closes_to_zero_millionths_for_any_two_times_and_slice(shop_writer, seed):
    known = eventful(shop_writer, seed)
    chance = random.Random(seed)
    hours = sorted([chance.randint(100, 240), *chance.sample(range(1, 99), 3)], reverse=True)
    times = [*(shop_writer.ago(hours=hour) for hour in hours), shop_writer.now_us]
    for from_us, to_us in [*pairwise(times), (times[0], times[-1])]:
        ends = [total_at(shop_writer, us) for us in (from_us, to_us)]
        for by, position in [*((by, None) for by in RollBy), (RollBy.COMPONENT, known)]:
            roll = rolled(shop_writer, from_us, to_us, by, position)
            assert roll.gap == 0, (by, from_us, to_us)
            rows = (*roll.rows, roll.total)
            assert all(row.opening + sum(row.lines.values()) == row.closing for row in rows)
            assert roll.total.closing == ends[1] == sum(row.closing for row in roll.rows)
            assert roll.total.opening == total_at(shop_writer, from_us, position)
            assert roll.total.lines.get(ValueLine.MOVED, 0) == 0
            if position is None:
                assert roll.total.opening == ends[0]
                assert ValueLine.LATE not in roll.total.lines


@pytest.mark.parametrize("seed", [3, 72])
def test_the_lines_of_adjacent_periods_add_up_to_those_of_the_whole(shop_writer, seed):
    eventful(shop_writer, seed)
    chance = random.Random(seed)
    times = [shop_writer.ago(hours=hour) for hour in sorted([200, *chance.sample(range(1, 99), 3)], reverse=True)]
    for by in RollBy:
        whole_lines = {row.key: lines(row) for row in exact_rows(shop_writer, times[0], times[-1], by)}
        sums = {}
        for from_us, to_us in pairwise(times):
            for row in exact_rows(shop_writer, from_us, to_us, by):
                of_row = sums.setdefault(row.key, {})
                for line, amount in lines(row).items():
                    of_row[line] = of_row.get(line, 0) + amount
        if by == RollBy.COMPONENT:
            assert {"normal_scrap", "abnormal_scrap"} <= {line for of_row in sums.values() for line in of_row}
        assert without_zeros(sums) == without_zeros(whole_lines)


def test_rows_by_operation_and_by_customer_are_those_of_the_value_page(small):
    small.release("WO-1", qty=10, customer="Ash")
    small.release("WO-2", qty=4, customer="Birch")
    small.release("WO-3", qty=2)
    for order, hours in (("WO-1", 9), ("WO-2", 8), ("WO-3", 7)):
        small.scan(order, "saw", small.ago(hours=hours))
    small.scan("WO-1", "deburr", small.ago(hours=4))
    small.say("order.change", small.ago(hours=3), order="WO-2", customer="Cedar")
    small.settle()
    from_us = small.ago(hours=5)
    by_operation = {row.key: row for row in rolled(small, from_us, small.now_us, RollBy.OPERATION).rows}
    assert by_operation.keys() == {"line/10", "line/20"}
    assert by_operation["line/20"].opening == 0
    by_customer = {row.key: row for row in rolled(small, from_us, small.now_us, RollBy.CUSTOMER).rows}
    assert by_customer.keys() == {"Ash", "Birch", "Cedar", None}
    assert lines(by_customer["Birch"]) == {"moved": -by_customer["Birch"].opening}
    assert lines(by_customer["Cedar"]) == {"moved": by_customer["Birch"].opening}
    with small.store.read() as connection:
        valuation, stock = past_stock(connection, None, small.now_us, small.now_us)
        for by, rows in ((ValueBy.OPERATION, by_operation), (ValueBy.CUSTOMER, by_customer)):
            slices = value_slices(leaves(stock, valuation), by, ValueBy.COMPONENT, valuation)
            values = {row.key: row.value_micros for row in slices.rows if row.value_micros}
            assert {key: row.closing for key, row in rows.items() if row.closing} == values


def exact_rows(shop_writer, from_us, to_us, by):
    """Rows of lines in thousandths of micros, so that no rounding is in them."""
    sums = {}
    with shop_writer.store.read() as connection:
        for entry in entries_of(connection, period(shop_writer, connection, from_us, to_us), grain_of(by)):
            of_row = sums.setdefault(key_of(entry, by), {})
            of_row[entry.line] = of_row.get(entry.line, 0) + entry.amount
    return [RollRow(key, 0, of_row, 0) for key, of_row in sums.items()]


def without_zeros(rows):
    found = {key: {line: amount for line, amount in of_row.items() if amount} for key, of_row in rows.items()}
    return {key: of_row for key, of_row in found.items() if of_row}


@pytest.mark.parametrize("seed", [3, 72])
def test_each_line_is_the_sum_of_its_postings(shop_writer, seed):
    known = eventful(shop_writer, seed)
    from_us, to_us = shop_writer.ago(hours=80), shop_writer.ago(hours=2)
    with shop_writer.store.read() as connection:
        of = period(shop_writer, connection, from_us, to_us, known)
        for by in RollBy:
            sums, single = {}, {}
            for found, grain in ((sums, grain_of(by)), (single, grain_of(by, item=True))):
                for entry in entries_of(connection, of, grain):
                    key = (entry.line, key_of(entry, by))
                    found[key] = found.get(key, 0) + entry.amount
            assert {key: amount for key, amount in single.items() if amount} == {
                key: amount for key, amount in sums.items() if amount
            }
        entries = list(entries_of(connection, of, grain_of(RollBy.COMPONENT, item=True)))
    postings = [entry for entry in entries if entry.line not in (ValueLine.LATE, ValueLine.REVALUED, ValueLine.MOVED)]
    assert postings
    assert all(entry.posting is not None and from_us < entry.at_us <= to_us for entry in postings)
    assert all(entry.form.item for entry in entries)


def test_a_page_in_whole_cents_adds_up(shop_writer):
    eventful(shop_writer, 5)
    for by in RollBy:
        roll = rolled(shop_writer, shop_writer.ago(hours=70), shop_writer.ago(hours=3), by, step=10_000)
        for row in (*roll.rows, roll.total):
            assert row.opening + sum(row.lines.values()) == row.closing
            assert all(part % 10_000 == 0 for part in (row.opening, row.closing, *row.lines.values()))
        for line in ValueLine:
            assert sum(row.lines.get(line, 0) for row in roll.rows) == roll.total.lines.get(line, 0)
        assert roll.total.closing == total_at(shop_writer, shop_writer.ago(hours=3), step=10_000)


def test_what_is_issued_worked_finished_scrapped_and_counted_has_its_line(small):
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=9))  # bar 2 each
    small.scan("WO-1", "deburr", small.ago(hours=7))  # labour 1 each
    small.scan("WO-1", "deburr", small.ago(hours=6), action="scrap", qty_milli=2_000)
    small.scan("WO-1", "pack", small.ago(hours=5), qty_milli=3_000)
    small.settle()
    small.say("adjust", small.ago(hours=4), item="WO-1", qty_milli=-1_000, stage="deburr")
    small.say("cost.set", small.ago(hours=3), component="bar", basis="unit", micros=2_500_000)
    small.say("order.close", small.ago(hours=2), order="WO-1", how="short")
    small.settle()
    last = {
        "material": 20.0, "labour": 10.0, "abnormal_scrap": -6.0, "finished": -9.0, "counts": -3.0, "revaluation": 2.0,
        "closes": -14.0,
    }  # fmt: skip
    assert whole(small, small.ago(hours=10), small.now_us) == (0, last, 0)
    assert whole(small, small.ago(hours=8), small.ago(hours=5, minutes=30)) == (
        20, {"labour": 10.0, "abnormal_scrap": -6.0}, 24,
    )  # fmt: skip
    assert whole(small, small.ago(hours=3, minutes=30), small.ago(hours=2, minutes=30)) == (
        12, {"revaluation": 2.0}, 14,
    )  # fmt: skip


@pytest.mark.parametrize("receipt", [{"stage": "pack"}, {"stage": "plating", "action": "out"}])
def test_outside_work_is_earned_when_the_pieces_come_back(small, receipt):
    small.say("stage.define", 0, stage="plating", name="Plating", type="outside")
    stages = ("saw", "plating", "pack", "gate")
    small.say("stage.define", 0, stage="gate", name="Gate")
    operations = [{"op": 10 * (n + 1), "stage": stage} for n, stage in enumerate(stages)]
    small.say("routing.define", small.ago(days=20), routing="line", operations=operations)
    small.say("cost.set", 0, product="bracket", op=20, component="outside", basis="unit", micros=500_000)
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=9))
    small.scan("WO-1", "saw", small.ago(hours=8), action="out")
    small.scan("WO-1", "plating", small.ago(hours=7), station="gate-1")  # they leave
    small.scan("WO-1", "plating", small.ago(hours=5), station="gate-1", action="scrap", qty_milli=1_000)  # lost there
    small.scan("WO-1", at_us=small.ago(hours=3), station="gate-1", qty_milli=4_000, **receipt)
    small.settle()
    assert whole(small, small.ago(hours=8), small.ago(hours=6)) == (30, {}, 30)
    assert whole(small, small.ago(hours=6), small.ago(hours=4)) == (30, {"abnormal_scrap": -3.0}, 27)
    assert whole(small, small.ago(hours=4), small.now_us) == (27, {"outside": 2.0}, 29)
    small.scan("WO-1", at_us=small.ago(hours=1), station="gate-1", **receipt)
    small.settle()
    assert whole(small, small.ago(hours=2), small.now_us) == (29, {"outside": 2.5}, 31.5)


def test_a_count_that_finds_more_and_pieces_that_pass_at_once_have_their_lines(small):
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=9))
    small.settle()
    small.say("adjust", small.ago(hours=8), item="WO-1", qty_milli=2_000, stage="saw")
    small.release("WO-2", qty=5)
    small.scan("WO-2", None, small.ago(hours=7), station="office-1", action="finish")
    small.settle()
    found = whole(small, small.ago(hours=10), small.now_us)
    assert found == (0, {"material": 30.0, "labour": 5.0, "finished": -15.0, "counts": 4.0}, 24)
    order = {row.key: lines(row) for row in rolled(small, small.ago(hours=10), small.now_us, RollBy.ORDER).rows}
    assert order["WO-2"] == {"material": 10_000_000, "labour": 5_000_000, "finished": -15_000_000}


def test_an_order_without_any_output_leaves_nothing_and_has_its_own_row(small):
    for order in ("WO-1", "WO-2"):
        small.release(order, qty=10)
        small.scan(order, "saw", small.ago(hours=9))
    small.scan("WO-1", "saw", small.ago(hours=8), action="scrap", all=True)
    small.settle()
    rows = {row.key: row for row in rolled(small, small.ago(hours=10), small.now_us, RollBy.ORDER).rows}
    assert set(rows) == {"WO-1", "WO-2"}
    assert (rows["WO-1"].opening, lines(rows["WO-1"]), rows["WO-1"].closing) == (
        0, {"material": 20_000_000, "abnormal_scrap": -20_000_000}, 0,
    )  # fmt: skip
    # Nothing of one order's sums reaches the next one.
    assert (rows["WO-2"].opening, lines(rows["WO-2"]), rows["WO-2"].closing) == (
        0,
        {"material": 20_000_000},
        20_000_000,
    )


def test_an_operation_that_still_runs_has_a_value(small):
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=2), action="start")
    small.settle()
    assert whole(small, small.ago(hours=3), small.now_us) == (0, {"material": 20.0}, 20)
    assert whole(small, small.ago(hours=1), small.now_us) == (20, {}, 20)


def test_pieces_that_go_on_are_moved_from_one_stage_to_the_next(small):
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=3))
    small.scan("WO-1", "deburr", small.ago(hours=2))
    small.settle()
    rows = rolled(small, small.ago(hours=2, minutes=30), small.now_us, RollBy.STAGE).rows
    assert [(row.key, row.opening, lines(row), row.closing) for row in rows] == [
        ("deburr", 0, {"moved": 30_000_000}, 30_000_000),
        ("saw", 20_000_000, {"labour": 10_000_000, "moved": -30_000_000}, 0),
    ]


def test_what_arrives_late_about_an_earlier_period_has_a_line_of_its_own(small):
    small.release("WO-1", qty=10)
    small.scan("WO-1", "saw", small.ago(hours=9))
    small.settle()
    known = pos_of(small)
    small.scan("WO-1", "deburr", small.ago(hours=8))  # of the period before, sent later
    small.scan("WO-1", "pack", small.ago(hours=2))
    small.say("cost.set", small.ago(hours=7), component="bar", basis="unit", micros=2_100_000)
    small.settle()
    from_us = small.ago(hours=6)
    assert whole(small, from_us, small.now_us, known=known) == (
        20, {"late": 10.0, "finished": -31.0, "revaluation": 1.0}, 0,
    )  # fmt: skip
    assert whole(small, from_us, small.now_us) == (31, {"finished": -31.0}, 0)


def test_the_position_that_the_ledger_had_at_a_time_is_found(small):
    small.settle()
    with small.store.read() as connection:
        pos = projected_pos(connection)
        assert position_at(connection, 0, pos, 2**62) == 0
        assert position_at(connection, 2**62, pos, 2**62) == pos


def test_events_that_were_received_with_a_clock_ahead_have_the_time_of_the_next_one(small):
    scan, right_us = (lambda hours: small.scan("WO-1", "saw", small.ago(hours=hours))), small.now_us
    for number in range(24):
        small.now_us = right_us + number * 1_000_000 + (400 * DAY_US if 6 <= number < 18 else 0)
        scan(9)
        small.settle()
    with small.store.read() as connection:
        pos = int(connection.execute(select(func.max(ledger.c.pos))).scalar_one())
        received = {row.pos: row.recv_us for row in connection.execute(select(ledger.c.pos, ledger.c.recv_us))}
        late = [number for number, us in received.items() if us > right_us + DAY_US]
        assert 0 < len(late) < max(late) < pos
        now_us = right_us + 60_000_000
        assert position_at(connection, now_us, pos, now_us) == pos
        before = received[min(late) - 1]
        assert position_at(connection, before, pos, now_us) == min(late) - 1


def test_a_row_without_a_posting_closes_as_it_opened():
    opening, closing = {"A": 5_000_000, "B": 4_000_000}, {"A": 5_000_000, "B": 26_000_000}
    leaves = opening, [[0], [22_000_000]], closing
    roll = _divided(Period(0, 1, 1, 0, 0), RollBy.ORDER, ["A", "B"], leaves, [ValueLine.MATERIAL], 0, 10_000)
    still, moved = roll.rows
    assert (still.key, still.lines, still.closing) == ("A", {}, still.opening)
    assert moved.opening + sum(moved.lines.values()) == moved.closing
    assert still.opening + moved.opening == roll.total.opening
    assert still.closing + moved.closing == roll.total.closing
