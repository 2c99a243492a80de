"""Carriers and the search as of a past time."""

import html
import re

import engines
import pytest
from shop_writer import ShopWriter

from server.api.format import time as utc_text

engine = engines.both


@pytest.fixture
def shop(store):
    """TOTE 5 has WO-1 from 5 h to 3 h ago, then WO-2; T-7 is scanned 4 h and 1 h ago; PAL-A is bound 2 h ago."""
    shop = ShopWriter(store)
    shop.small_shop()
    shop.say("pattern.define", shop.ago(days=9), name="totes", regex="T-[0-9]+", as_="carrier")
    shop.release("WO-1", qty=40, at_us=shop.ago(days=2))
    shop.release("WO-2", qty=7, at_us=shop.ago(hours=2.5))
    shop.scan("WO-1", "saw", shop.ago(hours=6))
    shop.scan("WO-1", "saw", shop.ago(hours=5), action="bind", carrier="TOTE 5")
    shop.scan("T-7", "deburr", shop.ago(hours=4))
    shop.scan("WO-1", "saw", shop.ago(hours=3), action="unbind", carrier="TOTE 5")
    shop.scan("WO-2", "saw", shop.ago(hours=2), action="bind", carrier="TOTE 5")
    shop.scan("T-7", "test", shop.ago(hours=1))
    shop.settle()
    shop.before = shop.projector.pos
    shop.say("code.bind", shop.ago(hours=2), code="T-8", to="WO-1")
    shop.settle()
    return shop


def rows(answer):
    assert answer.status_code == 200, answer.text[:300]
    found = re.findall(r"(?s)<tr[ >](.*?)</tr>", answer.text)
    texts = [html.unescape(re.sub(r"<[^>]+>", " ", f"<tr {row}")) for row in found[1:]]
    return [re.sub(r"[\s\u2068\u2069]+", " ", text).strip() for text in texts]


def carriers(hub_app, at_us):
    return rows(hub_app.anonymous().get("/carriers", query_string={"as_of": utc_text(at_us)}))


def test_a_carrier_holds_what_it_held_at_the_time(hub_app, shop):
    of_tag = "T-8 WO-1 40 pcs bound later Saw never scanned"
    assert carriers(hub_app, shop.ago(hours=5.5)) == [of_tag]
    assert carriers(hub_app, shop.ago(hours=3.5)) == [
        "T-7 nothing Deburr at its last scan 30 min ago Deburr",
        of_tag,
        "TOTE 5 WO-1 40 pcs 1 h 30 min ago Saw 1 h 30 min ago Saw",
    ]
    assert carriers(hub_app, shop.ago(hours=2.7))[2] == "TOTE 5 nothing Saw at its last scan 18 min ago Saw"
    assert carriers(hub_app, shop.ago(hours=1.5)) == [
        "T-7 nothing Deburr at its last scan 2 h 30 min ago Deburr",
        "T-8 WO-1 40 pcs 30 min ago Saw never scanned",
        "TOTE 5 WO-2 7 pcs 30 min ago Saw at its last scan , not started 30 min ago Saw",
    ]
    assert carriers(hub_app, shop.ago(minutes=1))[0] == "T-7 nothing Test at its last scan 59 min ago Test"


def test_the_past_has_its_note_its_file_and_its_links_and_no_form(hub_app, shop):
    then = utc_text(shop.ago(hours=3.5))
    browser = hub_app.person("supervise")
    page = browser.get("/carriers", query_string={"as_of": then}).text
    assert "As it was on" in page
    assert 'href="/items/WO-1?as_of=' in page
    assert 'href="/carriers.csv?as_of=' in page
    assert "carriers-form" not in page
    assert "carriers-form" in browser.get("/carriers").text
    file = browser.get("/carriers.csv", query_string={"as_of": then}).text
    assert [line.split(",")[:3] for line in file.splitlines()[1:]] == [
        ["T-7", "", ""], ["T-8", "", "WO-1"], ["TOTE 5", "", "WO-1"],
    ]  # fmt: skip


def test_what_the_office_bound_later_holds_before_the_first_scan(hub_app, shop):
    assert carriers(hub_app, shop.ago(days=3)) == ["T-8 WO-1 bound later nothing of it in process never scanned"]


@pytest.mark.parametrize("address", ["/carriers", "/carriers.csv"])
def test_a_position_is_refused(hub_app, shop, address):
    refused = hub_app.anonymous().get(address, query_string={"known": "1"})
    assert refused.status_code == 400
    assert refused.json["error"]["came"] == "the query word 'known'"


def test_the_search_of_a_past_page_leads_to_the_past_item(hub_app, shop):
    then = utc_text(shop.ago(hours=4))
    browser = hub_app.person("supervise")
    words = {"as_of": then, "known": str(shop.before)}
    answer = browser.get("/find", query_string={"q": "WO-1", **words})
    assert answer.status_code == 302
    assert browser.get(answer.headers["Location"]).status_code == 200
    assert f"known={shop.before}" in answer.headers["Location"]
    for name, text in words.items():
        assert f'name="{name}" value="{text}"' in browser.get("/items/WO-1", query_string=words).text
    assert 'name="as_of"' not in browser.get("/").text.partition("</form>")[0]


def test_an_item_that_began_later_is_not_found_in_the_past(hub_app, shop):
    browser = hub_app.anonymous()
    for words, found in (
        ({}, ["WO-1", "WO-2"]),
        ({"as_of": utc_text(shop.ago(hours=1))}, ["WO-1", "WO-2"]),
        ({"as_of": utc_text(shop.ago(hours=4))}, ["WO-1"]),
        ({"as_of": utc_text(shop.ago(days=3))}, []),
        ({"known": "1"}, []),
    ):
        answer = browser.get("/find", query_string={"q": "WO-", **words})
        if len(found) == 1:
            assert answer.headers["Location"].startswith(f"/items/{found[0]}?as_of=")
        else:
            assert answer.status_code == (200 if found else 404)
            assert re.findall(r'href="/items/([^"?]+)', answer.text) == found
