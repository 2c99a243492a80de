"""The recording thread: from a read to an answer, one scan after another, and never an answer before its fact.

This thread alone owns the journal's writing connection. What others need written (marks, anchors, pruning) comes to it as
chores, done when no scan waits. Reads come in, each is read, placed at its bench, encoded, committed and only then answered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from drivers import Dropped, Read, ScanOutcome, TagRemoved
from station.core.codes import Code, CodeBinding, CodeType, Pattern
from station.core.event import Event, encode
from station.core.event import LogPosition as LogPlace
from station.feedback.compose import answer
from station.feedback.messages import DISK_FULL, NOT_RECORDED, ROOM_AGAIN, SCANS_LOST, Answer, Notice, Reason, Red
from station.journal.records import JournalFull, JournalLost, JournalPort, Receipt
from station.rules.interface import Advice, RuleEngine
from station.scan.bench import expire, step
from station.scan.bench_state import BenchRead, BenchSettings, BenchState, BenchStep, Rescan
from station.scan.commit_watchdog import CommitWatchdog
from station.scan.deduplication import (
    OWED_NS,
    RepeatFilter,
    ScanSignature,
    clear_unconfirmed,
    is_repeat,
    mark_unconfirmed,
    record_read,
    store_signature,
)
from station.scan.event_builder import EventBuilder, encoded_or_shortened, event_of, said_of, seen_of
from station.scan.interpret import interpret
from station.scan.restart_state import RestartState
from station.scan.tag_sessions import TagArrival, TagSessions, receipt_place
from station.scan.work_queue import WorkQueue

TIDY_EVERY_READS = 256  # a reader that never pauses must not keep the journal from being tidied
TIDY_IDLE_S = 1.0
LOOK_EVERY_S = 2.0  # on a full disk
S = 10**9


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """What station.toml says of one reader: its bench, stage and action; and whether its digits are quantities."""

    bench: str | None = None
    stage: str | None = None
    action: str | None = None
    keypad: bool = False


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What the shop has told this station: its patterns, the rules' judge, and what single codes are bound to."""

    patterns: Sequence[Pattern]
    judge: RuleEngine
    bound: Mapping[str, CodeBinding] = field(default_factory=dict)


