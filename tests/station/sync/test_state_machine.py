"""What to say to the hub next, as a table; and that no order of answers and failures loses an event."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.core.protocol import EventsAnswer, EventVerdict, HeartbeatAnswer, SessionAnswer
from station.sync.state_machine import (
    Act,
    AnchorDue,
    FetchItems,
    FetchSnapshot,
    OpenSession,
    Pause,
    Reconcile,
    S,
    SendEvents,
    SendHeartbeat,
    SyncState,
    apply_ack,
    apply_anchor,
    apply_conflict,
    apply_failure,
    apply_heartbeat,
    apply_session,
    impossible_answer,
    is_other_state,
    new_log_begun,
    new_log_wanted,
    next_act,
)

THERE = SyncState(
    session=True, reached=True, epoch=1, reconciled=1, accepted_thru=10, anchored_ns=0, next_beat_ns=100 * S,
    next_items_ns=90 * S,
)  # fmt: skip

ROWS: list[tuple[str, SyncState, int, int, Act]] = [
    ("a session comes first", SyncState(), 5, 0, OpenSession()),
    ("then the hub's time", replace(THERE, anchored_ns=None), 99, 0, AnchorDue()),
    ("the hub's time again after an hour", THERE, 99, 3600 * S, AnchorDue()),
    ("events go before everything else", THERE, 12, 3599 * S, SendEvents(10, 500)),
    ("no more than the hub takes", replace(THERE, most=7), 99, 0, SendEvents(10, 7)),
    ("what stands before a doubted event", replace(THERE, doubt=14), 99, 0, SendEvents(10, 3)),
    ("the doubted event alone", replace(THERE, doubt=11), 99, 0, SendEvents(10, 1)),
    ("a doubted event of the past alone", replace(THERE, doubt=4), 99, 0, SendEvents(3, 1)),
    ("what lies aside, before the hub's news", replace(THERE, reconciled=None, hub_snapshot="b"), 10, 0, Reconcile()),
    ("what lies aside again in a new epoch", replace(THERE, reconciled=7), 10, 100 * S, Reconcile()),
    ("new definitions", replace(THERE, hub_snapshot="b", snapshot_version="a"), 10, 0, FetchSnapshot()),
    ("a heartbeat", THERE, 10, 100 * S, SendHeartbeat()),
    ("open items", THERE, 10, 90 * S, FetchItems()),
    ("nothing", THERE, 10, 0, Pause(90 * S)),
    ("a pause that was asked for", replace(THERE, not_before_ns=5), 99, 4, Pause(5)),
]


@pytest.mark.parametrize(("name", "standing", "tip", "now_ns", "act"), ROWS, ids=[row[0] for row in ROWS])
def test_what_comes_next(name: str, standing: SyncState, tip: int, now_ns: int, act: Act) -> None:
    assert next_act(standing, tip_seq=tip, now_ns=now_ns) == act


def answer(*verdicts: str, after: int = 10, **changes: Any) -> EventsAnswer:
    """A hub's answer to a batch behind `after`."""
    told = [EventVerdict(after + place, verdict) for place, verdict in enumerate(verdicts, 1)]
    known = {"accepted_thru": after + len(told), "durable_thru": 0, "hub_epoch": 1, "head": "aa"}
    return EventsAnswer(told, **(known | changes))


def test_a_batch_moves_the_mark_to_its_end() -> None:
    after = apply_ack(THERE, answer("ok", "dup", "ok", durable_thru=99), range(11, 14), 0)
    assert after is not None
    assert (after.accepted_thru, after.durable_thru, after.head, after.session) == (13, 13, "aa", True)


def test_a_fork_stops_the_mark_and_ends_the_session() -> None:
    after = apply_ack(THERE, answer("ok", "fork", "fork"), range(11, 14), 0)
    assert after is not None
    assert (after.accepted_thru, after.session) == (11, False)


@pytest.mark.parametrize("wrong", [answer(), answer("ok"), answer("ok", "ok", "ok"), answer("ok", "ok", after=20)])
def test_verdicts_of_another_batch_move_nothing(wrong: EventsAnswer) -> None:
    assert apply_ack(THERE, wrong, range(11, 13), 0) is None


def test_a_restored_hub_is_met_anew_and_its_cursor_counts() -> None:
    other = apply_ack(THERE, answer("ok", hub_epoch=2), range(11, 12), 0)
    assert other is not None
    assert (other.session, other.accepted_thru) == (False, 10)
    session = SessionAnswer(hub_epoch=2, accepted_thru=4, durable_thru=9)
    anew = apply_session(other, session, same_past=True, mark_thru=0, now_ns=0)
    assert (anew.epoch, anew.accepted_thru, anew.durable_thru) == (2, 4, 4)


