"""Past pages: the board, stages, items, orders and missing costs as of a time and as known at a position."""

import re
from html import unescape

import pytest
from shop_writer import ShopWriter

from server.api.format import time as utc_text

PAGES = ("/", "/stages/saw", "/items/WO-1", "/orders", "/without-cost")
FILES = ("/stage.csv?stage=saw", "/item.csv?code=WO-1", "/orders.csv", "/without-cost.csv")


@pytest.fixture
def shop(store):
    """WO-1 is scanned at Saw, later at Deburr, and released after that; WO-2 is back-dated and not started."""
    shop = ShopWriter(store)
    shop.small_shop()
    shop.scan("WO-1", "saw", shop.ago(hours=9), qty_milli=5_000)
    shop.scan("WO-1", "deburr", shop.ago(hours=5))
    shop.settle()
    shop.before = shop.projector.pos
    shop.release("WO-1", qty=5, at_us=shop.ago(hours=1))
    shop.release("WO-2", qty=8, at_us=shop.ago(days=2))
    shop.say("void", log=shop.log("deburr-1").log_id.hex(), seq=2, why="not there")
    shop.say("cost.set", 0, component="bar", basis="unit", micros=4_000_000)
    shop.settle()
    return shop


def text(hub_app, address, **words):
    answer = hub_app.person("supervise").get(address, query_string=words)
    assert answer.status_code == 200, (address, answer.text[:300])
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", answer.text.partition("<main")[2])))


def test_a_late_release_gives_the_past_its_product_and_value_on_every_page(hub_app, shop):
    then = utc_text(shop.ago(hours=7))
    assert "5 pcs" in text(hub_app, "/", as_of=then)
    assert "WO-1 Bracket 5" in text(hub_app, "/stages/saw", as_of=then)
    assert "Bracket" in text(hub_app, "/items/WO-1", as_of=then)
    assert "Bracket" in text(hub_app, "/orders", as_of=then, q="WO-1")
    assert "WO-1" not in text(hub_app, "/without-cost", as_of=then)
    unknown = {"as_of": then, "known": str(shop.before)}
    assert "WO-1 5" in text(hub_app, "/stages/saw", **unknown)
    assert "of no known product" in text(hub_app, "/items/WO-1", **unknown)
    assert "WO-1" not in text(hub_app, "/orders", **unknown)
    assert "its product" in text(hub_app, "/without-cost", **unknown)


def test_a_past_board_from_memory_is_the_one_from_rows(hub_app, shop):
    times = [utc_text(shop.ago(hours=hours)) for hours in (0.5, 3, 7, 30, 90)]
    from_rows = [text(hub_app, "/", as_of=then) for then in times]
    assert len(set(from_rows)) == len(times)
    text(hub_app, "/")
    assert [text(hub_app, "/", as_of=then) for then in times] == from_rows


def test_the_lists_of_a_past_stage_are_those_of_that_time(hub_app, shop):
    shop.release("WO-3", qty=7, at_us=shop.ago(days=3))
    shop.scan("WO-3", "saw", shop.ago(hours=9))
    shop.scan("WO-3", "deburr", shop.ago(hours=5))
    shop.settle()
    for hours, stage, other, since in ((7, "saw", "deburr", "2 h"), (1, "deburr", "saw", "4 h")):
        then = utc_text(shop.ago(hours=hours))
        run_next = text(hub_app, f"/stages/{stage}", as_of=then).partition("On hold")[0]
        assert "WO-3" in run_next
        assert since in run_next.replace("\xa0", " ")
        assert "WO-3" not in text(hub_app, f"/stages/{other}", as_of=then).partition("Arrives next")[0]
        rows = hub_app.anonymous().get("/stage.csv", query_string={"stage": stage, "as_of": then}).text
        assert "WO-3" in rows


def test_a_page_uses_what_was_known_at_the_position(hub_app, shop):
    known = {"known": str(shop.before)}
    assert "Nothing is here to run" in text(hub_app, "/stages/saw", **known)
    assert "WO-1" in text(hub_app, "/stages/deburr", **known)
    assert "WO-1" in text(hub_app, "/stages/saw")
    csv = hub_app.anonymous().get("/stage.csv", query_string={"stage": "deburr", **known}).text
    assert "WO-1" in csv
    stays = hub_app.anonymous().get("/item.csv", query_string={"code": "WO-1", **known}).text
    assert [line.partition(",")[0] for line in stays.splitlines()[1:]] == ["saw", "deburr"], "the void came later"
    listed = hub_app.anonymous().get("/orders.csv", query_string=known).text
    assert ("WO-1" in listed, "WO-2" in listed) == (False, False)
    assert "WO-2" in hub_app.anonymous().get("/orders.csv", query_string={"as_of": utc_text(shop.ago(days=1))}).text


@pytest.mark.parametrize("address", PAGES)
def test_a_past_page_names_its_time_and_keeps_it_in_its_links(hub_app, shop, address):
    words = {"as_of": utc_text(shop.ago(hours=7)), "known": str(shop.before)}
    answer = hub_app.person("supervise").get(address, query_string=words)
    page = answer.text.partition("<main")[2]
    assert answer.status_code == 200
    assert f"known at position <b>{shop.before}</b>" in page
    past = "items|stages|orders|without-cost|stage.csv|item.csv"
    links = [unescape(link) for link in re.findall(rf'href="(/(?:{past})[^"]*)"', page)]
    present = address if address != "/" else None
    assert [link for link in links if "as_of=" not in link or "known=" not in link] == [present] * (
        present in links if present else 0
    )
    assert re.findall(r'<form method="post"', page) == [], "what is past cannot be changed"


@pytest.mark.parametrize("address", [*PAGES, *FILES])
@pytest.mark.parametrize(("word", "value"), [("as_of", "yesterday"), ("as_of", "2999-01-01"), ("known", "x")])
def test_a_wrong_time_or_position_is_refused_on_every_page(hub_app, shop, address, word, value):
    query = {**dict(part.split("=") for part in address.partition("?")[2].split("&") if part), word: value}
    answer = hub_app.anonymous().get(address.partition("?")[0], query_string=query)
    assert answer.status_code == 400
    assert f"{word} '{value}'" in unescape(answer.text)
