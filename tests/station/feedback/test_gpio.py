"""Lamps and a buzzer: every edge at its time, on a clock of the test's own; and gpiod's own values where a chip would be."""

from typing import Any

import pytest
from gpiod.line import Direction, Value
from waiting import until

from station.config import GpioLinesConfig
from station.config import OutputConfig as Row
from station.feedback.messages import Answer, AnswerForm
from station.feedback.outputs import OutputError, OutputMissing
from station.feedback.outputs.gpio import Lamps, heard_s, open_output
from tests.station.fixtures.slow_outputs import OF, FakeLines, Request, Room, amber, green, red

ALL = ("green", "amber", "red", "buzzer")


def edges(*arrivals: tuple[float, Answer], lines: tuple[str, ...] = ALL) -> list[tuple[float, str, bool]]:
    """Every edge of these answers."""
    room = Room(*arrivals)
    fake_lines, lamps = FakeLines(room, *lines), Lamps(lambda: room.now_ns)
    room.shown(lambda answer: lamps.perform(fake_lines, answer, room.turns))
    return fake_lines.edges


def test_the_six_are_told_apart_by_the_lamps_alone_and_by_the_buzzer_alone() -> None:
    assert len({tuple(edges((0, each), lines=("green", "amber", "red"))) for each in OF.values()}) == len(OF)
    assert len({tuple(edges((0, each), lines=("buzzer",))) for each in OF.values()}) == len(OF)


def test_green_stands_four_seconds_and_buzzes_once() -> None:
    assert edges((1, green())) == [
        (1, "buzzer", True), (1, "green", True), (1.12, "buzzer", False), (5, "green", False),
    ]  # fmt: skip


def test_amber_stands_and_buzzes_twice() -> None:
    assert edges((0, amber())) == [
        (0, "buzzer", True), (0, "amber", True), (0.16, "buzzer", False), (0.28, "buzzer", True), (0.44, "buzzer", False),
        (4, "amber", False),
    ]  # fmt: skip


def test_red_blinks_twice_a_second_and_buzzes_long() -> None:
    found = edges((0, red()))
    blinks = [(step / 4, step % 2 == 0) for step in range(16)]
    assert [(at_s, on) for at_s, line, on in found if line == "red"] == [*blinks, (4, False)]
    assert [(at_s, on) for at_s, line, on in found if line == "buzzer"] == [(0, True), (0.9, False)]


def test_stop_blinks_amber_and_buzzes_three_times() -> None:
    found = edges((0, OF[AnswerForm.STOP]))
    blinks = [(step / 4, step % 2 == 0) for step in range(16)]
    assert [(at_s, on) for at_s, line, on in found if line == "amber"] == [*blinks, (4, False)]
    assert [(at_s, on) for at_s, line, on in found if line == "buzzer"] == [
        (0, True), (0.16, False), (0.28, True), (0.44, False), (0.56, True), (0.72, False),
    ]  # fmt: skip


def test_only_the_lines_that_are_there_are_touched() -> None:
    assert {line for _, line, _ in edges((0, red()), (9, green()), (18, amber()), lines=("amber", "buzzer"))} == {
        "amber", "buzzer",
    }  # fmt: skip


def test_the_next_answer_takes_the_lamp_after_a_moment_of_dark() -> None:
    assert edges((0, green()), (1, green())) == [
        (0, "buzzer", True), (0, "green", True), (0.12, "buzzer", False), (1, "green", False),
        (1.08, "buzzer", True), (1.08, "green", True), (1.2, "buzzer", False), (5.08, "green", False),
    ]  # fmt: skip


def test_red_takes_the_place_of_what_is_better_at_once_and_is_not_hidden_by_it() -> None:
    found = edges((0, green()), (0.05, red()), (0.3, green()))
    assert found[:6] == [
        (0, "buzzer", True), (0, "green", True), (0.05, "buzzer", False), (0.05, "green", False),
        (0.13, "buzzer", True), (0.13, "red", True),
    ]  # fmt: skip
    assert found[6:10] == [(0.38, "red", False), (0.63, "red", True), (0.88, "red", False), (1.03, "buzzer", False)]
    assert found[10:] == [
        (1.03, "buzzer", True), (1.03, "green", True), (1.15, "buzzer", False), (5.03, "green", False),
    ]  # fmt: skip


