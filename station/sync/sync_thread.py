"""The link to the hub: the thread that does what `station.sync.state_machine` decides, one request at a time.

It reads the journal through a connection that cannot write, a batch at a time; what it has to write (marks, anchors,
definitions) it asks of the recording thread, which does it when no scan waits.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

import msgspec

from station import log
from station.config import ConfigError, StationConfig, token
from station.core.event import Event
from station.core.protocol import Epoch, HeartbeatRequest
from station.journal import JournalFull, JournalReader, LogChanged, LogState
from station.journal.set_aside import set_aside, unconfirmed
from station.readers.registry import MOST_TOLD, to_heartbeat
from station.scan.event_builder import EventBuilder
from station.status import HubStatus, StationStatus
from station.sync.client import BatchConflict, HubClient, HubError
from station.sync.master_data_sync import MasterDataTarget, apply_items, apply_snapshot, run_chore
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
from station.sync.transport import HttpTransport, HubTransport

GATHER_S = 0.05  # scans that come together are sent together
BATCH_BYTES = MAX_BATCH_BYTES  # as base64 it stays below the megabyte that a hub takes
PRUNE_EVERY_S = 3600.0
Result = TypeVar("Result")


class SyncHost(MasterDataTarget, Protocol):
    """What the link needs of the station it belongs to."""

    config: StationConfig
    recorder: EventBuilder  # its `now_ns` is the clock of the link

    def state(self) -> StationStatus: ...


class SyncThread:
    """The link of one station. `ConfigError` where its token cannot be read."""

    def __init__(
        self,
        station: SyncHost,
        random_: Callable[[], float] = random.random,
        wire: Callable[[str | None], HubTransport] = HttpTransport,
    ) -> None:
        assert station.config.hub is not None
        self._station, self._jitter, self._make_wire = station, random_, wire
        self._now_ns = station.recorder.now_ns
        self._hub_config = station.config.hub
        self._hub: HubClient | None = None
        self._poke, self._stop = threading.Event(), threading.Event()
        self._boot = station.recorder.boot
        self._reader = JournalReader(station.journal.path)
        self._standing = begin(self._reader, self._boot)
        self.aside = unconfirmed(station.journal.path, self._standing.epoch)
        self._last_contact_ns: int | None = None
        self._pruned_ns = 0
        self._reconcile_again = False
        self._waiting_since_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def poke(self) -> None:
        """An event was recorded. Called by the recording thread after its answer."""
        if not self._poke.is_set():
            self._poke.set()

    def close(self) -> None:
        """End. A request that hangs is left behind."""
        self._stop.set()
        self._poke.set()
        self._thread.join(1.0)

    def status(self) -> HubStatus:
        """How the hub is seen."""
        now = self._standing
        if now.refused:
            state = "refused"
        elif self._last_contact_ns is not None and not now.error:
            state = "ok"
        else:
            state = "never" if now.epoch is None else "away"
        epoch = None if now.epoch is None else str(now.epoch)
        return HubStatus(state, now.error, self._last_contact_ns, now.accepted_thru, now.durable_thru, epoch)

    def oldest_waiting_s(self) -> float | None:
        """For how long an event has been waiting to be sent."""
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
        """Do the next act; where nothing is to be done, until when. Raises `InterruptedError` where the station stops."""
        try:
            act = next_act(self._standing, tip_seq=self._station.journal.tip.seq, now_ns=self._now_ns())
            if isinstance(act, Pause):
                return act
            self._step(act)
        except InterruptedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, scanning goes on and it is tried again
            self._fail(error)
        return None

    def _step(self, act: Act) -> None:
        before = self._standing.error
        try:
            self._do(act)
        except BatchConflict as error:
            last_seq = self._station.journal.tip.seq
            self._standing = apply_conflict(
                self._standing, error.seq, last_seq, str(error), self._now_ns(), self._jitter
            )
            log.say("the hub takes a batch apart", why=str(error))
        except (LogChanged, EpochChanged):
            self._standing = replace(self._standing, session=False)
        else:
            self._last_contact_ns = self._now_ns()
            if before and not self._standing.error:
                log.say("the hub is there again")
                self._station.changed.set()

    def _fail(self, error: Exception) -> None:
        refused = isinstance(error, HubError) and error.refused
        retry_s = error.retry_s if isinstance(error, HubError) else None
        sentence = str(error) if isinstance(error, HubError | ConfigError) else repr(error)
        if not self._standing.error:
            log.say("the hub is away; scans are kept", why=sentence)
            self._station.changed.set()
        if self._hub is not None and (refused or isinstance(error, ConfigError)):
            self._hub.close()
            self._hub = None  # the next try reads the token anew
        self._standing = apply_failure(
            self._standing, sentence, self._now_ns(), self._jitter, refused=refused, retry_s=retry_s
        )

    def _pause(self, act: Pause) -> None:
        now_ns = self._now_ns()
        pause_s = max(0.0, (act.until_ns - now_ns) / S)
        if now_ns < self._standing.not_before_ns:
            self._stop.wait(pause_s)  # no scan may hurry a pause that the hub asked for
            return
        if self._poke.wait(pause_s):
            self._poke.clear()
            self._stop.wait(GATHER_S)

    def _do(self, act: Act) -> None:
        match act:
            case OpenSession():
                self._open()
            case AnchorDue():
                self._anchor()
            case SendEvents():
                self._send(act)
            case Reconcile():
                self._reconcile()
            case SendHeartbeat():
                self._beat()
            case FetchSnapshot():
                self._fetch_snapshot()
            case FetchItems():
                epoch = apply_items(self._station, self._reach(), self._reader)
                self._standing = replace(self._standing, next_items_ns=self._now_ns() + int(ITEMS_S * S))
                self._look_at(epoch)

    def _ask(self, work: Callable[[], Result]) -> Result:
        return run_chore(self._station, work)

    def _reach(self) -> HubClient:
        """The hub's port; the token is read anew after a refusal, so that a new one needs no restart."""
        if self._hub is None:
            config = self._hub_config
            self._hub = HubClient(config.url, token(config), self._make_wire(config.ca_file))
        return self._hub

    # -- acts

    def _open(self) -> None:
        state = self._reader.state()
        meeting = introduce(self._reach(), state, self._station.recorder)
        answer, mark = meeting.answer, state.mark
        wrong = impossible_answer(answer, state.tip.seq)
        if wrong is not None:
            raise HubError(wrong)
        mark_thru = mark.accepted_thru if mark and mark.hub_epoch == answer.hub_epoch else 0
        cause = new_log_wanted(answer, state.tip.seq)
        if cause is not None:
            self._new_log(cause, state, min(mark_thru, state.tip.seq))
            return
        same = same_past(self._reader, answer)
        if answer.accepted_thru < mark_thru:  # put back without a new epoch: what lies aside may be missing, too
            self._standing = replace(self._standing, reconciled=None)
        self._standing = apply_session(
            self._standing, answer, same_past=same, mark_thru=mark_thru, now_ns=self._now_ns()
        )
        self._mark()

    def _new_log(self, cause: str, introduced: LogState, mark_thru: int) -> None:
        """Go on in a log of our own: the hub has more of this log than we, or something else.

        Scans went on while the hub was asked. The new log begins at the tip that was introduced, and what came after that is
        sent again in it; of a log that is another device's too, everything since the hub's last word.
        """
        pause_s = (self._standing.new_log_from_ns - self._now_ns()) / S
        if pause_s > 0:
            msg = f"The hub asks for one new log after another ({cause}). Look at the hub; the scans are kept."
            raise HubError(msg, retry_s=pause_s)
        log.say("a new log is begun", cause=cause, old=introduced.log_id)
        again_after = mark_thru if cause == "reidentify" else introduced.tip.seq
        begins_at = introduced.tip if cause == "log_ahead" else None
        self._ask(lambda: self._station.journal.new_log(cause, again_after, begins_at))
        self._standing = new_log_begun(self._standing, begin(self._reader, self._boot), self._now_ns())
        self.aside = unconfirmed(self._station.journal.path, self._standing.epoch)
        self._station.changed.set()

    def _reconcile(self) -> None:
        """Bring what lies aside and is not at the hub there."""
        epoch, journal = self._standing.epoch, self._station.journal
        assert epoch is not None  # there is a session
        logs = set_aside(journal.path)
        if logs:
            desk = ReconcileContext(self._reach(), epoch, self._station.recorder, self._carry)
            sent, self._reconcile_again = reconcile(desk, logs)
            if sent:
                log.say("events of earlier logs were not at the hub; they are sent", events=sent)
        self._standing = replace(self._standing, reconciled=epoch)
        self._count_aside()

    def _carry(self, events: list[bytes]) -> None:
        """Commit events of an earlier log to the open one, when no scan waits."""

        def commit() -> None:
            for encoded in events:
                self._station.journal.commit(encoded)

        self._ask(commit)

    def _count_aside(self) -> None:
        before, self.aside = self.aside, unconfirmed(self._station.journal.path, self._standing.epoch)
        if before != self.aside:
            self._station.changed.set()

    def _look_at(self, epoch: Epoch | None, accepted_thru: int | None = None) -> None:
        """End the session where an answer shows that the hub was restored or put back."""
        if is_other_state(self._standing, epoch, accepted_thru):
            log.say("the hub was restored; its cursor is asked again", epoch=epoch)
            self._standing = replace(self._standing, session=False, reconciled=None)

    def _anchor(self) -> None:
        """Write the hub's time into the log."""
        state = self._reader.state()
        event = anchor(self._reach(), state, self._station.scan.recorder)
        taken_ = event is not None
        if event is not None:
            try:
                self._ask(lambda: self._record_anchor(event, state.log_id))
            except JournalFull:
                taken_ = False  # asked for again in five minutes; until then sending goes on, so that there can be room
        self._standing = apply_anchor(self._standing, self._now_ns(), taken=taken_)

    def _record_anchor(self, event: Event, log_id: bytes) -> None:
        if self._station.journal.log_id == log_id:  # the seal is for this log
            self._station.scan.record(event)

    def _send(self, act: SendEvents) -> None:
        log_id = self._station.journal.log_id
        events = self._reader.events(act.after, act.most, BATCH_BYTES, log_id)
        if not events:
            self._standing = replace(self._standing, session=False)
            return
        self._waiting_since_ns = self._waiting_since_ns or self._now_ns()
        answer = self._reach().events(log_id.hex(), batch_of(events, hashes=self._standing.exact))
        after = apply_ack(self._standing, answer, range(events[0].seq, events[-1].seq + 1), self._now_ns())
        if after is None:
            msg = "The hub's verdicts are not those of the batch that was sent. Nothing is marked; it is sent again."
            raise HubError(msg)
        self._standing = after
        self._mark()
        if after.accepted_thru >= self._station.journal.tip.seq:
            self._waiting_since_ns = None
            self._station.changed.set()

    def _mark(self) -> None:
        now, journal, log_id = self._standing, self._station.journal, self._station.journal.log_id
        epoch = now.epoch
        if epoch is None:
            return

        def write() -> None:
            if journal.log_id == log_id:
                journal.mark(epoch, now.accepted_thru, now.durable_thru, now.head)

        self._ask(write)

    def _beat(self) -> None:
        state = self._station.state()
        news = bool(state.waiting) or self._poke.is_set()
        durable_before = self._standing.durable_thru
        answer = self._reach().heartbeat(
            HeartbeatRequest(
                log=state.log,
                tip_seq=state.tip_seq,
                waiting=state.waiting,
                oldest_waiting_s=state.oldest_waiting_s,
                clock=state.clock,
                wall_us=max(0, self._station.recorder.wall_us()),
                readers=[to_heartbeat(each) for each in state.readers[:MOST_TOLD]],
                sw=state.sw,
                disk_free=state.disk_free_bytes,
                boot=state.boot,
                aside=self.aside,
            )
        )
        if state.log != self._station.journal.log_id.hex() or (answer.accepted_thru or 0) > state.tip_seq:
            answer = msgspec.structs.replace(answer, accepted_thru=None, durable_thru=None)
        self._standing = apply_heartbeat(self._standing, answer, news=news, now_ns=self._now_ns())
        self._look_at(answer.epoch, answer.accepted_thru)
        if self._standing.session:  # what is durable is known of this epoch alone
            if self._standing.durable_thru != durable_before:
                self._mark()
            self._prune()

    def _fetch_snapshot(self) -> None:
        epoch = apply_snapshot(self._station, self._reach(), self._reader, self._standing.snapshot_version)
        self._standing = replace(self._standing, snapshot_version=self._standing.hub_snapshot)
        self._look_at(epoch)

    def _prune(self) -> None:
        """Once an hour, let go of what is durable at the hub and old enough, a step at a time."""
        now_ns = self._now_ns()
        if self._pruned_ns and now_ns - self._pruned_ns < PRUNE_EVERY_S * S:
            return
        self._pruned_ns = now_ns
        if self._reconcile_again:  # what could not be sent an hour ago is tried again
            self._standing = replace(self._standing, reconciled=None)
        journal = self._station.journal
        while self._ask(journal.prune) and not self._stop.is_set():
            pass
