"""Calls on the pages and in the API: who called, since when, who answered, and after how long."""

import re

import pytest
from shop_writer import ShopWriter

from server.locale_format import NBSP, LocaleFormat
from server.queries.board_state import board_state_now, current_alerts
from tests.server.web.test_pages import text_of


@pytest.fixture
def shop_writer(store):
    made = ShopWriter(store)
    made.small_shop()
    return made


def call(shop_writer, minutes, stage="saw", kind="supervisor", **fields):
    shop_writer.scan(
        f"WIP:CALL:{kind}",
        stage,
        shop_writer.ago(minutes=minutes),
        action="call",
        reason=kind,
        scheme="command",
        **fields,
    )


def answer(shop_writer, minutes, stage="saw", **fields):
    at_us = shop_writer.ago(minutes=minutes)
    shop_writer.scan("WIP:ANSWER", stage, at_us, action="answer", scheme="command", **fields)


def alerts(shop_writer):
    shop_writer.settle()
    with shop_writer.store.read() as connection:
        found = current_alerts(connection, board_state_now(connection, LocaleFormat(), shop_writer.now_us)).alerts
    return [(each.sentence.replace(NBSP, " "), each.detail, each.grave) for each in found]


def test_a_call_is_the_first_line_with_its_running_time_and_one_a_kind(shop_writer):
    shop_writer.release("WO-1", due="2020-01-01")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    call(shop_writer, 75, operator="K7")
    call(shop_writer, 70)
    call(shop_writer, 12, "deburr", "burr")
    clock = LocaleFormat().clock
    found = alerts(shop_writer)
    assert [row[0] for row in found[:2]] == [
        "Saw calls for supervisor, waiting for 1 h 15 min", "Deburr calls for Burr left, waiting for 12 min",
    ]  # fmt: skip
    assert found[0][1] == f"called by A. Kim · {clock(shop_writer.ago(minutes=75), shop_writer.now_us)} · 2 times"
    assert found[0][2]
    assert "WO-1 was due" in found[2][0]


def test_a_call_of_yesterday_is_still_there_and_an_answered_one_is_not(shop_writer):
    call(shop_writer, 3 * 1440)
    call(shop_writer, 5, "deburr")
    answer(shop_writer, 4, "deburr")
    assert [row[0] for row in alerts(shop_writer)] == ["Saw calls for supervisor, waiting for 3 d"]


