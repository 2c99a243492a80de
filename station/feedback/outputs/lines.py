"""Answers as lines of JSON, appended to a file: the signal for other programs, and for tests.

A line is one write on a descriptor opened for appending, so lines of several threads never mix and each stands in the file
only after the fact it states. Whoever reads it needs nothing of ours.
"""

import os

from station.config import OutputConfig as Row
from station.feedback.messages import Answer
from station.feedback.outputs import OutputError
from station.feedback.outputs.idle_state import IdleState


def open_signal(row: Row) -> "LinesOutput":
    """Append to the file at `path`, made where it is missing."""
    path = row.path
    if path is None:
        raise OutputError(
            came="A signal of kind 'lines' has no path.",
            expected="Expected the file that answers are appended to.",
            do='Add path = "/run/wipline/answers" to the signal.',
        )
    try:
        # A pipe that nobody reads must not hold a scan up; for a file this changes nothing.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OutputError(
            came=f"The answers' file {path} cannot be opened: {error.strerror}.",
            expected="Expected a file that this user may append to.",
            do=f"Make its folder writable: sudo install -d -o {os.geteuid()} {os.path.dirname(path) or '.'}",  # noqa: PTH120
        ) from error
    return LinesOutput(descriptor)


class LinesOutput:
    """An open file of answers."""

    kind = "lines"
    quick = True

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:
        """Append the answer; what stands between answers is no line."""
        if not isinstance(news, IdleState):
            os.write(self._descriptor, news.line(boot_ns))

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
