"""Progress of long work: what is done, what is left, and how long that takes, as one line.

Work that may take longer than a second counts its steps with a `Meter`, which passes a `Progress` on to its listeners. One
listener is `TerminalLine`: on a terminal it rewrites one line, elsewhere it writes a plain line every few seconds. It writes
to standard error, because standard output is for the result.

>>> Progress("Rebuild", "event", 31_000, 50_000, 15.0).text
'Rebuild: 31,000 of 50,000 events, 2,067 a second, 9 s left'
>>> Progress("Import", "entry", 12, 12, 0.5).text, Progress("Salvage", "page", 7, None, 70.0).text
('Import: 12 of 12 entries', 'Salvage: 7 pages, after 70 s')
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO, TypeVar

SURE_AFTER_S = 1.0  # a rate of the first moments says nothing about the rest
REWRITE_S = 0.25
PLAIN_S = 5.0
MINUTES_FROM_S = 120
HOURS_FROM_S = 7200
COUNTED_AT_ONCE = 1_000
Thing = TypeVar("Thing")

Advance = Callable[[int, int], None]  # (steps done, steps in all); called by the work itself


Show = Callable[[str, str], Advance]  # (work, unit): the `Advance` of one part of long work


def unheard(_done: int, _total: int) -> None:
    """The `Advance` of work that shows no progress."""


def unseen(_work: str, _unit: str) -> Advance:
    """The `Show` of work that shows no progress."""
    return unheard


class Interrupted(RuntimeError):
    """Ctrl-C ended long work; the message has what that leaves behind and what to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of long work: `done` of `total` steps (None: unknown) after `elapsed_s` seconds; `unit`: singular noun."""

    work: str
    unit: str
    done: int
    total: int | None
    elapsed_s: float

    @property
    def rate(self) -> float | None:
        """Steps a second; None where too little was done to know it."""
        return self.done / self.elapsed_s if self.done and self.elapsed_s >= SURE_AFTER_S else None

    @property
    def left_s(self) -> int | None:
        """The seconds that the rest takes at the rate so far; None where that is unknown."""
        if self.total is None or self.rate is None or self.done >= self.total:
            return None
        return max(1, round((self.total - self.done) / self.rate))

    @property
    def text(self) -> str:
        """All of it in one line without its full stop."""
        in_all = "" if self.total is None else f" of {self.total:,}"
        counted = f"{self.done:,}{in_all} {_plural(self.unit, self.done if self.total is None else self.total)}"
        parts = [f"{self.work}: {counted}"]
        if self.left_s is not None and self.rate is not None:
            rate = f"{self.rate:,.0f} a second" if self.rate >= 1 else f"{self.rate * 60:,.1f} a minute"
            parts += [rate, f"{span_text(self.left_s)} left"]
        elif self.total is None or self.done < self.total:
            parts += [f"after {span_text(round(self.elapsed_s))}"]
        return ", ".join(parts)


def counted(things: Sequence[Thing], advance: Advance) -> Iterator[Thing]:
    """The things of a sequence, with the progress behind each COUNTED_AT_ONCE."""
    for number, thing in enumerate(things, 1):
        yield thing
        if number % COUNTED_AT_ONCE == 0:
            advance(number, len(things))


Listener = Callable[[Progress], None]


class Meter:
    """Counts the steps of one long work: call it with the steps done and the steps in all. It is an `Advance`."""

    def __init__(self, work: str, unit: str, *listeners: Listener, now_s: Callable[[], float] = time.monotonic) -> None:
        self._work, self._unit, self._listeners, self._now_s = work, unit, listeners, now_s
        self._start_s = now_s()

    def __call__(self, done: int, total: int | None) -> None:
        progress = Progress(self._work, self._unit, done, total, self._now_s() - self._start_s)
        for listener in self._listeners:
            listener(progress)


class TerminalLine:
    """Writes progress to a stream: one rewritten line on a terminal, else a line every PLAIN_S seconds.

    Work that ends before the first interval leaves no line.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._rewrites = self._stream.isatty()
        self._next_s = REWRITE_S if self._rewrites else PLAIN_S
        self._written = False

    def __call__(self, progress: Progress) -> None:
        if progress.elapsed_s < self._next_s:
            return
        self._next_s = progress.elapsed_s + (REWRITE_S if self._rewrites else PLAIN_S)
        self._written = True
        if self._rewrites:
            width = max(20, shutil.get_terminal_size().columns - 1)
            self._stream.write(f"\r\x1b[K{progress.text[:width]}")
        else:
            self._stream.write(f"{progress.text}.\n")
        self._stream.flush()

    def show(self, work: str, unit: str) -> Meter:
        """A meter of the next part of the work: a `Show`."""
        self._next_s = REWRITE_S if self._rewrites else PLAIN_S
        return Meter(work, unit, self)

    def clear(self) -> None:
        """Remove the rewritten line; plain lines stay."""
        if self._rewrites and self._written:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._written = False


@contextmanager
def terminal_progress(work: str, interrupted: str, stream: TextIO | None = None) -> Iterator[TerminalLine]:
    """The line of the terminal for long work, until the end of the block.

    `interrupted`: what Ctrl-C leaves behind and what to do, for the `Interrupted` that is raised then.
    """
    line = TerminalLine(stream)
    try:
        yield line
    except KeyboardInterrupt as error:
        msg = f"{work} interrupted. {interrupted}"
        raise Interrupted(msg) from error
    finally:
        line.clear()


def span_text(seconds: int) -> str:
    """A duration in the unit that a person expects.

    >>> span_text(90), span_text(600), span_text(9000)
    ('90 s', '10 min', '2 h 30 min')
    """
    if seconds < MINUTES_FROM_S:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if seconds < HOURS_FROM_S else f"{minutes // 60} h {minutes % 60} min"


def _plural(unit: str, count: int) -> str:
    if count == 1:
        return unit
    return f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s"
