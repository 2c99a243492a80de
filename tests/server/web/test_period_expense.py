"""The page of the expense of a period, its file and its answer have the same figures."""

import html
import re

import pytest

from server.locale_format import LocaleFormat
from server.queries.period_expense import ExpenseCause
from server.web.expense_picture import compared, expense_picture, expense_sentence


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=9))
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=8))
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=7), action="scrap", qty_milli=2_000, reason="burr")
    shop_writer.scan(
        "WO-1", "deburr", shop_writer.ago(hours=6), action="rework", qty_milli=3_000, to="saw", reason="burr"
    )
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=5), qty_milli=3_000)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=4), action="out", qty_milli=3_000)
    shop_writer.settle()
    return shop_writer


def words(shop):
    return {"from": shop.ago(hours=10), "to": shop.now_us}


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def test_the_page_the_file_and_the_answer_have_the_same_figures(hub_app, shop):
    browser = hub_app.anonymous()
    page = text_of(browser.get("/rollforward/expense", query_string=words(shop)).text)
    assert "Burr left 2 pcs € 4.00 € 2.00 € 6.00 Total € 4.00 € 2.00 € 6.00" in page
    assert "10 Saw line Burr left 3 pcs € 3.00 € 3.00 Total € 3.00 € 3.00" in page
    rows = browser.get("/rollforward/expense.csv", query_string=words(shop)).text.splitlines()
    assert rows[1:] == [
        "abnormal_scrap,burr,,,,2,pcs,4.00,2.00,0.00,0.00,6.00,0",
        "rework,burr,line,10,saw,3,pcs,0.00,3.00,0.00,0.00,3.00,0",
    ]
    rework = browser.get("/rollforward/expense.csv", query_string=words(shop) | {"list": "rework"}).text.splitlines()
    assert rework[1:] == rows[2:]
    assert browser.get("/rollforward/expense.csv?list=all").status_code == 400
    answer = browser.get("/api/v1/rollforward/expense", query_string=words(shop)).json
    assert answer["total_micros"] == 9_000_000
    assert [(row["cause"], row["reason"], row["op"], row["qty_milli"], row["micros"]) for row in answer["rows"]] == [
        ("abnormal_scrap", "burr", None, 2_000, 6_000_000),
        ("rework", "burr", 10, 3_000, 3_000_000),
    ]
    totals = browser.get("/api/v1/rollforward", query_string=words(shop)).json["totals"]
    assert totals["lines"]["abnormal_scrap"] == -6_000_000


def test_the_roll_forward_opens_the_expense_of_the_same_period(hub_app, shop):
    page = hub_app.anonymous().get("/rollforward", query_string=words(shop)).text
    address = html.unescape(re.search(r'href="(/rollforward/expense[^"]*)"', page)[1])
    assert f"from={shop.ago(hours=10)}" in address
    assert "€ 6.00" in text_of(hub_app.anonymous().get(address).text)


def test_a_period_without_any_says_so_and_one_that_ends_before_it_begins_is_refused(hub_app, shop):
    empty = {"from": shop.ago(hours=3), "to": shop.ago(hours=2)}
    page = text_of(hub_app.anonymous().get("/rollforward/expense", query_string=empty).text)
    assert "No abnormal scrap in this period." in page
    assert "No operation was passed again in this period." in page
    turned = {"from": shop.ago(hours=2), "to": shop.ago(hours=3)}
    assert hub_app.anonymous().get("/rollforward/expense", query_string=turned).status_code == 400


def test_the_picture_compares_each_reason_with_the_period_before(hub_app, shop):
    browser = hub_app.anonymous()
    between = {"from": shop.ago(hours=6.5), "to": shop.ago(hours=2.5)}  # before it, as long: the scrap of 7 hours ago
    page = browser.get("/rollforward/expense", query_string=between).text
    assert "Scrap and rework cost € 3.00, € 3.00 less than from" in text_of(page)
    assert "Most of it is Rework: Burr left with € 3.00." in text_of(page)
    bars = re.findall(r'<a href="([^"]*)" aria-label="([^"]*)"', page.partition('<svg class="path')[2])
    by_title = {html.unescape(title): html.unescape(address) for address, title in bars}
    assert "€ 6.00" in text_of(browser.get(by_title["Scrap: Burr left, before: €\xa06.00"]).text)
    rows = browser.get("/rollforward/expense.csv", query_string=between | {"list": "reasons"}).text.splitlines()
    assert rows == ["\ufeffcause,reason,amount,before", "abnormal_scrap,burr,0.00,6.00", "rework,burr,3.00,0.00"]


def test_a_bar_is_as_long_as_its_share_of_the_greatest_amount():
    reasons = compared(
        {(ExpenseCause.SCRAP, "burr"): 40, (ExpenseCause.REWORK, None): 10},
        {(ExpenseCause.SCRAP, "burr"): 20, (ExpenseCause.SCRAP, "crack"): 80},
        str.upper,
    )
    assert [(one.name, one.micros, one.before_micros) for one in reasons] == [
        ("Scrap: CRACK", 0, 80), ("Scrap: BURR", 40, 20), ("Rework: no reason", 10, 0),
    ]  # fmt: skip
    bars = [(now.width, was.width) for _, now, was in expense_picture(reasons, LocaleFormat()).rows]
    whole = bars[0][1]
    assert bars == [(0.0, whole), (whole / 2, whole / 4), (round(whole / 8, 1), 0.0)]
    assert expense_picture([], LocaleFormat()) is None
    assert expense_picture(reasons * 5, LocaleFormat()).more == 3
    assert (
        expense_sentence([], "before", LocaleFormat())
        == "Scrap and rework cost €\xa00.00, as much as before (€\xa00.00)."
    )


def test_a_reason_with_markup_is_shown_as_text(hub_app, shop):
    shop.scan("WO-1", "deburr", shop.ago(hours=3), action="scrap", reason="<script>")
    shop.settle()
    page = hub_app.anonymous().get("/rollforward/expense", query_string=words(shop)).text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page.partition("<main")[2]
