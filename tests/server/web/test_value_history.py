"""The value over time and by age: each column is the value of its time, and links to it."""

import csv
import html
import io
import re
from decimal import Decimal

import pytest

from server.locale_format import LocaleFormat
from server.queries.value_history import CostKind, ValuePoint
from server.queries.value_slices import AGES, ValueRow
from server.web.value_picture import HEIGHT, TOP, age_picture, history_picture

DAY_US = 86_400_000_000
NOON_US = 1_790_000_000_000_000


def text_of(hub_app, address, **words):
    answer = hub_app.anonymous().get(address, query_string=words or None)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def point(day, material, labour=0, items=1, unvalued=0):
    kinds = dict.fromkeys(CostKind, 0) | {CostKind.MATERIAL: material * 10**6, CostKind.LABOUR: labour * 10**6}
    return ValuePoint(NOON_US + day * DAY_US, kinds, sum(kinds.values()), items, unvalued)


def row(age, micros, milli, unit="pcs"):
    return ValueRow(age, unit, 1, milli, micros, {}, 0, 0)


def test_a_column_has_a_block_for_each_kind_and_the_strip_counts_what_has_no_cost():
    picture = history_picture([point(0, 50, 25, 2, 1), point(1, 80, 20), point(2, 0, 0, 1, 2)], LocaleFormat())
    assert [[(block.kind, block.y, block.height) for block in column.blocks] for column in picture.columns] == [
        [("material", TOP + HEIGHT - 110, 110.0), ("labour", TOP + HEIGHT - 165, 55.0)],
        [("material", TOP + HEIGHT - 176, 176.0), ("labour", TOP, 44.0)],
        [],
    ]
    assert [column.lacking and column.lacking.height for column in picture.columns] == [14.0, None, 28.0]
    assert picture.columns[0].title.endswith("2\xa0items, 1 of them without full cost")
    assert picture.sentence.startswith("€\xa075.00 became €\xa00.00; the highest value was €\xa0100.00, on 2026-09-22.")
    assert picture.sentence.endswith("At the end 2\xa0items had no full cost.")


def test_a_shop_without_work_in_process_has_no_picture(hub_app, shop_writer):
    assert history_picture([point(0, 0, 0, 0), point(1, 0, 0, 0)], LocaleFormat()) is None
    assert age_picture([], LocaleFormat()) is None
    assert "Nothing was in process at any time" in text_of(hub_app, "/value/history")


def test_an_age_has_a_bar_with_its_money_and_its_pieces():
    picture = age_picture(
        [
            row("0-30", 30 * 10**6, 5_000),
            row("0-30", 0, 2_000, "m"),
            row("over 90", 10 * 10**6, 1_000),
            row(None, 7, 1),
        ],
        LocaleFormat(),
    )
    assert [bar.age for bar in picture.bars] == list(AGES)
    assert [bar.text for bar in picture.bars] == [
        "€\xa030.00, 5\xa0pcs + 2\xa0m", "€\xa00.00", "€\xa00.00", "€\xa010.00, 1\xa0pcs",
    ]  # fmt: skip
    assert picture.bars[3].width == pytest.approx(picture.bars[0].width / 3, abs=0.1)
    assert picture.sentence == "€\xa010.00, 25 % of the value, has been in process for more than 30 days."


def test_each_column_is_the_value_page_of_its_time_and_opens_it(hub_app, full):
    words = {"from": full.ago(days=4), "to": full.ago(hours=2)}
    page = text_of(hub_app, "/value/history", **words)
    rows = list(csv.DictReader(io.StringIO(text_of(hub_app, "/value/history.csv", **words).lstrip("\ufeff"))))
    assert len(rows) == 31
    assert all(sum(Decimal(one[kind]) for kind in CostKind) == Decimal(one["value"]) for one in rows)
    links = re.findall(r'<a href="(/value\?as_of=\d+)" aria-label="[^"]*: €.([\d,.]+) in', page)
    assert [Decimal(figure.replace(",", "")) for _, figure in links] == [Decimal(one["value"]) for one in rows]
    for address, figure in (links[0], links[15], links[-1]):
        opened = text_of(hub_app, html.unescape(address))
        assert re.search(r"<b>€.([\d,.]+)</b> in", opened)[1] == figure
    assert Decimal(rows[-1]["value"]) > 0
    assert any(one["items_without_cost"] != "0" for one in rows)


def test_the_value_page_opens_the_history_and_an_age_opens_its_items(hub_app, full):
    page = text_of(hub_app, "/value", by="age")
    assert 'href="/value/history"' in page
    (first, *others) = re.findall(r'<a href="([^"]*age=[^"]*)" aria-label="[^"]* days: ', page)
    assert len(others) == 3
    assert "/items/WO-" in text_of(hub_app, html.unescape(first))
    assert 'aria-label="Value by age' not in text_of(hub_app, "/value", by="stage")


@pytest.mark.parametrize(
    "words", [{"from": "yesterday"}, {"to": "2199-01-01T00:00"}, {"from": 2 * 10**15, "to": 1}, {"by": "x"}]
)
def test_wrong_words_are_named(hub_app, full, words):
    assert hub_app.anonymous().get("/value/history", query_string=words).status_code == 400
