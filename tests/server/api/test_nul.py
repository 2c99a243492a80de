"""A NUL character, which no text of PostgreSQL holds: refused where a person can correct it, otherwise escaped."""

import engines
import pytest

engine = engines.both
CAME = "a NUL character in"


@pytest.mark.parametrize("path", ["/item/a%00b", "/stage/a%00b", "/api/v1/items/a%00b", "/stations/a%00b", "/x%00"])
def test_a_nul_in_an_address_is_refused(hub_app, path):
    answer = hub_app.person("supervise").get(path)
    assert (answer.status_code, CAME in answer.get_data(as_text=True)) == (400, True)


@pytest.mark.parametrize(
    "query", ["/?product=a%00b", "/orders?customer=a%00b", "/find?q=a%00b", "/?a%00b=1", "/sheet?paper=%00"]
)
def test_a_nul_in_a_query_is_refused(hub_app, query):
    answer = hub_app.person("supervise").get(query)
    assert (answer.status_code, CAME in answer.get_data(as_text=True)) == (400, True)


def test_a_nul_in_the_form_of_a_sign_in_is_refused(hub_app, csrf_of):
    browser = hub_app.anonymous()
    form = {"name": "a\0b", "password": "x", "csrf_token": csrf_of(browser, "/sign-in")}
    answer = browser.post("/sign-in", data=form)
    assert (answer.status_code, CAME in answer.get_data(as_text=True)) == (400, True)


@pytest.mark.parametrize(
    ("entry", "came"),
    [
        ({"what": "note", "data": {"item": "WO-1", "text": "a\0b"}}, "note with a NUL character in text"),
        ({"what": "note", "data": {"item": "a\0b", "text": "x"}}, "note with a NUL character in item"),
        ({"what": "note", "data": {"item": "x", "text": "x"}, "by": "a\0b"}, "note by a person with a NUL character"),
        ({"what": "person.define", "data": {"person": "p\0"}}, "person.define with a NUL character in person"),
        (
            {"what": "order.release", "data": {"order": "W", "items": ["a", "b\0"]}},
            "order.release with a NUL character in items",
        ),
        (
            {"what": "note", "data": {"item": "W", "text": "x", "a\0": "b"}},
            "note with a NUL character in the name of a field",
        ),
    ],
)
def test_a_nul_in_an_entry_is_refused_with_its_field(hub_app, entry, came):
    answer = hub_app.anonymous().post("/api/v1/entries", json=entry, headers=hub_app.token("administer"))
    assert answer.status_code == 400
    assert answer.json["error"]["came"].startswith(came), answer.json


def test_a_nul_in_the_texts_of_a_station_is_escaped_and_delays_nothing(hub_app, a_log):
    token = hub_app.station()
    log = a_log.log_id.hex()
    session = {"log": log, "boot": "a\0b", "t1": 1, "epoch_seen": "\0", "head_seen": "\0"}
    beat = {"sw": "a\0b", "boot": "\\u0000", "clock": "\0", "readers": [{"id": "a\0b"}]}
    client = hub_app.anonymous()
    sent = [client.post("/api/v1/session", json=session, headers=token)]
    sent += [client.post(f"/api/v1/logs/{log}/events", json=a_log.body(), headers=token)]
    sent += [client.post("/api/v1/heartbeat", json=beat, headers=token)]
    assert [answer.status_code for answer in sent] == [200, 200, 200]
    (row,) = client.get("/api/v1/stations").json["stations"]
    assert row["heartbeat"]["readers"] == [{"id": "a{00}b"}]
