"""The page of the proposed write-down and its files: what is typed decides, and nothing is recorded."""

import html
import re

import pytest
from sqlalchemy import func, select

from server.db.schema import ledger


@pytest.fixture
def shop(shop_writer):
    """WO-1: 10 overdue pieces at Deburr, of 2.00 bar and 1.00 labour; WO-2 has nothing."""
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10, due="2020-01-01")
    shop_writer.release("WO-2", qty=10, due="2999-12-31")
    for order in ("WO-1", "WO-2"):
        shop_writer.scan(order, "saw", shop_writer.ago(days=3), qty_milli=10_000)
        shop_writer.scan(order, "deburr", shop_writer.ago(days=2), qty_milli=10_000)
    shop_writer.say("account.map", 0, line="write_down", account="6900")
    shop_writer.say("account.map", 0, line="write_down", component="labour", account="6910")
    shop_writer.say("account.map", 0, line="write_down_allowance", account="1390")
    shop_writer.settle()
    return shop_writer


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip()


def table(page, section):
    part = page.partition(f'<section id="{section}"')[2].partition("</section>")[0]
    rows = re.findall(r"<tr>\s*<t[dh].*?</tr>", part.partition("</thead>")[2], re.DOTALL)
    return [[text_of(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)] for row in rows]


def test_the_page_has_the_lines_their_parts_and_the_stock(hub_app, shop):
    page = hub_app.anonymous().get("/obsolete/write-down?overdue=33.3").text
    assert "€ 9.99 of € 30.00" in text_of(page)
    assert table(page, "lines") == [
        ["Overdue", "6900", "€ 6.66", ""], ["Overdue", "1390", "", "€ 6.66"],
        ["Overdue", "6910", "€ 3.33", ""], ["Overdue", "1390", "", "€ 3.33"],
        ["Total", "", "€ 9.99", "€ 9.99"],
    ]  # fmt: skip
    assert table(page, "parts") == [
        ["Overdue", "bar", "Deburr", "€ 20.00", "33.3 %", "€ 6.66"],
        ["Overdue", "Labour", "Deburr", "€ 10.00", "33.3 %", "€ 3.33"],
        ["Total", "", "", "€ 30.00", "", "€ 9.99"],
    ]
    assert table(page, "stock") == [["WO-1", "Deburr", "10 pcs", "2 days", "Overdue", "33.3 %", "€ 9.99"]]
    assert re.search(r'name="overdue"[^>]*value="33.3"', page)
    assert re.search(r'name="cancelled"[^>]*value=""', page)


def test_a_page_without_percentages_proposes_some_that_may_be_changed(hub_app, shop):
    page = hub_app.anonymous().get("/obsolete/write-down?days=1").text
    assert "€ 15.00 of € 60.00" in text_of(page)
    assert dict(re.findall(r'name="(\w+)" inputmode="decimal"[^>]*value="([^"]*)"', page)) == {
        "cancelled": "100", "closed": "100", "withdrawn": "50", "replaced": "50", "excess": "50", "overdue": "",
        "not_moved": "25", "not_moved_180": "50", "not_moved_365": "100",
    }  # fmt: skip
    page = hub_app.anonymous().get("/obsolete/write-down?days=1&overdue=&not_moved=").text
    assert "No stock with a cost has a reason with a percentage" in text_of(page)


def test_the_choice_of_the_obsolete_stock_and_the_time_are_kept(hub_app, shop):
    browser, as_of = hub_app.anonymous(), shop.ago(days=2.5)
    page = browser.get(f"/obsolete?reason=overdue&as_of={as_of}").text
    link = html.unescape(re.search(r'href="(/obsolete/write-down[^"]*)"', page)[1])
    page = browser.get(f"{link}&overdue=50").text
    assert table(page, "stock") == [["WO-1", "Saw", "10 pcs", "0 days", "Overdue", "50 %", "€ 10.00"]]
    assert f'<input type="hidden" name="as_of" value="{as_of}">' in page
    file = html.unescape(re.search(r'href="(/obsolete/write-down\.csv[^"]*list=parts)"', page)[1])
    assert browser.get(file).text.splitlines()[1:] == ["overdue,bar,saw,20.00,50,10.00"]


def test_the_files_are_balanced_lines_parts_and_stock(hub_app, shop):
    browser = hub_app.anonymous()
    lines = browser.get("/obsolete/write-down.csv?overdue=33.3").text.splitlines()
    assert lines[0].endswith("date,account,debit,credit,text,reference")
    assert [line.partition(",")[2] for line in lines[1:]] == [
        "6900,6.66,,Proposed write-down: overdue,proposal", "1390,,6.66,Proposed write-down: overdue,proposal",
        "6910,3.33,,Proposed write-down: overdue,proposal", "1390,,3.33,Proposed write-down: overdue,proposal",
    ]  # fmt: skip
    stock = browser.get("/obsolete/write-down.csv?overdue=33.3&list=stock").text.splitlines()
    assert stock[1:] == ["WO-1,WO-1,bracket,deburr,10,pcs,2,overdue,33.3,9.99"]
    assert browser.get("/obsolete/write-down.csv?list=all").status_code == 400


@pytest.mark.parametrize("typed", ["x", "101", "-1", "1.2345"])
def test_a_percentage_that_cannot_be_read_is_stated(hub_app, shop, typed):
    answer = hub_app.anonymous().get(f"/obsolete/write-down?overdue={typed}")
    page = text_of(answer.text)
    assert answer.status_code == 400
    assert f"Nothing is written down. Came: the overdue {typed!r}" in page
    assert re.search(rf'name="overdue"[^>]*value="{typed}"', answer.text)
    assert hub_app.anonymous().get(f"/obsolete/write-down.csv?overdue={typed}").status_code == 400


def test_a_line_without_an_account_opens_the_form_that_enters_it(hub_app, shop):
    shop.say("account.map", line="write_down_allowance", withdrawn=True)
    shop.settle()
    accountant = hub_app.person("account")
    page = accountant.get("/obsolete/write-down?overdue=50").text
    assert [row[1] for row in table(page, "lines")] == ["6900", "no account", "6910", "no account", ""]
    link = html.unescape(re.search(r'href="([^"]*)">no account', page)[1])
    form = accountant.get(link).text
    assert '<option value="write_down_allowance" selected>Allowance for obsolete stock' in form
    assert '<option value="write_down">Write-down of obsolete stock' in form


def test_nothing_is_recorded(hub_app, shop):
    def recorded():
        with shop.store.read() as connection:
            return connection.execute(select(func.count()).select_from(ledger)).scalar_one()

    before, browser = recorded(), hub_app.person("account")
    assert browser.get("/obsolete/write-down?overdue=50").status_code == 200
    assert browser.post("/obsolete/write-down").status_code == 405
    assert recorded() == before
