"""A signal whose device is not there yet: scanning begins without it, and it joins in when it comes.

After a power cut a loudspeaker may be unplugged, or slower than the station. What cannot mend itself (an unknown kind, a
library that is missing, a file in a folder that nobody made) still ends the start, where the installer sees it.
"""

from collections.abc import Callable

from station.config import OutputConfig as Row
from station.feedback import outputs
from station.feedback.messages import Answer
from station.feedback.outputs import Output, OutputMissing
from station.feedback.outputs.idle_state import IdleState
from station.feedback.outputs.output_thread import REOPEN_S
from station.feedback.outputs.priority_queue import S
from station.system.clock import boot_ns


def open_or_later(row: Row, now_ns: Callable[[], int] = boot_ns) -> Output:
    """Open the signal of this table, or promise to. Raises `SignalError` where waiting would not help."""
    try:
        return outputs.open_signal(row)
    except OutputMissing as error:
        return DeferredOutput(row, error, now_ns)


class DeferredOutput:
    """A signal that is opened when something is to be shown, and then is that signal."""

    quick = False

    def __init__(self, row: Row, error: OutputMissing, now_ns: Callable[[], int]) -> None:
        self.kind = row.kind
        self._row, self._error, self._now_ns = row, error, now_ns
        self._signal: Output | None = None
        self._not_before_ns = now_ns() + int(REOPEN_S * S)

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:
        """Show it. Raises `OutputMissing` while the device is not; it is looked for every `REOPEN_S` at most."""
        if self._signal is None:
            self._open()
        if self._signal is None:
            raise OutputMissing(*self._error.args)
        self._signal.show(news, boot_ns)

    def close(self) -> None:
        """Close what is open."""
        if self._signal is not None:
            self._signal.close()

    def _open(self) -> None:
        if self._now_ns() < self._not_before_ns:
            return
        self._not_before_ns = self._now_ns() + int(REOPEN_S * S)
        try:
            self._signal = outputs.open_signal(self._row)
        except OutputMissing as error:
            self._error = error
