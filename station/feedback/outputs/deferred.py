"""Deferred output: start the station without an output that cannot be opened, and open it when that becomes possible.

After a power cut a loudspeaker may be unplugged, or start later than the station; a library or a folder may be missing. None
of these stops scanning: the dispatcher logs the reason, and the output is tried again. Only a table in station.toml that is
no output (`OutputRowError`) ends the start, so that the installer sees the mistake.
"""

from collections.abc import Callable

from station.config import OutputConfig as Row
from station.feedback import outputs
from station.feedback.messages import Answer
from station.feedback.outputs import Output, OutputError, OutputRowError
from station.feedback.outputs.idle_state import IdleState
from station.feedback.outputs.output_thread import REOPEN_S
from station.feedback.outputs.priority_queue import S
from station.system.clock import boot_ns


def open_or_later(row: Row, now_ns: Callable[[], int] = boot_ns) -> Output:
    """Open the output of this table now or later. Raises `OutputRowError` for a table that is no output."""
    try:
        return outputs.open_output(row)
    except OutputRowError:
        raise
    except Exception as error:  # noqa: BLE001 - scanning must not depend on an output
        return DeferredOutput(row, error, now_ns)


class DeferredOutput:
    """An output that is opened at a later `show`, and then passes all calls on to it."""

    quick = False

    def __init__(self, row: Row, error: Exception, now_ns: Callable[[], int]) -> None:
        self.kind = row.kind
        self._row, self._error, self._now_ns = row, error, now_ns
        self._output: Output | None = None
        self._not_before_ns = now_ns() + int(REOPEN_S * S)

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:
        """Show it. Raises the reason while the output cannot be opened; it is tried once in `REOPEN_S` at most."""
        if self._output is None:
            self._open()
        if self._output is None:
            if isinstance(self._error, OutputError):
                raise type(self._error)(*self._error.args)
            raise OSError(repr(self._error)) from self._error
        self._output.show(news, boot_ns)

    def close(self) -> None:
        """Close the output if it is open."""
        if self._output is not None:
            self._output.close()

    def _open(self) -> None:
        if self._now_ns() < self._not_before_ns:
            return
        self._not_before_ns = self._now_ns() + int(REOPEN_S * S)
        try:
            self._output = outputs.open_output(self._row)
        except Exception as error:  # noqa: BLE001 - scanning must not depend on an output
            self._error = error
