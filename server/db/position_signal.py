"""Position signal: wake threads that wait for a new ledger position.

The store has one signal for appended events, on which the projector waits. The projector has another one for projected
events, on which open pages wait. A signal carries one ledger position, which only grows, and works within one process.

>>> signal = PositionSignal()
>>> signal.announce(7)
>>> signal.wait(6, timeout=0)
7
>>> signal.wait(7, timeout=0)
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
        """The highest announced position."""
        return self._pos

    @property
    def again(self) -> int:
        """The number of refolds so far: a page that read another number shows outdated items."""
        return self._again

    @property
    def closed(self) -> bool:
        """Whether the process is stopping; waiting threads should end."""
        return self._closed

    def announce(self, pos: int) -> None:
        """Announce that `pos` was reached; a position that is not higher has no effect."""
        with self._changed:
            if pos > self._pos:
                self._pos = pos
                self._changed.notify_all()

    def announce_refold(self) -> None:
        """Announce that items at or below the position were refolded."""
        with self._changed:
            self._again += 1
            self._changed.notify_all()

    def wait(self, pos: int, timeout: float | None = None, again: int | None = None) -> int:
        """Wait at most `timeout` seconds for a position above `pos`. Returns the highest announced position.

        With `again`, the last read number of refolds, the wait also ends after a further refold.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._pos > pos or self._closed or (again is not None and self._again != again), timeout
            )
            return self._pos

    def close(self) -> None:
        """Wake all waiting threads; no thread waits on a closed signal. Thread-safe."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
