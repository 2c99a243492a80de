"""Console output: the bench's screen on a text terminal (HDMI, serial, or the one that the station runs in).

`station.feedback.outputs.screen` lays the text out. This module writes all of it at once, on a background in the answer's
colour.
"""

import os

from station.config import OutputConfig as Row
from station.feedback.messages import Answer
from station.feedback.outputs import OutputMissing
from station.feedback.outputs.idle_state import IdleState
from station.feedback.outputs.screen import ROWS, WIDTH, screen, state_of

SHOWN_S = 4.0
"""How long an answer is shown before the idle screen returns."""
_HOME, _CLEAR_REST, _HIDE_CURSOR, _SHOW_CURSOR = "\x1b[H", "\x1b[J", "\x1b[?25l", "\x1b[?25h"
_COLOURS = {"green": "\x1b[30;42m", "amber": "\x1b[30;43m", "red": "\x1b[97;41m", "": "\x1b[0m"}


def open_output(row: Row) -> "Console":
    """Open the terminal at `path`; without a path, the one that the station runs in."""
    name = row.path or "/dev/tty"
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise OutputMissing(
            came=f"The terminal {name} cannot be opened: {error.strerror}.",
            expected="Expected a text terminal that this user may write to.",
            do="Name another path, or let the user in: sudo usermod -aG tty wipline",
        ) from error
    return Console(descriptor)


class Console:
    """An open terminal."""

    kind = "console"
    quick = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._idle = IdleState(station="")
        self._answer: Answer | None = None
        self._until_ns = 0
        self._drawn: list[str] = []
        self._write(_HIDE_CURSOR)

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:
        """Draw an answer, or the idle state once the last answer has been shown for `SHOWN_S`."""
        if isinstance(news, IdleState):
            self._idle = news
            if self._answer is not None and boot_ns < self._until_ns:
                news = self._answer
        else:
            self._answer, self._until_ns = news, boot_ns + int(SHOWN_S * 1e9)
        width, height = self._size()
        rows, colour = screen(news, self._idle, width, height), _COLOURS[state_of(news)]
        drawn = [colour, *rows]
        if drawn != self._drawn:  # a serial line at 9600 baud needs two seconds for a screen
            self._drawn = drawn
            body = "\r\n".join(row.ljust(width) for row in rows)
            self._write(f"{_HOME}{colour}{body}{_COLOURS['']}{_CLEAR_REST}")

    def close(self) -> None:
        """Restore the terminal's colour and cursor, and close it."""
        self._write(f"{_COLOURS['']}{_SHOW_CURSOR}\r\n")
        os.close(self._descriptor)

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._descriptor)
        except OSError:
            return WIDTH, ROWS
        return (size.columns or WIDTH, size.lines or ROWS)

    def _write(self, text: str) -> None:
        left = text.encode("utf-8", "replace")
        while left:
            left = left[os.write(self._descriptor, left) :]
