"""A device that one thread reads and any thread may close.

The reading thread sleeps in poll(2) until the device has data or `close` is called. The device is released exactly once: by
the reading thread if there is one, so that no descriptor is closed while it is in use.
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
    """Holds a device until `close`, then calls `release` once."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release_device = release
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._reading = False
        self._released = False
        self.closed = False
        """`close` was called, or the device is lost."""

    def close(self) -> None:
        """Release the device; if another thread reads it, wake that thread, which then releases it."""
        with self._lock:
            self.closed = True
            if self._reading:
                os.eventfd_write(self._wake, 1)
            else:
                self._release()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read the device inside this block, in one thread at a time. A `DriverError` inside it closes the device."""
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
        """Wait for data or a hang-up on `descriptor` (True), or for the timeout or `close` (False)."""
        if self.closed:
            return False
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
        # Rounded up: after an early wake-up nothing would be due yet.
        ready = poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000))
        return not self.closed and any(number == descriptor for number, _ in ready)

    def now_ns(self) -> int:
        """The clock for this device's timeouts: CLOCK_BOOTTIME."""
        return boot_ns()

    def _release(self) -> None:
        if not self._released:
            self._released = True
            os.close(self._wake)
            self._release_device()


Hold: TypeAlias = Callable[[Callable[[], None]], DeviceHandle]
"""Makes the handle of a reader's device: `DeviceHandle`, or `drivers.capture.playback_device` during playback."""