@pytest.mark.parametrize("page", ["/", "/wall", "/stages/saw"])
def test_the_line_with_the_running_time_is_on_board_wall_and_stage_page(hub_app, shop_writer, page):
    call(shop_writer, 12, operator="K7")
    shop_writer.settle()
    shown = hub_app.anonymous().get(page)
    body = shown.get_data(as_text=True)
    (since, now) = re.search(r'<time class="running" [^>]*data-since="(\d+)" data-now="(\d+)"', body).groups()
    assert int(since) == pytest.approx(shop_writer.ago(minutes=12) // 1_000_000, abs=1)
    assert int(now) >= shop_writer.now_us // 1_000_000
    assert "waiting for 12 min" in text_of(shown)
    assert 'action="/calls"' not in body, "a reader has no button"


def test_every_open_call_is_on_the_wall_beyond_the_first_three_lines(hub_app, shop_writer):
    for stage in ("saw", "deburr", "test", "pack"):
        call(shop_writer, 12, stage)
    shop_writer.settle()
    words = text_of(hub_app.anonymous().get("/wall"))
    assert all(f"{name} calls for supervisor" in words for name in ("Saw", "Deburr", "Test", "Pack"))


def test_a_person_answers_on_the_page_and_who_when_and_how_long_is_kept(hub_app, shop_writer):
    call(shop_writer, 30, operator="K7")
    call(shop_writer, 20, kind="burr")
    call(shop_writer, 10, "deburr")
    shop_writer.settle()
    browser = hub_app.person("supervise", "Dana")
    page = browser.get("/stages/saw").get_data(as_text=True)
    assert page.count('action="/calls"') == 1
    token = re.search(r'action="/calls".*?name="csrf_token" value="([^"]+)"', page)[1]
    form = {"csrf_token": token, "kind": "stage", "place": "saw", "back": "stage"}
    answered = browser.post("/calls", data=form)
    assert (answered.status_code, answered.headers["Location"]) == (302, "/stages/saw")
    shop_writer.settle()
    assert "Saw calls" not in text_of(browser.get("/"))
    assert "Deburr calls for supervisor" in text_of(browser.get("/"))
    words = text_of(browser.get("/stages/saw"))
    assert "The last 2 calls" in words
    assert "supervisor A. Kim at saw-1" in words
    assert "Dana" in words
    rows = browser.get("/api/v1/calls?stage=saw").json["calls"]
    assert [(row["reason"], row["called_by"], row["answered_by"], row["answered_at"]) for row in rows] == [
        ("burr", None, "Dana", "hub"), ("supervisor", "K7", "Dana", "hub"),
    ]  # fmt: skip
    assert [row["waited_s"] for row in rows] == [pytest.approx(20 * 60, abs=30), pytest.approx(30 * 60, abs=30)]


def test_who_may_not_supervise_may_not_answer(hub_app, shop_writer):
    for roles in ("view", "account"):
        browser = hub_app.person(roles)
        assert browser.post("/calls", data={"kind": "stage", "place": "saw"}).status_code == 403
    assert hub_app.anonymous().post("/calls", data={"kind": "stage", "place": "saw"}).status_code == 401


def test_an_answer_to_no_place_is_refused_on_the_page_and_in_the_api(hub_app, shop_writer):
    browser = hub_app.person("supervise")
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/").get_data(as_text=True))[1]
    refused = browser.post("/calls", data={"csrf_token": token, "kind": "person", "place": "x"})
    assert (refused.status_code, refused.json["error"]["came"]) == (400, "an answer to no place")
    entry = {"what": "answer", "data": {}}
    refused = hub_app.anonymous().post("/api/v1/entries", json=entry, headers=hub_app.token("supervise"))
    assert (refused.status_code, refused.json["error"]) == (400, {
        "came": "answer without a stage",
        "expected": "the stage whose calls are answered, or the station where it has no stage",
        "do": 'Send {"stage": "saw"}, or {"station": "saw-1"}.',
    })  # fmt: skip


def test_the_api_lists_open_calls_and_pages_through_all(hub_app, shop_writer):
    for n in range(5):
        call(shop_writer, 50 - n)
    answer(shop_writer, 40)
    call(shop_writer, 30)
    call(shop_writer, 20, None, station="lone-1")
    shop_writer.settle()
    get = hub_app.anonymous().get
    assert [(row["stage"], row["station"]) for row in get("/api/v1/calls?open=1").json["calls"]] == [
        (None, "lone-1"), ("saw", "saw-1"),
    ]  # fmt: skip
    seen, cursor = [], ""
    while cursor is not None:
        page = get(f"/api/v1/calls?limit=3&cursor={cursor}").json
        seen += [row["called"] for row in page["calls"]]
        cursor = page["cursor"]
    assert len(seen) == 7
    assert seen == sorted(seen, reverse=True)
    stages = {row["stage"]: row["calls"] for row in get("/api/v1/stages").json["stages"]}
    assert [len(calls) for calls in stages.values()] == [1, 0, 0, 0]
    assert stages["saw"][0]["answered"] is None
    for query in ("open=x", "cursor=x", "limit=0"):
        assert get(f"/api/v1/calls?{query}").status_code == 400


def test_a_call_without_a_stage_names_its_station_and_is_answered_from_the_board(hub_app, shop_writer):
    call(shop_writer, 5, None, station="lone-1")
    shop_writer.settle()
    browser = hub_app.person("supervise")
    page = browser.get("/").get_data(as_text=True)
    token = re.search(r'action="/calls".*?name="csrf_token" value="([^"]+)"', page)[1]
    assert "Station lone-1 calls for supervisor" in text_of(browser.get("/"))
    form = {"csrf_token": token, "kind": "station", "place": "lone-1", "back": "board"}
    assert browser.post("/calls", data=form).headers["Location"] == "/"
    shop_writer.settle()
    assert "lone-1 calls" not in text_of(browser.get("/"))


def test_a_hostile_kind_of_help_is_only_text(hub_app, shop_writer):
    call(shop_writer, 5, kind="<img src=x>\x1b")
    shop_writer.settle()
    for page in ("/", "/wall", "/stages/saw"):
        assert "<img src=x" not in hub_app.anonymous().get(page).get_data(as_text=True)
