"""The page of the journal: accounts, export, reversal, and the comparison with the general ledger; its API and files."""

import html
import re

import pytest

from server.ledger.entries import Entry, record_all
from server.ledger.journal_check import recorded_journals

MAPPED = {"wip": "1300", "material": "1200", "labour": "5100", "late": "5900", "rounding": "4999"}


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10, at_us=shop_writer.ago(days=5))
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=3))
    shop_writer.settle()
    shop_writer.say("period.close", shop_writer.ago(days=2), why="month end")
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def accountant(hub_app):
    return hub_app.person("account", "Nora Blum")


def shown(browser, address="/journal"):
    answer = browser.get(address)
    assert answer.status_code == 200
    page = answer.get_data(as_text=True)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).replace("\u00a0", " ").strip()


def send(browser, shop, path, **typed):
    page = browser.get("/journal").get_data(as_text=True)
    fields = {
        name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf_token", "once", "period")
    }
    answer = browser.post(path, data=fields | typed)
    shop.settle()
    return answer


def mapped(browser, shop):
    for line, account in MAPPED.items():
        assert send(browser, shop, "/journal/accounts", line=line, account=account).status_code == 302


def test_a_journal_is_mapped_exported_compared_and_reversed(hub_app, shop, accountant):
    page = shown(accountant)
    assert "Material issued : bar at Saw € 20.00" in page
    assert "Enter the accounts first" in page
    mapped(accountant, shop)
    page = shown(accountant)
    assert "Without an account" not in page
    assert "1300 € 20.00" in page
    assert send(accountant, shop, "/journal/export").status_code == 302
    page = shown(accountant)
    assert "The journal is exported." in page
    assert "Journal 1: the period until" in page
    assert send(accountant, shop, "/journal/balance", account="1300", balance="19.50").status_code == 302
    assert "€ 20.00 € 19.50 \u2212€ 0.50" in shown(accountant)
    assert send(accountant, shop, "/journal/balance", account="1300", balance="-3").status_code == 302
    assert "\u2212€ 3.00 \u2212€ 23.00" in shown(accountant)
    assert send(accountant, shop, "/journal/reverse", number="1", why="<b>wrong</b>").status_code == 302
    page = shown(hub_app.anonymous())
    assert "reverses 1: <b>wrong</b>" in page
    assert "reversed by 2" in page
    assert "Export it" not in page


def test_a_journal_of_a_close_that_was_reopened_is_named_until_it_is_reversed(shop, accountant):
    mapped(accountant, shop)
    send(accountant, shop, "/journal/export")
    assert "is of a close that was reopened" not in shown(accountant)
    shop.say("period.reopen", why="a receipt was missing")
    shop.settle()
    page = accountant.get("/journal").get_data(as_text=True)
    address = page.partition('<p class="warn"><a href="')[2].partition('"')[0]
    assert "Journal 1 is of a close that was reopened. Reverse it before" in shown(accountant)
    assert "No period is closed yet" not in page
    assert "Reverse journal 1" in shown(accountant, address)
    assert send(accountant, shop, "/journal/reverse", number="1", why="anew").status_code == 302
    assert "is of a close that was reopened" not in shown(accountant)


def test_the_api_and_the_files_have_the_same_lines(hub_app, shop, accountant):
    mapped(accountant, shop)
    anonymous = hub_app.anonymous()
    before = anonymous.get("/api/v1/journal").json
    assert before["number"] is None
    assert [(line["account"], line["debit_micros"], line["credit_micros"]) for line in before["lines"]] == [
        ("1300", 20_000_000, 0),
        ("1200", 0, 20_000_000),
    ]
    assert before["balances"] == [{"account": "1300", "opening_micros": 0, "closing_micros": 20_000_000}]
    send(accountant, shop, "/journal/export")
    after = anonymous.get(f"/api/v1/journal?period={before['period']}").json
    assert after["number"] == 1
    assert [line["reference"] for line in after["lines"]] == ["WIP 1/1", "WIP 1/2"]
    assert anonymous.get("/api/v1/journal?number=1").json == after
    rows = anonymous.get("/journal.csv?number=1").get_data(as_text=True).splitlines()
    assert rows[1].endswith(",1300,20.00,,Material issued,WIP 1/1")
    assert anonymous.get("/journal.csv").get_data(as_text=True).splitlines()[1:] == rows[1:]


