"""Sync: what to say to the hub next. Pure: it is told what happened and when, and answers with the next act.

The journal holds every event until the hub has it, so nothing here can lose one; at worst something is sent twice, and
the hub tells that by its hash. One request is under way at a time. A failure is tried again with the same bytes after a
random pause that doubles up to a minute; a hub that refuses this station is tried as seldom, and recording goes on.

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
MOST_STUCK = 3  # batches in a row without an accepted event that are sent without a pause
NEW_LOG_PAUSE_S, NEW_LOG_LONGEST_S = 1.0, 3600.0
TAKEN = frozenset({"ok", "dup", "damaged"})


@dataclass(frozen=True, slots=True)
class SyncState:
    """How this station stands with its hub.

    `session`: it has one; `accepted_thru`: the hub has all of our log up to here; `doubt`: an event that is to be sent
    alone; `exact`: send the hash of each event, so that a refusal names the right one; `reached`: there ever was an answer;
    `reconciled`: the epoch in which the logs that lie aside were compared with the hub; `new_logs`: logs begun at the hub's
    word shortly after each other, and `new_log_from_ns`: when the next one may be begun; `stuck`: batches of which the hub
    accepted nothing since it last accepted an event.
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


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Introduce the log; where an anchor is due, take the hub's time with it."""


@dataclass(frozen=True, slots=True)
class AnchorDue:
    """Take the hub's time: the first of a boot, then hourly."""


@dataclass(frozen=True, slots=True)
class SendEvents:
    """Send the events behind `after`, at most `most`."""

    after: int
    most: int


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Compare the logs that lie aside with the hub, and send what it lacks of them."""


@dataclass(frozen=True, slots=True)
class SendHeartbeat:
    """Say how the station is."""


@dataclass(frozen=True, slots=True)
class FetchSnapshot:
    """Fetch the definitions: the hub has others."""


@dataclass(frozen=True, slots=True)
class FetchItems:
    """Fetch the open items that changed."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do until then, or until an event is recorded."""

    until_ns: int


Act = OpenSession | AnchorDue | SendEvents | Reconcile | SendHeartbeat | FetchSnapshot | FetchItems | Pause


def next_act(standing: SyncState, *, tip_seq: int, now_ns: int) -> Act:
    """What to do now. Events go first: they are what was promised."""
    if now_ns < standing.not_before_ns:
        return Pause(standing.not_before_ns)
    if not standing.session:
        return OpenSession()
    if standing.anchored_ns is None or now_ns - standing.anchored_ns >= ANCHOR_S * S:
        return AnchorDue()
    if standing.doubt is not None and standing.doubt <= tip_seq:
        if standing.accepted_thru + 1 < standing.doubt:
            return SendEvents(standing.accepted_thru, min(standing.most, standing.doubt - 1 - standing.accepted_thru))
        return SendEvents(standing.doubt - 1, 1)
    if standing.accepted_thru < tip_seq:
        return SendEvents(standing.accepted_thru, standing.most)
    if standing.reconciled != standing.epoch:
        return Reconcile()
    if standing.hub_snapshot is not None and standing.hub_snapshot != standing.snapshot_version:
        return FetchSnapshot()
    if now_ns >= standing.next_beat_ns:
        return SendHeartbeat()
    if now_ns >= standing.next_items_ns:
        return FetchItems()
    return Pause(min(standing.next_beat_ns, standing.next_items_ns))


def apply_anchor(standing: SyncState, now_ns: int, *, taken: bool) -> SyncState:
    """After the hub was asked for its time; a hub that doubts its own clock is asked again in five minutes."""
    later_ns = 0 if taken else int((ANCHOR_S - DOUBT_S) * S)
    return replace(standing, anchored_ns=now_ns - later_ns)


def new_log_wanted(answer: SessionAnswer, tip_seq: int) -> str | None:
    """`log_ahead` or `reidentify` where the hub asks for a new log and its answer bears that out; else None.

    `tip_seq` is the tip that was introduced, not that of now. A hub that has no more of the log than the station introduced
    cannot be ahead of it.
    """
    if answer.do == "log_ahead" and answer.accepted_thru > tip_seq:
        return "log_ahead"
    return "reidentify" if answer.do == "reidentify" else None


def impossible_answer(answer: SessionAnswer, tip_seq: int) -> str | None:
    """Why a session's answer cannot be true of a log that was introduced with this tip; None where it can."""
    if answer.accepted_thru > tip_seq and new_log_wanted(answer, tip_seq) is None:
        return (
            f"The hub says that it has events up to {answer.accepted_thru} of a log that ends at {tip_seq};"
            f" expected at most {tip_seq}. Nothing is marked, and it is asked again. Look at the hub."
        )
    return None


def new_log_begun(standing: SyncState, fresh: SyncState, now_ns: int) -> SyncState:
    """After a new log at the hub's word: `fresh` with the pause before the next one, which doubles up to an hour.

    A hub that asks for new logs for ever must not fill the card with them, also where it accepts events between two of them:
    the pause is short again only where none was asked for in the hour after it.
    """
    quiet = now_ns - standing.new_log_from_ns >= NEW_LOG_LONGEST_S * S
    before = 0 if quiet else standing.new_logs
    pause_s = min(NEW_LOG_LONGEST_S, NEW_LOG_PAUSE_S * 2.0 ** min(before, 12))
    return replace(fresh, reached=True, new_logs=before + 1, new_log_from_ns=now_ns + int(pause_s * S))


