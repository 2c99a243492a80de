"""The value page, its file and /api/v1/value: the same figures, each row opens to its items, and wrong words are named."""

import csv
import io
import itertools
import re

import pytest

from server.queries.value_slices import ValueBy


def answered(hub_app, **words):
    answer = hub_app.anonymous().get("/api/v1/value", query_string=words)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def page(hub_app, **words):
    answer = hub_app.anonymous().get("/value", query_string=words)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def filed(hub_app, **words):
    text = hub_app.anonymous().get("/value.csv", query_string=words).get_data(as_text=True)
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))


def cents(text):
    return round(float(text or 0) * 100)


def test_page_file_and_answer_have_the_same_total(hub_app, full):
    total = answered(hub_app)["totals"]["value_micros"]
    for by, across in itertools.product(("stage", "component", "age"), ("component", "stage", "customer")):
        words = {"by": by, "across": across}
        assert answered(hub_app, **words)["totals"]["value_micros"] == total
        rows = filed(hub_app, **words)
        assert sum(cents(row["value"]) for row in rows) == (total + 5_000) // 10_000
        columns = [name for name in rows[0] if name not in (by, "items", "quantity", "unit", "value")]
        assert all(sum(cents(row[name]) for name in columns) == cents(row["value"]) for row in rows)
    shown = re.search(r"<b>€\xa0([\d,.]+)</b> in", page(hub_app))[1]
    assert cents(shown.replace(",", "")) == (total + 5_000) // 10_000


@pytest.mark.parametrize("by", list(ValueBy))
def test_the_page_of_each_slicing_opens_its_items(hub_app, full, by):
    text = page(hub_app, by=by.value)
    links = re.findall(r'href="(/value\?[^"]*by=item[^"]*)" aria-label="Its', text)
    if by == ValueBy.ITEM:
        assert links == []
        assert 'href="/items/WO-' in text
        return
    assert len(links) == text.count('aria-label="Its')
    for link in links:
        opened = hub_app.anonymous().get(link.replace("&amp;", "&"))
        assert opened.status_code == 200
        assert "<tbody>" in opened.get_data(as_text=True)


def test_rows_are_limited_by_the_cursor_and_none_is_left_out(hub_app, full):
    whole = answered(hub_app, by="item")["rows"]
    found, cursor = [], ""
    while cursor is not None:
        answer = answered(hub_app, by="item", limit=3, cursor=cursor)
        assert answer["totals"]["items"] == len({row["key"] for row in whole})
        found, cursor = found + answer["rows"], answer["cursor"]
    assert found == whole


def test_the_past_has_its_value_and_a_selection_its_own(hub_app, full):
    at = full.ago(days=2)
    past = answered(hub_app, as_of=at)
    assert past["totals"]["value_micros"] != answered(hub_app)["totals"]["value_micros"]
    at_saw = answered(hub_app, by="item", stage="saw")
    (row, *others) = [row for row in answered(hub_app)["rows"] if row["key"] == "saw"]
    assert others == []
    assert at_saw["totals"]["items"] == row["items"]
    assert answered(hub_app, stage="")["totals"]["items"] < answered(hub_app)["totals"]["items"]
    assert "Only stage <b>Saw</b>" in re.sub(r"[\u2068\u2069]", "", page(hub_app, by="item", stage="saw"))


def test_an_empty_shop_says_where_value_comes_from(hub_app, shop_writer):
    assert "Value begins with the first scan" in page(hub_app)
    assert answered(hub_app)["rows"] == []
    assert filed(hub_app) == []