@pytest.mark.parametrize(
    ("path", "typed", "status", "said"),
    [
        ("/journal/accounts", {"line": "moved", "account": "1"}, 400, "a line of the journal"),
        ("/journal/accounts", {"line": "wip", "account": ""}, 400, "without an account"),
        ("/journal/accounts", {"line": "wip", "account": "1", "component": "bra"}, 400, "a component of a bill"),
        ("/journal/accounts", {"line": "wip", "account": "1", "stage": "x"}, 400, "a stage of the shop"),
        ("/journal/accounts", {"line": "wip", "account": "1", "day": "x"}, 400, "a day such as"),
        ("/journal/accounts", {"line": "wip", "withdrawn": "1"}, 400, "an account that holds"),
        ("/journal/export", {}, 400, "an account for each line"),
        ("/journal/export", {"period": "x"}, 404, "the position of a close"),
        ("/journal/reverse", {"number": "7", "why": "x"}, 409, "a journal that stands"),
        ("/journal/reverse", {"number": "\u0667", "why": "x"}, 400, "journal.reverse"),
        ("/journal/balance", {"account": "1300", "balance": "x"}, 400, "a number in EUR"),
        ("/journal/balance", {"account": "", "balance": "1"}, 400, "account.balance"),
    ],
)
def test_what_is_refused_says_why(shop, accountant, path, typed, status, said):
    answer = send(accountant, shop, path, **typed)
    assert answer.status_code == status
    assert said in html.unescape(answer.get_data(as_text=True))


def test_only_an_accountant_changes_it(hub_app, shop):
    supervisor = hub_app.person("supervise")
    for path in ("accounts", "export", "reverse", "balance"):
        assert send(supervisor, shop, f"/journal/{path}", line="wip", account="1").status_code == 403
    with shop.store.read() as connection:
        assert recorded_journals(connection) == []


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/journal?period=7777777", 404), ("/journal?period=%00", 400), ("/journal.csv?list=x", 400),
        ("/journal.csv?number=x", 404), ("/api/v1/journal?number=5", 404), ("/api/v1/journal?period=0", 404),
        ("/api/v1/journal?period=1&number=1", 400), ("/journal?nope=1", 400), ("/journal?line=%3Cb%3E", 200),
    ],
)  # fmt: skip
def test_an_unknown_journal_is_named(hub_app, shop, address, status):
    assert hub_app.anonymous().get(address).status_code == status


def test_without_a_closed_period_there_is_none(hub_app, shop_writer):
    shop_writer.small_shop()
    shop_writer.settle()
    assert "No period is closed yet" in shown(hub_app.anonymous())
    assert hub_app.anonymous().get("/api/v1/journal").status_code == 404
    assert hub_app.anonymous().get("/journal.csv").status_code == 404


def test_a_stated_account_that_has_no_work_in_process_is_compared_with_nothing(shop, accountant):
    mapped(accountant, shop)
    send(accountant, shop, "/journal/balance", account="1390", balance="7,000,000,000.50")
    assert "1390 € 0.00 € 0.00 € 7,000,000,000.50 € 7,000,000,000.50" in shown(accountant)


def test_a_page_of_many_accounts_has_the_first_rows_of_each_table_and_the_sum_of_all(hub_app, shop, accountant):
    parts = [f"part-{number:04}" for number in range(600)]
    bill = [{"component": part, "qty_milli": 1000} for part in parts]
    made = [
        ("cost.set", {"micros": 1_000_000}), ("account.map", {"line": "wip"}), ("account.map", {"line": "material"}),
    ]  # fmt: skip
    record_all(
        shop.store,
        [Entry("product.define", {"product": "kit", "routing": "line", "bom": bill}, "Kim", shop.ago(days=2))],
    )
    record_all(
        shop.store,
        [
            Entry(what, fields | {"component": part} | account(fields, part), "Kim", shop.ago(days=2))
            for part in parts
            for what, fields in made
        ],
    )
    shop.release("KIT", product="kit", qty=1, at_us=shop.ago(hours=40))
    shop.scan("KIT", "saw", shop.ago(hours=30), station="other-1")
    shop.settle()
    shop.say("period.close", shop.ago(hours=20), why="month end")
    shop.settle()
    answer = accountant.get("/journal")
    assert len(answer.get_data()) < 300_000
    page = shown(accountant)
    assert "and 1,050 more Total € 600.00 € 600.00" in page
    assert page.count(" more ") >= 3
    assert len(accountant.get("/journal.csv").get_data(as_text=True).splitlines()) == 1_201


def account(fields, part):
    return {"account": f"{fields['line']} of {part}"} if "line" in fields else {}
