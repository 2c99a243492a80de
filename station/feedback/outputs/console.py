"""The screen of a bench on a text terminal: HDMI, serial, or the terminal that the station runs in.

The picture is drawn by `station.feedback.outputs.screen`; here it is put up whole, with a colour over all of it.
"""

import os

from station.config import OutputConfig as Row
from station.feedback.messages import Answer
from station.feedback.outputs import OutputMissing
from station.feedback.outputs.idle_state import IdleState
from station.feedback.outputs.screen import ROWS, WIDTH, screen, state_of

SHOWN_S = 4.0
"""How long an answer stands before the screen goes back to what comes next."""
_HOME, _CLEAR_REST, _HIDE_CURSOR, _SHOW_CURSOR = "\x1b[H", "\x1b[J", "\x1b[?25l", "\x1b[?25h"
_COLOURS = {"green": "\x1b[30;42m", "amber": "\x1b[30;43m", "red": "\x1b[97;41m", "": "\x1b[0m"}


def open_signal(row: Row) -> "Console":
    """Draw on the terminal at `path`; without one, on the station's own."""
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
        """Draw an answer, or what stands between answers once the last one has been seen long enough."""
        if isinstance(news, IdleState):
            self._idle = news
            if self._answer is not None and boot_ns < self._until_ns:
                news = self._answer
        else:
            self._answer, self._until_ns = news, boot_ns + int(SHOWN_S * 1e9)
        width, height = self._size()
        rows, colour = screen(news, self._idle, width, height), _COLOURS[state_of(news)]
        drawn = [colour, *rows]
        if drawn != self._drawn:  # a serial line at 9600 baud takes two seconds for a screen
            self._drawn = drawn
            body = "\r\n".join(row.ljust(width) for row in rows)
            self._write(f"{_HOME}{colour}{body}{_COLOURS['']}{_CLEAR_REST}")

    def close(self) -> None:
        """Leave the terminal as a person expects it."""
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
