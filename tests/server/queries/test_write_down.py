"""Write-down: the highest percentage of each piece, parts and rows that add up, and a balanced journal with its rounding."""

from datetime import date

import pytest

from server.queries.account_map import AccountMap
from server.queries.as_known_at import past_stock
from server.queries.journal import JournalLine
from server.queries.obsolete_stock import Reason, obsolete_rows
from server.queries.write_down import Rate, WriteDown, WriteDownPart, held_rate, write_down, write_down_lines

ACCOUNTS = AccountMap(
    {
        ("write_down", "", ""): "6900",
        ("write_down", "labour", ""): "6910",
        ("write_down_allowance", "", ""): "1390",
        ("rounding", "", ""): "6999",
    }
)
WHOLE = 1_000_000_000  # of an amount: a micro


@pytest.fixture
def rows(shop_writer):
    """WO-1: 10 overdue pieces of 3.00 at Deburr for 200 days, WO-2: 2 of 12 pieces too many at Saw, of 2.00."""
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10, due="2020-01-01", at_us=shop_writer.ago(days=9))
    shop_writer.release("WO-2", qty=10, due="2999-12-31")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=8), qty_milli=10_000)
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(days=6), qty_milli=10_000)
    shop_writer.scan("WO-2", "saw", shop_writer.ago(days=2), qty_milli=12_000)
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        valuation, stock = past_stock(connection, None, None, shop_writer.now_us)
    first, second = obsolete_rows(stock, valuation, 5, date(2026, 1, 1), {})
    assert first.days == 6
    return [first._replace(days=200), second]


def test_the_highest_percentage_that_holds_counts():
    reasons = (Reason.CANCELLED, Reason.OVERDUE, Reason.NOT_MOVED)
    rates = {Rate.CANCELLED: 500_000, Rate.OVERDUE: 500_000, Rate.NOT_MOVED_365: 900_000}
    assert held_rate(reasons, 364, rates) == (Rate.CANCELLED, 500_000)
    assert held_rate(reasons, 365, rates) == (Rate.NOT_MOVED_365, 900_000)
    assert held_rate((Reason.OVERDUE,), 365, rates) == (Rate.OVERDUE, 500_000)
    assert held_rate((Reason.CLOSED,), 400, rates) is None
    assert held_rate((), 400, rates) is None


def test_stock_is_written_down_by_component_and_stage(rows):
    found = write_down(rows, {Rate.OVERDUE: 100_000, Rate.NOT_MOVED_180: 500_000, Rate.EXCESS: 250_000}, 10_000)
    assert [part[:6] for part in found.parts] == [
        (Rate.EXCESS, 250_000, "bar", "saw", 4_000_000, 1_000_000),
        (Rate.NOT_MOVED_180, 500_000, "bar", "deburr", 20_000_000, 10_000_000),
        (Rate.NOT_MOVED_180, 500_000, "labour", "deburr", 10_000_000, 5_000_000),
    ]
    assert [(one.stock.row.item, one.rate, one.micros) for one in found.rows] == [
        ("WO-1", Rate.NOT_MOVED_180, 15_000_000), ("WO-2", Rate.EXCESS, 1_000_000),
    ]  # fmt: skip
    assert (found.value_micros, found.micros, found.unvalued_items) == (34_000_000, 16_000_000, 0)
    assert write_down_lines(found, ACCOUNTS, 10_000) == [
        (Rate.EXCESS, "6900", 1_000_000), (Rate.EXCESS, "1390", -1_000_000),
        (Rate.NOT_MOVED_180, "6900", 10_000_000), (Rate.NOT_MOVED_180, "1390", -10_000_000),
        (Rate.NOT_MOVED_180, "6910", 5_000_000), (Rate.NOT_MOVED_180, "1390", -5_000_000),
    ]  # fmt: skip
    assert write_down(rows, {Rate.CANCELLED: 1_000_000}) == ((), (), 0, 0, 0)
    assert write_down_lines(write_down(rows, {}), ACCOUNTS, 1) == []


@pytest.mark.parametrize("step", [1, 10_000, 1_000_000])
@pytest.mark.parametrize("ppm", [1, 333_333, 76_770, 999_999])
def test_parts_rows_and_lines_add_up_in_each_currency(rows, step, ppm):
    found = write_down(rows, {Rate.NOT_MOVED: ppm, Rate.EXCESS: 1_000_000 - ppm}, step)
    assert sum(part.micros for part in found.parts) == sum(one.micros for one in found.rows) == found.micros
    assert abs(found.micros * 1_000_000 - (30 * ppm + 4 * (1_000_000 - ppm)) * 1_000_000) <= step * 500_000
    lines = write_down_lines(found, ACCOUNTS, step)
    assert sum(line.micros for line in lines) == 0
    assert sum(line.micros for line in lines if line.account == "1390") == -found.micros
    assert all(line.micros % step == 0 for line in lines)


def part(component, amount):
    return WriteDownPart(Rate.OVERDUE, 500_000, component, "saw", 0, 0, amount)


@pytest.mark.parametrize("halves", [3, 5])
def test_what_each_line_rounds_away_is_on_a_line_of_rounding(halves):
    # Half a micro on each of the accounts 6900 and 6910 rounds to 0 (half to even); together it is 1 micro.
    amounts = (WHOLE // 2, halves * WHOLE // 2)
    found = WriteDown((part("bar", amounts[0]), part("labour", amounts[1])), (), 0, 0, 0)
    lines = write_down_lines(found, ACCOUNTS, 1)
    assert lines[:2] == [JournalLine(Rate.OVERDUE, "6910", 2), JournalLine(Rate.OVERDUE, "1390", -2)]
    lacks = (halves + 1) // 2 - 2
    assert lines[2:] == ([("rounding", "1390", -lacks), ("rounding", "6999", lacks)] if lacks else [])


def test_a_line_without_an_account_is_balanced_too(rows):
    lines = write_down_lines(write_down(rows, {Rate.EXCESS: 500_000}), AccountMap({}), 1)
    assert lines == [(Rate.EXCESS, None, 2_000_000), (Rate.EXCESS, None, -2_000_000)]
