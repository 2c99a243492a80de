"""The stations' protocol over HTTP, as the contract says it."""

import base64
import gzip
import json

import pytest
from sqlalchemy import select

from server.clock.readings import SystemClock
from server.db import schema
from server.ledger import hub_log
from station.core.hash_chain import anchor_mac, boot_bytes, genesis
from station.system import clock

BOOT = "6f1c2a50-8d4e-4c09-9a51-0d2f1f3c7b11"


@pytest.fixture
def saw(hub_app):
    """Station saw-1's knock: (status, body) of a POST."""
    token = hub_app.station()

    def knock(path, body, headers=token):
        answer = hub_app.anonymous().post(f"/api/v1/{path}", json=body, headers=headers)
        return answer.status_code, answer.json

    knock.token = token
    return knock


def test_a_session_says_how_far_the_hub_is_and_seals_its_time(store, saw, a_log):
    with store.read() as connection:
        hub = hub_log.hub_row(connection)
    before_us = clock.utc_us()
    status, body = saw(
        "session",
        {
            "log": a_log.log_id.hex(),
            "parent": None,
            "tip_seq": 4,
            "tip_hash": a_log.hashes[3].hex(),
            "pruned_thru": 0,
            "epoch_seen": None,
            "head_seen": None,
            "boot": BOOT,
            "t1": 5,
        },
    )
    assert status == 200
    t2, t3, mac, version = (body.pop(name) for name in ("t2", "t3", "mac", "snapshot_version"))
    assert before_us <= t2 <= t3 <= clock.utc_us()
    assert mac == anchor_mac(hub.mac_key, a_log.log_id, boot_bytes(BOOT), t2, t3)
    assert isinstance(version, str)
    assert body == {
        "hub_epoch": 1,
        "accepted_thru": 0,
        "accepted_hash": genesis(a_log.log_id).hex(),
        "durable_thru": 0,
        "limits": {"events": 500, "body_bytes": 1048576, "event_bytes": 65536},
        "hub_clk": SystemClock().state(),
        "do": None,
    }


def test_a_hub_in_doubt_of_its_clock_gives_no_time(store, saw, a_log):
    with store.write() as connection:
        connection.execute(schema.hub.update().values(clock_doubt=True))
    status, body = saw("session", {"log": a_log.log_id.hex(), "boot": BOOT})
    assert (status, body["t2"], body["t3"], body["mac"]) == (200, None, None, None)


def test_events_are_acknowledged_and_a_repeat_is_a_dup(saw, a_log):
    path = f"logs/{a_log.log_id.hex()}/events"
    status, body = saw(path, a_log.body())
    head = body.pop("head")
    assert (status, body) == (
        200,
        {
            "verdicts": [{"seq": seq, "verdict": "ok"} for seq in (1, 2, 3, 4)],
            "accepted_thru": 4,
            "durable_thru": 0,
            "hub_epoch": 1,
            "wait_ms": 0,
        },
    )
    status, body = saw(path, a_log.body())
    assert [each["verdict"] for each in body["verdicts"]] == ["dup"] * 4
    assert body["head"] == head


def test_a_tip_that_the_bytes_do_not_give_is_a_409_that_names_the_event(saw, a_log):
    status, body = saw(f"logs/{a_log.log_id.hex()}/events", a_log.body(tip="00" * 32))
    assert status == 409
    assert body == {
        "error": {
            "came": f"tip {'00' * 32} at seq 4",
            "expected": f"{a_log.hashes[3].hex()}, the hash of these bytes; the first event in doubt is seq 1",
            "do": "Send the events before it, then seq 1 alone with its hash in your log: it is stored with that hash.",
            "seq": 1,
        }
    }


