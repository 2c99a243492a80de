"""Output thread: a thread that owns a slow device, shows one answer after another, and opens the device again after a
failure.

After a failure the device is closed and opened again once for the same answer, because it may have been unplugged and
plugged in meanwhile. If that fails too, the answer is skipped, and a later answer tries again. `show` raises the failure
until an answer is shown again, so that the dispatcher logs its beginning and its end.
"""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from station.feedback.messages import Answer
from station.feedback.outputs.idle_state import IdleState
from station.feedback.outputs.priority_queue import AnswerQueue, S
from station.system.clock import boot_ns

REOPEN_S = 2.0
"""The shortest time between two attempts to open a device."""
CLOSE_S = 2.0
"""How long the last answer may take when the station ends."""


class OutputDevice(Protocol):
    """An open device."""

    def close(self) -> None: ...


Device = TypeVar("Device", bound=OutputDevice)


class OutputThread(Generic[Device]):
    """An open output. `open_device` and `perform` raise where the device fails; `device` may be open already."""

    quick = False

    def __init__(
        self,
        kind: str,
        open_device: Callable[[], Device],
        perform: Callable[[Device, Answer, AnswerQueue], None],
        device: Device | None = None,
        queue: AnswerQueue | None = None,
        now_ns: Callable[[], int] = boot_ns,
    ) -> None:
        self.kind = kind
        self._open_device, self._perform, self._device = open_device, perform, device
        self._queue, self._now_ns = queue or AnswerQueue(), now_ns
        self._error: Exception | None = None
        self._not_before_ns = 0
        self._thread = threading.Thread(target=self.run, name=kind, daemon=True)

    def start(self) -> "OutputThread[Device]":
        """Start the thread; returns at once."""
        self._thread.start()
        return self

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:  # noqa: ARG002 - the port's signature
        """Enqueue an answer; the idle state is ignored. Raises the error of the last attempt to show an answer."""
        if not isinstance(news, IdleState):
            self._queue.put(news)
        error = self._error
        if error is not None:
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Show the waiting answers, then close the device; waits up to `CLOSE_S`."""
        self._queue.close()
        self._thread.join(CLOSE_S)

    def run(self) -> None:
        """The thread."""
        while (answer := self._queue.next_answer()) is not None:
            if not self._show(answer):
                self._show(answer)
        self._close_device()

    def _show(self, answer: Answer) -> bool:
        """Show an answer; False where a device that was open failed, so that a second attempt is worth it."""
        if self._device is None and not self._open():
            return True
        assert self._device is not None
        try:
            self._perform(self._device, answer, self._queue)
        except Exception as error:  # noqa: BLE001 - after any failure of the device the thread must go on
            self._error = error
            self._close_device()
            return False
        self._error = None
        return True

    def _open(self) -> bool:
        if self._now_ns() < self._not_before_ns:
            return False
        try:
            self._device = self._open_device()
        except Exception as error:  # noqa: BLE001 - after any failure of the device the thread must go on
            self._error = error
            self._not_before_ns = self._now_ns() + int(REOPEN_S * S)
            return False
        return True

    def _close_device(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            try:
                device.close()
            except Exception as error:  # noqa: BLE001 - the device is dropped in either case
                self._error = error
