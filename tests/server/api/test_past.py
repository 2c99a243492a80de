"""Past answers: every address of work in process, items, orders and stages has `as_of` and `known`."""

import pytest
from shop_writer import ShopWriter

from server.api.format import time as utc_text

ADDRESSES = ("/api/v1/wip?by=item", "/api/v1/items/WO-1", "/api/v1/orders", "/api/v1/stages")
VOLATILE = {"pos", "behind", "behind_s", "recalculating", "known", "page", "older"}


@pytest.fixture
def shop(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    return shop_writer


def get(hub_app, address, status=200, **words):
    answer = hub_app.anonymous().get(address, query_string={**dict(_split(address)), **words})
    assert answer.status_code == status, answer.text
    return answer.json


def _split(address):
    query = address.partition("?")[2]
    return [tuple(part.split("=")) for part in query.split("&") if part]


def test_an_order_that_was_released_later_has_its_product_and_value_in_the_past(hub_app, shop):
    shop.scan("WO-1", "saw", shop.ago(hours=9), qty_milli=5_000)
    shop.scan("WO-1", "deburr", shop.ago(hours=5))
    shop.settle()
    before = shop.projector.pos
    shop.release("WO-1", qty=5, at_us=shop.ago(hours=1))
    shop.settle()
    then = utc_text(shop.ago(hours=7))
    (row,) = get(hub_app, "/api/v1/wip", by="product", as_of=then)["rows"]
    assert (row["key"], row["qty"], row["value_micros"]) == ("bracket", "5", 10_000_000)
    item = get(hub_app, "/api/v1/items/WO-1", as_of=then)
    assert (item["product"], item["order"]) == ("bracket", "WO-1")
    assert [(one["operation"], one["stage"], one["qty"]) for one in item["parcels"]] == [(10, "saw", "5")]
    (order,) = get(hub_app, "/api/v1/orders", as_of=then)["orders"]
    assert (order["order"], order["product"], order["ordered"], order["value_micros"]) == (
        "WO-1",
        "bracket",
        "5",
        10_000_000,
    )
    stages = get(hub_app, "/api/v1/stages", as_of=then)["stages"]
    assert [row["stage"] for row in stages if row["items"]] == ["saw"]
    (unknown,) = get(hub_app, "/api/v1/wip", by="product", as_of=then, known=str(before))["rows"]
    assert (unknown["key"], unknown["value_micros"]) == (None, None)
    assert get(hub_app, "/api/v1/items/WO-1", as_of=then, known=str(before))["product"] is None
    assert get(hub_app, "/api/v1/orders", as_of=then, known=str(before))["orders"] == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_recorded_answer_is_given_again_for_its_time_and_position(hub_app, shop, address):
    """Between the answers, prices change, entries are back-dated, scans are voided and corrected, codes are bound."""
    was = []
    steps = (
        lambda: shop.release("WO-1", at_us=shop.ago(days=3)),
        lambda: shop.scan("WO-1", "saw", shop.ago(days=2)),
        lambda: shop.scan("WO-1", "deburr", shop.ago(days=1), qty_milli=15_000),
        lambda: shop.say("cost.set", 0, component="bar", basis="unit", micros=9_000_000),
        lambda: shop.say("void", log=shop.log("deburr-1").log_id.hex(), seq=2, why="not there"),
        lambda: shop.scan("TAG-7", "saw", shop.ago(hours=8), qty_milli=2_000),
        lambda: shop.say("code.bind", None, code="TAG-7", to="WO-2", as_="item"),
        lambda: shop.release("WO-2", "tube", qty=9, at_us=shop.ago(days=4)),
        lambda: shop.say("checkin", shop.ago(hours=30), code="WO-1", stage="test", qty_milli=3_000),
        lambda: shop.say("order.change", None, order="WO-1", priority=3, due="2026-12-24"),
        lambda: shop.say("order.close", None, order="WO-1", how="complete"),
    )
    for step in steps:
        step()
        shop.settle()
        answer = hub_app.anonymous().get(address)
        if answer.status_code == 200:
            name = address.partition("?")[0]
            was.append((name, dict(_split(address)), answer.json))
    for name, words, answer in was:
        again = get(hub_app, name, **words, known=str(answer["pos"]), as_of=answer["as_of"])
        for field in answer.keys() - VOLATILE:
            assert again[field] == answer[field], (answer["pos"], field)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    ("word", "value"), [("as_of", "yesterday"), ("as_of", "2999-01-01"), ("known", "-1"), ("known", "9999")]
)
def test_a_wrong_time_or_position_is_refused(hub_app, shop, address, word, value):
    refused = get(hub_app, address.partition("?")[0], 400, **{word: value})["error"]
    assert refused["came"].startswith(f"{word} '{value}'")
