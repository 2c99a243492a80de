"""The page of obsolete and excess stock, its files, and GET /api/v1/obsolete."""

import html
import re

import pytest

HOSTILE = "<b>=1+1"


@pytest.fixture
def shop(shop_writer):
    """WO-1 is overdue and has two pieces too many, WO-2 is of a replaced product; ten more of 5.00 each are overdue."""
    shop_writer.small_shop()
    shop_writer.say("product.define", 0, product=HOSTILE, name=HOSTILE, routing="line", replaced_by="bracket")
    shop_writer.say("cost.set", 0, product=HOSTILE, op=10, component="labour", basis="unit", micros=100_000)
    shop_writer.release("WO-1", qty=10, due="2020-01-01")
    shop_writer.release("WO-2", product=HOSTILE, qty=3, due="2999-12-31")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=3), qty_milli=12_000)
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(days=2), qty_milli=12_000)
    shop_writer.scan("WO-2", "saw", shop_writer.ago(days=2), qty_milli=3_000)
    shop_writer.scan("WO-2", "deburr", shop_writer.ago(days=1), qty_milli=3_000)
    shop_writer.settle()
    return shop_writer


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip()


def table(page, section):
    part = page.partition(f'<section id="{section}"')[2].partition("</section>")[0]
    rows = re.findall(r"<tr>\s*<t[dh].*?</tr>", part.partition("</thead>")[2], re.DOTALL)
    return [[text_of(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)] for row in rows]


def test_the_page_has_the_stock_by_value_and_the_reasons_counted_once(hub_app, shop):
    page = hub_app.anonymous().get("/obsolete").text
    assert "€ 36.30 in 2 items" in text_of(page).replace("\xa0", " ")
    rows = [[cell.replace("\xa0", " ") for cell in row] for row in table(page, "stock")]
    assert [(row[0], row[3], row[6], row[7]) for row in rows] == [
        ("WO-1", "10 pcs", "overdue", "€ 30.00"),
        ("WO-1", "2 pcs", "more than ordered, overdue", "€ 6.00"),
        ("WO-2", "3 pcs", "product replaced", "€ 0.30"),
    ]
    assert rows[2][1] == f"{HOSTILE} now bracket"
    assert [[cell.replace("\xa0", " ") for cell in row] for row in table(page, "reasons")] == [
        ["product replaced", "1", "€ 0.30", "€ 0.30"],
        ["more than ordered", "1", "€ 6.00", "€ 6.00"],
        ["overdue", "1", "€ 36.00", "€ 30.00"],
        ["All reasons", "", "", "€ 36.30"],
    ]


def test_the_words_of_the_query_choose(hub_app, shop):
    browser = hub_app.anonymous()
    assert [row[3] for row in table(browser.get("/obsolete?reason=excess").text, "stock")] == ["2 pcs"]
    page = browser.get("/obsolete", query_string={"product": HOSTILE, "days": "1", "stage": "deburr"}).text
    assert [row[0] for row in table(page, "stock")] == ["WO-2"]
    assert "Nothing in process here" in text_of(browser.get("/obsolete?stage=pack").text)
    assert [row[0] for row in table(browser.get(f"/obsolete?as_of={shop.ago(days=2.5)}").text, "stock")] == [
        "WO-1",
        "WO-1",
    ]
    for address in ("/obsolete", "/obsolete.csv", "/api/v1/obsolete"):
        for words in ("days=0", "days=x", "days=99999", "reason=old", "as_of=2999-01-01T00:00:00Z"):
            assert browser.get(f"{address}?{words}").status_code == 400, (address, words)
    assert browser.get("/obsolete.csv?list=all").status_code == 400


def test_the_links_keep_the_question(hub_app, shop):
    as_of = shop.ago(hours=1)
    page = hub_app.anonymous().get(f"/obsolete?days=5&stage=deburr&as_of={as_of}").text
    words = "days=5&amp;stage=deburr"
    for link in (f"/obsolete?{words}&amp;as_of={as_of}&amp;reason=excess", f"/obsolete.csv?{words}"):
        assert f'href="{link}' in page
    assert re.search(r'name="days"[^>]*value="5"', page)
    assert '<option value="deburr" selected>' in page


def test_the_files_have_the_stock_and_the_reasons(hub_app, shop):
    browser = hub_app.anonymous()
    lines = browser.get("/obsolete.csv?days=1").text.splitlines()
    assert lines[0].endswith("not_moved_since,days,due,reasons,value,complete")
    assert lines[1].startswith("WO-1,WO-1,bracket,,deburr,here,10,pcs,")
    assert lines[1].endswith(",2,2020-01-01,overdue; not_moved,30.00,yes")
    assert browser.get("/obsolete.csv?list=reasons").text.splitlines()[1:] == [
        "replaced,1,0.30,0.30", "excess,1,6.00,6.00", "overdue,1,36.00,30.00",
    ]  # fmt: skip


def test_the_api_has_the_same_rows_in_pages(hub_app, shop):
    browser, rows, cursor = hub_app.anonymous(), [], ""
    while cursor is not None:
        answer = browser.get("/api/v1/obsolete", query_string={"limit": 1, "cursor": cursor}).json
        assert len(answer["rows"]) == 1
        rows += answer["rows"]
        cursor = answer["cursor"]
    assert [(row["item"], row["qty"], row["reasons"], row["value_micros"]) for row in rows] == [
        ("WO-1", "10", ["overdue"], 30_000_000),
        ("WO-1", "2", ["excess", "overdue"], 6_000_000),
        ("WO-2", "3", ["replaced"], 300_000),
    ]
    assert (rows[2]["product"], rows[2]["replaced_by"], rows[2]["days"]) == (HOSTILE, "bracket", 1)
    assert answer["totals"] == {"items": 2, "value_micros": 36_300_000, "unvalued_items": 0, "all_micros": 36_300_000}
    assert sum(reason["once_micros"] for reason in answer["reasons"]) == 36_300_000
    assert (answer["days"], answer["behind"]) == (90, 0)
    chosen = browser.get("/api/v1/obsolete?reason=excess").json
    assert (chosen["totals"]["value_micros"], chosen["totals"]["all_micros"]) == (6_000_000, 36_300_000)
    assert browser.get("/api/v1/obsolete?cursor=x").status_code == 400
    assert browser.get('/api/v1/obsolete?cursor=["a"]').status_code == 400


def test_value_and_month_end_open_it(hub_app, shop):
    for address in ("/value", "/month-end", "/products"):
        assert 'href="/obsolete"' in hub_app.anonymous().get(address).text, address


def test_an_empty_shop_has_a_page(hub_app):
    assert "Nothing in process is overdue" in text_of(hub_app.anonymous().get("/obsolete").text)
    assert hub_app.anonymous().get("/api/v1/obsolete").json["rows"] == []
