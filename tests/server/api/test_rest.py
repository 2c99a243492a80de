"""Entries, stations, health, metrics, descriptions and the event stream."""

import socket
import threading
from zoneinfo import ZoneInfo

import pytest

from server.api.past_query import time_of
from server.app import create_app
from server.auth.gate import anybody
from server.config import HubConfig
from server.context import HubLimits
from server.db.position_signal import PositionSignal
from server.projection.worker import Projector


@pytest.fixture
def folded(store, hub_app):
    """Fold everything that is there."""

    def fold():
        projector = Projector(store, hub_app.app.extensions["wipline"].projected)
        while projector.step():
            pass

    return fold


def release(order="WO-1", qty_milli=5_000):
    return {"what": "order.release", "data": {"order": order, "product": "bracket", "qty_milli": qty_milli}}


def test_entries_are_written_by_whom_the_token_names(hub_app, rows):
    token = hub_app.token("supervise")
    answer = hub_app.anonymous().post("/api/v1/entries", json={"entries": [release("A"), release("B")]}, headers=token)
    assert answer.status_code == 200
    log = answer.json["log"]
    assert answer.json == {
        "entries": [{"log": log, "seq": 2, "pos": 2}, {"log": log, "seq": 3, "pos": 3}],
        "log": log,
        "seq": 3,
        "pos": 3,
    }
    one = hub_app.anonymous().post("/api/v1/entries", json={**release("C"), "by": "Kim"}, headers=token)
    assert one.json["entries"] == [{"log": log, "seq": 4, "pos": 4}]
    from sqlalchemy import select

    from server.db import schema
    from station.core.event import decode

    said = [decode(encoded).by for (encoded,) in rows(select(schema.ledger.c.bytes))][1:]
    assert said == ["token-1", "token-1", "Kim (token token-1)"]


@pytest.mark.parametrize(
    ("body", "status", "came"),
    [
        ({}, 400, "no entry"),
        ({"entries": []}, 400, "a body of"),
        ({"what": "order.relaese", "data": {}}, 400, "entry 'order.relaese'"),
        ({"what": "note", "data": {"a": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}}, 400, "note nested deeper than 16"),
        ({"entries": [release()] * 501}, 400, "a body of"),
        ({"what": "cost.set", "data": {"micros": 1}}, 403, "cost.set by token-1"),
        ({"what": "person.define", "data": {"person": "x"}}, 403, "person.define by token-1"),
    ],
)
def test_entries_that_do_not_fit_are_said(hub_app, body, status, came):
    answer = hub_app.anonymous().post("/api/v1/entries", json=body, headers=hub_app.token("supervise"))
    assert answer.status_code == status
    assert answer.json["error"]["came"].startswith(came)


def test_every_address_of_ours_is_described(hub_app):
    described = hub_app.anonymous().get("/openapi.json").json
    assert described["openapi"].startswith("3.1")
    assert {
        "/api/v1/session",
        "/api/v1/logs/{log_id}/events",
        "/api/v1/heartbeat",
        "/api/v1/snapshot",
        "/api/v1/items/changes",
        "/api/v1/entries",
        "/api/v1/stations",
        "/healthz",
    } <= set(described["paths"])
    session = described["paths"]["/api/v1/session"]["post"]
    assert session["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/SessionRequest"
    }
    assert {"200", "400", "401", "403", "413"} <= set(session["responses"])
    assert described["components"]["schemas"]["ErrorBody"]["properties"].keys() == {"came", "expected", "do", "seq"}


def test_healthz_is_described_with_its_own_body_for_both_statuses(hub_app, store):
    described = hub_app.anonymous().get("/openapi.json").json
    responses = described["paths"]["/healthz"]["get"]["responses"]
    body = {"$ref": "#/components/schemas/HealthAnswer"}
    assert [responses[status]["content"]["application/json"]["schema"] for status in ("200", "503")] == [body, body]
    broken = create_app(HubConfig(), store, duties=[lambda: "The projector has stopped."])
    answer = broken.test_client().get("/healthz")
    assert (answer.status_code, answer.json["wrong"]) == (503, ["The projector has stopped."])
    assert answer.json.keys() == described["components"]["schemas"]["HealthAnswer"]["properties"].keys()


