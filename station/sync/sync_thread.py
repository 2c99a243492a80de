"""Sync thread: execute the acts that `station.sync.state_machine` chooses, one request to the hub at a time.

The thread reads the journal through a read-only connection, one batch at a time. Its writes (marks, anchors, definitions)
are chores of the recording thread, which run while no scan waits.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from station import log
from station.config import ConfigError, StationConfig, token
from station.core.event import Event
from station.core.protocol import Epoch, HeartbeatRequest
from station.journal import JournalFull, JournalReader, LogChanged, LogState
from station.journal.earlier_logs import set_aside, unconfirmed
from station.readers.registry import MAX_HEARTBEAT_LINES, to_heartbeat
from station.scan.event_builder import EventBuilder
from station.status import HubStatus, StationStatus
from station.sync.client import TOO_LARGE, BatchConflict, HubClient, HubError
from station.sync.master_data_sync import MasterDataTarget, apply_items, apply_snapshot
from station.sync.reconcile import MAX_BATCH_BYTES, EpochChanged, ReconcileContext, batch_of, reconcile
from station.sync.session import anchor, begin, introduce, same_past
from station.sync.state_machine import (
    ITEMS_S,
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
    apply_too_large,
    impossible_answer,
    is_other_state,
    new_log_begun,
    new_log_wanted,
    next_act,
)
from station.sync.transport import HttpTransport, HubTransport

GATHER_S = 0.05  # scans that arrive together are sent together
BATCH_BYTES = MAX_BATCH_BYTES  # in base64 a batch stays below the megabyte that a hub accepts
PRUNE_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class SyncHost:
    """The parts of the station that the sync thread uses.

    `events` builds its events, and `events.now_ns` is its clock. `target` gives access to the journal and the recording
    thread. `status` returns the station's status for a heartbeat.
    """

    config: StationConfig
    events: EventBuilder
    target: MasterDataTarget
    status: Callable[[], StationStatus]


class SyncThread:
    """The sync thread of one station. Raises `ConfigError` where the hub's token cannot be read."""

    def __init__(
        self,
        host: SyncHost,
        random_: Callable[[], float] = random.random,
        transport: Callable[[str | None], HubTransport] = HttpTransport,
    ) -> None:
        assert host.config.hub is not None
        self._target, self._events, self._station_status = host.target, host.events, host.status
        self._journal, self._changed = host.target.journal, host.target.changed
        self._hub_config = host.config.hub
        self._jitter, self._make_transport = random_, transport
        self._now_ns, self._boot = host.events.now_ns, host.events.boot
        self._hub: HubClient | None = None
        self._wake, self._stop = threading.Event(), threading.Event()
        self._reader = JournalReader(self._journal.path)
        self._state = begin(self._reader, self._boot)
        self.aside = unconfirmed(self._journal.path, self._state.epoch)
        self._last_contact_ns: int | None = None
        self._pruned_ns = 0
        self._reconcile_again = False
        self._waiting_since_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()

    def poke(self) -> None:
        """Wake the thread because an event was recorded. The recording thread calls it after its answer."""
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Stop the thread. A request that hangs is abandoned after one second."""
        self._stop.set()
        self._wake.set()
        self._thread.join(1.0)

    @property
    def state(self) -> SyncState:
        """What is known of the hub, from which the next act is chosen."""
        return self._state

    def status(self) -> HubStatus:
        """The connection to the hub, for status.json."""
        sync = self._state
        if sync.refused:
            state = "refused"
        elif self._last_contact_ns is not None and not sync.error:
            state = "ok"
        else:
            state = "never" if sync.epoch is None else "away"
        epoch = None if sync.epoch is None else str(sync.epoch)
        return HubStatus(state, sync.error, self._last_contact_ns, sync.accepted_thru, sync.durable_thru, epoch)

    def oldest_waiting_s(self) -> float | None:
        """For how many seconds the oldest unsent event has been waiting."""
        since_ns = self._waiting_since_ns
        return None if since_ns is None else round((self._now_ns() - since_ns) / S, 1)

    # -- the loop

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                pause = self.turn()
            except InterruptedError:
                return  # the station is stopping
            if pause is not None:
                self._pause(pause)

    def turn(self) -> Pause | None:
        """Execute the next act; returns a pause where none is due. Raises `InterruptedError` where the station stops."""
        try:
            act = next_act(self._state, tip_seq=self._journal.tip.seq, now_ns=self._now_ns())
            if isinstance(act, Pause):
                return act
            self._step(act)
        except InterruptedError:
            raise
        except Exception as error:  # noqa: BLE001 - any failure is retried; scanning must not depend on it
            self._fail(error)
        return None

    def _step(self, act: Act) -> None:
        error_before = self._state.error
        try:
            self._do(act)
        except BatchConflict as error:
            last_seq = self._journal.tip.seq
            self._state = apply_conflict(self._state, error.seq, last_seq, str(error), self._now_ns(), self._jitter)
            log.say("the hub refuses a batch; it is sent in smaller parts", why=str(error))
        except (LogChanged, EpochChanged):
            self._state = replace(self._state, session=False)
        else:
            self._last_contact_ns = self._now_ns()
            if error_before and not self._state.error:
                log.say("the hub is reached again")
                self._changed()

    def _fail(self, error: Exception) -> None:
        refused = isinstance(error, HubError) and error.refused
        retry_s = error.retry_s if isinstance(error, HubError) else None
        sentence = str(error) if isinstance(error, HubError | ConfigError) else repr(error)
        if isinstance(error, HubError) and error.smaller and error.events:
            self._send_less(error)
            return
        if not self._state.error:
            log.say("the hub is away; scans are kept", why=sentence)
            self._changed()
        if self._hub is not None and (refused or isinstance(error, ConfigError)):
            self._hub.close()
            self._hub = None  # the next attempt reads the token again
        self._state = apply_failure(
            self._state, sentence, self._now_ns(), self._jitter, refused=refused, retry_s=retry_s
        )

    def _send_less(self, error: HubError) -> None:
        """After a batch that was too large or whose reply was cut: send fewer events."""
        if not self._state.error:
            log.say("a batch did not arrive; it is sent in smaller parts", events=error.events, why=str(error))
            self._changed()
        self._state = apply_too_large(
            self._state, error.events, str(error), self._now_ns(), self._jitter,
            at_once=error.status == TOO_LARGE, retry_s=error.retry_s)  # fmt: skip

    def _pause(self, act: Pause) -> None:
        now_ns = self._now_ns()
        pause_s = max(0.0, (act.until_ns - now_ns) / S)
        if now_ns < self._state.not_before_ns:
            self._stop.wait(pause_s)  # a scan must not shorten a pause after a failure
            return
        if self._wake.wait(pause_s):
            self._wake.clear()
            self._stop.wait(GATHER_S)

    def _do(self, act: Act) -> None:
        match act:
            case OpenSession():
                self._open_session()
            case AnchorDue():
                self._record_hub_time()
            case SendEvents():
                self._send(act)
            case Reconcile():
                self._reconcile()
            case SendHeartbeat():
                self._send_heartbeat()
            case FetchSnapshot():
                epoch = apply_snapshot(self._target, self._connect(), self._reader, self._state.snapshot_version)
                self._state = replace(self._state, snapshot_version=self._state.hub_snapshot)
                self._check_hub_state(epoch)
            case FetchItems():
                epoch = apply_items(self._target, self._connect(), self._reader)
                self._state = replace(self._state, next_items_ns=self._now_ns() + int(ITEMS_S * S))
                self._check_hub_state(epoch)

    def _connect(self) -> HubClient:
        """The hub's client. After a refusal the token is read again, so that a new one needs no restart."""
        if self._hub is None:
            config = self._hub_config
            self._hub = HubClient(config.url, token(config), self._make_transport(config.ca_file))
        return self._hub

    # -- acts

    def _open_session(self) -> None:
        """Introduce the log, then continue from the hub's cursor.

        1. An answer that cannot be true of this log is an error.
        2. Where the hub asks for a new log, begin one; the next act opens its session.
        3. Compare the hash at the hub's cursor with ours, and store the hub's cursor as the mark.
        """
        log_state = self._reader.state()
        exchange = introduce(self._connect(), log_state, self._events)
        answer, mark, tip_seq = exchange.answer, log_state.mark, log_state.tip.seq
        impossible = impossible_answer(answer, tip_seq)
        if impossible is not None:
            raise HubError(impossible)
        mark_thru = mark.accepted_thru if mark and mark.hub_epoch == answer.hub_epoch else 0
        cause = new_log_wanted(answer, tip_seq)
        if cause is not None:
            self._new_log(cause, log_state, min(mark_thru, tip_seq))
            return
        same = same_past(self._reader, answer)
        if answer.accepted_thru < mark_thru:  # restored without a new epoch: events of earlier logs may be missing, too
            self._state = replace(self._state, reconciled=None)
        self._state = apply_session(self._state, answer, same_past=same, mark_thru=mark_thru, now_ns=self._now_ns())
        self._store_mark()

    def _new_log(self, cause: str, introduced: LogState, mark_thru: int) -> None:
        """Begin a new log, because the hub has more events of this log than the station, or different ones.

        Scans may have been recorded since the log was introduced. `log_ahead`: the new log begins at the introduced tip, and
        the events behind it are sent again in it. `reidentify` (the log is another device's too): all events behind the last
        mark are sent again.
        """
        pause_s = (self._state.new_log_from_ns - self._now_ns()) / S
        if pause_s > 0:
            msg = f"The hub asks for one new log after another ({cause}). Look at the hub; the scans are kept."
            raise HubError(msg, retry_s=pause_s)
        log.say("a new log is begun", cause=cause, old=introduced.log_id)
        again_after = mark_thru if cause == "reidentify" else introduced.tip.seq
        begins_at = introduced.tip if cause == "log_ahead" else None
        self._target.run_chore(lambda: self._journal.new_log(cause, again_after, begins_at))
        self._state = new_log_begun(self._state, begin(self._reader, self._boot), self._now_ns())
        self.aside = unconfirmed(self._journal.path, self._state.epoch)
        self._changed()

    def _reconcile(self) -> None:
        """Send the events of earlier logs that the hub does not have."""
        epoch = self._state.epoch
        assert epoch is not None  # there is a session
        logs = set_aside(self._journal.path)
        if logs:
            context = ReconcileContext(self._connect(), epoch, self._events, self._carry, self._state.limit)
            sent, self._reconcile_again = reconcile(context, logs)
            if sent:
                log.say("events of earlier logs were not at the hub; they are sent", events=sent)
        self._state = replace(self._state, reconciled=epoch)
        before, self.aside = self.aside, unconfirmed(self._journal.path, self._state.epoch)
        if before != self.aside:
            self._changed()

    def _carry(self, events: list[bytes]) -> None:
        """Commit events of an earlier log to the open one, while no scan waits."""

        def commit() -> None:
            for encoded in events:
                self._journal.commit(encoded)

        self._target.run_chore(commit)

    def _check_hub_state(self, epoch: Epoch | None, accepted_thru: int | None = None) -> None:
        """End the session where an answer shows that the hub was restored from a backup."""
        if is_other_state(self._state, epoch, accepted_thru):
            log.say("the hub was restored; its cursor is asked again", epoch=epoch)
            self._state = replace(self._state, session=False, reconciled=None)

    def _record_hub_time(self) -> None:
        """Record the hub's time as an anchor event."""
        log_state = self._reader.state()
        event = anchor(self._connect(), log_state, self._events)
        anchored = event is not None
        if event is not None:
            try:
                self._target.run_chore(lambda: self._record_anchor(event, log_state.log_id))
            except JournalFull:
                anchored = False  # tried again in five minutes; sending continues meanwhile, which makes room
        self._state = apply_anchor(self._state, self._now_ns(), taken=anchored)

    def _record_anchor(self, event: Event, log_id: bytes) -> None:
        if self._journal.log_id == log_id:  # the hub's seal is valid for this log alone
            self._target.pipeline.record(event)

    def _send(self, act: SendEvents) -> None:
        log_id = self._journal.log_id
        events = self._reader.events(act.after, act.most, BATCH_BYTES, log_id)
        if not events:
            self._state = replace(self._state, session=False)
            return
        self._waiting_since_ns = self._waiting_since_ns or self._now_ns()
        answer = self._connect().events(log_id.hex(), batch_of(events, hashes=self._state.exact))
        state = apply_ack(self._state, answer, range(events[0].seq, events[-1].seq + 1), self._now_ns())
        if state is None:
            msg = "The hub's verdicts are not those of the batch that was sent. Nothing is marked; it is sent again."
            raise HubError(msg)
        self._state = state
        self._store_mark()
        if state.accepted_thru >= self._journal.tip.seq:
            self._waiting_since_ns = None
            self._changed()

    def _store_mark(self) -> None:
        """Store the hub's cursor in the journal, unless another log has become the open one meanwhile."""
        state, journal, log_id = self._state, self._journal, self._journal.log_id
        epoch = state.epoch
        if epoch is None:
            return

        def write() -> None:
            if journal.log_id == log_id:
                journal.mark(epoch, state.accepted_thru, state.durable_thru, state.head)

        self._target.run_chore(write)

    def _send_heartbeat(self) -> None:
        status = self._station_status()
        news = bool(status.waiting) or self._wake.is_set()
        durable_before = self._state.durable_thru
        answer = self._connect().heartbeat(
            HeartbeatRequest(
                log=status.log,
                tip_seq=status.tip_seq,
                waiting=status.waiting,
                oldest_waiting_s=status.oldest_waiting_s,
                clock=status.clock,
                wall_us=max(0, self._events.wall_us()),
                readers=[to_heartbeat(reader) for reader in status.readers[:MAX_HEARTBEAT_LINES]],
                sw=status.sw,
                disk_free=status.disk_free_bytes,
                boot=status.boot,
                aside=self.aside,
            )
        )
        if status.log != self._journal.log_id.hex() or (answer.accepted_thru or 0) > status.tip_seq:
            answer = msgspec.structs.replace(answer, accepted_thru=None, durable_thru=None)
        self._state = apply_heartbeat(self._state, answer, news=news, now_ns=self._now_ns())
        self._check_hub_state(answer.epoch, answer.accepted_thru)
        if self._state.session:  # the durable cursor is valid in this epoch alone
            if self._state.durable_thru != durable_before:
                self._store_mark()
            self._prune()

    def _prune(self) -> None:
        """Once an hour, delete events that are durable at the hub and old enough, one step a chore."""
        now_ns = self._now_ns()
        if self._pruned_ns and now_ns - self._pruned_ns < PRUNE_EVERY_S * S:
            return
        self._pruned_ns = now_ns
        if self._reconcile_again:  # retry the logs that could not be sent an hour ago
            self._state = replace(self._state, reconciled=None)
        while self._target.run_chore(self._journal.prune) and not self._stop.is_set():
            pass
