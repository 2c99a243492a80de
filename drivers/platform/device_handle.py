"""A device that one thread reads and any thread may close.

The reader's thread sleeps until the device has something or somebody closes it; it costs nothing while nobody scans. The
device is let go exactly once: by the reading thread if there is one, so no descriptor is closed under it.
"""

import math
import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from drivers import DriverError, boot_ns


class DeviceHandle:
    """Holds a device until `close`, then calls `let_go` once."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._reading = False
        self._gone = False
        self.closed = False
        """Somebody closed the device, or it is lost."""

    def close(self) -> None:
        """End the reading, soon where another thread reads."""
        with self._lock:
            self.closed = True
            if self._reading:
                os.eventfd_write(self._bell, 1)
            else:
                self._release()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read inside this block, in one thread at a time; a driver's error inside it closes the device."""
        with self._lock:
            if self._reading:
                msg = "This reader is being read already; one thread reads a device."
                raise RuntimeError(msg)
            self._reading = True
        try:
            yield
        except DriverError:
            self.closed = True
            raise
        finally:
            with self._lock:
                self._reading = False
                if self.closed:
                    self._release()

    def wait(self, descriptor: int | None = None, timeout_s: float | None = None) -> bool:
        """Sleep until `descriptor` can be read or has hung up (True), the time is over or the device closed (False)."""
        if self.closed:
            return False
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
        # Rounded up: waking early would only mean sleeping again.
        ready = poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000))
        return not self.closed and any(number == descriptor for number, _ in ready)

    def now_ns(self) -> int:
        """The time in which this device is waited for: CLOCK_BOOTTIME."""
        return boot_ns()

    def _release(self) -> None:
        if not self._gone:
            self._gone = True
            os.close(self._bell)
            self._let_go()


Hold: TypeAlias = Callable[[Callable[[], None]], DeviceHandle]
"""Makes the handle of a reader's device: `DeviceHandle`, or `drivers.capture.playback_device` during playback."""
