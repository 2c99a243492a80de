"""The link to the hub: the thread that does what `station.sync` decides, one request at a time.

It reads the journal through a connection that cannot write, a batch at a time; what it has to write (marks, anchors,
definitions) it asks of the recording thread, which does it when no scan waits.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from station import log
from station.clock import boot_ns
from station.composing import Recorder
from station.config import Config, ConfigError, token
from station.core.event import Event
from station.hub import Conflict, Hub, HubError
from station.journal import JournalReader, LogChanged
from station.learning import Learner, ask, learn_items, learn_shop
from station.roll import MOST_TOLD, told
from station.session import anchor, begin, introduce, same_past
from station.status import HubStatus, Status
from station.sync import (
    ITEMS_S,
    Act,
    Anchor,
    Beat,
    FetchItems,
    FetchSnapshot,
    OpenSession,
    Pause,
    S,
    Send,
    anchored,
    beaten,
    conflicted,
    failed,
    met,
    next_act,
    taken,
)

GATHER_S = 0.05  # scans that come together are sent together
BATCH_BYTES = 700_000  # as base64 it stays below the megabyte that a hub takes
PRUNE_EVERY_S = 3600.0
Result = TypeVar("Result")


class Place(Learner, Protocol):
    """What the link needs of the station it belongs to."""

    config: Config
    recorder: Recorder

    def state(self) -> Status: ...


class Link:
    """The link of one station. `ConfigError` where its token cannot be read."""

    def __init__(self, station: Place, random_: Callable[[], float] = random.random) -> None:
        assert station.config.hub is not None
        self._station, self._jitter = station, random_
        hub = station.config.hub
        self._hub_config = hub
        self._hub: Hub | None = None
        self._poke, self._stop = threading.Event(), threading.Event()
        self._boot = station.scan.recorder.boot
        self._reader = JournalReader(station.journal.path)
        self._standing = begin(self._reader, self._boot)
        self._last_contact_ns: int | None = None
        self._hub_us_at_boot: int | None = None  # the hub's UTC us at boottime 0, as the last session said
        self._pruned_ns = 0
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
        return None if since_ns is None else round((boot_ns() - since_ns) / S, 1)

    # -- the loop

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._step(next_act(self._standing, tip_seq=self._station.journal.tip.seq, now_ns=boot_ns()))
            except InterruptedError:
                return  # the station is stopping
            except Exception as error:  # noqa: BLE001 - whatever it was, scanning goes on and it is tried again
                self._fail(error)

    def _step(self, act: Act) -> None:
        if isinstance(act, Pause):
            self._pause(act)
            return
        before = self._standing.error
        try:
            self._do(act)
        except Conflict as error:
            self._standing = conflicted(self._standing, error.seq, str(error), boot_ns(), self._jitter)
            log.say("the hub takes a batch apart", why=str(error))
        except LogChanged:
            self._standing = replace(self._standing, session=False)
        else:
            self._last_contact_ns = boot_ns()
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
        self._standing = failed(self._standing, sentence, boot_ns(), self._jitter, refused=refused, retry_s=retry_s)

    def _pause(self, act: Pause) -> None:
        now_ns = boot_ns()
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
            case Anchor():
                self._anchor()
            case Send():
                self._send(act)
            case Beat():
                self._beat()
            case FetchSnapshot():
                self._fetch_snapshot()
            case FetchItems():
                learn_items(self._station, self._reach(), self._reader)
                self._standing = replace(self._standing, next_items_ns=boot_ns() + int(ITEMS_S * S))

    def _ask(self, work: Callable[[], Result]) -> Result:
        return ask(self._station, work)

    def _reach(self) -> Hub:
        """The hub's port; the token is read anew after a refusal, so that a new one needs no restart."""
        if self._hub is None:
            config = self._hub_config
            self._hub = Hub(config.url, token(config), config.ca_file)
        return self._hub

    # -- acts

    def _open(self) -> None:
        state = self._reader.state()
        meeting = introduce(self._reach(), state, self._station.recorder)
        answer, mark = meeting.answer, state.mark
        if answer.t3 is not None:
            self._hub_us_at_boot = answer.t3 - meeting.t4 // 1000
        mark_thru = mark.accepted_thru if mark and mark.hub_epoch == answer.hub_epoch else 0
        if answer.do in ("log_ahead", "reidentify"):
            self._new_log(answer.do, mark_thru)
            return
        same = same_past(self._reader, answer)
        self._standing = met(self._standing, answer, same_past=same, mark_thru=mark_thru, now_ns=boot_ns())
        self._mark()

    def _new_log(self, do: str, mark_thru: int) -> None:
        """Another device has our past, or we have lost some of it: go on in a log of our own."""
        log.say("a new log is begun", cause=do, old=self._station.journal.log_id)
        again_after = mark_thru if do == "reidentify" else None
        self._ask(lambda: self._station.journal.new_log(do, again_after))
        self._standing = replace(begin(self._reader, self._boot), reached=True)
        self._station.changed.set()

    def _anchor(self) -> None:
        """Write the hub's time into the log."""
        state = self._reader.state()
        event = anchor(self._reach(), state, self._station.scan.recorder)
        if event is not None:
            self._ask(lambda: self._record_anchor(event, state.log_id))
        self._standing = anchored(self._standing, boot_ns(), taken=event is not None)

    def _record_anchor(self, event: Event, log_id: bytes) -> None:
        if self._station.journal.log_id == log_id:  # the seal is for this log
            self._station.scan.record(event)

    def _send(self, act: Send) -> None:
        log_id = self._station.journal.log_id
        events = self._reader.events(act.after, act.most, BATCH_BYTES, log_id)
        if not events:
            self._standing = replace(self._standing, session=False)
            return
        self._waiting_since_ns = self._waiting_since_ns or boot_ns()
        body: dict[str, Any] = {
            "from_seq": events[0].seq,
            "prev": events[0].prev.hex(),
            "tip": events[-1].hash.hex(),
            "events": [each.encoded for each in events],
        }
        if self._standing.exact:
            body["hashes"] = [each.hash.hex() for each in events]
        answer = self._reach().events(log_id.hex(), body)
        after = taken(self._standing, answer, range(events[0].seq, events[-1].seq + 1), boot_ns())
        if after is None:
            msg = "The hub's verdicts are not those of the batch that was sent. Nothing is marked; it is sent again."
            raise HubError(msg)
        self._standing = after
        self._mark()
        if after.accepted_thru >= self._station.journal.tip.seq:
            self._waiting_since_ns = None
            self._station.changed.set()

    def _mark(self) -> None:
        now = self._standing
        epoch, hub_us = now.epoch, self._hub_us()
        if epoch is not None:
            journal = self._station.journal
            self._ask(lambda: journal.mark(epoch, now.accepted_thru, now.durable_thru, now.head, hub_us))

    def _hub_us(self) -> int | None:
        return None if self._hub_us_at_boot is None else self._hub_us_at_boot + boot_ns() // 1000

    def _beat(self) -> None:
        state = self._station.state()
        news = bool(state.waiting) or self._poke.is_set()
        answer = self._reach().heartbeat(
            {
                "log": state.log,
                "tip_seq": state.tip_seq,
                "waiting": state.waiting,
                "oldest_waiting_s": state.oldest_waiting_s,
                "clock": state.clock,
                "readers": [told(each) for each in state.readers[:MOST_TOLD]],
                "sw": state.sw,
                "disk_free": state.disk_free_bytes,
                "boot": state.boot,
            }
        )
        self._standing = beaten(self._standing, answer.wait_ms, answer.snapshot_version, news=news, now_ns=boot_ns())
        self._prune()

    def _fetch_snapshot(self) -> None:
        learn_shop(self._station, self._reach(), self._reader, self._standing.snapshot_version)
        self._standing = replace(self._standing, snapshot_version=self._standing.hub_snapshot)

    def _prune(self) -> None:
        """Once an hour, let go of what is durable at the hub and old enough, a step at a time."""
        now_ns, hub_us = boot_ns(), self._hub_us()
        if hub_us is None or (self._pruned_ns and now_ns - self._pruned_ns < PRUNE_EVERY_S * S):
            return
        self._pruned_ns = now_ns
        journal = self._station.journal
        while self._ask(lambda: journal.prune(hub_us)) and not self._stop.is_set():
            pass