@pytest.mark.parametrize("address", ["/value", "/value.csv", "/api/v1/value"])
@pytest.mark.parametrize("words", ["by=colour", "across=x", "as_of=yesterday", "as_of=2199-01-01T00:00", "colour=red"])
def test_wrong_words_are_named(hub_app, full, address, words):
    answer = hub_app.anonymous().get(f"{address}?{words}", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert "xpected" in answer.get_data(as_text=True)


def test_many_columns_are_one_column_and_all_are_in_the_file(hub_app, full):
    text = page(hub_app, by="stage", across="customer")
    assert "more</th>" not in text
    wide = page(hub_app, by="stage", across="item")
    count = len(answered(hub_app, across="item")["totals"]["parts"])
    assert f"{count - 8} more</th>" in wide
    assert len(filed(hub_app, across="item")[0]) == 5 + count


def test_the_money_of_the_board_and_of_an_item_open_what_they_add_up(hub_app, full):
    board = hub_app.anonymous().get("/").get_data(as_text=True)
    links = re.findall(r'<a class="open" href="(/value[^"]*)">', board)
    assert links[0] == "/value"
    assert "/value?by=item&amp;stage=saw" in [link.replace("&amp;amp;", "&amp;") for link in links]
    at = full.ago(days=1)
    then = hub_app.anonymous().get(f"/?as_of={at}").get_data(as_text=True)
    assert f'href="/value?as_of={at}"' in then
    of_items = page(hub_app, by="item", stage="saw")
    (first, *_) = re.findall(r'<a href="([^"]*#accounts)">postings</a>', of_items)
    assert 'id="accounts"' in hub_app.anonymous().get(first).get_data(as_text=True)


def test_a_component_that_is_made_here_opens_to_its_own_bill(hub_app, shop_writer):
    say = shop_writer.say
    shop_writer.small_shop()
    say("product.define", 0, product="frame", name="Frame", routing="line",
        bom=[{"component": "bracket", "qty_milli": 2_000, "operation": 10}])  # fmt: skip
    say("cost.set", 0, component="bracket", basis="unit", micros=3_500_000)
    shop_writer.release("WO-9", "frame", qty=10)
    shop_writer.scan("WO-9", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    link = re.search(r'<a href="(/value/bill[^"]*)">Bracket</a>', page(hub_app, by="component"))[1]
    text = re.sub(r"<[^>]+>|[\u2068\u2069]", "", hub_app.anonymous().get(link).get_data(as_text=True))
    assert "In process: 20\xa0pcs, worth €\xa070" in text
    assert "Valued at the entered price of €\xa03.50; by its bill one costs €\xa03.00, €\xa00.50 less" in text
    rows = hub_app.anonymous().get("/value/bill.csv?component=bracket").get_data(as_text=True).splitlines()
    assert rows[1:] == ["10,bar,yes,2.00,40.00", "10,labour,no,1.00,20.00"]
    assert 'href="/value/bill' not in page(hub_app, by="stage")
    for component in ("bar", "nothing", "labour"):
        assert hub_app.anonymous().get(f"/value/bill?component={component}").status_code == 404


def test_a_component_without_a_price_is_valued_by_its_bill_and_a_lacking_bill_is_named(hub_app, shop_writer):
    say = shop_writer.say
    shop_writer.small_shop()
    bom = [{"component": "bracket", "qty_milli": 2_000, "operation": 10}]
    say("product.define", 0, product="frame", name="Frame", routing="line", bom=bom)
    shop_writer.release("WO-9", "frame", qty=10)
    shop_writer.scan("WO-9", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    text = re.sub(r"<[^>]+>|[\u2068\u2069]", "", hub_app.anonymous().get("/value/bill?component=bracket").text)
    assert "worth €\xa060.00" in text or "worth €\xa060" in text
    assert "No price is entered: it is valued with the cost by its bill, €\xa03.00 for one." in text
    say("cost.set", shop_writer.ago(minutes=1), component="bar", withdrawn=True)
    shop_writer.settle()
    text = re.sub(r"<[^>]+>", "", hub_app.anonymous().get("/value/bill?component=bracket").text)
    assert "No price is entered and its bill lacks a cost" in text
    assert "the price of bracket, or a cost of its own bill" in hub_app.anonymous().get("/without-cost").text
