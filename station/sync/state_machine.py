"""Sync state machine: the next act towards the hub, from the results of the acts before. Pure: times are passed in.

The journal holds every event until the hub has it, so no decision here can lose one. At worst an event is sent twice, which
the hub detects by its hash. One request runs at a time. A failed request is retried with the same bytes after a random
pause, whose limit doubles up to a minute. A hub that refuses this station is retried at the longest pause, and recording
continues.

>>> next_act(SyncState(), tip_seq=3, now_ns=0)
OpenSession()
>>> there = SyncState(session=True, epoch=1, reconciled=1, accepted_thru=2, anchored_ns=0, next_beat_ns=9, next_items_ns=9)
>>> next_act(there, tip_seq=3, now_ns=0), next_act(there, tip_seq=2, now_ns=0)
(SendEvents(after=2, most=500), Pause(until_ns=9))
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from station.core.protocol import EventsAnswer, HeartbeatAnswer, SessionAnswer

S = 10**9
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
BEAT_NEWS_S, BEAT_S = 5.0, 30.0
ITEMS_S = 30.0
ANCHOR_S = 3600.0
DOUBT_S = 300.0
MOST_EVENTS = 500
GROW_AFTER = 4  # accepted batches until the next one may have twice as many events
MOST_STUCK = 3  # batches in a row without an accepted event that are sent without a pause
NEW_LOG_PAUSE_S, NEW_LOG_LONGEST_S = 1.0, 3600.0
ACCEPTED = frozenset({"ok", "dup", "damaged"})


@dataclass(frozen=True, slots=True)
class SyncState:
    """The state of this station's connection to its hub.

    `session`: a session is open. `accepted_thru`: the hub has the open log up to this event. `doubt`: an event that is sent
    alone next. `exact`: the hash of each event is sent, so that a refusal names the right one. `reached`: the hub has
    answered before. `reconciled`: the epoch in which the logs set aside were compared with the hub. `new_logs`: logs that
    the hub asked for shortly after each other; `new_log_from_ns`: when the next one may begin. `stuck`: batches without an
    accepted event since the last accepted one. `batch`: events in one request, after requests that were too large; `good`:
    accepted batches since `batch` changed. `cut`: events of the last batch without a whole reply, which ended at `cut_thru`.
    """

    session: bool = False
    reached: bool = False
    refused: bool = False
    error: str = ""
    epoch: int | str | None = None
    accepted_thru: int = 0
    durable_thru: int = 0
    head: str = ""
    most: int = MOST_EVENTS
    doubt: int | None = None
    exact: bool = False
    failures: int = 0
    not_before_ns: int = 0
    next_beat_ns: int = 0
    next_items_ns: int = 0
    anchored_ns: int | None = None
    snapshot_version: str | None = None
    hub_snapshot: str | None = None
    reconciled: int | str | None = None
    new_logs: int = 0
    new_log_from_ns: int = 0
    stuck: int = 0
    batch: int = MOST_EVENTS
    good: int = 0
    cut: int = 0
    cut_thru: int = 0

    @property
    def limit(self) -> int:
        """The most events of the next request: the hub's limit, and the size that arrives."""
        return min(self.most, self.batch)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Introduce the log and read the hub's cursor."""


@dataclass(frozen=True, slots=True)
class AnchorDue:
    """Record the hub's time as an anchor: first in each boot, then hourly."""


@dataclass(frozen=True, slots=True)
class SendEvents:
    """Send the events behind `after`, at most `most`."""

    after: int
    most: int


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Compare the logs set aside with the hub, and send the events that it does not have."""


@dataclass(frozen=True, slots=True)
class SendHeartbeat:
    """Send the station's status."""


@dataclass(frozen=True, slots=True)
class FetchSnapshot:
    """Fetch the definitions, because the hub has a new version."""


@dataclass(frozen=True, slots=True)
class FetchItems:
    """Fetch the open items that changed."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is due until `until_ns`, or until an event is recorded."""

    until_ns: int


Act = OpenSession | AnchorDue | SendEvents | Reconcile | SendHeartbeat | FetchSnapshot | FetchItems | Pause


