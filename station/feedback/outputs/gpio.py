"""GPIO output: lamps (green, amber, red) and a buzzer on GPIO lines.

An answer's lamp is lit for `LAMP_S`, or until the next answer. Red blinks, so that an operator who cannot tell colours apart
recognises it. Amber blinks as fast where the work should stop, and slowly where a scan was not understood. Green blinks for
a card. The buzzer has the rhythms of `station.feedback.outputs.tones`. Each of the four lines is optional.

>>> for edge in programme(AnswerForm.SAVED):
...     print(edge.at_s, edge.line, edge.on)
0.0 buzzer True
0.0 green True
0.12 buzzer False
4.0 green False
"""

import errno
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from station.config import OutputConfig as Row
from station.feedback.messages import Answer, AnswerForm, State, form_of
from station.feedback.outputs import OutputError, OutputMissing, OutputRowError
from station.feedback.outputs.output_thread import OutputThread
from station.feedback.outputs.priority_queue import AnswerQueue
from station.feedback.outputs.tones import TONES
from station.system.clock import boot_ns

DEFAULT_CHIP = "/dev/gpiochip0"
LAMP_S = 4.0
"""How long a lamp is lit: as long as an answer is shown on the screen."""
BLINK_S = 0.25
"""How long a blinking lamp is on, and then off; a slowly blinking one, four times as long."""
DARK_S = 0.08
"""All lamps are off so long before the next answer, so that two equal answers can be told apart."""
BUZZER = "buzzer"
LAMPS = {
    AnswerForm.SAVED: (State.GREEN, LAMP_S),
    AnswerForm.TAKEN: (State.GREEN, 2 * BLINK_S),
    AnswerForm.LOOK: (State.AMBER, LAMP_S),
    AnswerForm.UNREAD: (State.AMBER, 4 * BLINK_S),
    AnswerForm.STOP: (State.AMBER, BLINK_S),
    AnswerForm.RED: (State.RED, BLINK_S),
}
"""The lamp of each form, and for how long it is lit at a time."""


@dataclass(frozen=True, slots=True)
class LineEdge:
    """A line is switched on or off at `at_s` seconds after the answer."""

    at_s: float
    line: str
    on: bool


class GpioLines(Protocol):
    """Open lines by their names, initially off; each call raises `OSError` where the chip fails."""

    @property
    def names(self) -> Iterable[str]: ...
    def set(self, name: str, on: bool) -> None: ...
    def close(self) -> None: ...


def programme(form: AnswerForm) -> tuple[LineEdge, ...]:
    """Every edge of an answer of this form, in time order."""
    (lamp, step_s), tone = LAMPS[form], TONES[form]
    edges, at_s = [], 0.0
    for buzz_s in tone.beeps_s:
        edges += [LineEdge(at_s, BUZZER, True), LineEdge(round(at_s + buzz_s, 3), BUZZER, False)]
        at_s = round(at_s + buzz_s + tone.gap_s, 3)
    edges += [LineEdge(step * step_s, lamp.value, step % 2 == 0) for step in range(round(LAMP_S / step_s))]
    edges.append(LineEdge(LAMP_S, lamp.value, False))
    return tuple(sorted(edges, key=lambda edge: edge.at_s))


def heard_s(form: AnswerForm) -> float:
    """How long an answer is protected from a less urgent one: until the end of its buzzer rhythm."""
    return max(edge.at_s for edge in programme(form) if edge.line == BUZZER)


def open_output(row: Row, request_lines: Callable[..., Any] | None = None) -> OutputThread[GpioLines]:
    """Request the lines of the chip at `path`, all off. `request_lines` is gpiod's where it is None."""
    path = row.path or DEFAULT_CHIP
    offsets = (
        {name: at for name, at in msgspec.structs.asdict(row.lines).items() if at is not None} if row.lines else {}
    )
    if not offsets or len(set(offsets.values())) < len(offsets):
        raise OutputRowError(
            came="A signal of kind 'gpio' has no lines."
            if not offsets
            else "Two lines of a signal 'gpio' are the same.",
            expected="Expected a line of its own for each lamp and for the buzzer, any of the four.",
            do="Name them: lines = { green = 17, amber = 27, red = 22, buzzer = 23 }; gpioinfo shows them.",
        )

    def open_lines() -> GpioLines:
        return Chip(path, offsets, active_low=bool(row.active_low), request_lines=request_lines)

    try:
        lines = open_lines()
    except OSError as error:
        refused = OutputError if error.errno == errno.EINVAL else OutputMissing  # a wrong number stays wrong
        raise refused(
            came=f"The lines {', '.join(map(str, offsets.values()))} of the GPIO chip {path} cannot be taken: "
            f"{error.strerror}.",
            expected="Expected a chip that this user may open, and lines that no other program uses.",
            do="See them: gpiodetect and gpioinfo (Debian package gpiod); let the user in: sudo usermod -aG gpio wipline",
        ) from error
    return OutputThread("gpio", open_lines, Lamps(boot_ns).perform, lines).start()


class Chip:
    """Lines of a chip through gpiod; the kernel inverts their levels where `active_low`."""

    def __init__(
        self,
        path: str,
        offsets: Mapping[str, int],
        *,
        active_low: bool,
        request_lines: Callable[..., Any] | None = None,
    ) -> None:
        try:
            from gpiod import LineSettings
            from gpiod import request_lines as gpiod_request
            from gpiod.line import Direction, Value
        except ImportError as error:
            raise OutputError(
                came="The Python package gpiod is not installed here, or older than 2.2.",
                expected="Signals of kind 'gpio' need it.",
                do="Install it: sudo apt-get install python3-libgpiod (Debian 13 and later), or "
                f"in wipline's source folder: {sys.prefix}/bin/pip install '.[station]'.",
            ) from error
        off = LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE, active_low=active_low)
        self.names, self._offsets = tuple(offsets), dict(offsets)
        self._levels = {True: Value.ACTIVE, False: Value.INACTIVE}
        try:
            request = request_lines or gpiod_request
            self._request: Any = request(path, consumer="wipline", config={tuple(offsets.values()): off})
        except ValueError as error:  # a number beyond the chip's last line
            raise OSError(errno.EINVAL, str(error)) from error

    def set(self, name: str, on: bool) -> None:
        """Switch one line on or off."""
        self._request.set_value(self._offsets[name], self._levels[on])

    def close(self) -> None:
        """Switch all lines off and release them: the level of a released line depends on the chip."""
        try:
            self._request.set_values(dict.fromkeys(self._offsets.values(), self._levels[False]))
        finally:
            self._request.release()


class Lamps:
    """The state of the lamps and the buzzer: which lines are on."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._on: set[str] = set()

    def perform(self, lines: GpioLines, answer: Answer, queue: AnswerQueue) -> None:
        """Show an answer until its end or until the queue cuts it off."""
        if self._switch_off(lines) and queue.cut(DARK_S):
            return
        began_ns, until_s = self._now_ns(), heard_s(form_of(answer))
        for edge in programme(form_of(answer)):
            if edge.at_s > until_s:
                queue.mark_shown()
            if queue.cut(edge.at_s - (self._now_ns() - began_ns) / 1e9):
                return
            if edge.line in lines.names:
                lines.set(edge.line, edge.on)
                (self._on.add if edge.on else self._on.discard)(edge.line)

    def _switch_off(self, lines: GpioLines) -> bool:
        """Switch all lines off; returns whether one was on."""
        on, self._on = self._on, set()
        for name in sorted(on):
            lines.set(name, False)
        return bool(on)
