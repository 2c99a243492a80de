"""A station's token at the hub's door: what it sends in anybody's name is taken, shown, and changes nothing."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from server.api.health import health
from server.context import HubContext
from server.db import schema
from server.db.position_signal import PositionSignal
from server.projection.log_permissions import count_not_permitted
from server.projection.tables import definition, event_state
from server.projection.worker import Projector
from server.queries.item_events import scans
from server.queries.station_alerts import of_not_permitted
from station.core.hash_chain import link


def put(log, encoded):
    log.hashes.append(link(log.hash_at(len(log.events)), encoded))
    log.events.append(encoded)


@pytest.fixture
def sent(hub_app, a_log):
    """A station sends a scan of its own, an entry of a person, and a scan that names another station."""
    token = hub_app.station("saw-1")
    log = replace(a_log, events=[], hashes=[]).write("WO-1")
    put(
        log,
        b'{"v":1,"kind":"entry","station":"hub","sw":"t","what":"person.define","by":"p-administer",'
        b'"data":{"person":"mallory","roles":["administer"]}}',
    )
    put(log, b'{"v":1,"kind":"scan","station":"weld-1","sw":"t","raw":"V08tMQ=="}')
    answer = hub_app.anonymous().post(f"/api/v1/logs/{log.log_id.hex()}/events", json=log.body(), headers=token)
    assert [each["verdict"] for each in answer.json["verdicts"]] == ["ok"] * 3
    Projector(hub_app.store, PositionSignal()).drain()
    return hub_app


def test_an_entry_by_a_stations_token_is_kept_and_makes_no_person(sent, rows):
    station = select(schema.log.c.log_id).where(schema.log.c.station == "saw-1")
    stored = schema.ledger.c
    states = select(event_state.c.status).join(schema.ledger, stored.pos == event_state.c.pos)
    states = states.where(stored.log_id.in_(station)).order_by(stored.seq)
    assert rows(states) == [("ok",), ("not_permitted",), ("ok",)]
    assert rows(select(definition.c.what)) == []


def test_what_it_may_not_send_stands_on_the_board_and_in_healthz(sent):
    with sent.store.read() as connection:
        told = [each.sentence for each in of_not_permitted(count_not_permitted(connection))]
    assert told == [
        "Station saw-1 sent 1 event that it may not send: entries, or voids of what others recorded",
        "Station saw-1 sent 1 event that claims to be of station weld-1",
    ]
    notes = health(HubContext(sent.config, sent.store)).notes
    assert [each for each in notes if each.startswith("Station saw-1 sent 1 event that it may not send")]


def test_the_item_page_shows_a_claim_beside_the_station_that_sent_it(sent):
    with sent.store.read() as connection:
        assert [(each.station, each.sent_by) for each in scans(connection, "WO-1").events] == [
            ("weld-1", "saw-1"),
            ("saw-1", None),
        ]
    page = sent.person("supervise").get("/items/WO-1").get_data(as_text=True)
    assert "saw-1, claims to be weld-1" in page