class ScanPipeline:
    """The recording thread's state. `died` is the error that ended it, for the daemon's exit code."""

    def __init__(
        self,
        journal: JournalPort,
        inbox: WorkQueue[ScanOutcome],
        recorder: EventBuilder,
        say: Callable[[Answer], None],
        now_ns: Callable[[], int],
        *,
        known: RuleContext,
        settings: BenchSettings,
        repeat_s: float = 3,
        place_of: Callable[[str], ReaderSettings] = lambda _reader: ReaderSettings(),
        before: RestartState | None = None,
        has_room: Callable[[], bool] | None = None,
        log: Callable[..., None] = lambda *_args, **_fields: None,
    ) -> None:
        self._journal, self._inbox, self.recorder = journal, inbox, recorder
        self._say, self._now_ns, self._log = say, now_ns, log
        self._settings, self._repeat_ns = settings, int(repeat_s * S)
        self._place_of = place_of
        self._has_room, self._full_reader = has_room, ""
        self._look_ns: int | None = None  # when to look for room again, None while the disk is not full
        self._before, self._lying = (dict(before.said), dict(before.lying)) if before else ({}, {})
        self._ready_until_ns = 0
        self._memories: dict[str, RepeatFilter] = {}
        self._late: list[int] = []
        self._last_ns = now_ns()
        self._reads = 0
        self._reader = ""  # whose scan was taken last
        self.known = known  # replaced whole when the hub's definitions change
        self.benches: dict[str | None, BenchState] = {}
        self._present = TagSessions()
        self.watchdog = CommitWatchdog(say, now_ns)
        self.died: BaseException | None = None

    # -- the loop

    def run(self) -> None:
        """Record until the inbox is closed and empty, or the medium fails: then red, and `died` says why."""
        self._ready_until_ns = self._now_ns() + OWED_NS
        try:
            while not (self._inbox.closed and self._inbox.quiet):
                read = self._inbox.next_work(self._pause_s())
                if read is not None:
                    self._last_ns = self._now_ns()
                    self._reads += 1
                    self.process_read(read)
                self._between()
        except BaseException as error:  # noqa: BLE001 - after a failed write nothing may be believed: say so and end
            self.died = error
            self._say(Red(Reason.NOT_SAVED, NOT_RECORDED, reader=self._reader))
            self._log("the recording thread ends", error=repr(error))
        finally:
            self._inbox.refuse_rest()
            self.watchdog.stop()

    def _pause_s(self) -> float | None:
        """How long nothing can be due: until a card is forgotten, the journal may be tidied, or a full disk is looked at."""
        due = [self._look_ns, *(bench.due_ns() for bench in self.benches.values())]
        now_ns = self._now_ns()
        waits = [max(0.0, (due_ns - now_ns) / S) + 0.001 for due_ns in due if due_ns is not None]
        if self._reads:
            waits.append(TIDY_IDLE_S)
        return min(waits, default=None)

    def _between(self) -> None:
        """What is due between two scans."""
        while self._inbox.quiet and (chore := self._inbox.chore()) is not None:
            self.watchdog.begin(self._now_ns(), None, waits=lambda: not self._inbox.quiet)
            try:
                chore.run()
            except JournalLost:
                raise
            except Exception as error:  # noqa: BLE001 - it went to who asked; no chore may end the recording of scans
                self._log("a chore failed", error=repr(error))
            finally:
                self.watchdog.end()
            self._reads += 1  # a chore may have written: tidy behind it, too
        idle_s = (self._now_ns() - self._last_ns) / S
        if self._reads and (idle_s >= TIDY_IDLE_S or self._reads % TIDY_EVERY_READS == 0):
            self._journal.tidy(idle_s)
            if idle_s >= TIDY_IDLE_S:
                self._reads = 0
        if self._inbox.quiet:
            self._end_what_is_over()
            self._look_for_room()

    def _look_for_room(self) -> None:
        """On a full disk, now and then: whether events can be recorded again. The answer goes to the last reader."""
        if self._look_ns is None or self._has_room is None or self._now_ns() < self._look_ns:
            return
        self._look_ns = self._now_ns() + int(LOOK_EVERY_S * S)
        self.watchdog.begin(self._now_ns(), None, waits=lambda: not self._inbox.quiet)
        try:
            found = self._has_room()
        finally:
            self.watchdog.end()
        if found:
            self._end_of_full()
            self._say(Notice(Reason.LOOK, ROOM_AGAIN, reader=self._full_reader))

    def _begin_full(self, error: JournalFull) -> None:
        if self._look_ns is None:
            self._log("the disk is full", error=str(error))
        self._look_ns, self._full_reader = self._now_ns() + int(LOOK_EVERY_S * S), self._reader

    def _end_of_full(self) -> None:
        if self._look_ns is not None:
            self._look_ns = None
            self._log("there is room again; scans are recorded")

    def _end_what_is_over(self) -> None:
        now_ns = self._now_ns()
        for name, bench in self.benches.items():
            self.benches[name] = self._expired(bench, now_ns)

    def _expired(self, bench: BenchState, now_ns: int) -> BenchState:
        bench, says = expire(bench, now_ns)
        if says is not None:
            self._say(Notice(says.why, says.text))
        return bench

    # -- one scan

    def process_read(self, read: ScanOutcome) -> None:
        """Record one read and answer it. Raises only where the medium failed."""
        self._reader = read.reader
        if isinstance(read, Dropped):
            text = SCANS_LOST if read.many else NOT_RECORDED
            self._say(Red(Reason.NOT_SAVED, f"{text} ({read.why})", reader=read.reader))
            return
        if not read.raw:
            return  # a terminator alone: nothing was scanned
        place = self._place_of(read.reader)
        told = read
        try:
            read, code = interpret(read, self.known.patterns, self.known.bound, keypad=place.keypad)
            taken, event = self._taken(read, code, place)
            encoded = encoded_or_shortened(event)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not end the station: the operator is told red
            self._log("a scan could not be placed", error=repr(error), raw=repr(read.raw[:200]))
            self._say(Red(Reason.NOT_SAVED, NOT_RECORDED, reader=read.reader))
            return
        receipt = self._commit(encoded, code.code)
        if receipt is None:
            kept = self.benches[place.bench]
            self.benches[place.bench] = replace(taken.bench, done=kept.done, latest=None)
            return
        if taken.again is None and not self._late:  # after red there is no green
            self._say(answer(receipt, code, taken.fields, taken.says, self._judged(code, event), read.reader))
        if told.tag:
            self._present.arrived(told, TagArrival(receipt_place(receipt), event))
        said = said_of(code, taken.fields)
        store_signature(self._memories, read.reader, record_read(self._memory(read.reader), said, read.boot_ns))
        self._settle(read.reader, said, place, taken)
        if taken.again is not None:
            self._record_again(read, taken.again, place, taken, event)

    def _memory(self, reader: str) -> RepeatFilter:
        memory = self._memories.get(reader)
        return memory or RepeatFilter(
            before=self._before.pop(reader, None),
            lying=self._lying.pop(reader, ()),
            before_until_ns=self._ready_until_ns,
        )

    def _taken(self, read: Read, code: Code, place: ReaderSettings) -> tuple[BenchStep, Event]:
        """What the bench makes of a read, and its event."""
        bench = self._expired(self.benches.get(place.bench) or BenchState(), read.boot_ns)
        self.benches[place.bench] = bench
        memory, now_ns = self._memory(read.reader), read.boot_ns
        store_signature(self._memories, read.reader, memory)
        stage = bench.place.stage if bench.place else place.stage
        taken = step(
            bench,
            BenchRead(
                code,
                now_ns,
                LogPlace(self._journal.log_id.hex(), self._journal.tip.seq + 1),
                action=place.action,
                stage=place.stage,
                is_repeat=lambda fields: (
                    read.since_ns is None and is_repeat(memory, said_of(code, fields), now_ns, self._repeat_ns)
                ),
                pieces=self._pieces(code, stage),
            ),
            self._settings,
        )
        return taken, event_of(self.recorder, read, code, taken.fields, place.bench, self._late)

    def _settle(self, reader: str, said: ScanSignature, place: ReaderSettings, taken: BenchStep) -> None:
        """After a commit: the bench moves on, and what was answered red meanwhile is remembered."""
        self.benches[place.bench] = taken.bench
        if self._late:
            self._memories[reader] = mark_unconfirmed(self._memories[reader], said, self._now_ns())
        if taken.undone:  # the same sheet again is meant, at whichever reader of this bench
            for name, memory in self._memories.items():
                if self._place_of(name).bench == place.bench:
                    self._memories[name] = clear_unconfirmed(memory)

    def _commit(self, encoded: bytes, code: str | None) -> Receipt | None:
        """The receipt of an event; None where the disk is full, which is answered red."""
        self.watchdog.begin(self._now_ns(), code, reader=self._reader)
        try:
            receipt = self._journal.commit(encoded)
        except JournalFull as error:
            self._begin_full(error)
            if not self.watchdog.end():
                self._say(Red(Reason.NOT_SAVED, DISK_FULL, code, reader=self._reader))
            return None
        except BaseException:
            self.watchdog.end()
            raise
        self._late = [receipt.seq] if self.watchdog.end() else []
        self._end_of_full()
        return receipt

    def _record_again(self, read: Read, again: Rescan, place: ReaderSettings, taken: BenchStep, card: Event) -> None:
        """Sheet before card: the sheet's event with what the card says, then the void of its event before.

        In this order, because a scan told twice can be seen and mended, and one that is void without its other cannot.
        """
        red = bool(self._late)
        first = replace(read, raw=again.code.raw, sym=again.code.sym, raw_len=len(again.code.raw), sha256=None)
        event = event_of(self.recorder, first, again.code, again.fields, place.bench, self._late)
        receipt = self._commit(encoded_or_shortened(event), again.code.code)
        red = red or bool(self._late)
        if receipt is not None and again.void is not None:
            self._present.recorded_again(again.void, TagArrival(receipt_place(receipt), event))
            void = self.recorder.void(again.void, read.boot_ns, card, self._late)
            if self._commit(encode(void), again.code.code) is None:
                return
        if receipt is not None and not red and not self._late:
            judged = self._judged(again.code, event)
            self._say(answer(receipt, again.code, again.fields, taken.says, judged, read.reader))

    # -- the rules

    def _pieces(self, code: Code, stage: str | None) -> bool:
        if code.as_ is CodeType.PRODUCT:
            return True
        try:
            return code.item is not None and self.known.judge.pieces(code, stage)
        except Exception as error:  # noqa: BLE001 - without the rules a scan is what it always was
            self._log("a scan could not be judged", error=repr(error), code=code.code)
            return False

    def _judged(self, code: Code, event: Event) -> Advice:
        if not code.is_counted:
            return Advice()
        try:
            return self.known.judge.advise(code, event)
        except Exception as error:  # noqa: BLE001 - the scan is safe; only the rules' opinion is missing, and that is said
            self._log("a scan could not be judged", error=repr(error), code=code.code)
            return Advice(look="saved, but the rules could not be asked")

    # -- what others record

    def left(self, gone: TagRemoved) -> Receipt | None:
        """Record the end of a tag's presence; None where its arrival was not recorded here. Only from a chore.

        Nobody scanned, so nobody is answered; no bench, card, repeat or time-out hears of it. Raises as the journal does.
        """
        arrival = self._present.left(gone)
        return None if arrival is None else self.record(seen_of(self.recorder, gone, arrival.event, arrival.place))

    def record(self, event: Event) -> Receipt:
        """Commit an event that is no scan (an anchor). Only from a chore. Raises as the journal does."""
        if self._late:
            event = msgspec.structs.replace(event, late=self._late)
        receipt = self._journal.commit(encode(event))
        self._late = []
        return receipt