def test_a_damaged_event_is_kept_as_claimed_when_it_was_asked_for(saw, a_log):
    path = f"logs/{a_log.log_id.hex()}/events"
    claimed = a_log.body(1, 1, events=[base64.b64encode(b"{damaged").decode()])
    assert saw(path, claimed)[0] == 409
    status, body = saw(path, claimed)
    assert (status, body["verdicts"]) == (200, [{"seq": 1, "verdict": "damaged"}])
    assert saw(path, a_log.body(2))[1]["accepted_thru"] == 4


@pytest.mark.parametrize(
    "poison",
    [b"", b"\x00", b"\xff\xfe", b"{", b'{"v":99,"kind":"x"}', b"[" * 20_000, b"x" * 65_536, b'{"v":1,"v":2}'],
)
def test_no_content_holds_up_the_next_event(saw, a_log, poison, rows):
    from station.core.hash_chain import link

    a_log.events.append(poison)
    a_log.hashes.append(link(a_log.hashes[-1], poison))
    a_log.write("six")
    status, body = saw(f"logs/{a_log.log_id.hex()}/events", a_log.body())
    assert (status, body["accepted_thru"]) == (200, 6)
    assert rows(select(schema.ledger.c.bytes).where(schema.ledger.c.seq == 5)) == [(poison,)]


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({"from_seq": 0}, 400, "JSON as /openapi.json describes EventsRequest"),
        ({"from_seq": -1}, 400, "JSON as /openapi.json describes EventsRequest"),
        ({"from_seq": 2**63}, 400, "JSON as /openapi.json describes EventsRequest"),
        ({"prev": "zz"}, 400, "JSON as /openapi.json describes EventsRequest"),
        ({"events": "e30="}, 400, "JSON as /openapi.json describes EventsRequest"),
        ({"events": ["not base64!"]}, 400, "JSON as /openapi.json describes EventsRequest"),
        ({"events": []}, 400, "1 to 500"),
        ({"events": ["e30="] * 501}, 413, "1 to 500"),
        ({"events": [base64.b64encode(b"x" * 65_537).decode()]}, 413, "at most 65536"),
        ({"prev": "00" * 32}, 409, "the hash of the event before it in the hub's ledger"),
        ({"from_seq": 7}, 409, "the log is complete here up to 0"),
        ({"hashes": ["00" * 32]}, 400, "one for each"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_in_one_shape(saw, a_log, changes, status, expected):
    answered, body = saw(f"logs/{a_log.log_id.hex()}/events", a_log.body(**changes))
    assert answered == status
    assert expected in body["error"]["expected"]
    assert {"came", "expected", "do"} <= set(body["error"])


def test_a_log_id_that_is_none_is_a_404(saw, a_log):
    assert saw("logs/xyz/events", a_log.body())[0] == 404
    assert saw(f"logs/{a_log.log_id.hex().upper()}00/events", a_log.body())[0] == 404


def test_a_log_of_another_device_is_a_403_and_an_alarm(hub_app, saw, a_log):
    path = f"logs/{a_log.log_id.hex()}/events"
    assert saw(path, a_log.body())[0] == 200
    other = hub_app.station("saw-2")
    status, body = saw(path, a_log.body(), other)
    assert (status, body["error"]["came"]) == (
        403,
        f"log {a_log.log_id.hex()} belongs to station 'saw-1', on another device; this token is of station 'saw-2'",
    )
    assert saw("session", {"log": a_log.log_id.hex()}, other)[0] == 403
    health = hub_app.anonymous().get("/healthz")
    assert (health.status_code, health.json["wrong"]) == (
        503,
        ["Station saw-2 sends another device's log: look for a copied card."],
    )


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}],
)
def test_nobody_sends_without_a_stations_token(saw, a_log, headers):
    status, body = saw(f"logs/{a_log.log_id.hex()}/events", a_log.body(), headers)
    assert status == 401
    assert set(body["error"]) == {"came", "expected", "do"}