def next_act(state: SyncState, *, tip_seq: int, now_ns: int) -> Act:
    """The next act. Events go before heartbeats and master data."""
    if now_ns < state.not_before_ns:
        return Pause(state.not_before_ns)
    if not state.session:
        return OpenSession()
    if state.anchored_ns is None or now_ns - state.anchored_ns >= ANCHOR_S * S:
        return AnchorDue()
    if state.doubt is not None and state.doubt <= tip_seq:
        if state.accepted_thru + 1 < state.doubt:
            return SendEvents(state.accepted_thru, min(state.limit, state.doubt - 1 - state.accepted_thru))
        return SendEvents(state.doubt - 1, 1)
    if state.accepted_thru < tip_seq:
        return SendEvents(state.accepted_thru, state.limit)
    if state.reconciled != state.epoch:
        return Reconcile()
    if state.hub_snapshot is not None and state.hub_snapshot != state.snapshot_version:
        return FetchSnapshot()
    if now_ns >= state.next_beat_ns:
        return SendHeartbeat()
    if now_ns >= state.next_items_ns:
        return FetchItems()
    return Pause(min(state.next_beat_ns, state.next_items_ns))


def apply_anchor(state: SyncState, now_ns: int, *, taken: bool) -> SyncState:
    """After `AnchorDue`. Where the hub could not give its time, the next attempt is in five minutes."""
    later_ns = 0 if taken else int((ANCHOR_S - DOUBT_S) * S)
    return replace(state, anchored_ns=now_ns - later_ns)


def new_log_wanted(answer: SessionAnswer, tip_seq: int) -> str | None:
    """`log_ahead` or `reidentify` where the hub asks for a new log and its answer is consistent with it; else None.

    `tip_seq` is the introduced tip, not the present one: a hub that has no events behind it is not ahead.
    """
    if answer.do == "log_ahead" and answer.accepted_thru > tip_seq:
        return "log_ahead"
    return "reidentify" if answer.do == "reidentify" else None


def impossible_answer(answer: SessionAnswer, tip_seq: int) -> str | None:
    """Why a session's answer contradicts the introduced tip; None where it does not."""
    if answer.accepted_thru > tip_seq and new_log_wanted(answer, tip_seq) is None:
        return (
            f"The hub says that it has events up to {answer.accepted_thru} of a log that ends at {tip_seq};"
            f" expected at most {tip_seq}. Nothing is marked, and it is asked again. Look at the hub."
        )
    return None


def new_log_begun(state: SyncState, fresh: SyncState, now_ns: int) -> SyncState:
    """After a new log that the hub asked for: `fresh` with the pause before the next one, which doubles up to an hour.

    A hub that asks for new logs again and again must not fill the card with them, even if it accepts events in between. The
    pause is reset only after an hour without such a request.
    """
    quiet = now_ns - state.new_log_from_ns >= NEW_LOG_LONGEST_S * S
    before = 0 if quiet else state.new_logs
    pause_s = min(NEW_LOG_LONGEST_S, NEW_LOG_PAUSE_S * 2.0 ** min(before, 12))
    return replace(fresh, reached=True, new_logs=before + 1, new_log_from_ns=now_ns + int(pause_s * S))


def apply_session(
    state: SyncState, answer: SessionAnswer, *, same_past: bool, mark_thru: int, now_ns: int
) -> SyncState:
    """After `OpenSession`: continue from the hub's cursor, never from the stored one.

    `same_past`: both hashes at the cursor are equal. Where they are not, continue from `mark_thru`, the last event that the
    hub accepted from this station in this epoch; the hub then reports the difference event by event.
    """
    accepted = answer.accepted_thru if same_past else min(mark_thru, answer.accepted_thru)
    # A batch that arrived, although its reply did not, was not too large: otherwise lost replies alone would shrink batches.
    arrived = state.cut > 0 and accepted >= state.cut_thru
    return replace(
        state, batch=min(MOST_EVENTS, 2 * state.cut) if arrived else state.batch, cut=0,
        session=True, reached=True, refused=False, error="", failures=0, not_before_ns=0,
        epoch=answer.hub_epoch, accepted_thru=accepted, durable_thru=min(answer.durable_thru, accepted),
        most=max(1, min(MOST_EVENTS, answer.limits.events)), hub_snapshot=answer.snapshot_version,
        next_beat_ns=now_ns if not state.reached else state.next_beat_ns,
    )  # fmt: skip


