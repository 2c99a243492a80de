"""The reader's own beep: the right reader, only after the fact, and one that hangs or fails disturbs nobody."""

import threading
from typing import Any

import pytest
from waiting import until

from drivers import Dropped, Read
from station import daemon as daemon_module
from station.config import OutputConfig as SignalRow
from station.config import ReaderConfig as Row
from station.config import StationConfig, read
from station.daemon import Station
from station.feedback.messages import TOO_FAST, Answer, Green, Notice, Reason, Red
from station.feedback.outputs.priority_queue import AnswerQueue
from station.feedback.outputs.reader_feedback import ReaderFeedback
from station.readers import reader_thread as module
from station.readers.manager import ReaderManager
from station.scan.work_queue import WorkQueue
from tests.station.fixtures.reader_manager import FakeReader
from tests.station.fixtures.scan_pipeline import at


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


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What opening a path gives, one after another; the last stays."""
    given: dict[str, list[Any]] = {}

    def open_driver(_kind: str, settings: Any) -> Any:
        queued = given[settings["path"]]
        return queued.pop(0) if len(queued) > 1 else queued[0]

    monkeypatch.setattr(module, "open_driver", open_driver)
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    return given


def a_station(*rows: Row, room: int = 64) -> tuple[ReaderManager, list[Answer], list[str]]:
    """Readers that tell what is said, started; what was said, and what was logged."""
    work_queue = WorkQueue[Read | Dropped](room)
    said, logged = list[Answer](), list[str]()

    def say(answer: Answer) -> None:
        said.append(answer)
        readers.show_answer(answer)

    config = StationConfig(station="saw-1", stage="saw", reader=rows)
    readers = ReaderManager(config, work_queue, say, lambda what, **_: logged.append(what), lambda: None)
    readers.start()
    until(lambda: [each.state for each in readers.status()] == ["ready"] * len(rows))
    return readers, said, logged


def test_the_reader_that_scanned_is_told_and_no_other(opened: dict[str, list[Any]]) -> None:
    left, right, mute = Scanner("left"), Scanner("right"), FakeReader("mute")
    opened |= {"/l": [left], "/r": [right], "/m": [mute]}
    readers, _, logged = a_station(Row("serial_line", "/l"), Row("serial_line", "/r"), Row("serial_line", "/m"))
    readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="right"))
    readers.show_answer(Notice(Reason.WAIT, "x", reader="left"))
    readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="mute"))
    readers.show_answer(Red(Reason.NOT_SAVED, "x"))
    until(lambda: all_told(readers))
    assert (left.told, right.told) == (["amber"], ["red"])
    assert set(logged) == {"a reader is ready"}  # one that cannot answer is no fault
    readers.close()


def all_told(readers: ReaderManager) -> bool:
    """Whether no reader has an answer before it that it was not told."""

    def idle(turns: AnswerQueue) -> bool:
        with turns._changed:
            return not turns._waiting and turns._playing < 0  # nobody's turn

    return all(idle(each.queue) for each in readers._feedback._threads.values())


def test_a_reader_whose_beep_is_off_is_told_nothing(opened: dict[str, list[Any]]) -> None:
    config = read('station = "a"\n[[reader]]\nkind = "serial_line"\npath = "/l"\nbeep = false', "station.toml")
    left, right = Scanner("left"), Scanner("right")
    opened |= {"/l": [left], "/r": [right]}
    readers, _, _ = a_station(*config.reader, Row("serial_line", "/r"))
    for name in ("left", "right"):
        readers.show_answer(Red(Reason.NOT_SAVED, "x", reader=name))
    until(lambda: right.told == ["red"])
    assert (left.told, left.entered) == ([], 0)
    readers.close()


def test_a_scan_that_finds_no_room_is_red_at_its_reader(opened: dict[str, list[Any]]) -> None:
    left = Scanner("left")
    opened |= {"/l": [left]}
    readers, said, _ = a_station(Row("serial_line", "/l"), room=1)
    left.scans.put(at("left"))
    left.scans.put(at("left", b"WO-2"))
    until(lambda: left.told == ["red"])
    assert [(each.text, each.reader) for each in said] == [(TOO_FAST, "left")]
    readers.close()


def test_a_reader_that_hangs_disturbs_nobody_and_its_backlog_is_one_of_each_colour(
    opened: dict[str, list[Any]],
) -> None:
    left, right = Scanner("left"), Scanner("right")
    opened |= {"/l": [left], "/r": [right]}
    readers, _, _ = a_station(Row("serial_line", "/l"), Row("serial_line", "/r"))
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
        *(Scanner("left") for _ in range(3)),
    )
    first.go.clear()
    beeps.add(first)
    beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="left"))
    until(lambda: first.entered == 1)
    before = threading.active_count()
    for _ in range(5):
        beeps.remove(first)
        beeps.add(second)
        beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="left"))
    assert threading.active_count() == before
    assert second.entered == 0
    assert set(logged) == {"a reader's beep hangs; it stays silent until it is opened again"}
    hanging = beeps._threads["left"].thread
    first.go.set()
    hanging.join(10)
    assert first.told == ["red"]  # and nothing that came after it was gone
    beeps.add(third)
    beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="left"))
    until(lambda: third.told == ["red"])


def test_readers_that_come_under_a_new_name_for_ever_leave_nothing_behind() -> None:
    beeps, hanging = ReaderFeedback(lambda *_, **__: None), Scanner("hangs")
    hanging.go.clear()
    beeps.add(hanging)
    beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="hangs"))
    until(lambda: hanging.entered == 1)
    beeps.remove(hanging)
    for number in range(200):
        scanner = Scanner(f"usb-S{number}")
        beeps.add(scanner)
        beep = beeps._threads[scanner.reader]
        beeps.remove(scanner)
        beep.thread.join(10)
    beeps.add(Scanner("the last"))
    assert set(beeps._threads) == {"hangs", "the last"}
    hanging.go.set()


def test_a_reader_that_fails_to_answer_is_told_to_the_log_once(opened: dict[str, list[Any]]) -> None:
    left = Scanner("left")
    left.fails = True
    opened |= {"/l": [left]}
    readers, _, logged = a_station(Row("serial_line", "/l"))
    for number in range(1, 4):
        readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="left"))
        until(lambda number=number: left.entered == number)  # type: ignore[misc]
    left.fails = False
    readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="left"))
    until(lambda: left.told == ["red"])
    assert logged == ["a reader is ready", "a reader cannot answer; scanning goes on"]
    readers.close()


def test_a_reader_that_was_unplugged_is_told_nothing_and_told_again_when_it_is_back(
    opened: dict[str, list[Any]],
) -> None:
    first, second = Scanner("left"), Scanner("left")
    opened |= {"/l": [first, second]}
    readers, _, _ = a_station(Row("serial_line", "/l"))
    first.scans.put(None)
    until(lambda: second in [each.driver for each in readers._threads.values()])
    until(lambda: readers.status()[0].state == "ready")
    readers.show_answer(Red(Reason.NOT_SAVED, "x", reader="left"))
    until(lambda: second.told == ["red"])
    assert first.told == []
    readers.close()


def test_a_reader_that_is_back_before_its_last_beep_has_noticed_its_end_is_told() -> None:
    first, second = Scanner("left"), Scanner("left")
    beeps = ReaderFeedback(lambda *_, **__: None)
    beeps.add(first)
    with beeps._threads["left"].queue._changed:  # its thread does not come on while this lock is held
        beeps.remove(first)
        beeps.add(second)
    beeps.enqueue(Red(Reason.NOT_SAVED, "x", reader="left"))
    until(lambda: second.told == ["red"], 20)
    beeps.remove(second)
    assert first.told == []


@pytest.mark.host
def test_in_a_whole_station_green_comes_at_the_reader_only_after_the_commit(
    opened: dict[str, list[Any]], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = Scanner("left"), Scanner("right")
    opened |= {"/l": [left], "/r": [right]}
    config = StationConfig(
        station="saw-1", stage="saw", journal=f"{tmp_path}/journal.db", status=f"{tmp_path}/status.json",
        reader=(Row("serial_line", "/l"), Row("serial_line", "/r")),
        signal=(SignalRow("lines", f"{tmp_path}/answers"),),
    )  # fmt: skip
    monkeypatch.setattr(daemon_module.log, "say", lambda *_, **__: None)
    station = Station(config, "station.toml")
    commit, committing, go = station.journal.commit, threading.Event(), threading.Event()

    def slow_commit(encoded: bytes) -> Any:
        committing.set()
        go.wait(10)
        return commit(encoded)

    monkeypatch.setattr(station.journal, "commit", slow_commit)
    recording = threading.Thread(target=station._record, name="scan")
    recording.start()
    station.readers.start()
    until(lambda: [each.state for each in station.readers.status()] == ["ready", "ready"])
    right.scans.put(at("right"))
    assert committing.wait(10)
    assert (right.entered, (tmp_path / "answers").read_bytes()) == (0, b"")
    go.set()
    until(lambda: right.told == ["green"])
    assert b'"state":"green"' in (tmp_path / "answers").read_bytes()
    assert left.entered == 0
    assert station._end(recording) == 0


def test_the_quick_signals_come_before_any_reader_is_woken(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
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
    station._answer(Green(None, Reason.SAVED, "x"))  # type: ignore[arg-type]
    assert order == ["outputs", "reader"]
