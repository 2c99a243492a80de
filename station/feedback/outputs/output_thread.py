"""A signal that takes its time: a thread that holds the device, shows one answer after another, and opens it again.

A device that fails is closed and opened anew for the same answer, once: it may have been pulled out and put back meanwhile.
Where that fails too, the answer is past, and the device is tried again at a later one. The failure is raised at each `show`
until an answer was shown again, so that it can be told once and its end, too.
"""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from station.feedback.messages import Answer
from station.feedback.outputs.idle_state import IdleState
from station.feedback.outputs.priority_queue import AnswerQueue, S
from station.system.clock import boot_ns

REOPEN_S = 2.0
"""How long a device that could not be opened is left alone."""
CLOSE_S = 2.0
"""How long the last answer may take when the station ends."""


class OutputDevice(Protocol):
    """What a performer holds."""

    def close(self) -> None: ...


Held = TypeVar("Held", bound=OutputDevice)


class OutputThread(Generic[Held]):
    """An open signal. `open_device` and `perform` raise where the device fails; `device` may be open already."""

    quick = False

    def __init__(
        self,
        kind: str,
        open_device: Callable[[], Held],
        perform: Callable[[Held, Answer, AnswerQueue], None],
        device: Held | None = None,
        turns: AnswerQueue | None = None,
        now_ns: Callable[[], int] = boot_ns,
    ) -> None:
        self.kind = kind
        self._open, self._perform, self._device = open_device, perform, device
        self._turns, self._now_ns = turns or AnswerQueue(), now_ns
        self._error: Exception | None = None
        self._not_before_ns = 0
        self._thread = threading.Thread(target=self.run, name=kind, daemon=True)

    def start(self) -> "OutputThread[Held]":
        """Begin to perform; returns at once."""
        self._thread.start()
        return self

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:  # noqa: ARG002 - the port's signature
        """Show an answer in its turn; between answers nothing is. Raises what the last try to show one raised."""
        if not isinstance(news, IdleState):
            self._turns.arrive(news)
        error = self._error
        if error is not None:
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Show what waits, then let go of the device."""
        self._turns.close()
        self._thread.join(CLOSE_S)

    def run(self) -> None:
        """The performer's thread."""
        while (answer := self._turns.next_answer()) is not None:
            if not self._shown(answer):
                self._shown(answer)
        self._let_go()

    def _shown(self, answer: Answer) -> bool:
        """Show an answer; False where the device failed that was open before, and may be tried once more."""
        if self._device is None and not self._opened():
            return True
        assert self._device is not None
        try:
            self._perform(self._device, answer, self._turns)
        except Exception as error:  # noqa: BLE001 - whatever a lamp does, its thread lives on
            self._error = error
            self._let_go()
            return False
        self._error = None
        return True

    def _opened(self) -> bool:
        if self._now_ns() < self._not_before_ns:
            return False
        try:
            self._device = self._open()
        except Exception as error:  # noqa: BLE001 - whatever a lamp does, its thread lives on
            self._error = error
            self._not_before_ns = self._now_ns() + int(REOPEN_S * S)
            return False
        return True

    def _let_go(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            try:
                device.close()
            except Exception as error:  # noqa: BLE001 - it is gone either way
                self._error = error
