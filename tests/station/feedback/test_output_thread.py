"""Devices that fail while they play: recovered, opened anew, left alone for a while, and told once."""

import ctypes
import errno
import threading
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from station.config import OutputConfig as Row
from station.feedback.dispatcher import MOST_WAITING, FeedbackDispatcher, OutputQueue
from station.feedback.messages import Answer
from station.feedback.outputs import OutputError, OutputMissing, alsa, sound
from station.feedback.outputs.alsa import RECOVERIES, Alsa
from station.feedback.outputs.deferred import open_or_later
from station.feedback.outputs.idle_state import IdleState
from station.feedback.outputs.output_thread import REOPEN_S, OutputThread
from station.feedback.outputs.priority_queue import AnswerQueue, S
from station.system.clock import boot_ns
from tests.station.fixtures.slow_outputs import Room, amber, green, red


class Library:
    """libasound, played: each call answers with the next number of its script, or as a healthy card does."""

    def __init__(self, **script: list[int]) -> None:
        self.script, self.calls = script, list[str]()
        self.written = bytearray()

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            short = name.removeprefix("snd_pcm_")
            self.calls.append(short if short != "open" else f"open {arguments[1].decode()} {arguments[3]}")
            answers = self.script.get(short, [])
            if short == "writei":
                found = answers.pop(0) if answers else arguments[2]
                self.written += arguments[1][: max(found, 0) * 2]
                return found
            return answers.pop(0) if answers else 0

        return call

    @staticmethod
    def snd_strerror(number: int) -> bytes:
        """The word for a number."""
        return {-errno.ENODEV: b"No such device", -errno.EBUSY: b"Device or resource busy"}.get(number, b"Broken pipe")


def test_a_device_that_ran_dry_or_was_not_ready_goes_on_and_no_sample_is_lost() -> None:
    library = Library(writei=[100, -errno.EPIPE, 50, -errno.EAGAIN, -errno.EINTR])
    samples = bytes(range(250)) * 2
    Alsa(library, "x").write(samples)
    assert library.written == samples
    assert library.calls == [
        "open x 1", "nonblock", "set_params", "writei", "writei", "recover", "writei", "writei", "wait", "writei", "recover",
        "writei",
    ]  # fmt: skip


@pytest.mark.parametrize(("times", "fails"), [(RECOVERIES, False), (RECOVERIES + 1, True)])
def test_a_device_that_runs_dry_without_end_has_failed(times: int, fails: bool) -> None:
    device = Alsa(Library(writei=[-errno.EPIPE] * times), "x")
    if fails:
        with pytest.raises(OSError, match="Broken pipe"):
            device.write(b"ab")
    else:
        device.write(b"ab")


def test_a_device_that_was_pulled_out_has_failed_with_its_number() -> None:
    library = Library(writei=[-errno.ENODEV], recover=[-errno.ENODEV])
    with pytest.raises(OSError, match="No such device") as failed:
        Alsa(library, "x").write(b"ab")
    assert failed.value.errno == errno.ENODEV


def test_a_device_that_cannot_be_set_up_is_let_go_of() -> None:
    library = Library(set_params=[-errno.ENODEV])
    with pytest.raises(OSError, match="No such device"):
        Alsa(library, "x")
    assert library.calls[-1] == "close"


def test_a_device_that_another_program_holds_is_used_once_it_is_free() -> None:
    library = Library(open=[-errno.EBUSY])
    signal = sound.open_output(Row("sound"), lambda: library)
    signal.show(green(), 0)
    until(lambda: "drain" in library.calls)
    signal.close()
    assert library.calls[:2] == ["open default 1"] * 2  # never a blocking open, which waits without end


@pytest.mark.host
def test_the_librarys_functions_are_all_there_and_what_it_says_of_a_failure_stays_out_of_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    found = alsa.library()
    with pytest.raises(OSError, match="No such file or directory"):
        Alsa(found, "nowhere")
    device = Alsa(found, "null")
    device.write(bytes(4410))
    device.cut()
    device.write(bytes(4410))
    device.finish()
    device.close()
    device.close()
    assert capfd.readouterr() == ("", "")
    assert found.snd_pcm_writei.restype is ctypes.c_long


class Device:
    """A device that fails as often as it is told, and knows what was shown on it."""

    def __init__(self, fails: int = 0) -> None:
        self.fails, self.shown, self.closed = fails, list[str](), 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


def perform(device: Device, answer: Answer, _turns: AnswerQueue) -> None:
    """Show, or fail."""
    if device.fails:
        device.fails -= 1
        raise OSError(errno.ENODEV, "No such device")
    device.shown.append(answer.text)


class Opening:
    """What each opening gives."""

    def __init__(self, *given: Device | OSError) -> None:
        self.given, self.times = list(given), 0

    def __call__(self) -> Device:
        """The next."""
        self.times += 1
        given = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        if isinstance(given, OSError):
            raise given
        return given


def performed(opening: Opening, room: Room, device: Device | None = None) -> OutputThread[Device]:
    """A performer whose answers have all come and gone."""
    performer = OutputThread("lamp", opening, perform, device, room.turns, lambda: room.now_ns)
    performer.run()
    return performer


def test_a_device_that_fails_is_opened_anew_and_shows_the_same_answer() -> None:
    first, second = Device(fails=1), Device()
    performer = performed(Opening(second), Room((0, green("a")), (1, green("b"))), first)
    assert (first.shown, first.closed, second.shown, second.closed) == ([], 1, ["a", "b"], 1)
    performer.show(IdleState("saw-1"), 0)  # and nothing is wrong any more