@pytest.mark.parametrize("form", AnswerForm)
def test_every_answer_ends_dark(form: AnswerForm) -> None:
    last = {line: on for _, line, on in edges((0, OF[form]))}
    assert not any(last.values())
    assert heard_s(form) < 1


class Taken:
    """gpiod's request, recorded: which chip, which lines, how."""

    def __init__(self, *requests: Request | OSError) -> None:
        self.calls: list[tuple[str, list[tuple[Any, ...]]]] = []
        self._requests = list(requests)

    def __call__(self, path: str, consumer: str, config: dict[tuple[int, ...], Any]) -> Request:
        """Give the next request."""
        assert consumer == "wipline"
        how = [(lines, each.direction, each.active_low, each.output_value) for lines, each in config.items()]
        self.calls.append((path, how))
        given = self._requests.pop(0)
        if isinstance(given, OSError):
            raise given
        return given


ROW = Row("gpio", "/dev/gpiochip4", lines=GpioLinesConfig(green=17, buzzer=23), active_low=True)


def test_the_chip_is_asked_for_outputs_that_are_off_and_all_are_off_at_the_end() -> None:
    request = Request()
    taken = Taken(request)
    signal = open_output(ROW, taken)
    signal.show(green(), 0)
    until(lambda: (17, Value.ACTIVE) in request.asked)
    signal.close()
    assert taken.calls == [("/dev/gpiochip4", [((17, 23), Direction.OUTPUT, True, Value.INACTIVE)])]
    assert request.asked == [
        (23, Value.ACTIVE), (17, Value.ACTIVE), (23, Value.INACTIVE),
        {17: Value.INACTIVE, 23: Value.INACTIVE}, "released",
    ]  # fmt: skip


def test_a_chip_that_fails_is_opened_again_for_the_same_answer() -> None:
    broken, whole = Request(), Request()
    broken.fails = OSError(19, "No such device")
    signal = open_output(ROW, Taken(broken, whole))
    signal.show(green(), 0)
    until(lambda: (17, Value.ACTIVE) in whole.asked)
    signal.close()
    assert broken.asked == [{17: Value.INACTIVE, 23: Value.INACTIVE}, "released"]


HOW = (
    "Expected a chip that this user may open, and lines that no other program uses. See them: gpiodetect and gpioinfo "
    "(Debian package gpiod); let the user in: sudo usermod -aG gpio wipline"
)


@pytest.mark.parametrize(
    ("path", "why"),
    [("/dev/gpiochip99", "No such file or directory"), ("/dev/null", "No such device")],
)
def test_the_real_gpiod_refuses_what_is_no_chip_and_that_says_what_to_do(path: str, why: str) -> None:
    with pytest.raises(OutputMissing) as refused:
        open_output(Row("gpio", path, lines=GpioLinesConfig(green=17, red=22)))
    assert str(refused.value) == f"The lines 17, 22 of the GPIO chip {path} cannot be taken: {why}. {HOW}"


def test_a_number_beyond_the_chips_last_line_is_refused() -> None:
    def request_lines(*_: object, **__: object) -> None:
        msg = "line offset of out range"
        raise ValueError(msg)

    with pytest.raises(OutputError) as refused:
        open_output(Row("gpio", lines=GpioLinesConfig(green=900)), request_lines)
    assert not isinstance(refused.value, OutputMissing)
    assert refused.value.came == (
        "The lines 900 of the GPIO chip /dev/gpiochip0 cannot be taken: line offset of out range."
    )


@pytest.mark.parametrize(
    ("lines", "came"),
    [
        (None, "A signal of kind 'gpio' has no lines."),
        (GpioLinesConfig(), "A signal of kind 'gpio' has no lines."),
        (GpioLinesConfig(green=4, red=4), "Two lines of a signal 'gpio' are the same."),
    ],
)
def test_lines_that_make_no_sense_are_refused(lines: GpioLinesConfig | None, came: str) -> None:
    with pytest.raises(OutputError) as refused:
        open_output(Row("gpio", lines=lines))
    assert refused.value.came == came
    assert refused.value.do == (
        "Name them: lines = { green = 17, amber = 27, red = 22, buzzer = 23 }; gpioinfo shows them."
    )
