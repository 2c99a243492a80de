"""Taking batches into the ledger: in order, once, whatever comes."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from server.db import schema
from server.ledger import ingest, station_logs
from server.ledger.ingest import BatchAppended, BatchRefused
from server.ledger.verify import verify
from station.core.hash_chain import ledger_genesis, ledger_link, link
from station.core.protocol import EventVerdict

NOW_US = 1_790_000_000_000_000


def verdicts(taken):
    assert isinstance(taken, BatchAppended), taken
    return [(each.seq, each.verdict) for each in taken.verdicts]


def test_a_batch_is_taken_in_its_order_and_linked_into_the_hubs_chain(store, append_batch, a_log, rows):
    taken = append_batch(a_log.batch())
    hub_id = rows(select(schema.hub.c.hub_id))[0][0]
    head, expected = ledger_genesis(hub_id), []
    for pos, own in enumerate(a_log.hashes, 1):
        head = ledger_link(head, pos, a_log.log_id, pos, own)
        event, prev = a_log.events[pos - 1], a_log.hash_at(pos - 1)
        expected.append((pos, a_log.log_id, pos, event, prev, own, NOW_US, head))
    assert taken == BatchAppended(tuple(EventVerdict(seq, "ok") for seq in (1, 2, 3, 4)), 4, 0, 1, head, 4)
    assert rows(select(schema.ledger)) == expected


def test_a_repeated_send_is_recorded_once(append_batch, a_log, rows):
    append_batch(a_log.batch(1, 3))
    assert verdicts(append_batch(a_log.batch(1, 3))) == [(1, "dup"), (2, "dup"), (3, "dup")]
    assert verdicts(append_batch(a_log.batch(2, 4))) == [(2, "dup"), (3, "dup"), (4, "ok")]
    assert [seq for (seq,) in rows(select(schema.ledger.c.seq))] == [1, 2, 3, 4]


def test_a_batch_behind_a_gap_is_refused_and_told_where_to_go_on(append_batch, a_log):
    append_batch(a_log.batch(1, 1))
    assert append_batch(a_log.batch(3, 4)) == BatchRefused(
        2,
        "events from seq 3",
        "seq 2: the log is complete here up to 1",
        "Send from accepted_thru + 1, in order.",
    )


def test_another_event_at_a_place_that_is_taken_is_kept_beside_the_ledger(append_batch, a_log, rows):
    other = a_log.forked(2).write("other three", "other four", "other five")
    append_batch(a_log.batch())
    taken = append_batch(other.batch(3))
    assert verdicts(taken) == [(3, "fork"), (4, "fork"), (5, "fork")]
    assert taken.accepted_thru == 4
    kept = rows(select(schema.fork.c.seq, schema.fork.c.bytes, schema.fork.c.hash).order_by(schema.fork.c.seq))
    assert kept == [(seq, other.events[seq - 1], other.hashes[seq - 1]) for seq in (3, 4, 5)]
    assert verdicts(append_batch(other.batch(3))) == [(3, "fork"), (4, "fork"), (5, "fork")], "a repeat is kept once"
    assert len(rows(select(schema.fork.c.id))) == 3


def test_the_branch_that_differs_goes_on_as_a_fork_and_the_other_as_before(append_batch, a_log):
    other = a_log.forked(2).write("other three", "other four", "other five")
    append_batch(a_log.batch())
    append_batch(other.batch(3, 4))
    assert verdicts(append_batch(other.batch(5))) == [(5, "fork")]
    assert verdicts(append_batch(a_log.write("five").batch(5))) == [(5, "ok")]


def test_a_past_that_is_not_ours_is_asked_for_step_by_step_until_it_shows_as_a_fork(append_batch, a_log):
    other = a_log.forked(3).write("other four", "other five")
    append_batch(a_log.batch())
    refused = append_batch(other.batch(5))
    assert isinstance(refused, BatchRefused)
    assert refused.seq == 4
    assert verdicts(append_batch(other.batch(4, 4))) == [(4, "fork")]


def test_bytes_that_do_not_give_their_hash_are_refused_then_kept_as_claimed(store, append_batch, a_log, rows):
    damaged = list(a_log.events)
    damaged[2] = damaged[2].replace(b"scan", b"scam")
    refused = append_batch(replace(a_log.batch(), events=damaged, hashes=a_log.hashes))
    assert isinstance(refused, BatchRefused)
    assert refused.seq == 3
    assert rows(select(schema.ledger.c.pos)) == [], "nothing is appended"
    assert verdicts(append_batch(a_log.batch(1, 2))) == [(1, "ok"), (2, "ok")]
    alone = replace(a_log.batch(3, 3), events=[damaged[2]])
    assert verdicts(append_batch(alone)) == [(3, "damaged")]
    assert rows(select(schema.ledger.c.bytes, schema.ledger.c.hash).where(schema.ledger.c.seq == 3)) == [
        (damaged[2], a_log.hashes[2])
    ]
    assert rows(select(schema.damage.c.seq, schema.damage.c.sha256)) == [(3, sha256(damaged[2]).digest())]
    assert verdicts(append_batch(a_log.batch(4))) == [(4, "ok")], "the log goes on from the claim"
    assert verdicts(append_batch(replace(a_log.batch(), events=damaged))) == [(seq, "dup") for seq in (1, 2, 3, 4)]
    with store.read() as connection:
        assert verify(connection) == []


def test_an_event_that_was_only_damaged_on_its_way_is_taken_when_it_comes_again(append_batch, a_log):
    on_its_way = replace(a_log.batch(1, 1), events=[b"{}"])
    assert isinstance(append_batch(on_its_way), BatchRefused)
    assert verdicts(append_batch(a_log.batch(1, 1))) == [(1, "ok")]


def test_without_hashes_the_first_event_that_is_not_here_yet_is_named(append_batch, a_log):
    append_batch(a_log.batch(1, 2))
    refused = append_batch(replace(a_log.batch(), tip=bytes(32)))
    assert isinstance(refused, BatchRefused)
    assert refused.seq == 3


def test_a_log_with_too_many_forks_is_refused(append_batch, a_log):
    append_batch(a_log.batch())
    refused = append_batch(a_log.forked(2).write("x", "y").batch(3), max_forks=1)
    assert isinstance(refused, BatchRefused)
    assert refused.full


REPLACED = {
    "sqlite": "INSERT OR REPLACE INTO ledger {row}",
    "postgresql": "INSERT INTO ledger {row} ON CONFLICT ({key}) DO UPDATE SET recv_us = 0",
}
ROW = "SELECT {pos}, log_id, seq, prev, prev, hash, recv_us, chain FROM ledger WHERE pos = 2"


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("UPDATE ledger SET recv_us = 0", {}),
        ("DELETE FROM ledger", {}),
        pytest.param("", {"row": ROW.format(pos="pos"), "key": "pos"}, id="another at the same position"),
        pytest.param("", {"row": ROW.format(pos="99"), "key": "log_id, seq"}, id="another for the same event"),
    ],
)
def test_the_database_itself_refuses_to_change_the_ledger(store, engine, append_batch, a_log, statement, values):
    append_batch(a_log.batch())
    with pytest.raises(DBAPIError, match="append-only"), store.write() as connection:
        connection.execute(text(statement or REPLACED[engine].format(**values)))


def test_what_fails_before_the_commit_leaves_nothing(store, append_batch, a_log, rows):
    def cut_short():
        with store.write() as connection:
            station_logs.log_of(connection, a_log.log_id, device=None, station="saw-1", now_us=1)
            ingest.append(connection, a_log.batch(), recv_us=1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_short()
    assert rows(select(schema.ledger.c.pos)) == []
    assert store.arrived.pos == 0
    assert verdicts(append_batch(a_log.batch())) == [(seq, "ok") for seq in (1, 2, 3, 4)]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sends=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=30), number=st.integers(0, 2**64))
def test_any_sends_in_any_order_give_the_log_once(store, append_batch, a_log, sends, number, rows):
    log = replace(a_log, log_id=sha256(b"%d" % number).digest()[:16], events=[], hashes=[])
    log.write(*(f"event {n}" for n in range(12)))
    thru = 0
    before = {pos for (pos,) in rows(select(schema.ledger.c.pos).where(schema.ledger.c.log_id == log.log_id))}
    if before:
        return
    for first, last in sends:
        if first <= last:
            taken = append_batch(log.batch(first, last))
            if first <= thru + 1:
                thru = max(thru, last)
                assert isinstance(taken, BatchAppended)
                assert taken.accepted_thru == thru
            else:
                assert isinstance(taken, BatchRefused)
    wanted = select(schema.ledger.c.seq, schema.ledger.c.hash).where(schema.ledger.c.log_id == log.log_id)
    assert rows(wanted.order_by(schema.ledger.c.pos)) == [(n + 1, log.hashes[n]) for n in range(thru)]
    with store.read() as connection:
        assert verify(connection) == []


def test_the_chain_is_what_the_contract_says(a_log):
    assert link(a_log.hash_at(0), a_log.events[0]) == a_log.hashes[0]
