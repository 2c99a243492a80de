"""The page of the accuracy of counts, its file and its answer have the same figures."""

import html
import re

import pytest
from counted_shop import counted, opened


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    for number in range(1, 4):
        shop_writer.release(f"WO-{number}", qty=10)
        shop_writer.scan(f"WO-{number}", "saw", shop_writer.ago(hours=9))
    shop_writer.scan("WO-3", "deburr", shop_writer.ago(hours=8))
    opened(shop_writer)
    counted(shop_writer, "WO-1", "saw", 4)
    counted(shop_writer, "WO-2", "saw", 4, qty_milli=8000)
    counted(shop_writer, "WO-3", "deburr", 4)
    shop_writer.settle()
    return shop_writer


def text_of(page):
    plain = re.sub(r"<[^>]*>", " ", page.partition("<main")[2])
    return re.sub(r"\s+", " ", html.unescape(plain)).replace("\u2212", "-")


def test_the_page_the_file_and_the_answer_have_the_same_figures(hub_app, shop):
    browser = hub_app.anonymous()
    page = text_of(browser.get("/count-accuracy").text)
    assert "66.6 % of 3 lines in 1 count agree; least at Saw, 50 %." in page.replace("%", " %").replace("  %", " %")
    assert re.search(r"C-1 \S.* Saw 2 1 50 ?% -€ 4.00 € 4.00", page)
    assert re.search(r"C-1 \S.* Deburr 1 1 100 ?% € 0.00 € 0.00", page)
    only = text_of(browser.get("/count-accuracy?stage=deburr").text)
    assert "100" in only
    assert "-€ 4.00" not in only
    rows = [row.split(",") for row in browser.get("/count-accuracy.csv").text.splitlines()]
    assert [row[:1] + row[3:] for row in rows[1:]] == [
        ["C-1", "deburr", "1", "1", "100.0", "0.00", "0.00", "0"],
        ["C-1", "saw", "2", "1", "50.0", "-4.00", "4.00", "0"],
    ]
    assert len(browser.get("/count-accuracy.csv?stage=saw").text.splitlines()) == 2
    stages = browser.get("/count-accuracy.csv?list=stages").text.splitlines()[1:]
    assert stages == ["saw,2,1,50.0,-4.00,4.00,0", "deburr,1,1,100.0,0.00,0.00,0"]
    assert browser.get("/count-accuracy.csv?list=stages&page=2").text.splitlines()[1:] == []
    assert browser.get("/count-accuracy.csv?list=x").status_code == 400
    answer = browser.get("/api/v1/count-accuracy").json
    assert [one["count"] for one in answer["counts"]] == ["C-1"]
    assert answer["counts"][0]["stages"] == [
        {"stage": "deburr", "lines": 1, "agree": 1, "net_micros": 0, "absolute_micros": 0, "uncosted": 0},
        {"stage": "saw", "lines": 2, "agree": 1, "net_micros": -4_000_000, "absolute_micros": 4_000_000, "uncosted": 0},
    ]
    assert answer["cursor"] is None
    of_stage = browser.get("/api/v1/count-accuracy?stage=saw").json["counts"][0]["stages"]
    assert [one["stage"] for one in of_stage] == ["saw"]


def test_counts_are_in_pages(hub_app, shop):
    browser = hub_app.anonymous()
    for number in range(2, 15):
        opened(shop, hours=5, ended=0.9 - number / 100, name=f"C-{number}", stages=["saw"])
    shop.settle()
    assert "C-2 " not in text_of(browser.get("/count-accuracy").text)
    assert "C-2 " in text_of(browser.get("/count-accuracy?page=2").text)
    assert "Page 3 of 2 is empty" in text_of(browser.get("/count-accuracy?page=3").text)
    assert browser.get("/count-accuracy?page=x").status_code == 400
    first = browser.get("/api/v1/count-accuracy?limit=10").json
    assert [len(first["counts"]), first["counts"][0]["count"], first["cursor"]] == [10, "C-14", "C-5"]
    second = browser.get("/api/v1/count-accuracy?limit=10&cursor=C-5").json
    assert [one["count"] for one in second["counts"]] == ["C-4", "C-3", "C-2", "C-1"]


def test_without_a_finished_count_the_page_says_so(hub_app, shop_writer):
    shop_writer.small_shop()
    shop_writer.settle()
    assert "No count is finished yet." in text_of(hub_app.anonymous().get("/count-accuracy").text)
    assert hub_app.anonymous().get("/api/v1/count-accuracy").json["counts"] == []
