"""Scan pipeline: the recording thread that turns each read into a committed event and then into an answer.

Only this thread uses the journal's writing connection. Other threads submit their writes (marks, anchors, pruning)
to the work queue as chores, which run while no scan waits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from drivers import Dropped, Read, ScanOutcome, TagRemoved
from station.core.codes import Code, CodeType
from station.core.event import Event, LogPosition, encode
from station.feedback.compose import answer, with_notice
from station.feedback.messages import DISK_FULL, NOT_RECORDED, ROOM_AGAIN, SCANS_LOST, Answer, Notice, Reason, Red
from station.journal.records import JournalFull, JournalLost, JournalPort, Receipt
from station.rules.interface import Advice, RuleContext
from station.scan.bench import expire, step
from station.scan.bench_state import BenchRead, BenchSettings, BenchState, BenchStep, Rescan
from station.scan.commit_watchdog import CommitWatchdog
from station.scan.deduplication import (
    UNCONFIRMED_NS,
    RepeatFilter,
    clear_unconfirmed,
    is_card_again,
    is_repeat,
    mark_unconfirmed,
    record_read,
    store_filter,
)
from station.scan.event_builder import EventBuilder, encode_or_shorten, scan_event, signature_of, tag_removed_event
from station.scan.interpret import LabelRead, interpret, label_reads
from station.scan.restart_state import RestartState
from station.scan.tag_sessions import TagArrival, TagSessions, receipt_position
from station.scan.work_queue import WorkQueue

TIDY_EVERY_READS = 256  # the journal is tidied at least so often, even if the readers never pause
TIDY_IDLE_S = 1.0
CHECK_DISK_EVERY_S = 2.0  # while the disk is full
S = 10**9

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """Settings of one reader: its bench, stage and action; `keypad`: the digits that it sends are quantities."""

    bench: str | None = None
    stage: str | None = None
    action: str | None = None
    keypad: bool = False


@dataclass(frozen=True, slots=True)
class PreparedScan:
    """A scan before its commit: the interpreted read, its code, its reader's settings, the bench step and the event."""

    read: Read
    code: Code
    reader: ReaderSettings
    step: BenchStep
    event: Event
    encoded: bytes