def test_another_past_is_sent_again_from_the_last_mark() -> None:
    session = SessionAnswer(hub_epoch=1, accepted_thru=9, durable_thru=0)
    assert apply_session(THERE, session, same_past=False, mark_thru=6, now_ns=0).accepted_thru == 6


def test_a_refused_batch_is_sent_with_its_hashes_then_the_named_event_alone() -> None:
    once = apply_conflict(THERE, 15, 20, "no", 0, lambda: 1.0)
    assert (once.exact, once.doubt, once.session) == (True, None, True)
    twice = apply_conflict(once, 13, 20, "no", 0, lambda: 1.0)
    assert next_act(twice, tip_seq=99, now_ns=0) == SendEvents(10, 2)
    at_it = replace(twice, accepted_thru=12)
    assert next_act(at_it, tip_seq=99, now_ns=0) == SendEvents(12, 1)
    through = apply_ack(at_it, answer("damaged", after=12), range(13, 14), 0)
    assert through is not None
    assert (through.accepted_thru, through.doubt, through.exact) == (13, None, False)
    again = apply_conflict(at_it, 13, 20, "no", 0, lambda: 1.0)
    assert again.not_before_ns == S  # the same refusal of the same event: no faster than any other failure


def test_failures_pause_longer_and_longer_with_full_jitter_up_to_a_minute() -> None:
    standing, pauses = THERE, []
    for _ in range(9):
        standing = apply_failure(standing, "away", 0, lambda: 1.0)
        pauses.append(standing.not_before_ns // S)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert apply_failure(standing, "away", 0, lambda: 0.25).not_before_ns == 15 * S
    assert apply_failure(THERE, "full", 0, lambda: 1.0, retry_s=7).not_before_ns == 7 * S
    refused = apply_failure(THERE, "no", 0, lambda: 1.0, refused=True)
    assert (refused.not_before_ns, refused.refused, refused.session) == (60 * S, True, False)


def test_a_hub_that_doubts_its_clock_is_asked_again_in_five_minutes() -> None:
    doubted = apply_anchor(THERE, 7200 * S, taken=False)
    assert next_act(doubted, tip_seq=10, now_ns=7499 * S) != AnchorDue()
    assert next_act(doubted, tip_seq=10, now_ns=7500 * S) == AnchorDue()
    assert next_act(apply_anchor(THERE, 7200 * S, taken=True), tip_seq=10, now_ns=7500 * S) != AnchorDue()


def beat(wait_ms: int = 0, **changes: Any) -> HeartbeatAnswer:
    """A hub's answer to a heartbeat."""
    return HeartbeatAnswer(wait_ms, "v", **changes)


def test_heartbeats_come_every_5_s_with_news_else_every_30() -> None:
    assert apply_heartbeat(THERE, beat(), news=True, now_ns=0).next_beat_ns == 5 * S
    assert apply_heartbeat(THERE, beat(30_000), news=False, now_ns=0).next_beat_ns == 30 * S
    assert apply_heartbeat(THERE, beat(10**9), news=False, now_ns=0).next_beat_ns == 60 * S


def test_a_hub_of_another_epoch_or_with_less_of_the_log_is_elsewhere() -> None:
    assert not is_other_state(THERE, 1, 10)
    assert not is_other_state(THERE, None, None), "an older hub says neither"
    assert is_other_state(THERE, 2)
    assert is_other_state(THERE, 1, 9)


def a_session(accepted: int, do: str | None = None) -> SessionAnswer:
    """A hub's answer to a session."""
    return SessionAnswer(hub_epoch=1, accepted_thru=accepted, durable_thru=0, do=do)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (a_session(11, "log_ahead"), "log_ahead"),
        (a_session(10, "log_ahead"), None),
        (a_session(3, "log_ahead"), None),
        (a_session(3, "reidentify"), "reidentify"),
        (a_session(11, "a later word"), None),
        (a_session(11), None),
    ],
)
def test_a_hub_is_believed_to_be_ahead_only_where_it_has_more_than_was_introduced(
    answer: SessionAnswer, wanted: str | None
) -> None:
    assert new_log_wanted(answer, 10) == wanted
    assert (impossible_answer(answer, 10) is not None) == (answer.accepted_thru > 10 and wanted is None)