def test_a_device_that_stays_away_is_tried_again_at_an_answer_but_not_before_its_time() -> None:
    away = OSError(errno.ENOENT, "No such file or directory")
    back = Device()
    opening = Opening(away, away, back)
    early = (REOPEN_S - 0.001, green("early"))
    arrivals = ((0, green("a")), early, (REOPEN_S, green("b")), (2 * REOPEN_S, green("c")))
    performer = performed(opening, Room(*arrivals))
    assert (opening.times, back.shown) == (3, ["c"])
    performer.show(IdleState("saw-1"), 0)


def test_a_failure_is_told_once_and_so_is_its_end() -> None:
    away = OSError(errno.ENODEV, "No such device")
    device, opening, told = Device(), Opening(away), list[str]()
    now = [0]
    performer = OutputThread("lamp", opening, perform, now_ns=lambda: now[0]).start()
    voice = FeedbackDispatcher([performer], boot_ns, lambda signal, error: told.append(f"{signal.kind}: {error!r}"))
    voice.dispatch(red("a"))
    until(lambda: opening.times == 1)
    for number in range(20):
        voice.dispatch(green(str(number)))
        voice.idle(IdleState("saw-1"))
    until(lambda: len(told) == 1)
    opening.given = [device]
    now[0] = int(REOPEN_S * S)
    voice.dispatch(red("back"))
    until(lambda: device.shown == ["back"])
    voice.dispatch(red("again"))
    until(lambda: len(told) == 2)
    voice.close()
    assert told == ["lamp: OSError('[Errno 19] No such device')", "lamp: None"]
    assert device.closed == 1


def test_whatever_a_device_does_its_thread_lives_on() -> None:
    def odd(device: Device, answer: Answer, _turns: AnswerQueue) -> None:
        if answer.text == "odd":
            raise ZeroDivisionError
        device.shown.append(answer.text)

    room, device = Room((0, green("odd")), (1, green("next"))), Device()
    OutputThread("lamp", lambda: device, odd, device, room.turns, lambda: room.now_ns).run()
    assert device.shown == ["next"]


class Stuck:
    """A screen that hangs until it is let go."""

    kind, quick = "screen", False

    def __init__(self) -> None:
        self.go, self.entered, self.shown = threading.Event(), threading.Event(), list[str]()

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:  # noqa: ARG002 - the port's signature
        """Hang, then show."""
        self.entered.set()
        self.go.wait(10)
        assert not isinstance(news, IdleState)
        self.shown.append(news.text)

    def close(self) -> None:
        """Nothing is open."""


def test_what_waits_for_a_signal_that_hangs_is_bounded_and_the_newest(tmp_path: Any) -> None:
    screen = Stuck()
    slow = OutputQueue(screen, lambda _signal, _error: None)
    slow.show(amber("first"), 0)
    assert screen.entered.wait(10)
    for number in range(1000):
        slow.show(amber(str(number)), 0)
    slow.end()
    screen.go.set()
    slow.join(10)
    assert screen.shown == ["first", *(str(number) for number in range(1000 - MOST_WAITING, 1000))]


def test_a_device_that_is_not_there_at_the_start_joins_in_when_it_comes(tmp_path: Path) -> None:
    terminal, now, told = tmp_path / "tty9", [0], list[str]()
    signal = open_or_later(Row("console", str(terminal)), lambda: now[0])
    assert (signal.kind, signal.quick) == ("console", False)
    voice = FeedbackDispatcher(
        [signal], boot_ns, lambda which, error: told.append(f"{which.kind}: {error and type(error).__name__}")
    )
    voice.idle(IdleState("saw-1"))
    until(lambda: len(told) == 1)
    terminal.touch()
    now[0] = int(REOPEN_S * S) - 1
    with pytest.raises(OutputMissing):
        signal.show(red("early"), 0)
    now[0] += 1
    voice.dispatch(red("there"))
    until(lambda: len(told) == 2)
    voice.close()
    assert told == ["console: OutputMissing", "console: None"]
    assert b"there" in terminal.read_bytes()


@pytest.mark.parametrize("row", [Row("bell"), Row("lines"), Row("gpio")])
def test_what_waiting_would_not_mend_ends_the_start(row: Row) -> None:
    with pytest.raises(OutputError) as refused:
        open_or_later(row)
    assert not isinstance(refused.value, OutputMissing)


def test_a_signal_that_cannot_be_opened_for_any_reason_does_not_end_the_start(tmp_path: Path) -> None:
    answers, now = tmp_path / "later" / "answers", [0]
    signal = open_or_later(Row("lines", str(answers)), lambda: now[0])
    with pytest.raises(OutputError, match="cannot be opened: No such file or directory"):
        signal.show(red("lost"), 0)
    answers.parent.mkdir()
    now[0] = int(REOPEN_S * S)
    signal.show(red("there"), 0)
    signal.close()
    assert b"there" in answers.read_bytes()


def test_an_answer_comes_to_a_device_that_is_still_away_and_nothing_is_closed_twice(tmp_path: Path) -> None:
    signal = open_or_later(Row("console", str(tmp_path / "tty9")))
    with pytest.raises(OutputMissing, match="cannot be opened: No such file or directory"):
        signal.show(red(), 0)
    signal.close()
