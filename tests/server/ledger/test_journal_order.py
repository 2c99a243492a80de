"""Exported journals follow each other without a gap, on closes that hold, whatever was reopened, closed again or changed."""

import zlib

import pytest
from journal_shop import close, enter, journal_shop, journals, stands
from sqlalchemy import select, update

from server.accounting.journal_export import journal_of
from server.accounting.period_close import record_entries
from server.db.schema import period_listing
from server.ledger.entries import Entry, EntryRefused, record_all
from server.queries.closed_periods import closed_period


@pytest.fixture
def shop(shop_writer):
    return journal_shop(shop_writer)


def made_of(shop, pos):
    """The journal of a close, as it would be exported."""
    with shop.store.read() as connection:
        return journal_of(connection, closed_period(connection, pos))


def test_a_period_between_is_exported_first(shop):
    one, two, three = (close(shop, hours) for hours in (80, 50, 20))
    enter(shop, "journal.export", period=one)
    with pytest.raises(EntryRefused, match="Export the journals of the periods between first") as caught:
        enter(shop, "journal.export", period=three)
    assert caught.value.status == 409
    enter(shop, "journal.export", period=two)
    enter(shop, "journal.export", period=three)
    assert [[balance[1:] for balance in made["balances"]] for made in journals(shop)] == [
        [[0, 20_000_000]], [[20_000_000, 40_000_000]], [[40_000_000, 60_000_000]],
    ]  # fmt: skip


def test_a_shop_may_begin_with_the_journal_of_any_period(shop):
    close(shop, 80)
    enter(shop, "journal.export", period=close(shop, 50))
    assert journals(shop)[0]["balances"] == [["1300", 20_000_000, 40_000_000]]


def test_a_journal_whose_period_was_closed_again_is_reversed_before_the_next_one(shop):
    enter(shop, "journal.export", period=close(shop, 80))
    enter(shop, "period.reopen", why="a price was wrong")
    enter(shop, "cost.set", shop.ago(hours=95), component="bar", basis="unit", micros=3_000_000)
    again = close(shop, 80)
    two = close(shop, 50)
    for line in made_of(shop, two).lines:
        assert line.line == "material"  # nothing is opened on figures that do not hold
    with pytest.raises(EntryRefused, match="It was reopened: reverse journal 1 first") as caught:
        enter(shop, "journal.export", period=two)
    assert caught.value.status == 409
    enter(shop, "journal.reverse", journal=1, why="closed again")
    for pos in (again, two):
        enter(shop, "journal.export", period=pos)
    assert stands(shop) == [3, 4]
    assert [made["balances"] for made in journals(shop) if "balances" in made] == [
        [["1300", 0, 20_000_000]], [["1300", 0, 30_000_000]], [["1300", 30_000_000, 60_000_000]],
    ]  # fmt: skip
    for made in journals(shop):
        assert sum(micros for _, _, micros in made["lines"]) == 0


def test_no_journal_is_made_of_a_listing_that_is_not_the_stored_one(shop):
    pos = close(shop, 80)
    with shop.store.write() as connection:
        content = zlib.decompress(bytes(connection.execute(select(period_listing.c.content)).scalar_one()))
        changed = zlib.compress(content.replace(b"20000000", b"90000000"))
        connection.execute(update(period_listing).values(content=changed))
    assert made_of(shop, pos) is None
    with pytest.raises(EntryRefused, match="without movements of its own"):
        enter(shop, "journal.export", period=pos)


def test_an_account_that_is_not_projected_yet_is_in_no_journal_by_chance(shop):
    pos = close(shop, 80)
    record_entries(
        shop.store, [Entry("account.map", {"line": "material", "account": "1200"}, "Kim", shop.ago(hours=99))]
    )
    with pytest.raises(EntryRefused, match="accounts that are up to date") as caught:
        record_entries(shop.store, [Entry("journal.export", {"period": pos}, "Kim")])
    assert caught.value.status == 409
    shop.settle()
    enter(shop, "journal.export", period=pos)
    assert journals(shop)[0]["lines"][1] == ["material", "1200", -20_000_000]


@pytest.mark.parametrize(
    "account", ["1300\n", "13\t00", "\u202e0031", "0\x7f", "\u200b", "13\u200b00", "1300\u2028", "13\x00"]
)
@pytest.mark.parametrize("what", ["account.map", "account.balance"])
def test_an_account_has_no_character_that_cannot_be_seen(shop, what, account):
    pos = close(shop, 80)
    fields = {"account.map": {"line": "wip"}, "account.balance": {"period": pos, "micros": 1}}
    with pytest.raises(EntryRefused):
        enter(shop, what, account=account, **fields[what])


@pytest.mark.parametrize("account", ["\U0001f600" * 40, "=1+1", "מלאי 1300", "0100", "-1", '"><b>'])
def test_an_account_may_have_any_other_character(shop, account):
    enter(shop, "account.map", shop.ago(hours=99), line="wip", account=account)
    enter(shop, "journal.export", period=close(shop, 80))
    assert journals(shop)[0]["balances"] == [[account, 0, 20_000_000]]


def test_a_balance_is_of_a_close(shop):
    pos = close(shop, 80)
    enter(shop, "account.balance", account="1300", period=pos, micros=-5)
    with pytest.raises(EntryRefused, match="which is no close"):
        enter(shop, "account.balance", account="1300", period=pos + 1, micros=5)


def test_a_period_without_a_movement_has_a_journal_without_lines(shop):
    for hours in (80, 79, 50):
        enter(shop, "journal.export", period=close(shop, hours))
    _, empty, last = journals(shop)
    assert (empty["number"], empty["lines"], empty["balances"]) == (2, [], [["1300", 20_000_000, 20_000_000]])
    assert last["balances"] == [["1300", 20_000_000, 40_000_000]]
    for number in (3, 2):
        enter(shop, "journal.reverse", journal=number, why="x")
    assert journals(shop)[-1]["lines"] == []
    assert stands(shop) == [1]


def test_voids_of_everything_take_the_whole_value_back_in_the_next_journal(shop):
    enter(shop, "journal.export", period=close(shop, 50))
    for log in shop.logs.values():
        for seq in range(2, log.sent + 1):
            enter(shop, "void", log=log.log_id.hex(), seq=seq, why="x")
    enter(shop, "journal.export", period=close(shop, 20))
    made = journals(shop)[1]
    assert made["balances"] == [["1300", 40_000_000, 0]]
    assert made["lines"] == [["late", "4000", 40_000_000], ["late", "1300", -40_000_000]]


def test_a_journal_of_too_many_accounts_is_refused_with_what_to_do(shop):
    bill = [{"component": f"part-{number:04}", "qty_milli": 1000} for number in range(600)]
    enter(shop, "product.define", shop.ago(hours=110), product="kit", routing="line", bom=bill)
    entries = [
        Entry(what, fields | {"component": part["component"]}, "Kim", shop.ago(hours=110))
        for part in bill
        for what, fields in (
            ("cost.set", {"micros": 1_000_000}),
            ("account.map", {"line": "wip", "account": f"account of {part['component']}"}),
        )
    ]
    record_all(shop.store, entries)
    shop.release("KIT", product="kit", qty=1, at_us=shop.ago(hours=100))
    shop.scan("KIT", "saw", shop.ago(hours=99), station="other")
    shop.settle()
    pos = close(shop, 80)
    assert len(made_of(shop, pos).lines) > 1000
    with pytest.raises(EntryRefused, match="Name fewer accounts in the account map"):
        enter(shop, "journal.export", period=pos)
    assert journals(shop) == []
