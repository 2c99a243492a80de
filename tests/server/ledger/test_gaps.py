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
def meet(store):
    """Open a session with a tip; what the hub answers."""

    def met(log_id: bytes, tip: LogTip) -> station_logs.SessionComparison:
        with store.write() as connection:
            log = station_logs.log_of(connection, log_id, device=None, station="saw-1", now_us=NOW_US)
            return station_logs.meet(connection, log, tip, NOW_US)

    return met


@pytest.fixture
def long_log(a_log):
    """A log of twelve events."""
    return a_log.write(*(f"event {n}" for n in range(5, 13)))


@pytest.fixture
def gapped(take, meet, long_log):
    """The hub has events 1 to 3; the station says that 4 to 8 are pruned, and sends 9 and 10."""
    take(long_log.batch(1, 3))
    meet(long_log.log_id, LogTip(10, long_log.hashes[9], pruned_thru=8))
    take(long_log.batch(9, 10))
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
def test_events_that_fit_into_a_gap_are_taken_and_shrink_it(store, take, gapped, rows, first, last, left):
    assert set(verdicts(take(gapped.batch(first, last)))) <= {"ok", "dup"}
    assert rows(GAPS) == left
    assert breaks(store) == []
    assert set(verdicts(take(gapped.batch()))) <= {"ok", "dup"}
    assert rows(GAPS) == []
    assert breaks(store) == []
    assert [seq for (seq,) in rows(select(schema.ledger.c.seq).order_by(schema.ledger.c.seq))] == list(range(1, 13))


def test_events_in_a_gap_that_do_not_lead_to_what_stands_behind_it_are_kept_as_a_fork(store, take, gapped, rows):
    other = gapped.forked(5).write("other 6", "other 7", "other 8")
    assert verdicts(take(other.batch(6, 8))) == ["fork"] * 3
    assert breaks(store) == []
    assert rows(GAPS) == [(4, 8)]
    assert len(rows(select(schema.fork.c.seq))) == 3
    assert verdicts(take(gapped.batch(4, 8))) == ["ok"] * 5


def test_events_in_a_gap_that_do_not_stand_behind_what_is_in_front_of_it_are_refused(store, take, gapped, rows):
    refused = take(replace(gapped.batch(4, 5), prev=bytes(32)))
    assert isinstance(refused, BatchRefused)
    assert refused.seq == 3
    assert breaks(store) == []
    assert rows(GAPS) == [(4, 8)]


def test_a_gap_at_the_end_that_is_filled_is_followed_by_what_stands_behind_it(store, take, meet, long_log, rows):
    take(long_log.batch(1, 3))
    meet(long_log.log_id, LogTip(8, long_log.hashes[7], pruned_thru=8))
    assert verdicts(take(long_log.batch(7, 8))) == ["ok", "ok"]
    assert breaks(store) == []
    strange = take(replace(long_log.batch(9, 10), prev=bytes(32)))
    assert isinstance(strange, BatchRefused)
    assert verdicts(take(long_log.batch(9, 12))) == ["ok"] * 4
    assert breaks(store) == []


def test_a_damaged_event_in_a_gap_is_kept_as_claimed(store, take, gapped, rows):
    bad = replace(gapped.batch(8, 8), events=[b"{}"])
    assert isinstance(take(bad), BatchRefused)
    assert verdicts(take(bad)) == ["damaged"]
    assert breaks(store) == []
    assert rows(GAPS) == [(4, 7)]


def test_the_attack_a_station_that_sends_inside_its_own_gap_makes_no_break(store, take, meet, a_log, rows):
    take(a_log.batch(1, 1))
    meet(a_log.log_id, LogTip(2**63 - 1, bytes(32), pruned_thru=2**63 - 1))
    lone = replace(a_log.batch(3, 3), prev=bytes(32))
    refused = take(lone)
    assert isinstance(refused, BatchRefused)  # its tip is not what its bytes give behind that prev
    assert verdicts(take(a_log.batch(3, 3))) == ["ok"]
    assert breaks(store) == []
    assert rows(GAPS) == [(2, 2), (4, 2**63 - 1)]


def test_a_station_that_holds_what_a_gap_lacks_is_asked_for_that_first(store, take, meet, gapped, rows):
    """An earlier copy of its card is put back: it has events that were pruned from the later one."""
    assert meet(gapped.log_id, LogTip(9, gapped.hashes[8])) == station_logs.SessionComparison(
        3, gapped.hashes[2], 0, None
    )
    assert meet(gapped.log_id, LogTip(9, gapped.hashes[8], pruned_thru=6)) == station_logs.SessionComparison(
        6, b"", 0, None
    )
    assert meet(gapped.log_id, LogTip(9, gapped.hashes[8], pruned_thru=8)).do == "log_ahead"
    assert meet(gapped.log_id, LogTip(10, gapped.hashes[9])).accepted_thru == 3
    assert verdicts(take(gapped.batch(4, 9))) == ["ok"] * 5 + ["dup"]
    assert meet(gapped.log_id, LogTip(9, gapped.hashes[8])) == station_logs.SessionComparison(
        10, gapped.hashes[9], 0, "log_ahead"
    )
    assert rows(GAPS) == []
    assert breaks(store) == []


def test_what_comes_into_a_gap_is_durable_with_the_next_backup(store, take, gapped, tmp_path):
    def durable() -> int:
        with store.read() as connection:
            return station_logs.reached(connection, gapped.log_id)[1]

    def back_up(pos: int) -> None:
        copy = tmp_path / f"copy-{pos}.db"
        copy.write_bytes(b"verified")
        assert note_copy(store, copy, epoch=1, pos=pos, off_disk=True)

    back_up(5)
    assert durable() == 10
    taken = take(gapped.batch(4, 6))
    assert isinstance(taken, BatchAppended)
    assert (taken.durable_thru, durable()) == (3, 3)
    take(gapped.batch(11, 12))
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
    st.tuples(st.just("meet"), st.integers(0, 2), SEQ, st.one_of(SEQ, st.just(2**63 - 1))),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=25), fork_at=st.integers(0, 11), other_at=st.integers(0, 11))
def test_no_sequence_of_sessions_and_batches_leaves_a_break(store, take, meet, a_log, steps, fork_at, other_at):
    """Three devices with one log: whatever they declare, send, repeat and damage, verify finds no break."""
    log = replace(a_log, log_id=sha256(b"%d" % next(NUMBERS)).digest()[:16], events=[], hashes=[])
    log.write(*(f"event {n}" for n in range(12)))
    branches = [log, *(log.forked(at).write(*(f"{at} {n}" for n in range(12 - at))) for at in (fork_at, other_at))]
    for verb, which, one, two in steps:
        branch, first, last = branches[which], min(one, two), max(one, two)
        if verb == "meet":
            seq = max(one, min(two, 12))
            meet(
                log.log_id,
                LogTip(two if two > 12 else seq, branch.hashes[seq - 1], pruned_thru=two if two > 12 else one),
            )
        elif verb == "send":
            take(branch.batch(first, min(last, 12)))
        elif verb == "broken":
            take(replace(branch.batch(first, last), prev=bytes([one]) * 32))
        else:
            take(replace(branch.batch(one, one), events=[b"{%d}" % two]))
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
