"""The page of the month end: what is open, the form that closes, what each close stored, and the form that reopens."""

import html
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from server.db.schema import period
from server.queries.closed_periods import closed_periods
from server.queries.current_master_data import master_data


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=3))
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def accountant(hub_app):
    return hub_app.person("account", "Nora Blum")


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip()


def shown(browser, address="/month-end"):
    answer = browser.get(address)
    assert answer.status_code == 200
    return text_of(answer.get_data(as_text=True))


def send(browser, shop, path="/month-end", **typed):
    page = browser.get("/month-end").get_data(as_text=True)
    fields = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf_token", "once")}
    answer = browser.post(path, data=fields | typed)
    shop.settle()
    return answer


def test_a_period_is_closed_restated_listed_and_reopened(hub_app, shop, accountant):
    assert "No period is closed yet" in shown(accountant)
    answer = send(accountant, shop, why="month end", until="2000-01-31")
    assert answer.status_code == 302
    answer = send(accountant, shop, why="<b>month end</b>")
    page = shown(accountant, answer.location)
    assert "with € 20.00 in process" in page
    assert "As known now it would be the same." in page
    assert "<b>month end</b>" in page
    shop.scan("WO-1", "deburr", shop.ago(days=2), station="late-1")
    shop.settle()
    page = shown(hub_app.anonymous(), answer.location)
    assert "As known now it would be € 30.00: scans that arrived later: € 10.00" in page
    assert "Close a period" not in page
    number = answer.location.partition("=")[2]
    rows = hub_app.anonymous().get(f"/month-end/listing.csv?period={number}").get_data(as_text=True).splitlines()
    assert rows[1:] == ["WO-1,WO-1,bracket,saw,10,here,10,pcs,yes,bar,20.000000000"]
    assert len(hub_app.anonymous().get("/month-end.csv").get_data(as_text=True).splitlines()) == 3
    assert send(accountant, shop, "/month-end/reopen", why="a scan was missing").status_code == 302
    assert " reopened " in shown(accountant)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"why": ""}, "why"),
        ({"why": "x", "until": "2999-12-31"}, "in the future"),
        ({"why": "x", "until": "9999-12-31"}, "a day such as 2026-11-30"),
        ({"why": "x", "until": "soon"}, "a day such as 2026-11-30"),
    ],
)
def test_a_close_that_is_refused_says_why_and_keeps_what_was_typed(shop, accountant, typed, words):
    answer = send(accountant, shop, **typed)
    assert answer.status_code == 400
    page = answer.get_data(as_text=True)
    assert words in text_of(page.partition('<p role="alert"')[2].partition("</p>")[0])
    assert "No period is closed yet" in text_of(page)


def test_only_an_accountant_closes_and_reopens(hub_app, shop):
    supervisor = hub_app.person("supervise")
    assert "A person with the role of an accountant" in shown(supervisor)
    token = supervisor.get("/orders").get_data(as_text=True).partition('name="csrf_token" value="')[2].partition('"')[0]
    for path in ("/month-end", "/month-end/reopen"):
        assert supervisor.post(path, data={"why": "x", "csrf_token": token}).status_code == 403


def test_reopening_what_is_not_closed_is_refused(shop, accountant):
    answer = send(accountant, shop, "/month-end/reopen", why="x")
    assert answer.status_code == 400
    page = answer.get_data(as_text=True)
    assert "No period is closed, so none can be reopened." in text_of(page.partition('<p role="alert"')[2])


def test_a_period_that_an_earlier_version_closed_is_said_and_reopened(hub_app, shop, accountant):
    with shop.store.write() as connection:
        connection.execute(period.insert(), [{"closed_us": shop.ago(days=1), "reopened": False}])
    page = shown(accountant)
    assert "No period is closed yet" not in page
    assert "It was closed by an earlier version, which stored no figures." in page
    assert "Reopen the last closed period" not in shown(hub_app.anonymous())
    assert send(accountant, shop, "/month-end/reopen", why="a scan was missing").status_code == 302
    page = shown(accountant)
    assert "No period is closed yet" in page
    assert "Reopen the last closed period" not in page


