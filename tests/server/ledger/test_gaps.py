"""Events inside a declared gap: what fits is taken and shrinks the gap, and no sequence leaves a ledger with a break."""

from dataclasses import replace
from hashlib import sha256
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from server.db import schema
from server.ledger import station_logs
from server.ledger.ingest import BatchAppended, BatchRefused
from server.ledger.station_logs import LogTip
from server.ledger.verify import verify
from server.ops.durability import note_copy

NOW_US = 1
GAPS = select(schema.gap.c.from_seq, schema.gap.c.to_seq).order_by(schema.gap.c.from_seq)


@pytest.fixture
def open_session(store):
    """Open a session with a tip; returns the hub's answer."""

    def met(log_id: bytes, tip: LogTip) -> station_logs.SessionComparison:
        with store.write() as connection:
            log = station_logs.log_of(connection, log_id, device=None, station="saw-1", now_us=NOW_US)
            return station_logs.compare_tips(connection, log, tip, NOW_US)

    return met


@pytest.fixture
def long_log(a_log):
    """A log of twelve events."""
    return a_log.write(*(f"event {n}" for n in range(5, 13)))


@pytest.fixture
def log_with_gap(append_batch, open_session, long_log):
    """The hub has events 1 to 3; the station reports 4 to 8 as pruned, and sends 9 and 10."""
    append_batch(long_log.batch(1, 3))
    open_session(long_log.log_id, LogTip(10, long_log.hashes[9], pruned_thru=8))
    append_batch(long_log.batch(9, 10))
    return long_log


def breaks(store):
    with store.read() as connection:
        return [str(each) for each in verify(connection)]


def verdicts(taken: Any) -> list[str]:
    assert isinstance(taken, BatchAppended), taken
    return [each.verdict for each in taken.verdicts]


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [(4, 8, []), (4, 5, [(6, 8)]), (7, 8, [(4, 6)]), (6, 6, [(4, 5), (7, 8)]), (2, 9, []), (8, 12, [(4, 7)])],
)
def test_events_that_fit_into_a_gap_are_taken_and_shrink_it(store, append_batch, log_with_gap, rows, first, last, left):
    assert set(verdicts(append_batch(log_with_gap.batch(first, last)))) <= {"ok", "dup"}
    assert rows(GAPS) == left
    assert breaks(store) == []
    assert set(verdicts(append_batch(log_with_gap.batch()))) <= {"ok", "dup"}
    assert rows(GAPS) == []
    assert breaks(store) == []
    assert [seq for (seq,) in rows(select(schema.ledger.c.seq).order_by(schema.ledger.c.seq))] == list(range(1, 13))


def test_events_in_a_gap_that_do_not_lead_to_what_stands_behind_it_are_kept_as_a_fork(
    store, append_batch, log_with_gap, rows
):
    other = log_with_gap.forked(5).write("other 6", "other 7", "other 8")
    assert verdicts(append_batch(other.batch(6, 8))) == ["fork"] * 3
    assert breaks(store) == []
    assert rows(GAPS) == [(4, 8)]
    assert len(rows(select(schema.fork.c.seq))) == 3
    assert verdicts(append_batch(log_with_gap.batch(4, 8))) == ["ok"] * 5


def test_events_in_a_gap_that_do_not_stand_behind_what_is_in_front_of_it_are_refused(
    store, append_batch, log_with_gap, rows
):
    refused = append_batch(replace(log_with_gap.batch(4, 5), prev=bytes(32)))
    assert isinstance(refused, BatchRefused)
    assert refused.seq == 3
    assert breaks(store) == []
    assert rows(GAPS) == [(4, 8)]


def test_a_gap_at_the_end_that_is_filled_is_followed_by_what_stands_behind_it(
    store, append_batch, open_session, long_log, rows
):
    append_batch(long_log.batch(1, 3))
    open_session(long_log.log_id, LogTip(8, long_log.hashes[7], pruned_thru=8))
    assert verdicts(append_batch(long_log.batch(7, 8))) == ["ok", "ok"]
    assert breaks(store) == []
    strange = append_batch(replace(long_log.batch(9, 10), prev=bytes(32)))
    assert isinstance(strange, BatchRefused)
    assert verdicts(append_batch(long_log.batch(9, 12))) == ["ok"] * 4
    assert breaks(store) == []


def test_a_damaged_event_in_a_gap_is_kept_as_claimed(store, append_batch, log_with_gap, rows):
    bad = replace(log_with_gap.batch(8, 8), events=[b"{}"])
    assert isinstance(append_batch(bad), BatchRefused)
    assert verdicts(append_batch(bad)) == ["damaged"]
    assert breaks(store) == []
    assert rows(GAPS) == [(4, 7)]


