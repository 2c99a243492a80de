"""The roll-forward page, its files and /api/v1/rollforward: the same figures, and each opens its postings."""

import csv
import html
import io
import re
from decimal import Decimal

import pytest
from floor_full import full_floor

from server.queries.roll_forward import RollBy


@pytest.fixture
def full(shop_writer):
    full_floor(shop_writer)
    shop_writer.say("cost.set", shop_writer.ago(days=1), component="bar", basis="unit", micros=2_400_001)
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def period(full):
    """Four days up to an hour ago, with the opening as known now: the test sends all scans now."""
    with full.store.read() as connection:
        pos = full.projector.drain() or connection.exec_driver_sql("SELECT max(pos) FROM ledger").scalar()
    return {"from": full.ago(days=4, hours=4), "to": full.ago(hours=1), "known": pos}


def text_of(answer):
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def filed(answer):
    return list(csv.DictReader(io.StringIO(text_of(answer).lstrip("\ufeff"))))


def money(text):
    digits = re.sub(r"[^\d.\u2212-]", "", html.unescape(text)).replace("\u2212", "-")
    return Decimal(digits or "0")


def tables(page):
    """The cells of the rows and of the total, without the first one."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)[1:]
    return [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)] for row in rows
    ]


@pytest.mark.parametrize("by", list(RollBy))
def test_page_file_and_answer_have_the_same_rows_that_add_up(hub_app, period, by):
    browser = hub_app.anonymous()
    words = period | {"by": by.value}
    answer = browser.get("/api/v1/rollforward", query_string=words).get_json()
    assert answer["gap_millis"] == 0
    assert all(
        row["opening_micros"] + sum(row["lines"].values()) == row["closing_micros"]
        for row in (*answer["rows"], answer["totals"])
    )
    assert {"material", "labour", "revaluation"} <= answer["totals"]["lines"].keys()
    value = [
        browser.get("/api/v1/value", query_string={"as_of": period[end]}).get_json()["totals"]["value_micros"]
        for end in ("from", "to")
    ]
    assert value == [answer["totals"]["opening_micros"], answer["totals"]["closing_micros"]]
    rows = filed(browser.get("/rollforward.csv", query_string=words))
    assert {row[by.value] or None for row in rows} == {row["key"] for row in answer["rows"]}
    for row in rows:
        numbers = [Decimal(text) for name, text in row.items() if name not in (by.value, "closing")]
        assert sum(numbers) == Decimal(row["closing"])
    shown = tables(text_of(browser.get("/rollforward", query_string=words)))
    for cells in shown:
        numbers = [money(cell) for cell in cells][1 if cells is not shown[-1] else 0 :]
        assert sum(numbers[:-1]) == numbers[-1]


def test_each_figure_opens_its_postings_with_the_same_sum(hub_app, period):
    browser = hub_app.anonymous()
    page = text_of(browser.get("/rollforward", query_string=period | {"by": "product"}))
    links = re.findall(r'<a href="(/rollforward/postings[^"]*)">([^<]*)</a>', page)
    assert len(links) > 6
    for link, figure in links:
        address = html.unescape(link)
        opened = text_of(browser.get(address))
        assert abs(money(re.search(r'figures"><b>([^<]*)</b>', opened)[1]) - money(figure)) <= Decimal("0.01")
        rows = filed(browser.get(address.replace("postings", "postings.csv", 1)))
        assert rows
        assert abs(sum(Decimal(row["amount"]) for row in rows) - money(figure)) <= Decimal("0.02")
    (event, *_) = re.findall(r'<a href="([^"]*before=[^"]*)">event (\d+)</a>', opened + text_of(browser.get(
        "/rollforward/postings", query_string=period | {"line": "material"})))  # fmt: skip
    assert f'id="pos-{event[1]}"' in text_of(browser.get(html.unescape(event[0]).partition("#")[0]))


def test_opening_and_closing_open_their_items(hub_app, period):
    browser = hub_app.anonymous()
    page = text_of(browser.get("/rollforward", query_string=period | {"by": "stage"}))
    links = re.findall(r'<a href="(/value\?by=[^"]*as_of[^"]*)">([^<]*)</a>', page)
    assert len(links) >= 4
    for link, figure in links:
        opened = text_of(browser.get(html.unescape(link)))
        assert abs(money(re.search(r"<b>([^<]*)</b> in", opened)[1]) - money(figure)) <= Decimal("0.01")


def test_rows_are_limited_by_the_cursor_and_none_is_left_out(hub_app, period):
    browser = hub_app.anonymous()
    words = period | {"by": "order"}
    whole = browser.get("/api/v1/rollforward", query_string=words).get_json()["rows"]
    found, cursor = [], ""
    while cursor is not None:
        answer = browser.get("/api/v1/rollforward", query_string=words | {"limit": 3, "cursor": cursor}).get_json()
        found, cursor = found + answer["rows"], answer["cursor"]
    assert found == whole


def test_the_value_page_links_to_it_and_without_words_it_is_the_month(hub_app, full):
    browser = hub_app.anonymous()
    assert '<a href="/rollforward?by=stage">How it got there</a>' in text_of(browser.get("/value"))
    at = full.ago(days=1)
    then = text_of(browser.get("/value", query_string={"as_of": at, "by": "age"}))
    assert f'<a href="/rollforward?to={at}">How it got there</a>' in then
    answer = browser.get("/api/v1/rollforward").get_json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00.000000Z", answer["from"])
    assert answer["by"] == "component"


@pytest.mark.parametrize("address", ["/rollforward", "/rollforward.csv", "/api/v1/rollforward"])
@pytest.mark.parametrize(
    "words",
    ["by=age", "from=yesterday", "to=2199-01-01T00:00", "from=1790000000000000&to=1780000000000000", "known=999999999",
     "colour=red"],
)  # fmt: skip
def test_wrong_words_are_named(hub_app, full, address, words):
    answer = hub_app.anonymous().get(f"{address}?{words}", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert "xpected" in answer.get_data(as_text=True)


def test_postings_without_a_line_are_refused(hub_app, full):
    assert hub_app.anonymous().get("/rollforward/postings").status_code == 400


def test_an_empty_shop_has_an_empty_roll_forward(hub_app, shop_writer):
    assert "nothing moved" in text_of(hub_app.anonymous().get("/rollforward"))
    assert hub_app.anonymous().get("/api/v1/rollforward").get_json()["rows"] == []