def test_what_is_open_has_its_list_and_its_money(hub_app, shop):
    shop.station("weld-1")
    shop.release("WO-2", "tube", qty=5)
    shop.scan("WO-2", "saw", shop.ago(days=1))
    shop.scan("NOTHING-7", "saw", shop.ago(days=1))
    shop.scan("WO-1", "saw", shop.ago(hours=20), qty_milli=14_000)
    shop.settle()
    page = hub_app.anonymous().get("/month-end").get_data(as_text=True)
    listed = [text_of(line) for line in re.findall(r"<li>(.*?)</li>", page.partition('id="checks"')[2], re.DOTALL)]
    assert "1 code names nothing: its scans are not in process" in listed
    assert any(line.startswith("1 item has no full cost") for line in listed)
    assert any(line.startswith("1 item has more in process than was ordered € ") for line in listed)


@pytest.mark.parametrize("period", ["0", "x", "9" * 60, "-1"])
def test_a_period_that_is_none_is_not_found(hub_app, shop, period):
    for address in ("/month-end", "/month-end/listing.csv"):
        assert hub_app.anonymous().get(address, query_string={"period": period}).status_code == 404


# The day ends with the day of the shop: after the night shift, and where the clock skips midnight or has it twice.
DAYS = [
    ({"zone": "Europe/Berlin"}, "2026-03-31", "2026-03-31T22:00Z"),
    ({"zone": "Europe/Berlin"}, "2026-02-28", "2026-02-28T23:00Z"),
    ({"zone": "Europe/Berlin", "day_start": 360}, "2026-10-31", "2026-11-01T05:00Z"),
    ({"zone": "Europe/Berlin", "day_start": 150}, "2026-03-28", "2026-03-29T01:30Z"),
    ({"zone": "Asia/Beirut"}, "2026-03-28", "2026-03-28T22:00Z"),
    ({"zone": "America/Havana"}, "2026-10-31", "2026-11-01T04:00Z"),
    ({"zone": "Pacific/Kiritimati"}, "2026-01-31", "2026-01-31T10:00Z"),
    ({"zone": "Pacific/Pago_Pago"}, "2026-01-31", "2026-02-01T11:00Z"),
    ({"zone": "Australia/Lord_Howe"}, "2026-04-04", "2026-04-04T13:00Z"),
]


@pytest.mark.parametrize(("site", "day", "end"), DAYS)
def test_a_period_ends_with_the_day_of_the_shop_where_a_price_of_the_next_day_begins(
    shop_writer, hub_app, accountant, site, day, end
):
    shop_writer.say("site.define", 0, **site)
    shop_writer.small_shop()
    shop_writer.settle()
    assert send(accountant, shop_writer, why="x", until=day).status_code == 302
    with shop_writer.store.read() as connection:
        (closed,) = closed_periods(connection)
    assert datetime.fromtimestamp(closed.closed_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%MZ") == end
    after = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    typed = {"component": "bar", "basis": "unit", "amount": "3", "day": after}
    assert send(accountant, shop_writer, "/costs", **typed).status_code == 302
    assert send(accountant, shop_writer, "/costs", **typed | {"day": day, "amount": "4"}).status_code == 400
    answer = hub_app.anonymous().get("/api/v1/journal").get_json()
    assert answer["to"].startswith(end[:-1])
    with shop_writer.store.read() as connection:
        definition = master_data(connection).at("cost.set", "\0\0bar\0", closed.closed_us)
    assert definition.holds_from_us == closed.closed_us


def test_of_two_browsers_with_the_same_page_one_reopens_and_one_closes(hub_app, shop, accountant):
    for hours in (40, 30):
        shop.say("period.close", shop.ago(hours=hours), why="month end")
    shop.settle()
    browsers = [accountant, hub_app.person("account")]
    for path, answers in (("/month-end/reopen", [302, 409]), ("/month-end", [302, 409])):
        pages = [browser.get("/month-end").get_data(as_text=True) for browser in browsers]
        codes = []
        for browser, page in zip(browsers, pages, strict=True):
            names = ("csrf_token", "once", "last")
            fields = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in names}
            answer = browser.post(path, data=fields | {"why": "x"})
            codes.append(answer.status_code)
            shop.settle()
        assert codes == answers
        assert "Look at it again." in answer.get_data(as_text=True)
    with shop.store.read() as connection:
        assert [closed.holds for closed in closed_periods(connection)] == [True, False, True]