def test_a_revoked_station_is_turned_away_at_once(hub_app, saw, a_log):
    from server.ops import admin_commands
    from server.ops.control_protocol import ControlReply, ControlRequest

    assert saw("heartbeat", {})[0] == 200
    assert admin_commands.handle(hub_app.store, ControlRequest("station revoke", {"name": "saw-1"})) == ControlReply()
    assert saw("heartbeat", {})[0] == 401


def test_gzip_is_unpacked_within_limits(hub_app, saw, a_log):
    path = f"/api/v1/logs/{a_log.log_id.hex()}/events"

    def send(raw, encoding="gzip"):
        headers = {**saw.token, "Content-Encoding": encoding, "Content-Type": "application/json"}
        answer = hub_app.anonymous().post(path, data=raw, headers=headers)
        return answer.status_code

    packed = gzip.compress(json.dumps(a_log.body()).encode())
    assert send(packed[:-9]) == 400
    assert send(b"no gzip") == 400
    assert send(packed, "br") == 400
    assert send(gzip.compress(b" " * 50_000_000)) == 413
    assert send(packed) == 200


def test_a_body_above_the_limit_is_a_413(hub_app, saw):
    answer = hub_app.anonymous().post(
        "/api/v1/heartbeat", data=b" " * (1024 * 1024 + 1), headers={**saw.token, "Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json["error"]["expected"]) == (413, "at most 1048576 bytes")


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00", b"[]", b'{"log":', b"[" * 100_000, b'{"a":' * 100_000, b'{"log":1e999}', b'{"log":"\xff"}', b"nul"],
)
def test_a_body_that_is_no_body_is_a_400(hub_app, saw, raw):
    headers = {**saw.token, "Content-Type": "application/json"}
    assert hub_app.anonymous().post("/api/v1/session", data=raw, headers=headers).status_code == 400


def test_the_last_heartbeat_of_a_station_is_kept(hub_app, saw, a_log):
    beat = {
        "log": a_log.log_id.hex(),
        "tip_seq": 9,
        "waiting": 5,
        "oldest_waiting_s": 12.5,
        "clock": "synced",
        "readers": [{"id": "usb-1", "kind": "keyboard", "state": "ok"}],
        "sw": "0.1.0",
        "disk_free": 10**9,
        "boot": BOOT,
        "aside": 3,
    }
    assert saw("heartbeat", {**beat, "waiting": 0})[1]["wait_ms"] == 30_000
    status, body = saw("heartbeat", beat)
    assert (status, body["wait_ms"]) == (200, 5_000)
    (row,) = hub_app.anonymous().get("/api/v1/stations").json["stations"]
    kept = row["heartbeat"]
    assert kept.pop("seen_us") <= clock.utc_us()
    assert kept == {**beat, "oldest_waiting_s": 12}


def test_every_answer_says_where_the_ledger_is(hub_app, saw, a_log):
    log = a_log.log_id.hex()
    sent = saw(f"logs/{log}/events", a_log.body())[1]
    place = (sent["hub_epoch"], sent["head"])
    beat = saw("heartbeat", {"log": log, "tip_seq": 9})[1]
    assert (beat["epoch"], beat["head"], beat["accepted_thru"]) == (*place, sent["accepted_thru"])
    assert beat["durable_thru"] == 0
    assert saw("heartbeat", {"log": "ab" * 16, "tip_seq": 9})[1]["accepted_thru"] == 0, "a log that is not known here"
    assert saw("heartbeat", {})[1]["accepted_thru"] is None
    for path in ("snapshot", "items/changes"):
        body = hub_app.anonymous().get(f"/api/v1/{path}", headers=saw.token).json
        assert (body["epoch"], body["head"]) == place, path
    unchanged = {
        **saw.token,
        "If-None-Match": hub_app.anonymous().get("/api/v1/snapshot", headers=saw.token).headers["ETag"],
    }
    headers = hub_app.anonymous().get("/api/v1/snapshot", headers=unchanged).headers
    assert (headers["Wipline-Epoch"], headers["Wipline-Head"]) == (str(place[0]), place[1])


def test_a_station_whose_end_lies_in_a_declared_gap_sends_what_it_has_in_a_new_log(saw, a_log):
    log = a_log.log_id.hex()
    gone = {"log": log, "tip_seq": 40, "tip_hash": "aa" * 32, "pruned_thru": 40}
    assert saw("session", gone)[1]["accepted_thru"] == 40
    older_card = {"log": log, "tip_seq": 20, "tip_hash": "bb" * 32, "pruned_thru": 0}
    assert saw("session", older_card)[1]["do"] == "reidentify"


def test_definitions_have_a_version_and_are_sent_once(hub_app, saw, a_log):
    first = hub_app.anonymous().get("/api/v1/snapshot", headers=saw.token)
    etag = first.headers["ETag"]
    version = saw("session", {"log": a_log.log_id.hex()})[1]["snapshot_version"]
    assert (first.status_code, etag) == (200, f'"{version}"')
    again = hub_app.anonymous().get("/api/v1/snapshot", headers={**saw.token, "If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")


def test_a_body_that_names_another_station_is_refused(saw, a_log):
    bodies = {
        "session": {"log": a_log.log_id.hex()},
        "heartbeat": {},
        f"logs/{a_log.log_id.hex()}/events": a_log.body(),
    }
    for path, body in bodies.items():
        status, answer = saw(path, {**body, "station": "saw-2"})
        assert (status, answer["error"]["came"]) == (403, "station 'saw-2'"), path
        assert saw(path, {**body, "station": "saw-1"})[0] == 200, path


def test_a_connected_station_whose_events_do_not_come_in_is_an_alarm(hub_app, saw):
    saw("heartbeat", {"waiting": 7, "oldest_waiting_s": 720})
    assert hub_app.anonymous().get("/healthz").json["wrong"] == [
        "Station saw-1 is connected, but its events do not come in: 7 events wait, the oldest for 12 min."
    ]


def test_forks_and_gaps_are_alarms_too(hub_app, saw, a_log):
    log = a_log.log_id.hex()
    saw(f"logs/{log}/events", a_log.body())
    saw(f"logs/{log}/events", a_log.forked(3).write("other").body(4))
    saw("session", {"log": "ab" * 16, "tip_seq": 9, "tip_hash": "00" * 32, "pruned_thru": 5})
    assert hub_app.anonymous().get("/healthz").json["wrong"] == [
        f"Two devices write log {log} of station saw-1: both are kept; give one a new card.",
        f"5 events are permanently lost: station saw-1, log {'ab' * 16}, from 1 to 5.",
    ]


def test_the_description_requires_each_field_that_an_answer_always_has(hub_app, saw, a_log):
    schemas = hub_app.anonymous().get("/openapi.json").json["components"]["schemas"]
    log = a_log.log_id.hex()
    _, session = saw("session", {"log": log})
    _, appended = saw(f"logs/{log}/events", a_log.body())
    _, heartbeat = saw("heartbeat", {"log": log})
    answers = {
        "SessionAnswer": session,
        "Limits": session["limits"],
        "EventsAnswer": appended,
        "EventVerdict": appended["verdicts"][0],
        "HeartbeatAnswer": heartbeat,
        "ItemsAnswer": hub_app.anonymous().get("/api/v1/items/changes", headers=saw.token).json,
    }
    assert {name: set(schemas[name]["required"]) for name in answers} == {
        name: set(answer) for name, answer in answers.items()
    }
    assert [
        name
        for name, schema in schemas.items()
        if name.endswith("Answer") and schema["required"] != list(schema["properties"])
    ] == []
    # Fields that a client may omit, and the field that an error has only for a batch, are optional.
    assert schemas["SessionRequest"]["required"] == ["log"]
    assert schemas["ErrorBody"]["required"] == ["came", "expected", "do"]
