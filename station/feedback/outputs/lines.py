"""Lines output: append each answer to a file as a line of JSON, for other programs and for tests.

A line is one write on a descriptor opened with O_APPEND, so lines of several threads do not mix. The line of a green answer
is in the file only after its commit.
"""

import os

from station.config import OutputConfig as Row
from station.feedback.messages import Answer
from station.feedback.outputs import OutputError, OutputRowError
from station.feedback.outputs.idle_state import IdleState


def open_output(row: Row) -> "LinesOutput":
    """Open the file at `path` for appending; a missing one is created."""
    path = row.path
    if path is None:
        raise OutputRowError(
            came="A signal of kind 'lines' has no path.",
            expected="Expected the file that answers are appended to.",
            do='Add path = "/run/wipline/answers" to the signal.',
        )
    try:
        # O_NONBLOCK: a pipe without a reader must not block the recording thread. It has no effect on a file.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OutputError(
            came=f"The answers' file {path} cannot be opened: {error.strerror}.",
            expected="Expected a file that this user may append to.",
            do=f"Make its folder writable: sudo install -d -o {os.geteuid()} {os.path.dirname(path) or '.'}",  # noqa: PTH120
        ) from error
    return LinesOutput(descriptor)


class LinesOutput:
    """The open file."""

    kind = "lines"
    quick = True

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:
        """Append an answer; the idle state is not written."""
        if not isinstance(news, IdleState):
            os.write(self._descriptor, news.line(boot_ns))

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
