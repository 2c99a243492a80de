"""The stays and the postings of an item as CSV files: all of them, and the same as the page shows."""

import csv
import io
from collections import defaultdict

import pytest
from shop_writer import ShopWriter

from server.queries import item_moves


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO 1/2", qty=40, at_us=shop_writer.ago(days=2))
    shop_writer.scan("WO 1/2", "saw", shop_writer.ago(hours=5))
    shop_writer.scan("WO 1/2", "deburr", shop_writer.ago(hours=4), qty_milli=30_000)
    shop_writer.scan("WO 1/2", "deburr", shop_writer.ago(hours=3), action="scrap", qty_milli=2_500, reason="crack")
    shop_writer.settle()
    return shop_writer


def rows(hub_app, name):
    answer = hub_app.anonymous().get("/item.csv", query_string={"code": "WO 1/2", "list": name})
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True).lstrip("\ufeff"))))


def test_the_postings_sum_to_what_is_there(hub_app, shop_writer):
    postings = rows(hub_app, "postings")
    there = defaultdict(float)
    for row in postings:
        there[row["from"], row["from_stage"]] -= float(row["quantity"])
        there[row["to"], row["to_stage"]] += float(row["quantity"])
    assert sum(there.values()) == 0
    assert there["scrapped", "deburr"] + there["in work", "deburr"] + there["in work", "saw"] == 40
    assert [row["number"] for row in postings] == [str(n) for n in range(1, len(postings) + 1)]


def test_the_stays_have_their_times_and_their_event(hub_app, shop_writer):
    stays = rows(hub_app, "stays")
    at_saw = [row for row in stays if row["stage"] == "saw"]
    assert sorted(row["quantity"] for row in at_saw) == ["10", "30"]
    assert [row["until"] != "" for row in sorted(at_saw, key=lambda row: row["quantity"])] == [False, True]
    assert all(row["event"].isdecimal() and row["from"] < (row["until"] or "9") for row in stays)


def test_a_file_has_more_postings_than_the_page(hub_app, shop_writer):
    for n in range(item_moves.MOST + 5):
        shop_writer.scan(
            "WO 1/2", ("deburr", "test")[n % 2], shop_writer.ago(minutes=100) + n * 1_000_000, qty_milli=1_000
        )
    shop_writer.settle()
    assert len(rows(hub_app, "postings")) > item_moves.MOST
    page = hub_app.anonymous().get("/items", query_string={"code": "WO 1/2"}).get_data(as_text=True)
    assert page.count("/item.csv?code=WO+1%2F2&amp;list=") == 4


def test_other_lists_and_other_items_are_named(hub_app, shop_writer):
    asked = hub_app.anonymous().get
    assert asked("/item.csv?code=WO%201%2F2&list=all").status_code == 400
    for query in ("", "?code=nothing", "?list=stays"):
        assert asked(f"/item.csv{query}").status_code == 404, query