def test_health_and_metrics_tell_where_the_ledger_and_the_projection_are(hub_app, folded):
    hub_app.anonymous().post("/api/v1/entries", json=release(), headers=hub_app.token("supervise"))
    assert hub_app.anonymous().get("/healthz").json == {
        "status": "ok",
        "wrong": [],
        "notes": ["No verified backup off the hub's disk: stations keep everything they send."],
        "epoch": 1,
        "pos": 2,
        "projected_pos": 0,
        "running": [],
    }
    folded()
    lines = hub_app.anonymous().get("/metrics").get_data(as_text=True).splitlines()
    assert {"wipline_ledger_pos 2.0", "wipline_projected_pos 2.0", "wipline_entries_total 1.0"} <= set(lines)


def test_open_items_are_told_once_and_then_what_changed(hub_app, folded):
    token, browser = hub_app.token("supervise"), hub_app.anonymous()
    browser.post("/api/v1/entries", json={"entries": [release("A"), release("B", 7_000)]}, headers=token)
    folded()
    told = browser.get("/api/v1/items/changes").json

    def item(name, qty_milli, state="released", **more):
        outer = {"ordered": -qty_milli}
        row = {"item": name, "product": "bracket", "qty_milli": qty_milli, "state": state, "released": True}
        return row | {"order": name, "outer": outer} | more

    for row in told["items"]:
        assert (row.pop("since_us") > 0, row.pop("station")) == (True, "hub")
    assert (told.pop("epoch"), len(told.pop("head"))) == (1, 64)
    cursor = told.pop("cursor")
    assert told == {"reset": True, "complete": True, "items": [item("A", 5_000), item("B", 7_000)], "thru": None}
    assert browser.get(f"/api/v1/items/changes?after={cursor}").json["items"] == []
    browser.post(
        "/api/v1/entries", json={"what": "order.close", "data": {"order": "A", "how": "cancelled"}}, headers=token
    )
    folded()
    told = browser.get(f"/api/v1/items/changes?after={cursor}").json
    assert (told.pop("epoch"), len(told.pop("head"))) == (1, 64)
    ended = item("A", 0, "closed", closed="cancelled", outer={"ordered": -5_000, "adjusted": 5_000})
    assert (told.pop("cursor") > cursor, told) == (
        True, {"reset": False, "complete": True, "items": [ended], "thru": None}
    )  # fmt: skip
    # An ended order is sent with everything else, for 90 days.
    assert [row["state"] for row in browser.get("/api/v1/items/changes").json["items"]] == ["closed", "released"]
    for foreign in ("9:3", "1:99", "nonsense"):
        assert browser.get(f"/api/v1/items/changes?after={foreign}").json["reset"], foreign


@pytest.mark.parametrize("limit", ["0", "1001", "x", "-1", "9" * 40, "0000000019", "000000001" + "0" * 5_000])
def test_a_list_takes_a_limit_within_limits(hub_app, limit):
    assert hub_app.anonymous().get(f"/api/v1/stations?limit={limit}").status_code == 400


def test_stations_come_in_pages(hub_app):
    for name in ("a", "b", "c"):
        hub_app.station(name)
    first = hub_app.anonymous().get("/api/v1/stations?limit=2").json
    assert ([row["station"] for row in first["stations"]], first["cursor"]) == (["a", "b"], "b")
    rest = hub_app.anonymous().get("/api/v1/stations?limit=2&cursor=b").json
    assert ([row["station"] for row in rest["stations"]], rest["cursor"]) == (["c"], None)


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/v1/session"])
def test_an_error_has_one_shape_for_programs_and_a_page_for_people(hub_app, path):
    answer = hub_app.anonymous().get(path)
    assert answer.status_code == (405 if path.endswith("session") else 404)
    assert set(answer.json["error"]) == {"came", "expected", "do"}
    page = hub_app.anonymous().get(path, headers={"Accept": "text/html"})
    assert page.mimetype == ("application/json" if path.startswith("/api/") else "text/html")


def test_an_error_of_our_own_shows_no_trace(hub_app, caplog):
    @hub_app.app.get("/defect")
    @anybody
    def defect():
        return str(1 / 0)

    answer = hub_app.anonymous().get("/defect")
    assert (answer.status_code, answer.json["error"]["came"]) == (500, "an error of the hub itself")
    assert "ZeroDivisionError" in caplog.text


def told(hub_app, query="", count=1, headers=None):
    """The first lines of an event stream, comments left out."""
    answer = hub_app.anonymous().get(f"/api/v1/events{query}", headers=headers)
    assert answer.mimetype == "text/event-stream"
    lines, iterator = [], answer.iter_encoded()
    while len(lines) < count:
        block = next(iterator).decode()
        lines += [part for part in block.split("\n\n") if part and not part.startswith((":", "retry:"))]
    answer.close()
    return lines


