"""What to say to the hub next, as a table; and that no order of answers and failures loses an event."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.hub_words import EventsAnswer, SessionAnswer, Verdict
from station.sync import (
    Act,
    Anchor,
    Beat,
    FetchItems,
    FetchSnapshot,
    OpenSession,
    Pause,
    S,
    Send,
    Standing,
    anchored,
    beaten,
    conflicted,
    failed,
    met,
    next_act,
    taken,
)

THERE = Standing(
    session=True, reached=True, epoch=1, accepted_thru=10, anchored_ns=0, next_beat_ns=100 * S, next_items_ns=90 * S
)

ROWS: list[tuple[str, Standing, int, int, Act]] = [
    ("a session comes first", Standing(), 5, 0, OpenSession()),
    ("then the hub's time", replace(THERE, anchored_ns=None), 99, 0, Anchor()),
    ("the hub's time again after an hour", THERE, 99, 3600 * S, Anchor()),
    ("events go before everything else", THERE, 12, 3599 * S, Send(10, 500)),
    ("no more than the hub takes", replace(THERE, most=7), 99, 0, Send(10, 7)),
    ("what stands before a doubted event", replace(THERE, doubt=14), 99, 0, Send(10, 3)),
    ("the doubted event alone", replace(THERE, doubt=11), 99, 0, Send(10, 1)),
    ("a doubted event of the past alone", replace(THERE, doubt=4), 99, 0, Send(3, 1)),
    ("new definitions", replace(THERE, hub_snapshot="b", snapshot_version="a"), 10, 0, FetchSnapshot()),
    ("a heartbeat", THERE, 10, 100 * S, Beat()),
    ("open items", THERE, 10, 90 * S, FetchItems()),
    ("nothing", THERE, 10, 0, Pause(90 * S)),
    ("a pause that was asked for", replace(THERE, not_before_ns=5), 99, 4, Pause(5)),
]


@pytest.mark.parametrize(("name", "standing", "tip", "now_ns", "act"), ROWS, ids=[row[0] for row in ROWS])
def test_what_comes_next(name: str, standing: Standing, tip: int, now_ns: int, act: Act) -> None:
    assert next_act(standing, tip_seq=tip, now_ns=now_ns) == act


def answer(*verdicts: str, after: int = 10, **changes: Any) -> EventsAnswer:
    """A hub's answer to a batch behind `after`."""
    told = [Verdict(after + place, verdict) for place, verdict in enumerate(verdicts, 1)]
    known = {"accepted_thru": after + len(told), "durable_thru": 0, "hub_epoch": 1, "head": "aa"}
    return EventsAnswer(told, **(known | changes))


def test_a_batch_moves_the_mark_to_its_end() -> None:
    after = taken(THERE, answer("ok", "dup", "ok", durable_thru=99), range(11, 14), 0)
    assert after is not None
    assert (after.accepted_thru, after.durable_thru, after.head, after.session) == (13, 13, "aa", True)


def test_a_fork_stops_the_mark_and_ends_the_session() -> None:
    after = taken(THERE, answer("ok", "fork", "fork"), range(11, 14), 0)
    assert after is not None
    assert (after.accepted_thru, after.session) == (11, False)


@pytest.mark.parametrize("wrong", [answer(), answer("ok"), answer("ok", "ok", "ok"), answer("ok", "ok", after=20)])
def test_verdicts_of_another_batch_move_nothing(wrong: EventsAnswer) -> None:
    assert taken(THERE, wrong, range(11, 13), 0) is None


def test_a_restored_hub_is_met_anew_and_its_cursor_counts() -> None:
    other = taken(THERE, answer("ok", hub_epoch=2), range(11, 12), 0)
    assert other is not None
    assert (other.session, other.accepted_thru) == (False, 10)
    session = SessionAnswer(hub_epoch=2, accepted_thru=4, durable_thru=9)
    anew = met(other, session, same_past=True, mark_thru=0, now_ns=0)
    assert (anew.epoch, anew.accepted_thru, anew.durable_thru) == (2, 4, 4)


