"""The lists behind the checks of the month end: each line opens its own list, with the same items and the same money."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from server.db.schema import heartbeat

HOSTILE = "<b>=1+1"


@pytest.fixture
def shop(shop_writer):
    """Five days ago, at Saw: WO-1 has 12 of 10 pieces, WO-2 was scanned by a reader's memory, WO-3 has no cost.

    Station saw-1 holds 7 scans, the oldest of them ten days old.
    """
    shop_writer.small_shop()
    shop_writer.say("station.define", 0, station="saw-1", stage="saw")
    for order, product, qty in (("WO-1", "bracket", 12), ("WO-2", "bracket", 10), ("WO-3", "tube", 10)):
        shop_writer.release(order, product, qty=10)
        shop_writer.scan(order, "saw", shop_writer.ago(days=5), qty_milli=qty * 1000)
    shop_writer.release(HOSTILE, qty=10)
    since = shop_writer.mono_ns(shop_writer.ago(days=4))
    shop_writer.scan(HOSTILE, "saw", shop_writer.ago(hours=1), station="reader-1", qty_milli=10_000, since_ns=since)
    shop_writer.station("saw-1")
    row = {"station": "saw-1", "seen_us": shop_writer.now_us, "waiting": 7, "oldest_waiting_s": 864_000}
    with shop_writer.store.write() as connection:
        connection.execute(heartbeat.insert(), [row])
    shop_writer.settle()
    return shop_writer


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip().replace("\xa0", " ")


def lines(page):
    """By the begin of its sentence, each line of the checks: its money and its address."""
    part = page.partition('id="checks"')[2].partition("</section>")[0]
    found = re.findall(r'<li><a href="([^"]*)">(.*?)</a>(.*?)</li>', part, re.DOTALL)
    return {text_of(words)[:12]: (text_of(rest), html.unescape(address)) for address, words, rest in found}


@pytest.fixture
def day(shop):
    """A day that is over, between the scans."""
    return (today(shop) - timedelta(days=2)).isoformat()


def today(shop):
    return datetime.fromtimestamp(shop.now_us / 1e6, UTC).date()


def test_each_line_opens_a_list_with_its_money(hub_app, shop, day):
    browser = hub_app.anonymous()
    page = browser.get(f"/month-end?until={day}").text
    found = lines(page)
    assert {words: money for words, (money, _) in found.items()} == {
        "7 scans are ": "now € 44.00", "1 item has n": "", "1 item has m": "€ 4.00", "1 item has s": "€ 0.00",
    }  # fmt: skip
    for money, address in found.values():
        answer = browser.get(address)
        assert answer.status_code == 200, address
        assert money.removeprefix("now ") in text_of(answer.text), address
    unsent = browser.get(found["7 scans are "][1]).text
    assert re.findall(r'href="/items/([^"]*)"', unsent) == ["WO-1", "WO-2", "WO-3"]
    assert "7 scans are still on stations." in text_of(unsent)
    assert f'href="/month-end?until={day}"' in unsent
    estimated = text_of(browser.get(found["1 item has s"][1]).text)
    assert f"{HOSTILE} not in process then" in estimated


def test_now_is_another_end_than_a_day(hub_app, shop, day):
    browser = hub_app.anonymous()
    now, then = browser.get("/month-end").text, browser.get(f"/month-end?until={day}").text
    assert "€ 64.00 in 4 items now." in text_of(now)
    assert re.search(r"€ 44.00 in 3 items at [^.]*, as known now\.", text_of(then))
    assert "1 item has s" not in lines(now)
    assert lines(now)["7 scans are "][0] == "€ 64.00"
    assert "as_of" not in lines(now)["1 item has m"][1]


def test_the_form_closes_what_was_checked(hub_app, shop, day):
    accountant = hub_app.person("account")
    page = accountant.get(f"/month-end?until={day}").text
    value = re.search(r"(€ [\d.]+) in 3 items", text_of(page))[1]
    fields = dict(re.findall(r'name="(csrf_token|once|until)" value="([^"]*)"', page.partition('id="close"')[2]))
    assert fields["until"] == day
    answer = accountant.post("/month-end", data=fields | {"why": "month end"})
    assert answer.status_code == 302
    shop.settle()
    assert f"with {value} in process" in text_of(accountant.get(answer.location).text)


@pytest.mark.parametrize("until", ["soon", "9999-12-31", "2026-02-30", "today"])
def test_a_day_that_is_none_or_not_over_is_refused(hub_app, shop, until):
    until = today(shop).isoformat() if until == "today" else until
    for address in ("/month-end?", "/month-end/items?check=unsent&", "/month-end/items.csv?check=unsent&"):
        assert hub_app.anonymous().get(f"{address}until={until}").status_code == 400, address


@pytest.mark.parametrize("check", ["", "x", "overrun", "stale"])
def test_a_check_without_a_list_of_its_own_is_refused(hub_app, shop, check):
    assert hub_app.anonymous().get(f"/month-end/items?check={check}").status_code == 400


def test_the_file_has_all_items_of_the_list(hub_app, shop, day):
    browser = hub_app.anonymous()
    rows = browser.get(f"/month-end/items.csv?check=unsent&until={day}").text.splitlines()
    assert rows[0].endswith(
        "item,order,product,stage,state,quantity,unit,value,complete,stations,scans,earliest,latest"
    )
    assert rows[1:] == [
        "WO-1,WO-1,bracket,saw,here,12,pcs,24.00,yes,saw-1,,,",
        "WO-2,WO-2,bracket,saw,here,10,pcs,20.00,yes,saw-1,,,",
        "WO-3,WO-3,tube,saw,here,10,m,0.00,no,saw-1,,,",
    ]
    (_, row) = browser.get(f"/month-end/items.csv?check=estimated&until={day}").text.splitlines()
    assert row.startswith(f"{HOSTILE},,,,,,,0.00,yes,,1,2")
    assert browser.get(f"/month-end/items.xlsx?check=silent&until={day}").status_code == 200


def test_a_list_with_nothing_in_it_says_so(hub_app, shop):
    assert "Nothing is open here." in text_of(hub_app.anonymous().get("/month-end/items?check=silent").text)
    assert "is empty" in text_of(hub_app.anonymous().get("/month-end/items?check=unsent&page=9").text)
