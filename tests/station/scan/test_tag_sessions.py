"""Tags at a station: a presence is one arrival and one end, the end disturbs nobody, a tag is what is known of it."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from drivers import Dropped, Read, TagRemoved
from station.config import ReaderConfig as Row
from station.config import StationConfig
from station.core.event import Event, LogPosition, Reader, decode
from station.feedback.messages import DISK_FULL, Answer, Green, Red
from station.journal.records import JournalFull, JournalLost
from station.readers.device_access import DeviceAccess
from station.readers.manager import ReaderManager
from station.readers.reader_thread import MAX_REMOVALS
from station.rules.interface import NoRules, RuleContext
from station.rules.replay import recorded_code
from station.scan.bench_state import BenchSettings
from station.scan.deduplication import ScanSignature
from station.scan.event_builder import EventBuilder
from station.scan.pipeline import ReaderSettings, ScanPipeline
from station.scan.restart_state import read_restart_state
from station.scan.tag_sessions import MAX_PRESENT, TagArrival, TagSessions
from station.scan.work_queue import WorkQueue
from tests.station.fixtures.journals import open_journal
from tests.station.fixtures.scan_pipeline import LOG_ID, Bench, a_read, numbers
from tests.station.fixtures.tag_reads import EPC, PATTERNS, UID, S, a_tag, its_end, left


def test_a_presence_is_two_events_and_one_answer() -> None:
    bench = Bench(more={"reader_settings": lambda _reader: ReaderSettings("left", "saw", "in")})
    answers = bench.take(a_tag())
    assert left(bench, its_end(a_tag(), 99.5)) == []
    common = {
        "kind": "scan", "station": "saw-1", "sw": "0.1.0", "boot": "boot-a", "wall_us": 1_000_000, "clk": "never",
        "raw": UID, "reader": Reader("pcsc", "pcsc-1"), "scheme": "uid", "stage": "saw", "bench": "left",
    }  # fmt: skip
    assert bench.journal.decoded() == [
        Event(mono_ns=10 * S, action="in", **common),
        Event(mono_ns=int(99.5 * S), seen=212, rssi_dbm=-41, ref=LogPosition(LOG_ID.hex(), 1), **common),
    ]
    assert [type(each) for each in answers] == [Green]


def test_the_end_of_a_tag_that_gives_no_signal_has_none() -> None:
    bench = Bench()
    bench.take(a_tag())
    left(bench, its_end(a_tag(), 12, seen=1, signal_dbm=None))
    assert (bench.journal.decoded()[1].seen, bench.journal.decoded()[1].rssi_dbm) == (1, None)


def test_an_end_is_no_scan_between_two_that_are_one() -> None:
    bench = Bench()
    bench.take(a_tag(at_s=10), a_read(b"WO-1", 11, reader="pcsc-1"))
    left(bench, its_end(a_tag(at_s=10), 12))
    answers = bench.take(a_read(b"WO-1", 13, reader="pcsc-1"))
    assert [answer.why for answer in answers] == ["repeat"]


def test_a_tag_that_comes_back_right_away_is_a_repeat_and_one_that_comes_later_is_not() -> None:
    for back_s, repeats in ((12.5, True), (14, False)):
        bench = Bench()
        bench.take(a_tag(at_s=10))
        left(bench, its_end(a_tag(at_s=10), 11))
        bench.take(a_tag(at_s=back_s))
        assert [event.repeat for event in bench.journal.decoded()] == [False, False, repeats]


def test_an_end_uses_no_card_undoes_nothing_and_keeps_nobody_on() -> None:
    bench = Bench(settings=BenchSettings(operator_idle_ns=60 * S))
    bench.take(a_read(b"WIP:BADGE:kim", 8), a_tag(at_s=10), a_read(b"WIP:SCRAP", 11))
    left(bench, its_end(a_tag(at_s=10), 12))
    bench.take(a_read(b"WO-1", 13), a_read(b"WIP:UNDO", 14), a_read(b"WIP:UNDO", 15))
    events = bench.journal.decoded()
    assert [(each.action, each.seen is not None, each.operator) for each in events] == [
        (None, False, "kim"), (None, False, "kim"), (None, False, "kim"), (None, True, None),
        ("scrap", False, "kim"), ("void", False, "kim"), ("void", False, "kim"),
    ]  # fmt: skip
    assert [each.ref.seq for each in events[5:] if each.ref] == [5, 2]  # the scrap, then the arrival
    left(bench, its_end(a_tag(at_s=10), 60))
    bench.take(a_read(b"WO-2", 76))  # 61 s after the last scan
    assert bench.journal.decoded()[-1].operator is None


def test_two_readers_that_see_one_tag_are_two_facts() -> None:
    bench = Bench()
    here, there = a_tag(at_s=10, reader="a"), a_tag(at_s=10, reader="b")
    bench.take(here, there)
    left(bench, its_end(there, 12, seen=2))
    left(bench, its_end(here, 13, seen=9))
    ends = [(each.reader.id, each.seen, each.ref.seq) for each in bench.journal.decoded() if each.reader and each.ref]
    assert ends == [("b", 2, 2), ("a", 9, 1)]


def test_without_a_recorded_arrival_there_is_no_end() -> None:
    bench = Bench()
    assert left(bench, its_end(a_tag(), 12)) == []  # it arrived before this start
    bench.journal.misbehave = _full
    assert bench.take(a_tag()) == [Red("not_saved", DISK_FULL, UID.decode())]
    bench.journal.misbehave = lambda _encoded: None
    left(bench, its_end(a_tag(), 13))
    assert bench.journal.events == []
    bench.take(a_tag(at_s=20))
    left(bench, its_end(a_tag(at_s=14), 19))  # of the arrival that came too fast
    left(bench, its_end(a_tag(at_s=20), 22))
    left(bench, its_end(a_tag(at_s=20), 22))  # told once
    assert [each.ref and each.ref.seq for each in bench.journal.decoded()] == [None, 1]


def _full(_encoded: bytes) -> None:
    msg = "There is no room."
    raise JournalFull(msg)


def _lost(_encoded: bytes) -> None:
    msg = "The disk is gone."
    raise JournalLost(msg)


def test_an_end_that_finds_a_full_disk_is_told_to_the_log_and_to_nobody() -> None:
    bench = Bench()
    bench.take(a_tag())
    bench.journal.misbehave = _full
    assert left(bench, its_end(a_tag(), 12)) == []
    assert [what for what, _ in bench.log] == ["a chore failed"]


def test_an_end_that_the_medium_refuses_ends_the_recording_as_any_write_does() -> None:
    bench = Bench()
    bench.take(a_tag())
    bench.journal.misbehave = _lost
    with pytest.raises(JournalLost):
        left(bench, its_end(a_tag(), 12))


def test_an_end_names_what_was_told_red_meanwhile() -> None:
    bench = Bench()
    watchdog = bench.scan.watchdog

    def slow(_encoded: bytes) -> None:
        bench.now_ns += 4 * S
        watchdog.check()

    bench.journal.misbehave = slow
    bench.take(a_tag())
    bench.journal.misbehave = lambda _encoded: None
    assert left(bench, its_end(a_tag(), 20)) == []
    assert [each.late for each in bench.journal.decoded()] == [None, [1]]


def test_where_the_sheet_comes_first_the_end_means_the_event_that_counts() -> None:
    bench = Bench(settings=BenchSettings(cards_after=True))
    bench.take(a_tag(at_s=10), a_read(b"WIP:SCRAP", 11, reader="pcsc-1"))
    left(bench, its_end(a_tag(at_s=10), 20))
    *_, void, end = bench.journal.decoded()
    assert void.ref == LogPosition(LOG_ID.hex(), 1)
    assert (end.ref, end.action) == (LogPosition(LOG_ID.hex(), 3), None)


def test_the_arrivals_that_are_remembered_are_bounded() -> None:
    present = TagSessions()
    tags = [a_tag(b"%08X" % number) for number in range(MAX_PRESENT + 1)]
    for tag in tags:
        present.add(tag, TagArrival(LogPosition("a", 1), Event(kind="scan", station="s", sw="t")))
    assert len(present) == MAX_PRESENT
    assert present.pop(its_end(tags[0], 12)) is None
    assert present.pop(its_end(tags[1], 12)) is not None


class Field:
    """A fake tag reader."""

    kind, reader, lossless = "pcsc", "pcsc-1", False

    def __init__(self) -> None:
        self.heard: queue.Queue[Read | Dropped | TagRemoved | None] = queue.Queue()

    def reads(self) -> Iterator[Read | Dropped | TagRemoved]:
        """What is put in."""
        while (heard := self.heard.get()) is not None:
            yield heard

    def close(self) -> None:
        """End."""
        self.heard.put(None)


def test_a_presence_goes_from_the_reader_to_the_disk(tmp_path: Path) -> None:
    field, now_ns, said = Field(), lambda: 50 * S, list[Answer]()
    with open_journal(tmp_path) as journal:
        work_queue: WorkQueue[Read | Dropped] = WorkQueue()
        recorder = EventBuilder("saw-1", "0.1.0", "boot-a", now_ns, lambda: 1)
        scan = ScanPipeline(
            journal,
            work_queue,
            recorder,
            said.append,
            now_ns,
            rules=RuleContext((), NoRules()),
            settings=BenchSettings(),
        )
        config = StationConfig(station="saw-1", stage="saw", reader=(Row("pcsc", match="field"),))
        readers = ReaderManager(
            config, work_queue, said.append, lambda *_a, **_f: None, lambda: None, scan.record_tag_removal,
            devices=DeviceAccess(open_driver=lambda _kind, _settings: field),
        )  # fmt: skip
        recording = threading.Thread(target=scan.run)
        recording.start()
        readers.start()
        for number in range(3):
            tag = a_tag(at_s=10 + 10 * number)
            field.heard.put(tag)
            until(lambda number=number: journal.tip.seq == 2 * number + 1)  # type: ignore[misc]
            field.heard.put(its_end(tag, 15 + 10 * number, seen=number + 1))
            until(lambda number=number: journal.tip.seq == 2 * number + 2)  # type: ignore[misc]
        assert readers.status()[0].reads == 3
        readers.close()
        work_queue.close()
        recording.join(10)
        events = [decode(each.encoded) for each in reversed(list(journal.newest(10)))]
        assert [(each.seen, each.ref and each.ref.seq) for each in events] == [
            (None, None), (1, 1), (None, None), (2, 3), (None, None), (3, 5),
        ]  # fmt: skip
        assert numbers(said) == [1, 3, 5]
        assert read_restart_state(journal, "boot-a").last_scans == {"pcsc-1": ScanSignature("04A1B2C3")}


def test_ends_that_nobody_records_are_bounded() -> None:
    field, logged = Field(), list[str]()
    work_queue: WorkQueue[Read | Dropped] = WorkQueue(1)
    config = StationConfig(station="saw-1", stage="saw", reader=(Row("pcsc", match="field"),))
    said = list[Answer]()
    devices = DeviceAccess(open_driver=lambda _kind, _settings: field)
    readers = ReaderManager(
        config, work_queue, said.append, lambda what, **_f: logged.append(what), lambda: None, devices=devices
    )
    readers.start()
    for _ in range(MAX_REMOVALS + 1):
        field.heard.put(its_end(a_tag(), 12))
    field.heard.put(a_tag())
    assert work_queue.next_work(None) is None  # woken for a chore
    until(lambda: not work_queue.quiet)  # the scan found the work queue empty, as if no tag had left
    assert work_queue.chores == MAX_REMOVALS
    assert logged.count("the end of a tag's presence found no room") == 1
    assert said == []
    readers.close()


def a_scan_event(raw: bytes, **fields: Any) -> Event:
    """A recorded scan of a tag reader."""
    return Event(kind="scan", station="saw-1", sw="t", raw=raw, reader=Reader("pcsc", "pcsc-1"), **fields)


def test_a_recorded_tag_names_its_item_as_the_scan_did() -> None:
    events = [
        a_scan_event(b"3000" + EPC, scheme="epc", code=EPC.decode()), a_scan_event(UID, scheme="uid"),
        a_scan_event(b"WO-1042", scheme="own"),
    ]  # fmt: skip
    codes = [recorded_code(event, PATTERNS, {}) for event in events]
    assert [code and code.item for code in codes] == ["0180614141123458216789", "04A1B2C3", "1042"]
