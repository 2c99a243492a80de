"""Lamps and a buzzer on GPIO lines: green, amber and red to be seen from across the bench, and a buzzer for the noise.

The lamp of an answer stands for `LAMP_S`, or until the next answer; red blinks, so that whoever does not see colours knows
it all the same, amber blinks as fast where the work should not go on and slowly where a scan was not understood, green where
a card was taken. The buzzer has the rhythms of `station.feedback.outputs.tones`. Any of the four lines may be missing.

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
from station.feedback.outputs import OutputError, OutputMissing
from station.feedback.outputs.output_thread import OutputThread
from station.feedback.outputs.priority_queue import AnswerQueue
from station.feedback.outputs.tones import TONES
from station.system.clock import boot_ns

DEFAULT_CHIP = "/dev/gpiochip0"
LAMP_S = 4.0
"""How long a lamp stands: as long as an answer on the screen."""
BLINK_S = 0.25
"""How long a lamp that blinks is lit, and then dark; a slow one, four times as long."""
DARK_S = 0.08
"""All lamps are dark so long before the next answer's: two greens are two."""
BUZZER = "buzzer"
LAMPS = {
    AnswerForm.SAVED: (State.GREEN, LAMP_S),
    AnswerForm.TAKEN: (State.GREEN, 2 * BLINK_S),
    AnswerForm.LOOK: (State.AMBER, LAMP_S),
    AnswerForm.UNREAD: (State.AMBER, 4 * BLINK_S),
    AnswerForm.STOP: (State.AMBER, BLINK_S),
    AnswerForm.RED: (State.RED, BLINK_S),
}
"""Which lamp, and for how long it is lit at a time."""


@dataclass(frozen=True, slots=True)
class LineEdge:
    """At `at_s` seconds of an answer this line goes on or off."""

    at_s: float
    line: str
    on: bool


class GpioLines(Protocol):
    """Open lines by their names, all off; each call raises `OSError` where the chip fails."""

    @property
    def names(self) -> Iterable[str]: ...
    def set(self, name: str, on: bool) -> None: ...
    def close(self) -> None: ...


def programme(form: AnswerForm) -> tuple[LineEdge, ...]:
    """Every edge of an answer of this form, in order."""
    (lamp, step_s), tone = LAMPS[form], TONES[form]
    edges, at_s = [], 0.0
    for buzz_s in tone.beeps_s:
        edges += [LineEdge(at_s, BUZZER, True), LineEdge(round(at_s + buzz_s, 3), BUZZER, False)]
        at_s = round(at_s + buzz_s + tone.gap_s, 3)
    edges += [LineEdge(step * step_s, lamp.value, step % 2 == 0) for step in range(round(LAMP_S / step_s))]
    edges.append(LineEdge(LAMP_S, lamp.value, False))
    return tuple(sorted(edges, key=lambda edge: edge.at_s))


def heard_s(form: AnswerForm) -> float:
    """How long an answer stands before one that is better may take its place: until the buzzer has said it."""
    return max(edge.at_s for edge in programme(form) if edge.line == BUZZER)


def open_signal(row: Row) -> OutputThread[GpioLines]:
    """Take the lines of the chip at `path`, all off."""
    path = row.path or DEFAULT_CHIP
    offsets = (
        {name: at for name, at in msgspec.structs.asdict(row.lines).items() if at is not None} if row.lines else {}
    )
    if not offsets or len(set(offsets.values())) < len(offsets):
        raise OutputError(
            came="A signal of kind 'gpio' has no lines."
            if not offsets
            else "Two lines of a signal 'gpio' are the same.",
            expected="Expected a line of its own for each lamp and for the buzzer, any of the four.",
            do="Name them: lines = { green = 17, amber = 27, red = 22, buzzer = 23 }; gpioinfo shows them.",
        )

    def open_lines() -> GpioLines:
        return Chip(path, offsets, active_low=bool(row.active_low))

    try:
        lines = open_lines()
    except OSError as error:
        refused = OutputError if error.errno == errno.EINVAL else OutputMissing  # a wrong number stays wrong
        raise refused(
            came=f"The lines {', '.join(map(str, offsets.values()))} of the GPIO chip {path} cannot be taken: "
            f"{error.strerror}.",
            expected="Expected a chip that this user may open, and lines that nobody else uses.",
            do="See them: gpiodetect and gpioinfo (Debian package gpiod); let the user in: sudo usermod -aG gpio wipline",
        ) from error
    return OutputThread("gpio", open_lines, Lamps(boot_ns).perform, lines).start()


class Chip:
    """Lines of a real chip through gpiod: a level each, inverted by the kernel where `active_low`."""

    def __init__(self, path: str, offsets: Mapping[str, int], *, active_low: bool) -> None:
        try:
            from gpiod import LineSettings, request_lines
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
            self._request: Any = request_lines(path, consumer="wipline", config={tuple(offsets.values()): off})
        except ValueError as error:  # a number beyond the chip's last line
            raise OSError(errno.EINVAL, str(error)) from error

    def set(self, name: str, on: bool) -> None:
        """Put one line on or off."""
        self._request.set_value(self._offsets[name], self._levels[on])

    def close(self) -> None:
        """All off first: what a line does that nobody holds any more, the chip decides."""
        try:
            self._request.set_values(dict.fromkeys(self._offsets.values(), self._levels[False]))
        finally:
            self._request.release()


class Lamps:
    """The lamps and the buzzer, of which it is remembered what is on."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._on: set[str] = set()

    def perform(self, lines: GpioLines, answer: Answer, turns: AnswerQueue) -> None:
        """Show an answer until it is over or makes way."""
        if self._dark(lines) and turns.cut(DARK_S):
            return
        began_ns, until_s = self._now_ns(), heard_s(form_of(answer))
        for edge in programme(form_of(answer)):
            if edge.at_s > until_s:
                turns.mark_shown()
            if turns.cut(edge.at_s - (self._now_ns() - began_ns) / 1e9):
                return
            if edge.line in lines.names:
                lines.set(edge.line, edge.on)
                (self._on.add if edge.on else self._on.discard)(edge.line)

    def _dark(self, lines: GpioLines) -> bool:
        """Everything off; whether anything was on."""
        on, self._on = self._on, set()
        for name in sorted(on):
            lines.set(name, False)
        return bool(on)
