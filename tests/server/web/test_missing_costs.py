"""The page behind "+ n without cost": the same items as the figure, and the cost that each of them lacks."""

import html
import re

import pytest
from shop_writer import ShopWriter


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.say(
        "product.define",
        0,
        product="cover",
        name="Cover",
        routing="line",
        bom=[{"component": "sheet", "qty_milli": 500}],
    )
    shop_writer.say("cost.set", 0, product="cover", op=10, component="labour", basis="minute", micros=1)
    for order, product in (("WO-1", "bracket"), ("WO-2", "tube"), ("WO-3", "cover")):
        shop_writer.release(order, product, qty=5)
        shop_writer.scan(order, "deburr" if order == "WO-3" else "saw", shop_writer.ago(hours=2))
    shop_writer.say("code.bind", 0, code="LOOSE", as_="item", to="LOOSE")
    shop_writer.scan("LOOSE", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    return shop_writer


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def test_each_number_without_cost_opens_its_items_with_what_they_lack(hub_app, shop_writer):
    browser = hub_app.anonymous()
    board = browser.get("/").get_data(as_text=True)
    links = re.findall(r'<a class="open" href="([^"]+)">(\d+) without cost', board)
    assert links == [("/without-cost", "3"), ("/without-cost?stage=saw", "2"), ("/without-cost?stage=deburr", "1")]
    for address, count in links:
        page = text_of(browser.get(address).get_data(as_text=True))
        assert f"{count} item" in page
    rows = browser.get("/without-cost.csv").get_data(as_text=True).splitlines()[1:]
    assert [row.replace("\xa0", " ") for row in rows] == [
        "LOOSE,LOOSE,,saw,,pcs,its quantity",
        "WO-2,WO-2,tube,saw,5,m,any cost of its product",
        "WO-3,WO-3,cover,deburr,5,pcs,the price of sheet; labour of operation 10",
    ]


def test_a_shop_with_all_costs_says_so(hub_app, store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.settle()
    assert "Every item in process has its cost" in hub_app.anonymous().get("/without-cost").get_data(as_text=True)