def test_another_past_is_sent_again_from_the_last_mark() -> None:
    session = SessionAnswer(hub_epoch=1, accepted_thru=9, durable_thru=0)
    assert met(THERE, session, same_past=False, mark_thru=6, now_ns=0).accepted_thru == 6


def test_a_refused_batch_is_sent_with_its_hashes_then_the_named_event_alone() -> None:
    once = conflicted(THERE, 15, "no", 0, lambda: 1.0)
    assert (once.exact, once.doubt, once.session) == (True, None, True)
    twice = conflicted(once, 13, "no", 0, lambda: 1.0)
    assert next_act(twice, tip_seq=99, now_ns=0) == Send(10, 2)
    at_it = replace(twice, accepted_thru=12)
    assert next_act(at_it, tip_seq=99, now_ns=0) == Send(12, 1)
    through = taken(at_it, answer("damaged", after=12), range(13, 14), 0)
    assert through is not None
    assert (through.accepted_thru, through.doubt, through.exact) == (13, None, False)
    again = conflicted(at_it, 13, "no", 0, lambda: 1.0)
    assert again.not_before_ns == S  # the same refusal of the same event: no faster than any other failure


def test_failures_pause_longer_and_longer_with_full_jitter_up_to_a_minute() -> None:
    standing, pauses = THERE, []
    for _ in range(9):
        standing = failed(standing, "away", 0, lambda: 1.0)
        pauses.append(standing.not_before_ns // S)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert failed(standing, "away", 0, lambda: 0.25).not_before_ns == 15 * S
    assert failed(THERE, "full", 0, lambda: 1.0, retry_s=7).not_before_ns == 7 * S
    refused = failed(THERE, "no", 0, lambda: 1.0, refused=True)
    assert (refused.not_before_ns, refused.refused, refused.session) == (60 * S, True, False)


def test_a_hub_that_doubts_its_clock_is_asked_again_in_five_minutes() -> None:
    doubted = anchored(THERE, 7200 * S, taken=False)
    assert next_act(doubted, tip_seq=10, now_ns=7499 * S) != Anchor()
    assert next_act(doubted, tip_seq=10, now_ns=7500 * S) == Anchor()
    assert next_act(anchored(THERE, 7200 * S, taken=True), tip_seq=10, now_ns=7500 * S) != Anchor()


def test_heartbeats_come_every_5_s_with_news_else_every_30() -> None:
    assert beaten(THERE, 0, "v", news=True, now_ns=0).next_beat_ns == 5 * S
    assert beaten(THERE, 30_000, "v", news=False, now_ns=0).next_beat_ns == 30 * S
    assert beaten(THERE, 10**9, "v", news=False, now_ns=0).next_beat_ns == 60 * S


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.integers(1, 40), st.integers(1, 9))
def test_whatever_is_lost_on_the_way_the_hub_has_all_in_the_end(
    luck: list[tuple[bool, bool]], tip: int, most: int
) -> None:
    """A hub that takes batches; requests and answers are lost as drawn, until the luck runs out."""
    have: list[int] = []
    standing, now_ns = Standing(most=most, anchored_ns=0), 0
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
            standing = replace(met(standing, session, same_past=True, mark_thru=0, now_ns=now_ns), most=most)
        elif isinstance(act, Send):
            sent = range(act.after + 1, min(act.after + act.most, tip) + 1)
            told = [Verdict(seq, "dup" if seq in have else "ok") for seq in sent]
            if arrives:
                have += [seq for seq in sent if seq not in have]
            after = taken(standing, EventsAnswer(told, len(have), 0, 1, ""), sent, now_ns)
            assert after is not None
            standing = after if arrives and comes_back else failed(standing, "lost", now_ns, lambda: 0.5)
        elif isinstance(act, Beat):
            standing = beaten(standing, 0, None, news=False, now_ns=now_ns)
        elif isinstance(act, FetchItems):
            standing = replace(standing, next_items_ns=now_ns + 30 * S)
        else:
            standing = failed(standing, "lost", now_ns, lambda: 0.5)
    assert have == list(range(1, tip + 1))
    assert standing.accepted_thru == tip
