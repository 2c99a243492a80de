"""A session with the hub: how a log is introduced, what the hub's answer says of its past, and the hub's time."""

from dataclasses import dataclass, replace

from station.core.event import Event, EventError, decode
from station.core.protocol import ParentLog, SessionAnswer, SessionRequest
from station.journal import JournalReader, LogState
from station.scan.event_builder import EventBuilder
from station.sync.client import HubClient
from station.sync.state_machine import SyncState

ROUND_TRIPS = 8
SLACK_US = 1_000  # two clocks are read, each with its own granularity
NEWEST = 500  # events looked at for the last anchor of this boot


@dataclass(frozen=True, slots=True)
class SessionExchange:
    """An answer and the boottime in ns before the question left (`t1`) and after the answer came (`t4`)."""

    answer: SessionAnswer
    t1: int
    t4: int


def introduce(hub: HubClient, state: LogState, recorder: EventBuilder) -> SessionExchange:
    """Open a session for this log. The hub refuses a name that is not its token's, before a scan can be told under it."""
    parent, mark, t1 = state.parent, state.mark, recorder.now_ns()
    answer = hub.session(
        SessionRequest(
            log=state.log_id.hex(),
            parent=ParentLog(parent.log_id.hex(), parent.seq, parent.hash.hex()) if parent else None,
            tip_seq=state.tip.seq,
            tip_hash=state.tip.hash.hex(),
            pruned_thru=state.pruned_thru,
            epoch_seen=mark.hub_epoch if mark else None,
            head_seen=mark.head if mark else None,
            station=recorder.station,
            boot=recorder.boot,
            t1=t1,
        )
    )
    return SessionExchange(answer, t1, recorder.now_ns())


def anchor(hub: HubClient, state: LogState, recorder: EventBuilder) -> Event | None:
    """The hub's time as an event, from the quickest of eight round trips; None while the hub's clock is in doubt."""
    trips = [introduce(hub, state, recorder) for _ in range(ROUND_TRIPS)]
    timed = [trip for trip in trips if trip.answer.mac is not None and _possible(trip)]
    if not timed:
        return None
    best = min(timed, key=lambda trip: trip.t4 - trip.t1)
    answer = best.answer
    return Event(
        kind="anchor", station=recorder.station, sw=recorder.sw, boot=recorder.boot, mono_ns=recorder.now_ns(),
        wall_us=recorder.wall_us(), clk=recorder.clk, t1=best.t1, t4=best.t4, t2=answer.t2, t3=answer.t3,
        hub_clk=answer.hub_clk, mac=answer.mac,
    )  # fmt: skip


def _possible(trip: SessionExchange) -> bool:
    """Whether the hub's two times can lie within this round trip: its clock did not step between them."""
    t2, t3 = trip.answer.t2, trip.answer.t3
    return t2 is not None and t3 is not None and 0 <= t3 - t2 <= (trip.t4 - trip.t1) // 1000 + SLACK_US


def same_past(reader: JournalReader, answer: SessionAnswer) -> bool:
    """Whether what the hub has at its cursor is what we have there; True where nobody can tell any more."""
    if not answer.accepted_hash or not answer.accepted_thru:
        return True
    found = reader.events(answer.accepted_thru - 1, 1)  # one event further on where that one is pruned
    return not found or found[0].seq != answer.accepted_thru or found[0].hash.hex() == answer.accepted_hash


def begin(journal: JournalReader, boot: str) -> SyncState:
    """How a station stands with its hub before it has reached it in this run."""
    state, snapshot = journal.state(), journal.snapshot()
    mark = state.mark
    standing = SyncState(snapshot_version=snapshot[0] if snapshot else None, anchored_ns=anchored_ns(journal, boot))
    if mark is None:
        return standing
    return replace(
        standing, epoch=mark.hub_epoch, accepted_thru=mark.accepted_thru, durable_thru=mark.durable_thru, head=mark.head
    )


def anchored_ns(journal: JournalReader, boot: str) -> int | None:
    """When the last anchor of this boot was taken; None where none of the newest events is one."""
    for stored in journal.newest(NEWEST):
        try:
            event = decode(stored.encoded)
        except EventError:
            continue
        if event.kind == "anchor" and event.boot == boot and event.origin is None:  # a seal is for one log
            return event.mono_ns
    return None