def test_the_attack_a_station_that_sends_inside_its_own_gap_makes_no_break(
    store, append_batch, open_session, a_log, rows
):
    append_batch(a_log.batch(1, 1))
    open_session(a_log.log_id, LogTip(2**63 - 1, bytes(32), pruned_thru=2**63 - 1))
    lone = replace(a_log.batch(3, 3), prev=bytes(32))
    refused = append_batch(lone)
    assert isinstance(refused, BatchRefused)  # its tip is not what its bytes give behind that prev
    assert verdicts(append_batch(a_log.batch(3, 3))) == ["ok"]
    assert breaks(store) == []
    assert rows(GAPS) == [(2, 2), (4, 2**63 - 1)]


def test_a_station_that_holds_what_a_gap_lacks_is_asked_for_that_first(
    store, append_batch, open_session, log_with_gap, rows
):
    """An earlier copy of its card is put back: it has events that were pruned from the later one."""
    assert open_session(log_with_gap.log_id, LogTip(9, log_with_gap.hashes[8])) == station_logs.SessionComparison(
        3, log_with_gap.hashes[2], 0, None
    )
    assert open_session(
        log_with_gap.log_id, LogTip(9, log_with_gap.hashes[8], pruned_thru=6)
    ) == station_logs.SessionComparison(6, b"", 0, None)
    assert open_session(log_with_gap.log_id, LogTip(9, log_with_gap.hashes[8], pruned_thru=8)).do == "log_ahead"
    assert open_session(log_with_gap.log_id, LogTip(10, log_with_gap.hashes[9])).accepted_thru == 3
    assert verdicts(append_batch(log_with_gap.batch(4, 9))) == ["ok"] * 5 + ["dup"]
    assert open_session(log_with_gap.log_id, LogTip(9, log_with_gap.hashes[8])) == station_logs.SessionComparison(
        10, log_with_gap.hashes[9], 0, "log_ahead"
    )
    assert rows(GAPS) == []
    assert breaks(store) == []


def test_what_comes_into_a_gap_is_durable_with_the_next_backup(store, append_batch, log_with_gap, tmp_path):
    def durable() -> int:
        with store.read() as connection:
            return station_logs.reached(connection, log_with_gap.log_id)[1]

    def back_up(pos: int) -> None:
        copy = tmp_path / f"copy-{pos}.db"
        copy.write_bytes(b"verified")
        assert note_copy(store, copy, epoch=1, pos=pos, off_disk=True)

    back_up(5)
    assert durable() == 10
    taken = append_batch(log_with_gap.batch(4, 6))
    assert isinstance(taken, BatchAppended)
    assert (taken.durable_thru, durable()) == (3, 3)
    append_batch(log_with_gap.batch(11, 12))
    back_up(6)
    assert durable() == 4
    back_up(10)
    assert durable() == 12


NUMBERS = count()
SEQ = st.integers(1, 12)
STEP = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 2), SEQ, SEQ),
    st.tuples(st.just("broken"), st.integers(0, 2), SEQ, SEQ),
    st.tuples(st.just("claim"), st.integers(0, 2), SEQ, SEQ),
    st.tuples(st.just("session"), st.integers(0, 2), SEQ, st.one_of(SEQ, st.just(2**63 - 1))),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=25), fork_at=st.integers(0, 11), other_at=st.integers(0, 11))
def test_no_sequence_of_sessions_and_batches_leaves_a_break(
    store, append_batch, open_session, a_log, steps, fork_at, other_at
):
    """Three devices with one log: whatever they declare, send, repeat and damage, verify finds no break."""
    log = replace(a_log, log_id=sha256(b"%d" % next(NUMBERS)).digest()[:16], events=[], hashes=[])
    log.write(*(f"event {n}" for n in range(12)))
    branches = [log, *(log.forked(at).write(*(f"{at} {n}" for n in range(12 - at))) for at in (fork_at, other_at))]
    for verb, which, one, two in steps:
        branch, first, last = branches[which], min(one, two), max(one, two)
        if verb == "session":
            seq = max(one, min(two, 12))
            open_session(
                log.log_id,
                LogTip(two if two > 12 else seq, branch.hashes[seq - 1], pruned_thru=two if two > 12 else one),
            )
        elif verb == "send":
            append_batch(branch.batch(first, min(last, 12)))
        elif verb == "broken":
            append_batch(replace(branch.batch(first, last), prev=bytes([one]) * 32))
        else:
            append_batch(replace(branch.batch(one, one), events=[b"{%d}" % two]))
    assert breaks(store) == []
    with store.read() as connection:
        c = schema.ledger.c
        held = set(connection.execute(select(c.seq).where(c.log_id == log.log_id)).scalars())
        gaps = connection.execute(select(schema.gap).where(schema.gap.c.log_id == log.log_id)).all()
        thru = (
            connection.execute(select(schema.log.c.accepted_thru).where(schema.log.c.log_id == log.log_id)).scalar()
            or 0
        )
    lost = {seq for gap in gaps for seq in range(gap.from_seq, min(gap.to_seq, 20) + 1)}
    assert held & lost == set()
    assert held | lost == set(range(1, min(thru, 20) + 1))
