"""The journal of a closed period is exported once under a number, and reversed with a reason."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from journal_shop import close, enter, journal_shop, journals, stands

from server.accounting.journal_export import journal_of
from server.accounting.period_close import record_entries
from server.ledger.entries import Entry, EntryRefused, record, record_all
from server.projection.rebuild import rebuild
from server.queries.closed_periods import closed_period
from station.core.master_data import NAMED_BY


@pytest.fixture
def shop(shop_writer):
    return journal_shop(shop_writer)


def test_an_export_has_a_number_and_the_lines_of_the_period(shop):
    pos = close(shop, 80)
    enter(shop, "journal.export", period=pos)
    (made,) = journals(shop)
    assert (made["number"], made["period"], made["currency"]) == (1, pos, "EUR")
    assert made["lines"] == [["material", "1300", 20_000_000], ["material", "4001", -20_000_000]]
    assert made["balances"] == [["1300", 0, 20_000_000]]
    assert (made["from_us"], made["to_us"]) == (0, shop.ago(hours=80))


def test_a_period_is_exported_once_also_by_two_at_the_same_time(shop):
    pos = close(shop, 80)

    def export(_):
        try:
            return record_entries(shop.store, [Entry("journal.export", {"period": pos}, "Kim")])
        except EntryRefused as refused:
            return refused.status

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(export, range(4)))
    assert results.count(409) == 3
    shop.settle()
    assert stands(shop) == [1]
    with pytest.raises(EntryRefused, match="It is exported already"):
        enter(shop, "journal.export", period=pos)


def test_a_reversal_has_the_lines_with_the_other_sign_and_its_own_number(shop):
    pos = close(shop, 80)
    enter(shop, "journal.export", period=pos)
    enter(shop, "journal.reverse", journal=1, why="wrong account")
    enter(shop, "account.map", shop.ago(hours=100), line="material", account="1200")
    enter(shop, "journal.export", period=pos)
    first, back, again = journals(shop)
    assert [one["number"] for one in (first, back, again)] == [1, 2, 3]
    assert back["lines"] == [[line, account, -micros] for line, account, micros in first["lines"]]
    assert (back["journal"], back["why"]) == (1, "wrong account")
    assert again["lines"][1] == ["material", "1200", -20_000_000]
    assert stands(shop) == [3]
    for number, said in ((1, "a journal that stands: 3"), (2, "a journal that stands: 3"), (9, "stands: 3")):
        with pytest.raises(EntryRefused, match=said):
            enter(shop, "journal.reverse", journal=number, why="x")


def test_the_last_one_is_reversed_first(shop):
    for hours in (80, 50):
        enter(shop, "journal.export", period=close(shop, hours))
    with pytest.raises(EntryRefused, match="Reverse journal 2 first"):
        enter(shop, "journal.reverse", journal=1, why="x")
    enter(shop, "journal.reverse", journal=2, why="x")
    enter(shop, "journal.reverse", journal=1, why="x")
    assert stands(shop) == []


def test_the_next_journal_opens_on_the_accounts_of_the_exported_one(shop):
    enter(shop, "journal.export", period=close(shop, 80))
    enter(shop, "account.map", line="wip", component="bar", account="1390")
    enter(shop, "journal.export", period=close(shop, 50))
    made = journals(shop)[1]
    assert made["lines"] == [
        ["account_changed", "1300", -20_000_000], ["account_changed", "1390", 20_000_000],
        ["material", "1390", 20_000_000], ["material", "4001", -20_000_000],
    ]  # fmt: skip
    assert made["balances"] == [["1300", 20_000_000, 0], ["1390", 0, 40_000_000]]


def test_a_period_that_was_closed_again_is_exported_after_the_reversal(shop):
    first = close(shop, 80)
    enter(shop, "journal.export", period=first)
    enter(shop, "period.reopen", why="a price was missing")
    with pytest.raises(EntryRefused, match="which was reopened"):
        enter(shop, "journal.export", period=first)
    second = close(shop, 80)
    with pytest.raises(EntryRefused, match="Reverse that journal first"):
        enter(shop, "journal.export", period=second)
    enter(shop, "journal.reverse", journal=1, why="closed again")
    enter(shop, "journal.export", period=second)
    assert stands(shop) == [3]


def test_late_scans_and_a_rebuild_change_no_journal_and_are_late_in_the_next_one(shop):
    pos = close(shop, 80)
    enter(shop, "journal.export", period=pos)
    before = journals(shop)
    shop.scan("LATE", "saw", shop.ago(hours=88))
    shop.release("WO-9", qty=5, at_us=shop.ago(hours=70))
    shop.scan("WO-0", "deburr", shop.ago(hours=85))  # 10 of labour, late
    shop.settle()
    rebuild(shop.store)
    assert journals(shop) == before
    with shop.store.read() as connection:
        assert journal_of(connection, closed_period(connection, pos)).lines[0][:] == ("material", "1300", 20_000_000)
    enter(shop, "journal.export", period=close(shop, 50))
    made = journals(shop)[1]
    assert [line for line in made["lines"] if line[0] == "late"] == [
        ["late", "1300", 10_000_000],
        ["late", "4000", -10_000_000],
    ]


def test_an_account_that_lacks_is_named(shop):
    enter(shop, "account.map", shop.ago(hours=99), line="material", withdrawn=True)
    enter(shop, "account.map", shop.ago(hours=100), line="material", withdrawn=True)
    with pytest.raises(EntryRefused, match="without an account for material"):
        enter(shop, "journal.export", period=close(shop, 80))
    assert journals(shop) == []


def test_neither_an_export_nor_a_reversal_is_taken_back_by_a_void(shop):
    enter(shop, "journal.export", period=close(shop, 80))
    with shop.store.read() as connection:
        place = connection.exec_driver_sql("SELECT log_id, seq FROM ledger ORDER BY pos DESC").first()
    with pytest.raises(EntryRefused, match=r"Use journal\.reverse"):
        record(shop.store, "void", {"log": bytes(place[0]).hex(), "seq": place[1]}, "Kim")
    with pytest.raises(EntryRefused, match="it alone"):
        record_all(shop.store, [Entry("journal.export", {"period": 1}, "Kim")])
    with pytest.raises(EntryRefused, match="unknown field `number`"):
        enter(shop, "journal.export", period=1, number=7)


@pytest.mark.parametrize("period", [1, 2**40])
def test_what_is_no_close_is_not_exported(shop, period):
    with pytest.raises(EntryRefused, match="the position of a close that holds"):
        enter(shop, "journal.export", period=period)


def test_an_account_may_hold_from_before_a_close_and_nothing_else_may(shop):
    close(shop, 80)
    enter(shop, "account.map", shop.ago(hours=100), line="wip", account="1311")
    with pytest.raises(EntryRefused, match="where the last closed period ends"):
        enter(shop, "cost.set", shop.ago(hours=100), component="bar", micros=1)


def test_journals_have_their_numbers_as_names():
    assert NAMED_BY["journal.export"] == NAMED_BY["journal.reverse"] == ("number",)


@pytest.mark.parametrize("line", ["material", "rounding"])
def test_an_account_of_work_in_process_stands_against_no_line(shop, line):
    pos = close(shop, 80)
    enter(shop, "account.map", shop.ago(hours=100), line=line, account="1300")
    with pytest.raises(
        EntryRefused, match="1300 for work in process and for what stands against it; expected an account"
    ):
        enter(shop, "journal.export", period=pos)
    with shop.store.read() as connection:
        made = journal_of(connection, closed_period(connection, pos))
    assert made.both == ("1300",)
    assert sum(one.micros for one in made.lines) == 0
    assert [one.line for one in made.lines if one.line == "rounding"] == []
    enter(shop, "account.map", shop.ago(hours=99), line=line, account="4999")
    enter(shop, "journal.export", period=pos)


def test_what_has_no_account_is_no_rounding(shop):
    pos = close(shop, 80)
    enter(shop, "account.map", shop.ago(hours=99), line="wip", withdrawn=True)
    enter(shop, "account.map", shop.ago(hours=99), line="material", withdrawn=True)
    with shop.store.read() as connection:
        made = journal_of(connection, closed_period(connection, pos))
    assert [one[:] for one in made.lines] == [("material", None, 20_000_000), ("material", None, -20_000_000)]
