"""Reconcile: compare each log set aside with the hub, and send the events that the hub does not have.

A log is set aside when another one follows it. The hub has confirmed most of its events by then, but a hub that is restored
from an older backup may have lost them. So at each start, and in each new epoch, every such log is introduced like the open
one:

1. The hub has it up to the end of its duty, with the same hash: nothing is missing.
2. The hub has the same past, but fewer events: the rest is sent under the log's own identity.
3. The hub has another past (a card that was rolled back or copied): the last common event is searched, and the events
behind it
   are sent again in the open log, each with its `origin`.

The order matters in step 3. A portion of events is committed to the open log first; then the log set aside notes it. A
power cut between the two sends that portion twice, and the hub counts each event once by its origin.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from station import log as _log
from station.core.event import EventError
from station.core.protocol import EventsRequest, SessionAnswer
from station.journal.earlier_logs import EarlierLog, EarlierLogNote
from station.journal.records import JournalError, JournalLost, LogState, StoredEvent
from station.journal.salvage import resent_event
from station.journal.schema import UNREADABLE
from station.scan.event_builder import EventBuilder
from station.sync.client import BatchConflict, HubClient, HubError
from station.sync.session import introduce
from station.sync.state_machine import ACCEPTED

MOST_EVENTS = 500
MAX_BATCH_BYTES = 700_000
CARRIED_TOGETHER = 50  # committed in one chore of the recording thread: no scan waits for more
Carry = Callable[[list[bytes]], object]


class EpochChanged(Exception):
    """The hub was restored while logs were compared: a new session is needed."""


@dataclass(frozen=True, slots=True)
class ReconcileContext:
    """The hub and its epoch, the builder of the station's events, and `carry`, which commits events to the open log.

    `most`: the most events of one request.
    """

    hub: HubClient
    epoch: int | str
    builder: EventBuilder
    carry: Carry
    most: int = MOST_EVENTS


class ReconcileResult(NamedTuple):
    """The number of events sent, and whether a log must be tried again soon (not one that the hub refused)."""

    sent: int
    again: bool


def reconcile(context: ReconcileContext, logs: Iterable[EarlierLog]) -> ReconcileResult:
    """Compare every log with the hub. A log that cannot be sent now keeps its events.

    One log must not block the others or the heartbeat. A log that the hub refuses (another device's), that cannot be read,
    or that finds no room in the open log is skipped. Raises `HubError` where the hub cannot be reached, `EpochChanged`
    where it was restored meanwhile.
    """
    sent, again = 0, False
    for log in logs:
        try:
            sent += _reconcile(context, log)
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


def _reconcile(context: ReconcileContext, log: EarlierLog) -> int:
    if log.duty_thru <= log.pruned.seq:
        return 0  # pruned events were durable at the hub
    answer = _ask(context, log, log.duty_thru)
    if answer is None:
        return _reconcile_unread(context, log)
    same = answer.do != "reidentify"
    if answer.accepted_thru >= log.duty_thru and same:
        log.noted(_confirmed(log, context.epoch))
        return 0
    if same and log.whole and _same_at(log, answer):
        after = _send(context, log, answer.accepted_thru)
        if after == log.duty_thru:
            log.noted(_confirmed(log, context.epoch))
            return after - answer.accepted_thru
        return after - answer.accepted_thru + _carry(context, log, after)
    return _carry(context, log, _last_common(context, log, answer))


def _reconcile_unread(context: ReconcileContext, log: EarlierLog) -> int:
    """A damaged log whose last event cannot be read: the hub's cursor is decisive."""
    state = log.state(0)
    assert state is not None  # the genesis hash needs no file
    accepted_thru = _answer(context, log, replace(state, pruned_thru=0)).accepted_thru
    if accepted_thru >= log.duty_thru:
        log.noted(_confirmed(log, context.epoch))
        return 0
    return _carry(context, log, accepted_thru)


def _ask(context: ReconcileContext, log: EarlierLog, thru: int) -> SessionAnswer | None:
    """The hub's answer to this log introduced as if it ended at `thru`; None where that event cannot be read."""
    state = log.state(thru)
    return None if state is None else _answer(context, log, state)


def _answer(context: ReconcileContext, log: EarlierLog, state: LogState) -> SessionAnswer:
    answer = introduce(context.hub, state, context.builder).answer
    if answer.hub_epoch != context.epoch:
        raise EpochChanged(log.log_id.hex())
    return answer


def _same_at(log: EarlierLog, answer: SessionAnswer) -> bool:
    """Whether both hashes at the hub's cursor are equal; True also where the hub has none there (behind a gap)."""
    own = log.hash_at(answer.accepted_thru)
    return not answer.accepted_hash or (own is not None and own.hex() == answer.accepted_hash)


def _last_common(context: ReconcileContext, log: EarlierLog, answer: SessionAnswer) -> int:
    """The last common event, found by bisection: by the hash chain, all events before a common one are common."""
    low, high = log.pruned.seq, min(log.duty_thru, answer.accepted_thru)
    while low < high:
        middle = (low + high + 1) // 2
        middle_answer = _ask(context, log, middle)
        if middle_answer is None:
            high = middle - 1  # unreadable: everything from here on is sent again
        elif middle_answer.do == "reidentify" or middle_answer.accepted_thru < middle:
            high = middle - 1
        else:
            low = middle
    return low


def _send(context: ReconcileContext, log: EarlierLog, after: int) -> int:
    """Send the log's own events behind `after` until the file cannot be read; returns the last one that the hub accepted."""
    while after < log.duty_thru and (events := _readable(log, after, context.most)):
        try:
            answer = context.hub.events(log.log_id.hex(), batch_of(events))
        except BatchConflict:
            break
        if answer.hub_epoch != context.epoch:
            raise EpochChanged(log.log_id.hex())
        seqs = [event.seq for event in events]
        if [verdict.seq for verdict in answer.verdicts] != seqs:
            msg = "The hub's verdicts are not those of the batch that was sent. It is sent again."
            raise HubError(msg)
        accepted = next((v.seq - 1 for v in answer.verdicts if v.verdict not in ACCEPTED), seqs[-1])
        after = min(accepted, max(after, answer.accepted_thru))
        if after < seqs[-1]:
            break
    return after


def _readable(log: EarlierLog, after: int, most: int) -> list[StoredEvent]:
    """The next events of an undamaged log; none where a page cannot be read."""
    try:
        return log.stored(after, most, MAX_BATCH_BYTES)
    except UNREADABLE:
        return []


def _carry(context: ReconcileContext, log: EarlierLog, after: int) -> int:
    """Send the duty behind `after` again in the open log.

    The last portion goes first, and each is noted. So an interrupted run continues where it was, and a full card is not
    filled with the same events again. A damaged log is read as a whole, so it is one portion.
    """
    template = context.builder.event("salvage")
    count = 0
    while log.duty_thru > after:
        start = max(after, log.duty_thru - CARRIED_TOGETHER) if log.whole else after
        again = (resent_event(event, log.log_id.hex(), template) for event in log.events(start))
        while portion := list(islice(again, CARRIED_TOGETHER)):
            context.carry(portion)
            count += len(portion)
        log = log.noted(EarlierLogNote(log.note.epoch, start))
    log.noted(EarlierLogNote(context.epoch, after))
    return count


def _confirmed(log: EarlierLog, epoch: int | str) -> EarlierLogNote:
    """The log's note for an epoch in which the hub has all of its duty."""
    return EarlierLogNote(epoch, log.note.sent_again_after)


def batch_of(events: list[StoredEvent], hashes: bool = False) -> EventsRequest:
    """The batch of consecutive events; `hashes` adds the claimed hash of each."""
    return EventsRequest(
        from_seq=events[0].seq,
        prev=events[0].prev.hex(),
        tip=events[-1].hash.hex(),
        events=[event.encoded for event in events],
        hashes=[event.hash.hex() for event in events] if hashes else None,
    )
