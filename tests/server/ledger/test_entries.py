"""Entries: what a person says, in the hub's own log, all or none."""

import pytest
from fake_host import FakeMachine
from sqlalchemy import select

from server.accounting.period_close import close_period
from server.clock.watch import why_in_doubt
from server.db import schema
from server.ledger import hub_log
from server.ledger.entries import Entry, EntryRefused, record, record_all
from server.ledger.hub_log import keep_time
from station.core.event import decode
from station.core.hash_chain import anchor_mac, boot_bytes


@pytest.fixture
def machine():
    return FakeMachine()


@pytest.fixture
def own_events(store):
    def events():
        with store.read() as connection:
            return [decode(encoded) for encoded in connection.execute(select(schema.ledger.c.bytes)).scalars()]

    return events


def test_an_entry_stands_in_the_hubs_own_log_behind_an_anchor(store, own_events, machine):
    log_id, seq, pos = record(store, "order.release", {"order": "WO-1", "qty_milli": 5000}, "Kim", 77)
    anchor, entry = own_events()
    assert (len(log_id), seq, pos) == (16, 2, 2)
    assert (anchor.kind, anchor.station, anchor.t1, anchor.t2) == ("anchor", "hub", anchor.t4, anchor.t3)
    with store.read() as connection:
        key = hub_log.hub_row(connection).mac_key
    assert anchor.mac == anchor_mac(key, log_id, boot_bytes(anchor.boot), anchor.t2, anchor.t3)
    assert (entry.kind, entry.what, entry.by, entry.holds_from_us) == ("entry", "order.release", "Kim", 77)
    assert entry.data == {"order": "WO-1", "qty_milli": 5000}
    assert entry.boot == machine.clock.boot_id()


def test_a_second_entry_needs_no_second_anchor(store, own_events):
    record(store, "note", {"item": "WO-1", "text": "a"}, "Kim")
    record(store, "note", {"item": "WO-1", "text": "b"}, "Kim")
    assert [event.kind for event in own_events()] == ["anchor", "entry", "entry"]


def test_entries_are_written_together_or_not_at_all(store, own_events):
    good, bad = Entry("note", {"item": "WO-1", "text": "a"}, "Kim"), Entry("order.close", {"order": "WO-1"}, "Kim")
    with pytest.raises(EntryRefused) as caught:
        record_all(store, [good, bad])
    assert caught.value.came == "order.close, of which: Object missing required field `how`"
    assert own_events() == []
    assert [one.pos for one in record_all(store, [good, good])] == [2, 3]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            Entry("order.relaese", {}, "Kim"),
            "entry 'order.relaese'; expected a kind of entry that is known here. Did you mean order.release?",
        ),
        (
            Entry("note", {"item": "WO-1", "text": "x"}, ""),
            "note without a person; expected the name of the person who makes the entry. Sign in, or give a name.",
        ),
        (
            Entry("order.release", {"order": "W", "qty_milli": -1}, "Kim"),
            "order.release, of which: Expected `int` >= 0 - at `$.qty_milli`; expected the fields order, product, qty",
        ),
        (
            Entry("note", {"item": "WO-1", "text": "x" * 70_000}, "Kim"),
            "note that cannot be encoded; expected fields that an event can hold. This entry has",
        ),
    ],
)
def test_a_person_is_told_what_does_not_fit(store, entry, said):
    with pytest.raises(EntryRefused) as caught:
        record_all(store, [entry])
    assert str(caught.value).startswith(said)


def test_nothing_is_entered_from_before_a_closed_period(store):
    close_period(store, Entry("period.close", {"why": "month end"}, "Kim", 1_000_000))
    record(store, "note", {"item": "WO-1", "text": "x"}, "Kim", 1_000_001)
    record(store, "cost.set", {"component": "bar", "micros": 1}, "Kim", 1_000_000)
    with pytest.raises(EntryRefused) as caught:
        record(store, "note", {"item": "WO-1", "text": "x"}, "Kim", 1_000_000)
    assert str(caught.value) == (
        "note that holds from 1970-01-01 00:00:01 UTC; expected a time after 1970-01-01 00:00:01 UTC, where the"
        " last closed period ends. Enter it as of now, or reopen the period."
    )
    record(store, "period.reopen", {"why": "x"}, "Kim")
    record(store, "note", {"item": "WO-1", "text": "x"}, "Kim", 999_999)
    with pytest.raises(EntryRefused, match="expected a closed period"):
        record(store, "period.reopen", {"why": "x"}, "Kim")


def test_a_step_of_the_clock_gets_an_anchor(store, own_events, machine):
    record(store, "note", {"item": "WO-1", "text": "x"}, "Kim")
    machine.clock.step(2)
    record(store, "note", {"item": "WO-1", "text": "x"}, "Kim")
    assert [event.kind for event in own_events()] == ["anchor", "entry", "anchor", "entry"]


def test_a_clock_that_runs_against_the_ledger_is_doubted_until_a_person_confirms_it(store, own_events, machine):
    record(store, "note", {"item": "WO-1", "text": "x"}, "Kim")
    machine.clock.step(-2 * 3600)
    with store.write() as connection:
        keep_time(connection, machine.clock, start=True)
        assert hub_log.hub_row(connection).clock_doubt
    machine.clock.step(2 * 3600)
    with store.write() as connection:
        keep_time(connection, machine.clock)
        assert why_in_doubt(connection, machine.clock), "also when it is set right: no person has confirmed it"
        assert [event.kind for event in own_events()] == ["anchor", "entry"]
    with store.write() as connection:
        hub_log.confirm_clock(connection, machine.clock)
        assert why_in_doubt(connection, machine.clock) is None
    assert [event.kind for event in own_events()] == ["anchor", "entry", "anchor"]


def test_a_cost_has_an_amount_or_is_withdrawn(store):
    record(store, "cost.set", {"component": "bar", "micros": 0}, "Kim")
    record(store, "cost.set", {"component": "bar", "withdrawn": True}, "Kim")
    for data in ({"component": "bar"}, {"component": "bar", "micros": 1, "withdrawn": True}, {"withdrawn": False}):
        with pytest.raises(EntryRefused, match="`micros`, or `withdrawn` true"):
            record(store, "cost.set", data, "Kim")
