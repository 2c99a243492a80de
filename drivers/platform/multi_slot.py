"""Several slots of one device, read as one reader: a thread for each slot, and their outcomes in order of arrival.

The slots share one cable, so the loss of one slot is the loss of all. Slots that pcscd finds after the opening are added.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from drivers import Driver, Dropped, Outcome, Read, SupportsFeedback

SEARCH_INTERVAL_S = 1.0
"""The interval and the duration of the search for more slots: pcscd finds one interface after the other."""
SEARCH_S = 10.0
LOST_TOGETHER_S = 2.0
"""The time for the other slots to report their losses."""
QUEUED_MOST = 64


@dataclass(frozen=True, slots=True)
class _Ended:
    error: Exception | None


class MultiSlotReader:
    """Open slots of one device. `open_more` opens slots that have been found since."""

    kind = "pcsc"
    lossless = False

    def __init__(
        self,
        reader: str,
        slots: Sequence[Driver],
        open_more: Callable[[], Sequence[Driver]],
        *,
        search_interval_s: float = SEARCH_INTERVAL_S,
    ) -> None:
        self.reader, self._search_interval_s = reader, search_interval_s
        self._slots, self._open_more = list(slots), open_more
        self._outcomes: queue.Queue[tuple[Driver, Outcome] | _Ended] = queue.Queue(QUEUED_MOST)
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
            while self._running:  # empty the queue: a slot thread may be blocked on it
                self._running -= isinstance(self._outcomes.get(), _Ended)

    def show_state(self, state: str) -> None:
        """Show this answer at the slot of the last card, if the slot can."""
        if isinstance(self._last, SupportsFeedback):
            self._last.show_state(state)

    def close(self) -> None:
        """End `reads` and close all slots."""
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
                self._outcomes.put((slot, outcome))
        except Exception as error:  # noqa: BLE001 - raised again in the thread that reads the device
            self._outcomes.put(_Ended(error))
        else:
            self._outcomes.put(_Ended(None))

    def _until_lost(self) -> Iterator[Outcome]:
        """The outcomes of all slots, until every slot thread has ended.

        1. For `SEARCH_S` after the opening, look for more slots whenever no outcome comes.
        2. After the first loss, wait `LOST_TOGETHER_S` for the other slots: each still reports the departure of its card.
        3. Then close the slots that are left, and raise the first loss when all have ended.
        """
        lost: Exception | None = None
        until_s = time.monotonic() + SEARCH_S
        while self._running:
            left_s = until_s - time.monotonic()
            try:
                item = self._outcomes.get(timeout=self._wait_s(left_s, lost))
            except queue.Empty:
                self.close() if lost else self._add_slots()
                continue
            if isinstance(item, _Ended):
                self._running -= 1
                if item.error is not None and lost is None:
                    lost, until_s = item.error, time.monotonic() + LOST_TOGETHER_S
                continue
            slot, outcome = item
            if isinstance(outcome, Read | Dropped):
                self._last = slot
            yield outcome
        if lost is not None:
            raise lost

    def _wait_s(self, left_s: float, lost: Exception | None) -> float | None:
        if lost is not None:
            return max(left_s, 0.0) if not self._closed else None
        return min(left_s, self._search_interval_s) if left_s > 0 else None

    def _add_slots(self) -> None:
        for slot in self._open_more():
            with self._lock:
                self._slots.append(slot)
                closed = self._closed
            if closed:
                slot.close()
            self._begin(slot)
