"""The reader's own beep: the right reader, only after the fact, and one that hangs or fails disturbs nobody."""

import gc
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

from waiting import HANG_S, until

from drivers import Driver, Dropped, Read, Settings
from station.config import OutputConfig, StationConfig, read
from station.config import ReaderConfig as Row
from station.daemon import Station
from station.feedback.dispatcher import FeedbackDispatcher
from station.feedback.messages import TOO_FAST, Answer, Green, Notice, Reason, Red
from station.feedback.outputs import open_output
from station.feedback.outputs.reader_feedback import ReaderFeedback
from station.readers.device_access import DeviceAccess
from station.readers.manager import ReaderManager
from station.rules.interface import NoRules, RuleContext
from station.scan.bench_state import BenchSettings
from station.scan.event_builder import EventBuilder
from station.scan.pipeline import ScanPipeline
from station.scan.work_queue import WorkQueue
from station.system.clock import boot_ns
from tests.station.fixtures.reader_manager import SHORT, FakeReader, Openings, Watches
from tests.station.fixtures.scan_pipeline import MemoryJournal, at
from tests.station.fixtures.slow_outputs import RECEIPT


class Scanner(FakeReader):
    """A reader that can answer, and notes what it was told; `go` cleared, it hangs; `fails`, it raises."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.told: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.fails = False
        self.entered = 0

    def show_state(self, state: str) -> None:
        """Note it."""
        self.entered += 1
        self.go.wait(10)
        if self.fails:
            msg = "The reader was pulled out."
            raise OSError(msg)
        self.told.append(state)


def devices(scanners: dict[str, Sequence[FakeReader]]) -> DeviceAccess:
    """A machine on which each path opens its scanners one after another; the last stays. Nothing is plugged in."""
    openings = {path: Openings(*given) for path, given in scanners.items()}

    def open_driver(kind: str, settings: Settings) -> Driver:
        return openings[str(settings["path"])](kind, settings)

    return DeviceAccess(open_driver, Watches().open_monitor, list, SHORT)


def a_station(
    scanners: dict[str, Sequence[FakeReader]], *rows: Row, room: int = 64
) -> tuple[ReaderManager, list[Answer], list[str]]:
    """The started readers of these scanners, which show each answer; the answers, and what was logged."""
    work_queue = WorkQueue[Read | Dropped](room)
    said, logged = list[Answer](), list[str]()

    def say(answer: Answer) -> None:
        said.append(answer)
        readers.show_answer(answer)

    rows = rows or tuple(Row("serial_line", path) for path in scanners)
    readers = ReaderManager(
        StationConfig(station="saw-1", stage="saw", reader=rows), work_queue, say, lambda what, **_: logged.append(what),
        lambda: None, devices=devices(scanners),
    )  # fmt: skip
    readers.start()
    until(lambda: [each.state for each in readers.status()] == ["ready"] * len(scanners))
    return readers, said, logged


def test_the_reader_that_scanned_is_told_and_no_other() -> None:
    left, right, mute = Scanner("left"), Scanner("right"), FakeReader("mute")
    readers, _, logged = a_station({"/l": [left], "/r": [right], "/m": [mute]})
    readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="right"))
    readers.show_answer(Notice(Reason.WAIT, "x", reader="left"))
    readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="mute"))
    readers.show_answer(Red(Reason.NOT_SAVED, "x"))
    for name in ("left", "right", "mute"):  # green has the lowest rank, so it comes after any other answer
        readers.show_answer(green_at(name))
    until(lambda: left.told[-1:] == right.told[-1:] == ["green"])
    assert (left.told, right.told) == (["amber", "green"], ["red", "green"])
    assert set(logged) == {"a reader is ready"}  # one that cannot answer is no fault
    readers.close()


def green_at(reader: str) -> Green:
    """The answer to a saved scan at this reader."""
    return Green(RECEIPT, Reason.SAVED, "x", reader=reader)


def test_a_reader_whose_beep_is_off_is_told_nothing() -> None:
    config = read('station = "a"\n[[reader]]\nkind = "serial_line"\npath = "/l"\nbeep = false', "station.toml")
    left, right = Scanner("left"), Scanner("right")
    readers, _, _ = a_station({"/l": [left], "/r": [right]}, *config.reader, Row("serial_line", "/r"))
    for name in ("left", "right"):
        readers.show_answer(Red(Reason.NOT_SAVED, "x", reader=name))
    until(lambda: right.told == ["red"])
    assert (left.told, left.entered) == ([], 0)
    readers.close()


def test_a_scan_that_finds_no_room_is_red_at_its_reader() -> None:
    left = Scanner("left")
    readers, said, _ = a_station({"/l": [left]}, room=1)
    left.scans.put(at("left"))
    left.scans.put(at("left", b"WO-2"))
    until(lambda: left.told == ["red"])
    assert [(each.text, each.reader) for each in said] == [(TOO_FAST, "left")]
    readers.close()


def test_a_reader_that_hangs_disturbs_nobody_and_its_backlog_is_one_of_each_colour() -> None:
    left, right = Scanner("left"), Scanner("right")
    readers, _, _ = a_station({"/l": [left], "/r": [right]})
    left.go.clear()
    readers.show_answer(Notice(Reason.WAIT, "x", reader="left"))
    until(lambda: left.entered == 1)
    for _ in range(1000):
        readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="left"))
        readers.show_answer(Notice(Reason.WAIT, "x", reader="left"))
    readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="right"))
    until(lambda: right.told == ["red"])
    assert left.told == []
    left.go.set()
    until(lambda: left.told == ["amber", "red", "amber"])
    readers.close()


def test_a_reader_whose_beep_hangs_takes_one_thread_however_often_it_is_plugged_in() -> None:
    logged: list[str] = []
    beeps, first, second, third = (
        ReaderFeedback(lambda what, **_: logged.append(what)),
        *(Scanner("hangs-once") for _ in range(3)),
    )
    first.go.clear()
    beeps.add(first)
    beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="hangs-once"))
    until(lambda: first.entered == 1)
    before = threading.active_count()
    for _ in range(5):
        beeps.remove(first)
        beeps.add(second)
        beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="hangs-once"))
    assert threading.active_count() == before
    assert second.entered == 0
    assert set(logged) == {"a reader's beep hangs; it stays silent until it is opened again"}
    first.go.set()
    until(lambda: not has_thread(first))
    assert first.told == ["red"]  # and nothing that came after it was gone
    beeps.add(third)
    beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="hangs-once"))
    until(lambda: third.told == ["red"])


def has_thread(scanner: Scanner) -> bool:
    """Whether a thread shows answers at this reader; the reader's name is used in one test only."""
    return f"beep-{scanner.reader}" in [thread.name for thread in threading.enumerate()]