def apply_session(
    standing: SyncState, answer: SessionAnswer, *, same_past: bool, mark_thru: int, now_ns: int
) -> SyncState:
    """After a session: go on from the hub's cursor, never from our own memory of it.

    `same_past`: our hash at its cursor is the hub's; where it is not, we go back to `mark_thru`, the last event that the
    hub took from us in this epoch, and let it say event by event what differs.
    """
    accepted = answer.accepted_thru if same_past else min(mark_thru, answer.accepted_thru)
    return replace(
        standing, session=True, reached=True, refused=False, error="", failures=0, not_before_ns=0,
        epoch=answer.hub_epoch, accepted_thru=accepted, durable_thru=min(answer.durable_thru, accepted),
        most=max(1, min(MOST_EVENTS, answer.limits.events)), hub_snapshot=answer.snapshot_version,
        next_beat_ns=now_ns if not standing.reached else standing.next_beat_ns,
    )  # fmt: skip


def apply_ack(standing: SyncState, answer: EventsAnswer, sent: range, now_ns: int) -> SyncState | None:
    """After a batch; None where the answer is not one to what was sent, so that no mark may move.

    A fork ends the session: the next one says what to do about it.
    """
    if [verdict.seq for verdict in answer.verdicts] != list(sent):
        return None
    thru = sent.start - 1
    for verdict in answer.verdicts:
        if verdict.verdict not in TAKEN:
            break
        thru = verdict.seq
    if answer.accepted_thru < thru:
        return None  # accepted one by one and not as a whole: one of the two is wrong
    forked = thru < sent.stop - 1
    if answer.hub_epoch != standing.epoch:
        return replace(standing, session=False)
    done = standing.doubt is not None and thru >= standing.doubt
    moved = thru >= sent.start
    stuck = 0 if moved else standing.stuck + 1
    pause_ms = min(answer.wait_ms, 60_000) if stuck <= MOST_STUCK else BEAT_NEWS_S * 1000
    pause_ns = int(pause_ms * 1_000_000)
    return replace(
        standing, session=not forked, error="", failures=0, stuck=stuck,
        accepted_thru=max(standing.accepted_thru, thru), head=answer.head,
        durable_thru=min(answer.durable_thru, max(standing.accepted_thru, thru)),
        doubt=None if done else standing.doubt, exact=standing.exact and not done,
        not_before_ns=now_ns + pause_ns if pause_ns else 0,
        next_beat_ns=min(standing.next_beat_ns, now_ns + int(BEAT_NEWS_S * S)),
    )  # fmt: skip


def apply_conflict(
    standing: SyncState, seq: int, last_seq: int, sentence: str, now_ns: int, jitter: Callable[[], float]
) -> SyncState:
    """After a refused batch that ended at `last_seq`: first with exact hashes, then the event that the hub names alone.

    An event behind the batch was not sent: a hub that names one is asked again as after any other failure.
    """
    if seq > last_seq:
        return apply_failure(standing, sentence, now_ns, jitter)
    named = replace(standing, exact=True, doubt=seq if standing.exact else None)
    if seq <= standing.accepted_thru:
        named = replace(named, session=False)  # the past differs: a session says what to do
    named = replace(named, stuck=standing.stuck + 1)
    if not (standing.exact and standing.doubt == seq) and named.stuck <= MOST_STUCK:
        return replace(named, error=sentence)
    # A session between two refusals is an answer: the pause grows with the refusals, not with the failures since then.
    failures = max(named.failures, named.stuck - MOST_STUCK - 1)
    return apply_failure(replace(named, failures=failures), sentence, now_ns, jitter)


def apply_failure(
    standing: SyncState, sentence: str, now_ns: int, jitter: Callable[[], float],
    *, refused: bool = False, retry_s: float | None = None,
) -> SyncState:  # fmt: skip
    """After no answer: pause. `jitter` gives a number from 0 to 1; what was to be sent stays to be sent."""
    longest = LONGEST_PAUSE_S if refused else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(standing.failures, 10))
    pause_s = min(retry_s, LONGEST_PAUSE_S) if retry_s is not None else longest * jitter()
    return replace(
        standing, session=False, refused=refused, error=sentence, failures=standing.failures + 1,
        not_before_ns=now_ns + int(pause_s * S),
    )  # fmt: skip


def is_other_state(standing: SyncState, epoch: int | str | None, accepted_thru: int | None = None) -> bool:
    """Whether an answer shows a hub that is not where this station left it: restored, or put back without a word.

    `epoch` is the hub's, `accepted_thru` how far it has the log; None where an older hub does not say.
    """
    restored = epoch is not None and epoch != standing.epoch
    return restored or (accepted_thru is not None and accepted_thru < standing.accepted_thru)


def apply_heartbeat(standing: SyncState, answer: HeartbeatAnswer, *, news: bool, now_ns: int) -> SyncState:
    """After a heartbeat."""
    wait_s = max(BEAT_NEWS_S if news else BEAT_S, min(answer.wait_ms / 1000, LONGEST_PAUSE_S) if not news else 0)
    durable = standing.durable_thru if answer.durable_thru is None else answer.durable_thru
    return replace(
        standing, next_beat_ns=now_ns + int(wait_s * S), hub_snapshot=answer.snapshot_version or standing.hub_snapshot,
        durable_thru=min(durable, standing.accepted_thru), error="",
    )  # fmt: skip
