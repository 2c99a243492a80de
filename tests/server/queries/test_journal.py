"""The journal of a period adds up, and is made of the same entries as the roll-forward."""

import json
import random
from collections import Counter

import pytest
from counted_shop import counted, decide, opened
from drawn_shop import STAGES, drawn_shop
from eventful_shop import eventful
from rolled_shop import rolled

from server.accounting.period_close import close_period
from server.ledger.account_check import Line
from server.ledger.entries import Entry, EntryRefused, record
from server.ledger.period_listings import listing_at
from server.projection.rebuild import rebuild
from server.projection.worker import projected_pos
from server.queries.account_map import AccountMap, account_map
from server.queries.closed_periods import closed_period, stored_lines
from server.queries.current_master_data import master_data
from server.queries.journal import journal
from server.queries.roll_forward import RollBy
from server.queries.value_entries import ValueLine
from server.queries.value_movements import Movements, heading_of, movements_since, stored_movements

CENT = 10_000
ACCOUNTS = AccountMap(
    {(line, "", ""): f"{4000 + number}" for number, line in enumerate(ValueLine) if line != ValueLine.MOVED}
    | {("wip", "", ""): "1300", ("wip", "labour", ""): "1310", ("rounding", "", ""): "4999"}
    | {("wip", "", stage): f"13{number}" for number, stage in enumerate(STAGES[:2], 50)}
)


def close_at(shop, at_us):
    place = close_period(shop.store, Entry("period.close", {"why": "month end"}, "Kim", at_us))
    shop.settle()
    return place.pos


def moved(shop, pos):
    with shop.store.read() as connection:
        return stored_movements(listing_at(connection, pos))


def cells_of(shop, pos):
    """The stored listing of a close by component and stage."""
    cells = Counter()
    with shop.store.read() as connection:
        for line in stored_lines(connection, closed_period(connection, pos)):
            for component, leaf in line.leaves.items():
                cells[component, line.form.stage] += leaf
    return {cell: leaf for cell, leaf in cells.items() if leaf}


def posted(made):
    sums = Counter()
    for line in made.lines:
        sums[line.account] += line.micros
    return sums


def holds(made):
    """A journal is balanced, in whole cents, and each account of work in process closes with its value."""
    assert sum(line.micros for line in made.lines) == 0
    assert all(line.micros and line.micros % CENT == 0 for line in made.lines)
    sums = posted(made)
    for balance in made.balances:
        assert sums[balance.account] == balance.closing - balance.opening


def test_the_lines_of_the_account_map_are_those_of_the_roll_forward():
    of_write_down = {"write_down", "write_down_allowance"}
    assert set(Line.__args__) == {*ValueLine, "wip", "rounding", *of_write_down} - {"moved"}


@pytest.mark.parametrize("seed", range(4))
def test_journals_of_closed_periods_follow_each_other_and_the_roll_forward(shop_writer, seed):
    drawn_shop(shop_writer, seed)
    chance, before = random.Random(seed), None
    for hours in (70, 40, 9):
        at_us = shop_writer.ago(hours=hours)
        pos = close_at(shop_writer, at_us)
        movements, made = moved(shop_writer, pos), None
        assert movements.closing == cells_of(shop_writer, pos)
        assert movements.opening == ({} if before is None else cells_of(shop_writer, before[0]))
        made = journal(movements, ACCOUNTS, CENT)
        holds(made)
        known = movements.known
        roll = rolled(shop_writer, movements.from_us, at_us, RollBy.STAGE, known, CENT).total
        assert sum(balance.opening for balance in made.balances) == roll.opening
        assert sum(balance.closing for balance in made.balances) == roll.closing
        flows = Counter()
        for (line, _), amount in movements.lines.items():
            flows[line] += amount
        assert {line for line, amount in flows.items() if amount} == set(roll.lines)
        assert all(abs(flows[line] / 1000 - micros) <= CENT * 30 for line, micros in roll.lines.items())
        if before is not None:
            ends = {balance.account: balance.closing for balance in before[1].balances if balance.closing}
            assert {balance.account: balance.opening for balance in made.balances if balance.opening} == ends
        before = pos, made
        for _ in range(60):
            us = shop_writer.ago(hours=chance.randint(hours - 8, 90), minutes=chance.randint(0, 59))
            shop_writer.scan(f"WO-{chance.randrange(26)}", chance.choice(STAGES), us, station="late")
        shop_writer.settle()
    was = moved(shop_writer, before[0])
    rebuild(shop_writer.store)
    assert moved(shop_writer, before[0]) == was


def test_an_accepted_difference_of_a_count_is_posted_to_the_account_of_counts(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=9))
    opened(shop_writer)
    counted(shop_writer, "WO-1", "saw", 3, qty_milli=8000)
    first = close_at(shop_writer, shop_writer.ago(minutes=30))
    decide(shop_writer)  # in the period after the one in which it was counted
    second = close_at(shop_writer, shop_writer.store.clock.utc_us())
    account, amounts = ACCOUNTS.of(ValueLine.COUNTS), []
    for pos in (first, second):
        made = journal(moved(shop_writer, pos), ACCOUNTS, CENT)
        holds(made)
        amounts.append(posted(made)[account])
    assert amounts == [0, 4_000_000]


