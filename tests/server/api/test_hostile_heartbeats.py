"""A station may say anything of its readers: it is refused with a reason or kept, and every page and list goes on."""

import json

import pytest

from server.api.request_body import MAX_DEPTH
from server.api.schemas import MAX_READER_TEXT, MAX_READERS

AROUND = '{"readers":}'
ROOM = MAX_READERS * MAX_READER_TEXT
LOOKED_AT = ("/stations", "/api/v1/stations", "/rules", "/wall", "/metrics")


@pytest.fixture
def send_heartbeat(hub_app):
    """Send a heartbeat in which `readers` is this JSON, as one station; returns the answer."""
    token = hub_app.station() | {"Content-Type": "application/json"}

    def sent(readers):
        return hub_app.anonymous().post(
            "/api/v1/heartbeat", data=(AROUND[:-1] + readers + AROUND[-1]).encode(), headers=token
        )

    return sent


def kept(hub_app):
    """The readers that the hub has of the station, which can be looked at everywhere."""
    browser = hub_app.anonymous()
    assert {path: browser.get(path).status_code for path in LOOKED_AT} == dict.fromkeys(LOOKED_AT, 200)
    (row,) = browser.get("/api/v1/stations").json["stations"]
    return row["heartbeat"] and row["heartbeat"]["readers"]


def nested(depth):
    return f"{'[' * depth}0{']' * depth}"


@pytest.mark.parametrize("shape", ["%s", '[{"id":%s}]', '[{"unknown":%s}]'])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 300, *range(941, 947), 5_000])
def test_readers_deep_within_each_other_are_refused_and_no_page_stumbles_over_them(
    hub_app, send_heartbeat, shape, depth
):
    answer = send_heartbeat(shape % nested(depth))
    assert answer.status_code == 400
    if depth < 900:  # beyond that the body itself cannot be read
        assert answer.json["error"] == {
            "came": f"readers nested deeper than {MAX_DEPTH}",
            "expected": "a list of flat objects",
            "do": "Send one a device.",
        }
    assert kept(hub_app) is None


def test_readers_as_deep_as_is_allowed_are_kept(hub_app, send_heartbeat):
    assert send_heartbeat(nested(MAX_DEPTH)).status_code == 200
    assert kept(hub_app) == json.loads(nested(MAX_DEPTH))


@pytest.mark.parametrize(
    ("readers", "stays"),
    [
        ("[]", []),
        ("null", []),
        ("5", []),
        ('"keyboard"', []),
        ('{"a":1}', []),
        ('[1,null,true,"x",[],{},{"id":null},{"id":{"a":1}},{"id":1e308,"kind":true,"state":[1]}]', ...),
        ('[{"id":"\\u0000\\u202e<script>"}]', [{"id": "{00}\u202e<script>"}]),  # PostgreSQL holds no NUL
    ],
)
def test_readers_of_any_form_are_kept_or_passed_over(hub_app, send_heartbeat, readers, stays):
    for _ in range(2):
        assert send_heartbeat(readers).status_code == 200
        assert kept(hub_app) == (json.loads(readers) if stays is ... else stays)


@pytest.mark.parametrize(
    "readers",
    ['[{"id":NaN}]', '[{"id":1e999}]', '[{"id":"\\ud800"}]', f'[{{"id":{"9" * 5_000}}}]', "[", "", "[[]", '["\x00"]'],
)
def test_what_is_no_json_is_refused_with_what_came_and_keeps_what_was_said_before(hub_app, send_heartbeat, readers):
    assert send_heartbeat('[{"id":"usb-1"}]').status_code == 200
    answer = send_heartbeat(readers)
    assert answer.status_code == 400
    assert answer.json["error"]["came"].startswith(f"a body of {len(AROUND) + len(readers)} bytes: ")
    assert answer.json["error"]["expected"] == "JSON as /openapi.json describes HeartbeatRequest"
    assert kept(hub_app) == [{"id": "usb-1"}]


def test_ten_thousand_readers_are_cut_to_the_first(hub_app, send_heartbeat):
    readers = [{"id": f"usb-{number}", "state": "ready"} for number in range(10_000)]
    assert send_heartbeat(json.dumps(readers)).status_code == 200
    assert kept(hub_app) == readers[:MAX_READERS]


def test_one_reader_that_says_too_much_hides_no_other(hub_app, send_heartbeat):
    small = [{"id": "usb-1", "state": "ready"}, {"id": "usb-2", "state": "lost"}]
    text = ROOM - len('{"id":""}') - sum(len(json.dumps(each, separators=(",", ":"))) for each in small)
    assert send_heartbeat(json.dumps([small[0], {"id": "x" * text}, small[1]])).status_code == 200
    assert len(kept(hub_app)) == 3
    assert send_heartbeat(json.dumps([small[0], {"id": "x" * (text + 1)}, small[1]])).status_code == 200
    assert [each["id"] for each in kept(hub_app) if len(each["id"]) < 9] == ["usb-1"]
    assert send_heartbeat(json.dumps([small[0], {"id": "x" * ROOM}, small[1]])).status_code == 200
    assert kept(hub_app) == small
