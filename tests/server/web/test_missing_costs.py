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
        "WO-3,WO-3,cover,deburr,5,pcs,the price of sheet; the run time of operation 10",
    ]


def test_each_missing_cost_has_its_product_and_operation_and_opens_its_items(hub_app, shop_writer):
    page = hub_app.anonymous().get("/without-cost").get_data(as_text=True)
    table = page[page.index('<table class="lacks">') : page.index("</table>")]
    rows = [
        [html.unescape(re.sub(r"<[^>]*>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        for row in re.findall(r"<tr><td.*?</tr>", table)
    ]
    assert rows == [
        ["any cost of its product", "tube", "", "", "1"],
        ["its quantity", "", "", "", "1"],
        ["the price of sheet", "each", "", "sheet", "1"],
        ["the run time of operation 10", "cover", "10", "labour", "1"],
    ]
    links = re.findall(r'<a href="([^"]*)" aria-label="Its 1.item"', table)
    opened = [text_of(hub_app.anonymous().get(html.unescape(link)).get_data(as_text=True)) for link in links]
    found = [[item for item in ("LOOSE", "WO-2", "WO-3") if item in text] for text in opened]
    assert found == [["WO-2"], ["LOOSE"], ["WO-3"], ["WO-3"]]


def test_a_run_time_gives_a_cost_per_minute_its_value(hub_app, shop_writer):
    line = [
        {"op": 10 * number, "stage": stage} for number, stage in enumerate(("saw", "deburr", "test", "pack"), start=1)
    ]
    line[0] |= {"run_ms": 45_000, "setup_ms": 1_800_000}
    shop_writer.say("routing.define", 0, routing="line", operations=line)
    shop_writer.say("cost.set", 0, product="cover", op=10, component="labour", basis="minute", micros=800_000)
    shop_writer.say("cost.set", 0, component="sheet", basis="unit", micros=2_000_000)
    shop_writer.settle()
    rows = hub_app.anonymous().get("/without-cost.csv").get_data(as_text=True).splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["LOOSE", "WO-2"]
    answer = hub_app.anonymous().get("/api/v1/wip?by=order").get_json()
    (row,) = (row for row in answer["rows"] if row["key"] == "WO-3")
    # 45 s of run at 0.80 a minute, and of 30 min of set-up a fifth: 0.60 + 4.80, for five.
    assert row["components"] == {"labour": 27_000_000, "sheet": 5_000_000}


def test_a_shop_with_all_costs_says_so(hub_app, store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.settle()
    assert "Every item in process has its cost" in hub_app.anonymous().get("/without-cost").get_data(as_text=True)
