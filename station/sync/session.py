"""Session with the hub: introduce a log, compare its past with the hub's, and measure the hub's time."""

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
    """An answer, with CLOCK_BOOTTIME in ns before the request was sent (`t1`) and after the answer arrived (`t4`)."""

    answer: SessionAnswer
    t1: int
    t4: int


def introduce(hub: HubClient, state: LogState, events: EventBuilder) -> SessionExchange:
    """Open a session for this log. The hub refuses a station name that is not its token's, before any scan is sent."""
    parent, mark, t1 = state.parent, state.mark, events.now_ns()
    answer = hub.session(
        SessionRequest(
            log=state.log_id.hex(),
            parent=ParentLog(parent.log_id.hex(), parent.seq, parent.hash.hex()) if parent else None,
            tip_seq=state.tip.seq,
            tip_hash=state.tip.hash.hex(),
            pruned_thru=state.pruned_thru,
            epoch_seen=mark.hub_epoch if mark else None,
            head_seen=mark.head if mark else None,
            station=events.station,
            boot=events.boot,
            t1=t1,
        )
    )
    return SessionExchange(answer, t1, events.now_ns())


def anchor(hub: HubClient, state: LogState, events: EventBuilder) -> Event | None:
    """The hub's time as an event, from the fastest of eight round trips; None while the hub does not trust its clock."""
    trips = [introduce(hub, state, events) for _ in range(ROUND_TRIPS)]
    timed = [trip for trip in trips if trip.answer.mac is not None and _possible(trip)]
    if not timed:
        return None
    best = min(timed, key=lambda trip: trip.t4 - trip.t1)
    answer = best.answer
    return Event(
        kind="anchor", station=events.station, sw=events.sw, boot=events.boot, mono_ns=events.now_ns(),
        wall_us=events.wall_us(), clk=events.clk, t1=best.t1, t4=best.t4, t2=answer.t2, t3=answer.t3,
        hub_clk=answer.hub_clk, mac=answer.mac,
    )  # fmt: skip


def _possible(trip: SessionExchange) -> bool:
    """Whether the hub's two times fit into this round trip, so that its clock did not step between them."""
    t2, t3 = trip.answer.t2, trip.answer.t3
    return t2 is not None and t3 is not None and 0 <= t3 - t2 <= (trip.t4 - trip.t1) // 1000 + SLACK_US


def same_past(reader: JournalReader, answer: SessionAnswer) -> bool:
    """Whether the hashes of the hub and of this log at the hub's cursor are equal; True where they cannot be compared."""
    if not answer.accepted_hash or not answer.accepted_thru:
        return True
    events = reader.events(answer.accepted_thru - 1, 1)  # a later event where that one is pruned
    return not events or events[0].seq != answer.accepted_thru or events[0].hash.hex() == answer.accepted_hash


def begin(journal: JournalReader, boot: str) -> SyncState:
    """The sync state at the start, from the stored mark, before the hub is reached."""
    state, snapshot = journal.state(), journal.snapshot()
    mark = state.mark
    sync = SyncState(snapshot_version=snapshot[0] if snapshot else None, anchored_ns=anchored_ns(journal, boot))
    if mark is None:
        return sync
    return replace(
        sync, epoch=mark.hub_epoch, accepted_thru=mark.accepted_thru, durable_thru=mark.durable_thru, head=mark.head
    )


def anchored_ns(journal: JournalReader, boot: str) -> int | None:
    """When the last anchor of this boot was recorded; None where none of the newest events is one."""
    for stored in journal.newest(NEWEST):
        try:
            event = decode(stored.encoded)
        except EventError:
            continue
        if event.kind == "anchor" and event.boot == boot and event.origin is None:  # a seal is valid for one log
            return event.mono_ns
    return None