@pytest.mark.parametrize("seed", [5, 31])
def test_movements_of_an_eventful_shop_are_those_between_its_values(shop_writer, seed):
    eventful(shop_writer, seed)
    with shop_writer.store.read() as connection:
        pos = projected_pos(connection)
        for hours in (200, 30, 0):
            made = movements_since(
                connection, shop_writer.ago(hours=hours), shop_writer.now_us, shop_writer.now_us, pos
            )
            assert stored_movements(json.dumps({"closed_us": made.to_us, **heading_of(made)}).encode()) == made
            roll = rolled(shop_writer, made.from_us, made.to_us, RollBy.STAGE, made.known)
            by_stage = Counter()
            for (_, stage), leaf in made.closing.items():
                by_stage[stage] += leaf
            closing = {row.key: row.closing for row in roll.rows if row.closing}
            assert sum(by_stage.values()) == pytest.approx(roll.total.closing * 1000, abs=500)
            assert closing.keys() <= by_stage.keys()
            holds(journal(made, ACCOUNTS, CENT))


def cells(**amounts):
    """Movements of whole micros by line at one cell of bar at the saw."""
    return {(ValueLine(line), ("bar", "saw")): micros * 1000 for line, micros in amounts.items()}


def test_a_sum_of_rounded_lines_gets_a_line_of_rounding():
    rolls = Movements(0, 9, 0, {}, cells(material=14_000, counts=14_000))
    made = journal(rolls, ACCOUNTS, CENT)
    assert [(line.line, line.account, line.micros) for line in made.lines if line.line == "rounding"] == [
        ("rounding", "1350", 10_000),
        ("rounding", "4999", -10_000),
    ]
    holds(made)


def test_what_goes_between_stages_is_posted_only_between_their_own_accounts():
    rolls = {
        (ValueLine.MOVED, ("bar", STAGES[0])): -5_000_000_000,
        (ValueLine.MOVED, ("bar", STAGES[1])): 5_000_000_000,
        (ValueLine.MOVED, ("bar", "far")): 0,
    }
    opening = {("bar", STAGES[0]): 9_000_000_000}
    made = journal(Movements(0, 9, 0, opening, rolls), ACCOUNTS, CENT)
    assert [(line.line, line.account, line.micros) for line in made.lines] == [
        ("moved", "1350", -5_000_000),
        ("moved", "1351", 5_000_000),
    ]
    one = AccountMap({("wip", "", ""): "1300"})
    assert journal(Movements(0, 9, 0, opening, rolls), one, CENT).lines == ()


def test_what_was_there_goes_to_the_new_account_where_the_map_changed():
    new = AccountMap({("wip", "", ""): "1301"})
    made = journal(Movements(0, 9, 0, {("bar", "saw"): 7_004_000_000}, {}), new, CENT, {"1300": 7_000_000})
    assert [(line.line, line.account, line.micros) for line in made.lines] == [
        ("account_changed", "1300", -7_000_000),
        ("account_changed", "1301", 7_000_000),
    ]
    holds(made)


def test_what_has_no_account_is_named_with_its_money():
    rolls = Movements(0, 9, 0, {}, cells(material=3_000_000, finished=-1_000_000))
    made = journal(rolls, AccountMap({("wip", "", ""): "1", ("finished", "bar", ""): "2"}), CENT)
    assert [one[:] for one in made.unmapped] == [("material", "bar", "saw", 3_000_000)]
    assert not made.complete
    assert journal(rolls, ACCOUNTS, CENT).complete
    lacking = journal(rolls, AccountMap({("finished", "", ""): "2", ("material", "", ""): "3"}), CENT)
    assert [one[:] for one in lacking.unmapped] == [("wip", "bar", "saw", 2_000_000)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"account": "1"}, "missing required field `line`"),
        ({"line": "moved", "account": "1"}, "Invalid enum value 'moved'"),
        ({"line": "wip"}, "without an account"),
        ({"line": "wip", "account": "1", "withdrawn": True}, "that is withdrawn"),
        ({"line": "wip", "account": " "}, "account"),
        ({"line": "wip", "account": "1" * 41}, "account"),
        ({"line": "wip", "account": "1", "stage": "no such"}, "a stage of the shop"),
        ({"line": "rounding", "account": "1", "component": "bar"}, "one account for all rounding"),
        ({"line": "wip", "withdrawn": True}, "an account that holds"),
    ],
)
def test_an_account_that_is_not_complete_is_refused(shop_writer, data, said):
    shop_writer.small_shop()
    shop_writer.settle()
    with pytest.raises(EntryRefused, match=said):
        record(shop_writer.store, "account.map", data, "Kim")


def test_an_account_holds_from_its_time_and_can_be_withdrawn(shop_writer):
    shop_writer.small_shop()
    for days, fields in ((9, {"account": "1300"}), (5, {"account": "1301"}), (2, {"withdrawn": True})):
        shop_writer.say("account.map", shop_writer.ago(days=days), line="wip", component="bar", **fields)
    shop_writer.say("account.map", line="wip", stage="saw", account="1390")
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        known = master_data(connection)
        for days, account in ((12, "1300"), (9, "1300"), (4, "1301"), (1, "1390")):
            assert account_map(known, shop_writer.ago(days=days)).of("wip", "bar", "saw") == account
        assert account_map(known, shop_writer.ago(days=1)).of("wip", "bar", "pack") is None
    with pytest.raises(EntryRefused, match="as it is defined"):
        record(shop_writer.store, "account.map", {"line": "wip", "stage": "saw", "account": "1390"}, "Kim")