def test_readers_that_come_under_a_new_name_for_ever_leave_nothing_behind() -> None:
    beeps, hanging = ReaderFeedback(lambda *_, **__: None), Scanner("hangs")
    hanging.go.clear()
    beeps.add(hanging)
    beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="hangs"))
    until(lambda: hanging.entered == 1)
    beeps.remove(hanging)
    kept = weakref.WeakSet[Scanner]()
    for number in range(200):
        scanner = Scanner(f"usb-S{number}")
        kept.add(scanner)
        beeps.add(scanner)
        beeps.remove(scanner)
        until(lambda scanner=scanner: not has_thread(scanner))  # type: ignore[misc]
    beeps.add(Scanner("the last"))
    del scanner
    gc.collect()
    assert list(kept) == []
    hanging.go.set()


def test_a_reader_that_fails_to_answer_is_told_to_the_log_once() -> None:
    left = Scanner("left")
    left.fails = True
    readers, _, logged = a_station({"/l": [left]})
    for number in range(1, 4):
        readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="left"))
        until(lambda number=number: left.entered == number)  # type: ignore[misc]
    left.fails = False
    readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="left"))
    until(lambda: left.told == ["red"])
    assert logged == ["a reader is ready", "a reader cannot answer; scanning goes on"]
    readers.close()


def test_a_reader_that_was_unplugged_is_told_nothing_and_told_again_when_it_is_back() -> None:
    first, second = Scanner("left"), Scanner("left")
    readers, _, logged = a_station({"/l": [first, second]})
    first.scans.put(None)
    until(lambda: logged.count("a reader is ready") == 2)
    readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="left"))
    until(lambda: second.told == ["red"])
    assert first.told == []
    readers.close()


def test_a_reader_that_is_back_before_its_last_beep_has_noticed_its_end_is_told() -> None:
    first, logged = Scanner("left"), list[str]()
    beeps = ReaderFeedback(lambda what, **_: logged.append(what))
    beeps.add(first)
    for _ in range(100):  # at each turn the thread of the reader before has had no time to end
        beeps.remove(first)
        first, before = Scanner("left"), first
        beeps.add(first)
        assert before.told == []
    assert logged == []  # none of them was taken for one that hangs
    beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="left"))
    until(lambda: first.told == ["red"])
    beeps.remove(first)


def test_green_comes_at_the_reader_only_after_the_commit(tmp_path: Path) -> None:
    committing, go = threading.Event(), threading.Event()

    def hold(_encoded: bytes) -> None:
        committing.set()
        assert go.wait(HANG_S)

    def answer(news: Answer) -> None:
        outputs.dispatch(news)
        readers.show_answer(news)

    left, right, answers = Scanner("left"), Scanner("right"), tmp_path / "answers"
    outputs = FeedbackDispatcher([open_output(OutputConfig("lines", str(answers)))], boot_ns, lambda *_: None)
    work_queue, journal = WorkQueue[Read | Dropped](), MemoryJournal()
    journal.misbehave = hold
    rows = (Row("serial_line", "/l"), Row("serial_line", "/r"))
    readers = ReaderManager(
        StationConfig(station="saw-1", stage="saw", reader=rows), work_queue, answer, lambda *_, **__: None, lambda: None,
        devices=devices({"/l": [left], "/r": [right]}),
    )  # fmt: skip
    events = EventBuilder("saw-1", "0.1.0", "boot-a", boot_ns, lambda: 1)
    pipeline = ScanPipeline(
        journal, work_queue, events, answer, boot_ns, rules=RuleContext((), NoRules()), settings=BenchSettings()
    )
    recording = threading.Thread(target=pipeline.run, name="scan")
    recording.start()
    readers.start()
    right.scans.put(at("right"))
    assert committing.wait(HANG_S)
    assert (right.entered, answers.read_bytes()) == (0, b"")
    go.set()
    until(lambda: right.told == ["green"])
    assert b'"state":"green"' in answers.read_bytes()
    assert left.entered == 0
    readers.close()
    work_queue.close()
    recording.join()
    outputs.close()
    assert pipeline.died is None


def test_the_quick_signals_come_before_any_reader_is_woken() -> None:
    order: list[str] = []

    class Order:
        """Notes who is called."""

        def __init__(self, name: str) -> None:
            self._name = name

        def dispatch(self, _answer: Answer) -> None:
            """All signals."""
            order.append(self._name)

        show_answer = dispatch

    station = Station.__new__(Station)
    station.feedback, station.readers, station.sync = Order("outputs"), Order("reader"), None  # type: ignore[assignment]
    station.answer(green_at("left"))
    assert order == ["outputs", "reader"]
