"""The bell: who waits for the ledger to grow hears of it at once, without asking again and again.

One bell rings when events were appended (the projector waits for it), another when the projection has come that far (the
open pages wait for it). It carries one number, a position in the ledger, that only grows; it belongs to one process.

>>> bell = PositionSignal()
>>> bell.announce(7)
>>> bell.wait(6, timeout=0)
7
>>> bell.wait(7, timeout=0)
7
"""

import threading


class PositionSignal:
    """A position that threads can wait for."""

    def __init__(self, pos: int = 0) -> None:
        self._changed = threading.Condition()
        self._pos = pos
        self._again = 0
        self._closed = False

    @property
    def pos(self) -> int:
        """The highest position that was rung."""
        return self._pos

    @property
    def again(self) -> int:
        """How often what was reached was folded anew: a page that saw another number shows something old."""
        return self._again

    @property
    def closed(self) -> bool:
        """Whether the process is ending: whoever waits should go home."""
        return self._closed

    def announce(self, pos: int) -> None:
        """Say that `pos` was reached; a lower one than before says nothing."""
        with self._changed:
            if pos > self._pos:
                self._pos = pos
                self._changed.notify_all()

    def ring_again(self) -> None:
        """Say that something at or below the position has changed."""
        with self._changed:
            self._again += 1
            self._changed.notify_all()

    def wait(self, pos: int, timeout: float | None = None, again: int | None = None) -> int:
        """Wait until a position above `pos` was rung, at most `timeout` seconds; the highest one rung so far.

        With `again`, the number seen last, wait also until something older was folded anew.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._pos > pos or self._closed or (again is not None and self._again != again), timeout
            )
            return self._pos

    def close(self) -> None:
        """Wake everyone for the last time: nobody waits on a closed bell. May be called from any thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
