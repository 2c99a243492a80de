"""Several slots of one device, read as one reader: a thread for each, and what they say in the order in which it came.

One that is lost has lost all of them, for they hang on one cable. Slots that are found a moment later are read too.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from drivers import Driver, Dropped, Outcome, Read, SupportsFeedback

LOOK_S = 1.0
"""How often more slots are looked for after the opening, and for how long: pcscd finds one interface after the other."""
LOOK_FOR_S = 10.0
LOST_TOGETHER_S = 2.0
"""So long the other slots may take to say what they have lost."""
QUEUED_MOST = 64


@dataclass(frozen=True, slots=True)
class _Ended:
    error: Exception | None


class MultiSlotReader:
    """Open slots of one device. `more` opens those that are there and not open yet."""

    kind = "pcsc"
    lossless = False

    def __init__(self, reader: str, slots: Sequence[Driver], more: Callable[[], Sequence[Driver]]) -> None:
        self.reader = reader
        self._slots, self._more = list(slots), more
        self._heard: queue.Queue[tuple[Driver, Outcome] | _Ended] = queue.Queue(QUEUED_MOST)
        self._running = 0
        self._last = self._slots[0]
        self._closed = False
        self._lock = threading.Lock()

    def reads(self) -> Iterator[Outcome]:
        """Each card of each slot when it is put on and when it has left."""
        for slot in self._slots:
            self._begin(slot)
        try:
            yield from self._until_lost()
        finally:
            self.close()
            while self._running:  # a thread that waits for room in the queue would wait for ever
                self._running -= isinstance(self._heard.get(), _Ended)

    def show_state(self, state: str) -> None:
        """Show this answer at the slot of the last card, where it can."""
        if isinstance(self._last, SupportsFeedback):
            self._last.show_state(state)

    def close(self) -> None:
        """End `reads`, and let all slots go."""
        with self._lock:
            self._closed = True
            slots = list(self._slots)
        for slot in slots:
            slot.close()

    def _begin(self, slot: Driver) -> None:
        self._running += 1
        threading.Thread(target=self._read, args=(slot,), name=f"slot-{self._running}", daemon=True).start()

    def _read(self, slot: Driver) -> None:
        try:
            for outcome in slot.reads():
                self._heard.put((slot, outcome))
        except Exception as error:  # noqa: BLE001 - raised again in the thread that reads the device
            self._heard.put(_Ended(error))
        else:
            self._heard.put(_Ended(None))

    def _until_lost(self) -> Iterator[Outcome]:
        lost: Exception | None = None
        until_s = time.monotonic() + LOOK_FOR_S
        while self._running:
            left_s = until_s - time.monotonic()
            try:
                said = self._heard.get(timeout=self._wait_s(left_s, lost))
            except queue.Empty:
                self.close() if lost else self._look()
                continue
            if isinstance(said, _Ended):
                self._running -= 1
                if said.error is not None and lost is None:
                    lost, until_s = said.error, time.monotonic() + LOST_TOGETHER_S
                continue
            slot, outcome = said
            if isinstance(outcome, Read | Dropped):
                self._last = slot
            yield outcome
        if lost is not None:
            raise lost

    def _wait_s(self, left_s: float, lost: Exception | None) -> float | None:
        if lost is not None:
            return max(left_s, 0.0) if not self._closed else None
        return min(left_s, LOOK_S) if left_s > 0 else None

    def _look(self) -> None:
        for slot in self._more():
            with self._lock:
                self._slots.append(slot)
                closed = self._closed
            if closed:
                slot.close()
            self._begin(slot)