class ScanPipeline:
    """State of the recording thread. `died` is the error that ended it; the daemon's exit code depends on it."""

    def __init__(
        self,
        journal: JournalPort,
        queue: WorkQueue[ScanOutcome],
        events: EventBuilder,
        answer_operator: Callable[[Answer], None],
        now_ns: Callable[[], int],
        *,
        rules: RuleContext,
        settings: BenchSettings,
        repeat_s: float = 3,
        reader_settings: Callable[[str], ReaderSettings] = lambda _reader: ReaderSettings(),
        restart: RestartState | None = None,
        has_room: Callable[[], bool] | None = None,
        log: Callable[..., None] = lambda *_args, **_fields: None,
    ) -> None:
        self._journal, self._queue, self._events = journal, queue, events
        self._answer, self._now_ns, self._log = answer_operator, now_ns, log
        self._settings, self._reader_settings, self._repeat_ns = settings, reader_settings, int(repeat_s * S)
        self._has_room, self._full_reader = has_room, ""
        self._check_disk_ns: int | None = None  # when to check for free space again; None while the disk is not full
        self._last_scans, self._present_tags = (
            (dict(restart.last_scans), dict(restart.present_tags)) if restart else ({}, {})
        )
        self._restart_until_ns = 0
        self._filters: dict[str, RepeatFilter] = {}
        self._late: list[int] = []  # sequence numbers of commits that succeeded behind a red answer
        self._last_read_ns, self._untidied = now_ns(), 0
        self._reader = ""  # of the read that is being processed
        self.rules = rules
        self.benches: dict[str | None, BenchState] = {}
        self._tags = TagSessions()
        self.watchdog = CommitWatchdog(answer_operator, now_ns)
        self.died: BaseException | None = None

    def run(self) -> None:
        """Record until the queue is closed and empty. If the medium fails, answer red and set `died`."""
        self.begin_restart_window()
        try:
            while not (self._queue.closed and self._queue.quiet):
                read = self._queue.next_work(self.pause_s())
                if read is not None:
                    self._last_read_ns = self._now_ns()
                    self._untidied += 1
                    self.process_read(read)
                self.work_between_scans()
        except BaseException as error:  # noqa: BLE001 - after a failed write the state in memory may be wrong: answer red and end
            self.died = error
            self._answer(Red(Reason.NOT_SAVED, NOT_RECORDED, reader=self._reader))
            self._log("the recording thread ends", error=repr(error))
        finally:
            self._queue.refuse_rest()
            self.watchdog.stop()

    def begin_restart_window(self) -> None:
        """From now on for `UNCONFIRMED_NS`, a scan that equals its reader's last one before the start is a repeat."""
        self._restart_until_ns = self._now_ns() + UNCONFIRMED_NS

    def pause_s(self) -> float | None:
        """Seconds until a card expires, the journal may be tidied or a full disk is checked; None where nothing is due."""
        due = [self._check_disk_ns, *(bench.due_ns() for bench in self.benches.values())]
        now_ns = self._now_ns()
        waits = [max(0.0, (due_ns - now_ns) / S) + 0.001 for due_ns in due if due_ns is not None]
        if self._untidied:
            waits.append(TIDY_IDLE_S)
        return min(waits, default=None)

    def work_between_scans(self) -> None:
        """Run chores, tidy the journal, expire cards and check a full disk, as long as no scan waits."""
        while self._queue.quiet and (chore := self._queue.chore()) is not None:
            self.watchdog.begin(self._now_ns(), None, scan_waits=lambda: not self._queue.quiet)
            try:
                chore.run()
            except JournalLost:
                raise
            except Exception as error:  # noqa: BLE001 - the submitter gets the error; a chore must not end the recording
                self._log("a chore failed", error=repr(error))
            finally:
                self.watchdog.end()
            self._untidied += 1  # the chore may have written to the journal
        idle_s = (self._now_ns() - self._last_read_ns) / S
        if self._untidied and (idle_s >= TIDY_IDLE_S or self._untidied % TIDY_EVERY_READS == 0):
            self._journal.tidy(idle_s)
            if idle_s >= TIDY_IDLE_S:
                self._untidied = 0
        if self._queue.quiet:
            now_ns = self._now_ns()
            for name, bench in self.benches.items():
                self.benches[name] = self._expired(bench, now_ns)
            self._check_full_disk()

    def _expired(self, bench: BenchState, now_ns: int) -> BenchState:
        bench, expiry = expire(bench, now_ns, self.rules.names)
        if expiry is not None:
            self._answer(Notice(expiry.why, expiry.text))
        return bench

    def _check_full_disk(self) -> None:
        """While the disk is full, check every `CHECK_DISK_EVERY_S` for room; the notice goes to the last refused reader."""
        if self._check_disk_ns is None or self._has_room is None or self._now_ns() < self._check_disk_ns:
            return
        self._check_disk_ns = self._now_ns() + int(CHECK_DISK_EVERY_S * S)
        self.watchdog.begin(self._now_ns(), None, scan_waits=lambda: not self._queue.quiet)
        try:
            has_room = self._has_room()
        finally:
            self.watchdog.end()
        if has_room:
            self._end_full_disk()
            self._answer(Notice(Reason.LOOK, ROOM_AGAIN, reader=self._full_reader))

    def _begin_full_disk(self, error: JournalFull) -> None:
        if self._check_disk_ns is None:
            self._log("the disk is full", error=str(error))
        self._check_disk_ns = self._now_ns() + int(CHECK_DISK_EVERY_S * S)
        self._full_reader = self._reader

    def _end_full_disk(self) -> None:
        if self._check_disk_ns is not None:
            self._check_disk_ns = None
            self._log("there is room again; scans are recorded")

    def process_read(self, read: ScanOutcome) -> None:
        """Record one read and answer it.

        1. A read that its driver lost is answered red; an empty read (a terminator alone) is ignored. Of a label with
           several lines each line that is a code is a read of its own.
        2. Prepare: interpret the code, apply it to the bench (this finds repeats), build and encode the event.
        3. Commit. On a full disk the answer is red, and nothing of step 4 and 5 happens.
        4. Answer. Only after the commit, because green means that the event is on the medium.
        5. Update the repeat filter, the tag sessions and the bench.
        6. A card that follows its sheet records the sheet again.

        Raises only where the medium failed.
        """
        self._reader = read.reader
        if isinstance(read, Dropped):
            text = SCANS_LOST if read.many else NOT_RECORDED
            self._answer(Red(Reason.NOT_SAVED, f"{text} ({read.why})", reader=read.reader))
        elif read.raw:
            for label_read in self._label_reads(read):
                self._record_read(*label_read)

    def _label_reads(self, read: Read) -> Sequence[LabelRead]:
        try:
            return label_reads(read, self.rules.patterns, self.rules.bound, self.rules.engine.knows)
        except Exception:  # noqa: BLE001 - `_prepare` meets the same fault, and reports it
            return (LabelRead(read),)

    def _record_read(self, read: Read, unread: str | None) -> None:
        scan = self._prepare(read, self._reader_settings(read.reader), unread)
        if scan is None:
            return
        receipt = self._commit(scan.encoded, scan.code.code)
        if receipt is None:
            self._keep_cards(scan)
            return
        if scan.step.rescan is None:
            self._answer_commit(receipt, scan.code, scan.step, scan.event)
        self._update_state(read, scan, receipt)
        if scan.step.rescan is not None:
            self._record_again(scan, scan.step.rescan)

    def _prepare(self, read: Read, reader: ReaderSettings, unread: str | None) -> PreparedScan | None:
        """Interpret the read, apply it to its bench, build and encode its event; None where that failed (answered red)."""
        try:
            read, code = interpret(read, self.rules.patterns, self.rules.bound, keypad=reader.keypad)
            if unread is not None:
                code = replace(code, unread=unread)
            bench_step = self._apply_to_bench(read, code, reader)
            event = scan_event(self._events, read, code, bench_step.fields, reader.bench, self._late)
            return PreparedScan(read, code, reader, bench_step, event, encode_or_shorten(event))
        except Exception as error:  # noqa: BLE001 - a fault in one scan's processing must not end the station
            self._log("a scan could not be processed", error=repr(error), raw=repr(read.raw[:200]))
            self._answer(Red(Reason.NOT_SAVED, NOT_RECORDED, reader=read.reader))
            return None

    def _apply_to_bench(self, read: Read, code: Code, reader: ReaderSettings) -> BenchStep:
        """The step of the reader's bench. The bench itself changes after the commit (`_update_state`)."""
        bench = self._expired(self.benches.get(reader.bench) or BenchState(), read.boot_ns)
        self.benches[reader.bench] = bench
        memory, now_ns = self._filter(read.reader), read.boot_ns
        store_filter(self._filters, read.reader, memory)
        stage = bench.stage_override.stage if bench.stage_override else reader.stage
        bench_read = BenchRead(
            code,
            now_ns,
            LogPosition(self._journal.log_id.hex(), self._journal.tip.seq + 1),
            action=reader.action,
            stage=reader.stage,
            # A stored scan (`since_ns`) has no time of its own, so its distance to the last scan is unknown.
            is_repeat=lambda fields: (
                read.since_ns is None and is_repeat(memory, signature_of(code, fields), now_ns, self._repeat_ns)
            ),
            pieces=self._is_piece(code, stage),
            is_card_again=read.since_ns is None and is_card_again(memory, code.identity, now_ns),
            remark=self._ask_rules(lambda: self.rules.engine.remark(code), None, code),
            unknown=self._ask_rules(lambda: self.rules.engine.unknown(code), None, code) if code.is_counted else None,
            names=self.rules.names,
        )
        return step(bench, bench_read, self._settings)

    def _filter(self, reader: str) -> RepeatFilter:
        return self._filters.get(reader) or RepeatFilter(
            before_start=self._last_scans.pop(reader, None),
            present_tags=self._present_tags.pop(reader, ()),
            before_start_until_ns=self._restart_until_ns,
        )

    def _commit(self, encoded: bytes, code: str | None) -> Receipt | None:
        """Commit an event under the watchdog; None where the disk is full (answered red). Raises where the medium failed."""
        self.watchdog.begin(self._now_ns(), code, reader=self._reader)
        try:
            receipt = self._journal.commit(encoded)
        except JournalFull as error:
            self._begin_full_disk(error)
            if not self.watchdog.end():
                self._answer(Red(Reason.NOT_SAVED, DISK_FULL, code, reader=self._reader))
            return None
        except BaseException:
            self.watchdog.end()
            raise
        self._late = [receipt.seq] if self.watchdog.end() else []
        self._end_full_disk()
        return receipt

    def _answer_commit(self, receipt: Receipt, code: Code, bench_step: BenchStep, event: Event) -> None:
        """Answer a committed scan, unless the watchdog has answered it red."""
        advice = self._advice(code, event, receipt.seq)  # also of a late answer: the scan is recorded
        if not self._late:
            fields = bench_step.rescan.fields if bench_step.rescan is not None else bench_step.fields
            composed = answer(receipt, code, fields, bench_step.answer, advice, self._reader, self.rules.names)
            self._answer(with_notice(composed, bench_step.answer.notice))

    def _keep_cards(self, scan: PreparedScan) -> None:
        """After a refused commit: cards take effect, but nothing was recorded that UNDO or a later card could refer to."""
        bench = self.benches[scan.reader.bench]
        self.benches[scan.reader.bench] = replace(
            scan.step.bench, done=bench.done, latest=None, ended_badge=bench.ended_badge
        )

    def _update_state(self, read: Read, scan: PreparedScan, receipt: Receipt) -> None:
        """After a commit: store the tag's arrival, the reader's last scan and the next bench state.

        `read` is the driver's read: the end of a tag session names the tag's number, not the text that was interpreted.
        """
        reader, signature = read.reader, signature_of(scan.code, scan.step.fields)
        if read.tag:
            self._tags.add(read, TagArrival(receipt_position(receipt), scan.event))
        store_filter(self._filters, reader, record_read(self._filter(reader), signature, read.boot_ns))
        self.benches[scan.reader.bench] = scan.step.bench
        if self._late:
            self._filters[reader] = mark_unconfirmed(self._filters[reader], signature, self._now_ns())
        if scan.step.undone:  # the same sheet again is a new scan, at each reader of this bench
            for name, memory in self._filters.items():
                if self._reader_settings(name).bench == scan.reader.bench:
                    self._filters[name] = clear_unconfirmed(memory)
            self._filters[reader] = record_read(
                self._filters[reader], signature, read.boot_ns
            )  # UNDO again at once is one

    def _record_again(self, card: PreparedScan, rescan: Rescan) -> None:
        """Sheet before card: record the sheet again with the card's fields, then void its previous event.

        In this order, because a power cut between the two leaves the sheet recorded twice, which a supervisor sees and
        corrects. The other order would leave it void and missing.
        """
        late = bool(self._late)
        code = rescan.code
        sheet = replace(card.read, raw=code.raw, sym=code.sym, raw_len=len(code.raw), sha256=None)
        event = scan_event(self._events, sheet, code, rescan.fields, card.reader.bench, self._late)
        receipt = self._commit(encode_or_shorten(event), code.code)
        late = late or bool(self._late)
        if receipt is None:
            return
        if rescan.void is not None:
            self._tags.replace(rescan.void, TagArrival(receipt_position(receipt), event))
            void = self._events.void(rescan.void, card.read.boot_ns, card.event, self._late)
            voided = self._commit(encode(void), code.code)
            if voided is None:
                return
            self._advice(code, void, voided.seq)
        if late:
            self._advice(code, event, receipt.seq)
        else:
            self._answer_commit(receipt, code, card.step, event)

    def use_rules(self, rules: RuleContext) -> None:
        """Replace the master data for the scans that follow. Runs in this thread, as a chore."""
        self.rules = rules

    def _ask_rules(self, question: Callable[[], Result], otherwise: Result, code: Code) -> Result:
        """The answer of the rules; `otherwise` where they fail: a scan is recorded without them."""
        try:
            return question()
        except Exception as error:  # noqa: BLE001 - a fault of the rules must not end the station
            self._log("the rules failed for a scan", error=repr(error), code=code.code)
            return otherwise

    def _is_piece(self, code: Code, stage: str | None) -> bool:
        if code.as_ is CodeType.PRODUCT or code.item is None:
            return code.as_ is CodeType.PRODUCT
        return self._ask_rules(lambda: self.rules.engine.pieces(code, stage), otherwise=False, code=code)

    def _advice(self, code: Code, event: Event, seq: int) -> Advice:
        if event.action == "void" and (voided := event.ref) is not None:
            self._ask_rules(lambda: self.rules.engine.void(voided.seq, seq), None, code)
        if not code.is_counted:
            return Advice()
        failed = Advice(look="saved, but the rules could not be asked")
        return self._ask_rules(lambda: self.rules.engine.judge(code, event, seq), failed, code)

    def record_tag_removal(self, removed: TagRemoved) -> Receipt | None:
        """Record the end of a tag session; None where its arrival was not recorded here. Only from a chore.

        It gives no answer and changes no bench, card, repeat filter or timeout. Raises as the journal does.
        """
        arrival = self._tags.pop(removed)
        if arrival is None:
            return None
        return self.record(tag_removed_event(self._events, removed, arrival.event, arrival.position))

    def record(self, event: Event) -> Receipt:
        """Commit an event that is no scan (an anchor). Only from a chore. Raises as the journal does."""
        if self._late:
            event = msgspec.structs.replace(event, late=self._late)
        receipt = self._journal.commit(encode(event))
        self._late = []
        return receipt
