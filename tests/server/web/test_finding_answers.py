"""Findings stay until they end or a person answers them, with the answer in the item's history."""

import html
import re

import pytest
from shop_writer import ShopWriter
from sqlalchemy import select

from server.projection.rebuild import rebuild
from server.projection.tables import finding

SENTENCE = "WO-1 came to Test without Saw and Deburr"


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.say("rule.define", 0, rule="skipped", on=True)
    shop_writer.release("WO-1", qty=5)
    shop_writer.scan("WO-1", "test", shop_writer.ago(days=3))
    shop_writer.settle()
    return shop_writer


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", page.get_data(as_text=True))))


def on_the_board(hub_app):
    return SENTENCE in text_of(hub_app.anonymous().get("/"))


def findings(hub_app):
    return hub_app.anonymous().get("/api/v1/items/WO-1").json["findings"]


def entry(hub_app, shop_writer, expected=200, **fields):
    body = {"what": "finding.answer", "data": {"item": "WO-1", "rule": "skipped", **fields}}
    answer = hub_app.anonymous().post("/api/v1/entries", json=body, headers=hub_app.token("supervise"))
    assert answer.status_code == expected, answer.json
    shop_writer.settle()
    return answer.json


def place(hub_app):
    return {name: findings(hub_app)[0][name] for name in ("log", "seq", "etag")}


def shown(page):
    (value,) = re.findall(r'name="item" value="WO-1"><input type="hidden" name="shown" value="(\w+)">', page)
    return value


def test_a_finding_of_days_ago_is_on_the_board_until_it_is_answered(hub_app, shop_writer, csrf_of):
    assert on_the_board(hub_app)
    browser = hub_app.person("supervise", "Mara Weiss")
    page = browser.get("/").get_data(as_text=True)
    assert '<input type="hidden" name="rule" value="skipped"><input type="hidden" name="item" value="WO-1">' in page
    form = {"item": "WO-1", "rule": "skipped", "note": "seen & decided", "back": "item", "shown": shown(page)}
    answer = browser.post("/findings", data={**form, "csrf_token": csrf_of(browser, "/items/WO-1")})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/items/WO-1")
    shop_writer.settle()
    assert not on_the_board(hub_app)
    history = text_of(browser.get("/items/WO-1"))
    charged = r"its value has €\s[\d,.]+ for that"
    assert re.search(rf"{SENTENCE}\. {charged} answered by Mara Weiss just now: seen & decided", history), history
    assert "finding answered" in history
    (answered,) = findings(hub_app)
    assert (answered["state"], answered["answered_by"], answered["note"]) == (
        "answered",
        "Mara Weiss",
        "seen & decided",
    )
    again = browser.post("/findings", data={**form, "csrf_token": csrf_of(browser, "/items/WO-1")})
    assert again.status_code == 400


def test_a_finding_is_answered_through_the_api_and_opens_when_the_answer_is_taken_back(hub_app, shop_writer, store):
    written = entry(hub_app, shop_writer, **place(hub_app))
    assert not on_the_board(hub_app)
    with store.read() as connection:
        before = connection.execute(select(finding)).all()
    rebuild(store)
    with store.read() as connection:
        assert connection.execute(select(finding)).all() == before
    shop_writer.say("void", log=written["log"], seq=written["seq"], why="not decided")
    shop_writer.settle()
    assert on_the_board(hub_app)
    assert findings(hub_app)[0]["state"] == "open"


def test_a_finding_ends_with_the_missing_scan(hub_app, shop_writer):
    for stage in ("saw", "deburr"):
        shop_writer.scan("WO-1", stage, shop_writer.ago(hours=2), qty_milli=5_000)
    shop_writer.settle()
    assert not on_the_board(hub_app)
    assert [each["state"] for each in findings(hub_app) if each["rule"] == "skipped"] == ["ended"]


def test_a_finding_ends_when_its_order_is_closed_and_opens_when_that_is_taken_back(hub_app, shop_writer):
    log, seq = shop_writer.say("order.close", order="WO-1", how="short")
    shop_writer.settle()
    assert not on_the_board(hub_app)
    assert [each["state"] for each in findings(hub_app) if each["rule"] == "skipped"] == ["ended"]
    shop_writer.say("void", log=log, seq=seq, why="too early")
    shop_writer.settle()
    assert on_the_board(hub_app)


@pytest.mark.parametrize(
    "fields",
    [
        {"log": "ab" * 16, "seq": 1},
        {"seq": 10_000},
        {"rule": "overrun"},
        {"item": "WO-2"},
        {"log": "no log"},
        {"seq": 0},
        {"etag": "0" * 16},
    ],
)
def test_an_answer_to_no_finding_is_refused(hub_app, shop_writer, fields):
    assert entry(hub_app, shop_writer, 400, **{**place(hub_app), **fields})["error"]["expected"]
    assert on_the_board(hub_app)


def test_a_second_answer_is_refused_with_the_name_of_the_first(hub_app, shop_writer):
    named = place(hub_app)
    entry(hub_app, shop_writer, **named)
    assert "answered by token" in entry(hub_app, shop_writer, 400, **named)["error"]["came"]


def test_only_a_supervisor_answers(hub_app, shop_writer, csrf_of):
    reader = hub_app.person("view")
    assert 'action="/findings"' not in reader.get("/").get_data(as_text=True)
    form = {"item": "WO-1", "rule": "skipped", "csrf_token": csrf_of(reader, "/")}
    assert reader.post("/findings", data=form).status_code == 403