def apply_ack(state: SyncState, answer: EventsAnswer, sent: range, now_ns: int) -> SyncState | None:
    """After `SendEvents`; None where the answer does not fit the batch, so that no cursor may move.

    A fork ends the session: the answer to the next one contains the action.
    """
    if [verdict.seq for verdict in answer.verdicts] != list(sent):
        return None
    thru = sent.start - 1
    for verdict in answer.verdicts:
        if verdict.verdict not in ACCEPTED:
            break
        thru = verdict.seq
    if answer.accepted_thru < thru:
        return None  # the verdicts and the cursor contradict each other
    forked = thru < sent.stop - 1
    if answer.hub_epoch != state.epoch:
        return replace(state, session=False)
    done = state.doubt is not None and thru >= state.doubt
    moved = thru >= sent.start
    stuck = 0 if moved else state.stuck + 1
    pause_ms = min(answer.wait_ms, 60_000) if stuck <= MOST_STUCK else BEAT_NEWS_S * 1000
    pause_ns = int(pause_ms * 1_000_000)
    grows = moved and state.good + 1 >= GROW_AFTER and state.batch < MOST_EVENTS
    return replace(
        state, batch=min(MOST_EVENTS, state.batch * 2) if grows else state.batch,
        good=0 if grows else state.good + moved, session=not forked, error="", failures=0, stuck=stuck,
        accepted_thru=max(state.accepted_thru, thru), head=answer.head,
        durable_thru=min(answer.durable_thru, max(state.accepted_thru, thru)),
        doubt=None if done else state.doubt, exact=state.exact and not done,
        not_before_ns=now_ns + pause_ns if pause_ns else 0,
        next_beat_ns=min(state.next_beat_ns, now_ns + int(BEAT_NEWS_S * S)),
    )  # fmt: skip


def apply_conflict(
    state: SyncState, seq: int, last_seq: int, sentence: str, now_ns: int, jitter: Callable[[], float]
) -> SyncState:
    """After a refused batch that ended at `last_seq`: send exact hashes first, then the event that the hub names alone.

    A hub that names an event behind the batch, which was not sent, is handled like any other failure.
    """
    if seq > last_seq:
        return apply_failure(state, sentence, now_ns, jitter)
    named = replace(state, exact=True, doubt=seq if state.exact else None)
    if seq <= state.accepted_thru:
        named = replace(named, session=False)  # the past differs: the answer to a new session contains the action
    named = replace(named, stuck=state.stuck + 1)
    if not (state.exact and state.doubt == seq) and named.stuck <= MOST_STUCK:
        return replace(named, error=sentence)
    # A session between two refusals resets `failures`, so the pause grows with the number of refusals.
    failures = max(named.failures, named.stuck - MOST_STUCK - 1)
    return apply_failure(replace(named, failures=failures), sentence, now_ns, jitter)


def apply_too_large(
    state: SyncState, sent: int, sentence: str, now_ns: int, jitter: Callable[[], float],
    *, at_once: bool, retry_s: float | None = None,
) -> SyncState:  # fmt: skip
    """After a batch of `sent` events that was too large, or whose reply was cut: the next one has half as many events.

    `at_once`: the hub refused it for its size (413), so that the smaller one needs no pause.

    >>> apply_too_large(SyncState(session=True), 500, "413", 0, float, at_once=True).limit
    250
    """
    smaller = replace(
        state, batch=max(1, sent // 2), good=0, cut=0 if at_once else sent, cut_thru=state.accepted_thru + sent
    )
    if at_once and sent > 1 and retry_s is None:
        return replace(smaller, error=sentence)
    return apply_failure(smaller, sentence, now_ns, jitter, retry_s=retry_s)


def apply_failure(
    state: SyncState, sentence: str, now_ns: int, jitter: Callable[[], float],
    *, refused: bool = False, retry_s: float | None = None,
) -> SyncState:  # fmt: skip
    """After a failed request: pause. `jitter` returns a number from 0 to 1. The same act is due again afterwards."""
    longest = LONGEST_PAUSE_S if refused else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(state.failures, 10))
    pause_s = min(retry_s, LONGEST_PAUSE_S) if retry_s is not None else longest * jitter()
    return replace(
        state, session=False, refused=refused, error=sentence, failures=state.failures + 1,
        not_before_ns=now_ns + int(pause_s * S),
    )  # fmt: skip


def is_other_state(state: SyncState, epoch: int | str | None, accepted_thru: int | None = None) -> bool:
    """Whether an answer shows that the hub was restored from a backup, with a new epoch or without one.

    `epoch` is the hub's, `accepted_thru` its cursor in the log; None where an older hub does not send them.
    """
    restored = epoch is not None and epoch != state.epoch
    return restored or (accepted_thru is not None and accepted_thru < state.accepted_thru)


def apply_heartbeat(state: SyncState, answer: HeartbeatAnswer, *, news: bool, now_ns: int) -> SyncState:
    """After `SendHeartbeat`."""
    wait_s = max(BEAT_NEWS_S if news else BEAT_S, min(answer.wait_ms / 1000, LONGEST_PAUSE_S) if not news else 0)
    durable = state.durable_thru if answer.durable_thru is None else answer.durable_thru
    return replace(
        state, next_beat_ns=now_ns + int(wait_s * S), hub_snapshot=answer.snapshot_version or state.hub_snapshot,
        durable_thru=min(durable, state.accepted_thru), error="",
    )  # fmt: skip