def test_new_logs_at_the_hubs_word_come_slower_and_slower_whatever_it_accepts_between_them() -> None:
    standing, pauses, now_ns = THERE, [], 0
    for _ in range(13):
        standing = new_log_begun(standing, replace(THERE, accepted_thru=0), now_ns)
        pauses.append((standing.new_log_from_ns - now_ns) // S)
        now_ns = standing.new_log_from_ns
        standing = apply_ack(standing, answer("ok", after=0), range(1, 2), now_ns) or standing
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600]
    after_an_hour = standing.new_log_from_ns + 3600 * S
    again = new_log_begun(standing, THERE, after_an_hour)
    assert again.new_log_from_ns - after_an_hour == S


def test_batches_of_which_the_hub_accepts_nothing_are_sent_with_a_pause_after_three() -> None:
    standing = THERE
    for seq in range(3, 7):
        standing = apply_conflict(standing, seq, 12, "no", 0, lambda: 1.0)
    assert standing.not_before_ns == S
    for _ in range(4):
        standing = apply_session(standing, a_session(10), same_past=True, mark_thru=0, now_ns=0)
        standing = apply_conflict(standing, 7, 12, "no", 0, lambda: 1.0)
    assert standing.not_before_ns == 16 * S, "sessions between them shorten no pause"
    forked = THERE
    for _ in range(4):
        forked = apply_ack(forked, answer("fork", accepted_thru=10), range(11, 12), 0) or forked
    assert (forked.accepted_thru, forked.not_before_ns) == (10, 5 * S)


def test_a_conflict_over_an_event_that_was_not_sent_is_a_failure_like_any_other() -> None:
    after = apply_conflict(THERE, 2**62, 12, "no", 0, lambda: 1.0)
    assert (after.not_before_ns, after.doubt, after.accepted_thru) == (S, None, 10)


def test_accepted_one_by_one_and_not_as_a_whole_moves_nothing() -> None:
    assert apply_ack(THERE, answer("ok", "ok", accepted_thru=11), range(11, 13), 0) is None


def test_what_is_durable_follows_the_hub_also_downwards() -> None:
    known = replace(THERE, durable_thru=9)
    after = apply_ack(known, answer("ok", durable_thru=4), range(11, 12), 0)
    assert after is not None
    assert after.durable_thru == 4


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.integers(1, 40), st.integers(1, 9))
def test_whatever_is_lost_on_the_way_the_hub_has_all_in_the_end(
    luck: list[tuple[bool, bool]], tip: int, most: int
) -> None:
    """A hub that takes batches; requests and answers are lost as drawn, until the luck runs out."""
    have: list[int] = []
    standing, now_ns = SyncState(most=most, anchored_ns=0), 0
    fates = iter(luck)
    for _ in range(1000):
        act = next_act(standing, tip_seq=tip, now_ns=now_ns)
        if isinstance(act, Pause) and not standing.not_before_ns > now_ns:
            break
        arrives, comes_back = next(fates, (True, True))
        now_ns += S
        if isinstance(act, Pause):
            now_ns = act.until_ns
        elif isinstance(act, OpenSession) and arrives and comes_back:
            session = SessionAnswer(hub_epoch=1, accepted_thru=len(have), durable_thru=0)
            standing = replace(apply_session(standing, session, same_past=True, mark_thru=0, now_ns=now_ns), most=most)
        elif isinstance(act, SendEvents):
            sent = range(act.after + 1, min(act.after + act.most, tip) + 1)
            told = [EventVerdict(seq, "dup" if seq in have else "ok") for seq in sent]
            if arrives:
                have += [seq for seq in sent if seq not in have]
            standing = apply_failure(standing, "lost", now_ns, lambda: 0.5)
            if arrives and comes_back:
                after = apply_ack(
                    replace(standing, session=True), EventsAnswer(told, len(have), 0, 1, ""), sent, now_ns
                )
                assert after is not None
                standing = replace(after, not_before_ns=0)
        elif isinstance(act, SendHeartbeat):
            standing = apply_heartbeat(standing, beat(), news=False, now_ns=now_ns)
        elif isinstance(act, Reconcile):
            standing = replace(standing, reconciled=standing.epoch)
        elif isinstance(act, FetchSnapshot):
            standing = replace(standing, snapshot_version=standing.hub_snapshot)
        elif isinstance(act, FetchItems):
            standing = replace(standing, next_items_ns=now_ns + 30 * S)
        else:
            standing = apply_failure(standing, "lost", now_ns, lambda: 0.5)
    assert have == list(range(1, tip + 1))
    assert standing.accepted_thru == tip