def test_ended_findings_hide_no_open_one(hub_app, shop_writer):
    """The board lists the newest 500 open findings; those that scans have ended do not count."""
    for number in range(510):
        name = f"WO-1{number:03}"
        shop_writer.release(name, qty=1)
        for hours, stage in ((4, "test"), (3, "saw"), (2, "deburr")):
            shop_writer.scan(name, stage, shop_writer.ago(hours=hours), qty_milli=1_000)
    shop_writer.settle()
    assert on_the_board(hub_app)
    assert "findings are listed" not in text_of(hub_app.anonymous().get("/"))


def test_a_doubt_about_a_quantity_is_told_in_its_unit_and_ends_when_all_is_finished(hub_app, shop_writer):
    shop_writer.say("rule.define", 0, rule="skipped", on=False)
    shop_writer.release("WO-2", qty=10)
    shop_writer.scan("WO-2", "test", shop_writer.ago(hours=3), qty_milli=5_000)
    shop_writer.scan("WO-2", "deburr", shop_writer.ago(hours=2), qty_milli=5_000)
    shop_writer.settle()
    doubt = "WO-2: the 5 pcs at Deburr may have come now, or have passed there before without a scan"
    assert doubt in text_of(hub_app.anonymous().get("/")).replace("\xa0", " ")
    texts = [each["text"] for each in hub_app.anonymous().get("/api/v1/items/WO-2").json["findings"]]
    assert f"{doubt}." in texts
    shop_writer.scan("WO-2", "pack", shop_writer.ago(hours=1), action="finish")
    shop_writer.settle()
    assert "may have come now" not in text_of(hub_app.anonymous().get("/"))


def test_an_unknown_code_is_settled_by_its_release(hub_app, shop_writer):
    shop_writer.scan("WO-77", "saw", shop_writer.ago(hours=3))
    shop_writer.settle()
    assert "WO-77, scanned at Saw, is not known" in text_of(hub_app.anonymous().get("/"))
    shop_writer.release("WO-77", qty=4)
    shop_writer.settle()
    assert "is not known" not in text_of(hub_app.anonymous().get("/"))


def overrun(shop_writer, qty, hours, stage="saw"):
    return shop_writer.scan("WO-2", stage, shop_writer.ago(hours=hours), qty_milli=qty * 1000)


def texts_of_findings(hub_app, state):
    found = hub_app.anonymous().get("/api/v1/items/WO-2").json["findings"]
    return [each["text"] for each in found if each["rule"] == "overrun" and each["state"] == state]


def test_an_answer_covers_what_the_page_showed_and_nothing_that_came_later(hub_app, shop_writer, csrf_of):
    shop_writer.release("WO-2", qty=10)
    overrun(shop_writer, 12, hours=3)
    shop_writer.settle()
    browser = hub_app.person("supervise")
    page = browser.get("/").get_data(as_text=True)
    seen = re.findall(r'value="overrun"><input [^>]* value="WO-2"><input [^>]* name="shown" value="(\w+)">', page)
    overrun(shop_writer, 858, hours=2)
    shop_writer.settle()
    form = {"item": "WO-2", "rule": "overrun", "shown": seen[0], "csrf_token": csrf_of(browser, "/")}
    assert browser.post("/findings", data=form).headers["Location"] == "/items/WO-2"
    assert "Nothing was answered" in text_of(browser.get("/items/WO-2"))
    shop_writer.settle()
    assert len(texts_of_findings(hub_app, "open")) == 2
    assert "the newest of 2" in text_of(browser.get("/"))


def test_a_correction_of_what_was_answered_opens_it_again(hub_app, shop_writer):
    shop_writer.release("WO-2", qty=10)
    log, seq = overrun(shop_writer, 12, hours=3)
    shop_writer.settle()
    (found,) = [
        each for each in hub_app.anonymous().get("/api/v1/items/WO-2").json["findings"] if each["rule"] == "overrun"
    ]
    entry(hub_app, shop_writer, item="WO-2", rule="overrun", log=log, seq=seq, etag=found["etag"])
    assert texts_of_findings(hub_app, "open") == []
    shop_writer.say("correct", log=log, from_seq=seq, to_seq=seq, set={"qty_milli": 5_000_000})
    shop_writer.settle()
    assert [text.replace(",", "") for text in texts_of_findings(hub_app, "open")] == [
        "WO-2 has 4990 pcs more at Saw than was there."
    ]


def test_what_has_ended_is_a_matter_of_the_state_and_a_rebuild_has_the_same(hub_app, shop_writer, store):
    shop_writer.release("WO-2", qty=10)
    shop_writer.scan("WO-2", "test", shop_writer.ago(hours=5), qty_milli=5_000)
    shop_writer.scan("WO-2", "deburr", shop_writer.ago(hours=4), qty_milli=5_000)
    shop_writer.settle()
    shop_writer.scan("WO-2", "pack", shop_writer.ago(hours=3), action="finish")
    shop_writer.settle()
    shop_writer.say("order.change", order="WO-2", qty_milli=20_000)
    shop_writer.settle()
    shop_writer.scan("WO-2", "test", shop_writer.ago(hours=1), qty_milli=5_000)
    shop_writer.settle()
    log, seq = shop_writer.say("order.close", order="WO-2", how="short")
    shop_writer.settle()
    shop_writer.say("void", log=log, seq=seq, why="too early")
    shop_writer.settle()
    with store.read() as connection:
        before = sorted(row[1:] for row in connection.execute(select(finding)))
    rebuild(store)
    with store.read() as connection:
        assert sorted(row[1:] for row in connection.execute(select(finding))) == before


def test_an_ended_finding_is_not_answered(hub_app, shop_writer):
    named = place(hub_app)
    shop_writer.say("order.close", order="WO-1", how="short")
    shop_writer.settle()
    assert "which has ended" in entry(hub_app, shop_writer, 400, **named)["error"]["came"]