def test_a_stream_tells_what_was_folded_since_a_cursor(hub_app, folded):
    hub_app.anonymous().post("/api/v1/entries", json=release("A"), headers=hub_app.token("supervise"))
    folded()
    expected = [
        'id: 1:1\nevent: ledger\ndata: {"pos":1,"station":"hub","kind":"anchor","item":null,"stage":null}',
        'id: 1:2\nevent: ledger\ndata: {"pos":2,"station":"hub","kind":"entry","item":"A","stage":null}',
    ]
    assert told(hub_app, "?after=1:0", 2) == expected
    assert told(hub_app, "", 1, {"Last-Event-ID": "1:1"}) == expected[1:]


def test_a_stream_of_another_epoch_is_told_to_load_anew(hub_app):
    assert told(hub_app, "?after=7:3") == ["id: 1:0\nevent: reload\ndata: {}"]


@pytest.mark.parametrize("limits", [HubLimits(max_behind=1)])
def test_a_stream_that_is_far_behind_is_told_to_load_anew(hub_app, folded):
    hub_app.anonymous().post("/api/v1/entries", json=release("A"), headers=hub_app.token("supervise"))
    folded()
    assert told(hub_app, "?after=1:0") == ["id: 1:2\nevent: reload\ndata: {}"]


def test_a_stream_hears_of_an_event_when_it_is_folded(hub_app, folded):
    heard = []
    listener = threading.Thread(target=lambda: heard.extend(told(hub_app, "?after=1:0", 2)))
    listener.start()
    hub_app.anonymous().post("/api/v1/entries", json=release("A"), headers=hub_app.token("supervise"))
    folded()
    listener.join(10)
    assert [line.partition("\n")[0] for line in heard] == ["id: 1:1", "id: 1:2"]


@pytest.mark.parametrize("limits", [HubLimits(max_streams=1)])
def test_a_stream_ends_when_the_hub_does_and_frees_its_seat(hub_app):
    first = hub_app.anonymous().get("/api/v1/events")
    full = hub_app.anonymous().get("/api/v1/events")
    assert (full.status_code, full.headers["Retry-After"]) == (503, "3")
    assert (full.json["error"]["came"], full.json["error"]["expected"]) == ("one more event stream", "at most 1")
    hub_app.app.extensions["wipline"].projected.close()
    assert next(iter(first.iter_encoded())) == b"retry: 2000\n\n"
    first.close()
    first.close()
    assert hub_app.anonymous().get("/api/v1/events").status_code == 200


def test_a_stream_of_a_page_that_went_away_ends_by_itself(hub_app):
    here, there = socket.socketpair()
    stays = hub_app.anonymous().get("/api/v1/events", environ_overrides={"gunicorn.socket": here}).iter_encoded()
    assert next(stays) == b"retry: 2000\n\n"
    assert next(stays).startswith(b": from")
    there.close()
    assert list(stays) == []
    here.close()


def test_a_stream_says_when_something_older_was_folded_anew(hub_app):
    heard = []
    listener = threading.Thread(target=lambda: heard.extend(told(hub_app, "", 1)))
    listener.start()
    bell = hub_app.app.extensions["wipline"].projected
    while listener.is_alive():
        bell.announce_refold()
        listener.join(0.05)
    assert heard == ["id: 1:0\nevent: reload\ndata: {}"]


def test_a_closed_bell_keeps_nobody_waiting():
    bell = PositionSignal()
    bell.close()
    assert bell.wait(0) == 0


@pytest.mark.parametrize("address", ["wip", "orders", "stages", "stations", "calls", "items/A"])
def test_an_unknown_query_word_is_refused_with_those_that_are_known(hub_app, folded, address):
    assert hub_app.anonymous().post("/api/v1/entries", json=release("A"), headers=hub_app.token("supervise")).json
    folded()
    browser = hub_app.anonymous()
    assert browser.get(f"/api/v1/{address}").status_code == 200
    refused = browser.get(f"/api/v1/{address}?asof=2026-01-01")
    assert refused.status_code == 400
    assert refused.json["error"]["came"] == "the query word 'asof'"
    if address in ("stations", "calls"):
        assert browser.get(f"/api/v1/{address}?as_of=2026-01-01").status_code == 400, "it would show the present"


def test_a_time_without_a_zone_is_that_of_the_site():
    assert time_of("2026-07-01T12:00", ZoneInfo("Europe/Berlin")) == time_of("2026-07-01T10:00Z")
    assert time_of("2026-07-01T12:00+05:00", ZoneInfo("Europe/Berlin")) == time_of("2026-07-01T07:00Z")
