"""The statements of one request of a station: their number depends neither on what the hub has nor on the request before."""

import base64

import engines
import pytest
from statements import counted_statements

from server.api.snapshot_cache import CachedSnapshot
from server.auth import devices
from server.db.position_signal import PositionSignal
from server.ledger.ingest import last_pos
from server.projection.definitions import change_count
from server.projection.rebuild import rebuild
from server.projection.worker import Projector

engine = engines.both
DEFINITIONS = ("definition", "binding")


@pytest.fixture
def station(hub_app, a_log):
    """A station of which the hub has the first event: the requests of its next event and of its heartbeat."""
    token = hub_app.station()
    client = hub_app.anonymous()

    def send(first, last):
        batch = a_log.batch(first, last)
        events = [base64.b64encode(event).decode() for event in batch.events]
        body = {"from_seq": first, "prev": batch.prev.hex(), "tip": batch.tip.hex(), "events": events}
        return client.post(f"/api/v1/logs/{a_log.log_id.hex()}/events", json=body, headers=token).status_code

    def beat():
        body = {"log": a_log.log_id.hex(), "tip_seq": 4, "waiting": 0, "clock": "synced", "wall_us": 1}
        answer = client.post("/api/v1/heartbeat", json=body, headers=token)
        return answer.status_code, answer.json["snapshot_version"]

    assert send(1, 1) == 200
    beat()
    return send, beat


def test_a_batch_takes_the_statements_of_one_event(station):
    send, _ = station
    for first, last in ((2, 2), (3, 4)):
        with counted_statements() as counted:
            assert send(first, last) == 200
        # The device; the log, the end of the ledger; their new values. All in the transaction of the events.
        assert (len(counted.texts), counted.commits) == (6, 1), counted.texts


def test_a_heartbeat_reads_no_definition(station, shop_writer):
    _, beat = station
    shop_writer.small_shop()
    shop_writer.settle()
    before = beat()
    with counted_statements() as counted:
        assert beat() == before
    # The device, the hub, the log, the clock; whether a definition changed. The heartbeat has a transaction of its own.
    assert (len(counted.texts), counted.commits) == (5, 2), counted.texts
    assert [counted.naming(table) for table in DEFINITIONS] == [[], []]
    shop_writer.say("stage.define", 0, stage="oven", name="Oven", type="process")
    shop_writer.settle()
    changed = beat()
    assert changed[1] != before[1]
    shop_writer.say("code.bind", None, code="4711", as_="item", to="WO-1")
    shop_writer.settle()
    assert beat()[1] != changed[1]


def test_a_token_that_is_revoked_between_two_requests_is_refused_at_once(station, store, hub_app):
    send, beat = station
    name = "saw-1"
    assert (send(2, 2), beat()[0]) == (200, 200)
    with store.write() as connection:
        devices.revoke(connection, name, 1)
    before = last(store)
    assert (send(3, 3), send(3, 3)) == (401, 401)
    assert last(store) == before
    with pytest.raises(KeyError):  # the answer of a refusal has no version
        beat()


def last(store):
    with store.read() as connection:
        return last_pos(connection)


def test_a_planned_definition_is_in_the_snapshot_from_its_time_on(shop_writer, store):
    snapshots, later_us = CachedSnapshot(), shop_writer.now_us + 3_600_000_000
    for name, holds_from_us in (("Oven", 0), ("Large oven", later_us)):
        shop_writer.say("stage.define", holds_from_us, stage="oven", name=name, type="process")
    shop_writer.settle()
    with store.read() as connection:
        bodies = [
            snapshots.current(connection, at_us, lambda *_: ((".", ","), None))[1]
            for at_us in (later_us - 2, later_us - 1, later_us, later_us + 1, later_us - 1)
        ]
    assert [b"Large oven" in body for body in bodies] == [False, False, True, True, False]


def test_a_rebuild_counts_as_a_change_of_the_definitions(shop_writer, store):
    shop_writer.small_shop()
    shop_writer.settle()
    with store.read() as connection:
        before = change_count(connection)
    rebuild(store)
    Projector(store, PositionSignal()).drain()
    with store.read() as connection:
        assert change_count(connection) == before + 1
