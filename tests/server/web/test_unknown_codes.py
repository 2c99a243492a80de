"""Unknown codes are listed, with the known one that each looks like; they are not in process."""

import html
import json
import re

import pytest
from shop_writer import ShopWriter


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("O-33", "bracket", qty=5)
    shop_writer.scan("O-33", "saw", shop_writer.ago(hours=3))
    shop_writer.scan("O-33 ", "saw", shop_writer.ago(hours=2))
    shop_writer.scan("o-33", "deburr", shop_writer.ago(hours=2))
    shop_writer.scan("o-33", "test", shop_writer.ago(hours=1))
    shop_writer.scan("X-1", "saw", shop_writer.ago(minutes=30))
    shop_writer.settle()
    return shop_writer


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def test_the_page_lists_unknown_codes_the_newest_first_and_the_board_does_not_count_them(hub_app, shop_writer):
    browser = hub_app.anonymous()
    page = text_of(browser.get("/unknown-codes").get_data(as_text=True))
    assert "3 codes name nothing that was released or bound" in page
    assert re.findall(r"(X-1|o-33|\"O-33 \") (O-33)? ?(\d) (?:\d+ \w+ ago)? ?", page)[:3] == [
        ("X-1", "", "1"), ("o-33", "O-33", "2"), ('"O-33 "', "O-33", "1"),
    ]  # fmt: skip
    assert "1 item in process" in text_of(browser.get("/").get_data(as_text=True))
    assert '<a href="/unknown-codes">4</a>' in browser.get("/rules").get_data(as_text=True)
    rows = browser.get("/unknown-codes.csv").get_data(as_text=True).splitlines()
    assert [(row.split(",")[0], row.split(",")[1], row.split(",")[-1]) for row in rows[1:]] == [
        ("X-1", "1", ""), ("o-33", "2", "O-33"), ("O-33 ", "1", "O-33"),
    ]  # fmt: skip


def test_the_api_lists_unknown_codes_in_pages(hub_app, shop_writer):
    browser, cursor, found = hub_app.anonymous(), "", []
    while cursor is not None:
        answer = json.loads(browser.get("/api/v1/unknown-codes", query_string={"limit": 2, "cursor": cursor}).data)
        assert answer["total"] == 3
        found += [(row["code"], row["scans"], row["stage"], row["near"]) for row in answer["codes"]]
        cursor = answer["cursor"]
    assert found == [("O-33 ", 1, "saw", "O-33"), ("X-1", 1, "saw", None), ("o-33", 2, "test", "O-33")]
    assert browser.get("/api/v1/unknown-codes?limit=0").status_code == 400


def test_a_code_that_is_released_leaves_the_list_and_counts(hub_app, shop_writer):
    shop_writer.release("X-1", "bracket", qty=5)
    shop_writer.settle()
    browser = hub_app.anonymous()
    answer = json.loads(browser.get("/api/v1/unknown-codes").data)
    assert [row["code"] for row in answer["codes"]] == ["O-33 ", "o-33"]
    assert "2 items in process" in text_of(browser.get("/").get_data(as_text=True))


def test_a_shop_that_knows_every_code_says_so(hub_app, store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.scan("X-1", "saw", writer.ago(hours=1))
    writer.settle()
    assert "Every code that was scanned is known" in hub_app.anonymous().get("/unknown-codes").get_data(as_text=True)


@pytest.mark.parametrize("typed", ["O\u201333", "O-\u200b33", "\uff2f-33"])
def test_the_search_box_finds_the_known_one_that_a_code_looks_like(hub_app, shop_writer, typed):
    answer = hub_app.anonymous().get("/find", query_string={"q": typed})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/items/O-33")
