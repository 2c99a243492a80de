"""The bell: who waits for the ledger to grow hears of it at once, without asking again and again.

One bell rings when events were appended (the projector waits for it), another when the projection has come that far (the
open pages wait for it). It carries one number, a position in the ledger, that only grows; it belongs to one process.

>>> bell = Bell()
>>> bell.ring(7)
>>> bell.wait(6, timeout=0)
7
>>> bell.wait(7, timeout=0)
7
"""

import threading


class Bell:
    """A position that threads can wait for."""

    def __init__(self, pos: int = 0) -> None:
        self._changed = threading.Condition()
        self._pos = pos
        self._closed = False

    @property
    def pos(self) -> int:
        """The highest position that was rung."""
        return self._pos

    @property
    def closed(self) -> bool:
        """Whether the process is ending: whoever waits should go home."""
        return self._closed

    def ring(self, pos: int) -> None:
        """Say that `pos` was reached; a lower one than before says nothing."""
        with self._changed:
            if pos > self._pos:
                self._pos = pos
                self._changed.notify_all()

    def wait(self, pos: int, timeout: float | None = None) -> int:
        """Wait until a position above `pos` was rung, at most `timeout` seconds; the highest one rung so far."""
        with self._changed:
            self._changed.wait_for(lambda: self._pos > pos or self._closed, timeout)
            return self._pos

    def close(self) -> None:
        """Wake everyone for the last time: nobody waits on a closed bell. May be called from any thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
