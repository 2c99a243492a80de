"""Reconcile: compare each log that lies aside with the hub, and bring what the hub lacks of it there.

A log is set aside when another one follows it. Most of what it holds is at the hub then, by the hub's own word. A hub that
was restored from an older backup may lack it again. So at each start, and in each new epoch, every such log is introduced
like the log that is open:

1. The hub has it up to the end of its duty, with the same hash: nothing is missing.
2. The hub has the same past and less of it: the rest is sent under the log's own identity.
3. The hub has another past (a card that was rolled back or copied): the last event that both have is searched, and what
   comes after it is sent again in the open log, each event named by its origin.

The order matters in step 3: a portion of events is committed to the open log first, then the log that lies aside notes it. A
power cut between the two sends that portion twice, and the fold counts an event once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from station import log as _log
from station.core.event import EventError
from station.core.protocol import EventsRequest, SessionAnswer
from station.journal.records import JournalError, JournalLost, LogState, StoredEvent
from station.journal.salvage import resent_event
from station.journal.schema import UNREADABLE
from station.journal.set_aside import SetAside, SetAsideNote
from station.scan.event_builder import EventBuilder
from station.sync.client import BatchConflict, HubClient, HubError
from station.sync.session import introduce
from station.sync.state_machine import TAKEN

MOST_EVENTS = 500
MAX_BATCH_BYTES = 700_000
CARRIED_TOGETHER = 50  # committed in one chore of the recording thread: no scan waits for more
Carry = Callable[[list[bytes]], object]


class EpochChanged(Exception):
    """The hub was restored while logs were compared: everything begins again with a session."""


@dataclass(frozen=True, slots=True)
class ReconcileContext:
    """What reconciling works with: the hub and its epoch, who records, and how events get into the open log."""

    hub: HubClient
    epoch: int | str
    recorder: EventBuilder
    carry: Carry


class ReconcileResult(NamedTuple):
    """How many events were sent, and whether a log is to be tried again soon: not one that the hub refused."""

    sent: int
    again: bool


def reconcile(desk: ReconcileContext, logs: Iterable[SetAside]) -> ReconcileResult:
    """Compare every log with the hub. A log that cannot be sent now keeps what it holds.

    One log must not keep the others, or the heartbeat, from the hub: one that the hub refuses (it is another device's), that
    cannot be read, or that finds no room in the open log stays where it is. Raises `HubError` where the hub cannot be
    reached, `EpochChanged` where it was restored meanwhile.
    """
    sent, again = 0, False
    for log in logs:
        try:
            sent += _reconcile(desk, log)
        except HubError as error:
            if not error.refused:
                raise
            _log.say("the hub refuses an earlier log", log=log.log_id, why=str(error))
        except JournalLost:
            raise
        except (JournalError, EventError, OSError, *UNREADABLE) as error:
            _log.say("an earlier log cannot be sent", folder=log.path.parent, why=str(error))
            again = True
    return ReconcileResult(sent, again)


def _reconcile(desk: ReconcileContext, log: SetAside) -> int:
    if log.duty_thru <= log.pruned.seq:
        return 0  # what is gone from here was durable at the hub
    answer = _ask(desk, log, log.duty_thru)
    if answer is None:
        return _reconcile_unread(desk, log)
    same = answer.do != "reidentify"
    if answer.accepted_thru >= log.duty_thru and same:
        log.noted(_confirmed(log, desk.epoch))
        return 0
    if same and log.whole and _same_at(log, answer):
        after = _send(desk, log, answer.accepted_thru)
        if after == log.duty_thru:
            log.noted(_confirmed(log, desk.epoch))
            return after - answer.accepted_thru
        return after - answer.accepted_thru + _carry(desk, log, after)
    return _carry(desk, log, _last_common(desk, log, answer))


def _reconcile_unread(desk: ReconcileContext, log: SetAside) -> int:
    """A damaged log whose last event cannot be read: the hub's own cursor decides."""
    state = log.state(0)
    assert state is not None  # the genesis hash needs no file
    accepted_thru = _answer(desk, log, replace(state, pruned_thru=0)).accepted_thru
    if accepted_thru >= log.duty_thru:
        log.noted(_confirmed(log, desk.epoch))
        return 0
    return _carry(desk, log, accepted_thru)


def _ask(desk: ReconcileContext, log: SetAside, thru: int) -> SessionAnswer | None:
    """The hub's answer to this log as if it ended at `thru`; None where that event cannot be read."""
    state = log.state(thru)
    return None if state is None else _answer(desk, log, state)


def _answer(desk: ReconcileContext, log: SetAside, state: LogState) -> SessionAnswer:
    answer = introduce(desk.hub, state, desk.recorder).answer
    if answer.hub_epoch != desk.epoch:
        raise EpochChanged(log.log_id.hex())
    return answer


def _same_at(log: SetAside, answer: SessionAnswer) -> bool:
    """Whether the hub's hash at its cursor is this log's; so, too, where the hub has none there (behind a gap)."""
    own = log.hash_at(answer.accepted_thru)
    return not answer.accepted_hash or (own is not None and own.hex() == answer.accepted_hash)


def _last_common(desk: ReconcileContext, log: SetAside, answer: SessionAnswer) -> int:
    """The last event that this log and the hub share: the chain makes every one before it shared, so it can be bisected."""
    low, high = log.pruned.seq, min(log.duty_thru, answer.accepted_thru)
    while low < high:
        middle = (low + high + 1) // 2
        found = _ask(desk, log, middle)
        if found is None:
            high = middle - 1  # not readable: everything from here on is sent again
        elif found.do == "reidentify" or found.accepted_thru < middle:
            high = middle - 1
        else:
            low = middle
    return low


def _send(desk: ReconcileContext, log: SetAside, after: int) -> int:
    """Send the log's own events behind `after`; the last one that the hub accepted. Ends where the file cannot be read."""
    while after < log.duty_thru and (events := _readable(log, after)):
        try:
            answer = desk.hub.events(log.log_id.hex(), batch_of(events))
        except BatchConflict:
            break
        if answer.hub_epoch != desk.epoch:
            raise EpochChanged(log.log_id.hex())
        seqs = [event.seq for event in events]
        if [verdict.seq for verdict in answer.verdicts] != seqs:
            msg = "The hub's verdicts are not those of the batch that was sent. It is sent again."
            raise HubError(msg)
        taken = next((v.seq - 1 for v in answer.verdicts if v.verdict not in TAKEN), seqs[-1])
        after = min(taken, max(after, answer.accepted_thru))
        if after < seqs[-1]:
            break
    return after


def _readable(log: SetAside, after: int) -> list[StoredEvent]:
    """The next events of a whole log; none where a damaged page hides them."""
    try:
        return log.stored(after, MOST_EVENTS, MAX_BATCH_BYTES)
    except UNREADABLE:
        return []


def _carry(desk: ReconcileContext, log: SetAside, after: int) -> int:
    """Send the duty behind `after` again in the open log.

    The last portion goes first, and each is noted: what is cut off on the way goes on where it was, and a card that is full
    does not fill up with the same events again. A damaged log is read as a whole, so it is one portion.
    """
    template = desk.recorder.event("salvage")
    count = 0
    while log.duty_thru > after:
        start = max(after, log.duty_thru - CARRIED_TOGETHER) if log.whole else after
        again = (resent_event(event, log.log_id.hex(), template) for event in log.events(start))
        while portion := list(islice(again, CARRIED_TOGETHER)):
            desk.carry(portion)
            count += len(portion)
        log = log.noted(SetAsideNote(log.note.epoch, start))
    log.noted(SetAsideNote(desk.epoch, after))
    return count


def _confirmed(log: SetAside, epoch: int | str) -> SetAsideNote:
    """The log's note with the epoch in which the hub has all of its duty."""
    return SetAsideNote(epoch, log.note.sent_again_after)


def batch_of(events: list[StoredEvent], hashes: bool = False) -> EventsRequest:
    """The batch of consecutive events; `hashes` adds the claimed hash of each."""
    return EventsRequest(
        from_seq=events[0].seq,
        prev=events[0].prev.hex(),
        tip=events[-1].hash.hex(),
        events=[event.encoded for event in events],
        hashes=[event.hash.hex() for event in events] if hashes else None,
    )
