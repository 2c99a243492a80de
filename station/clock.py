"""The station's clocks: CLOCK_BOOTTIME, which never steps and counts suspend; and wall time, shown and never believed."""

import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STA_UNSYNC = 0x40  # <sys/timex.h>: the kernel's clock is not disciplined


def boot_ns() -> int:
    """CLOCK_BOOTTIME in ns."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def wall_us() -> int:
    """UTC in us since 1970, as this machine believes it."""
    return time.time_ns() // 1000


def boot_id() -> str:
    """The kernel's name for this boot."""
    return BOOT_ID.read_text(encoding="ascii").strip()


class WallClock:
    """Whether wall time can be shown with confidence: `never` set in this boot, `holdover` since it was, or `synced`."""

    def __init__(self) -> None:
        import ctypes

        # struct timex begins with an unsigned int and four longs, then `int status`; 208 bytes hold it on every machine.
        self._status_at = 5 * ctypes.sizeof(ctypes.c_long) // ctypes.sizeof(ctypes.c_int)
        self._timex = (ctypes.c_int * 52)()
        self._adjtimex = ctypes.CDLL(None).adjtimex
        self._state = "never"

    def state(self) -> str:
        """`never`, `holdover` or `synced`, as the kernel says now."""
        self._timex[0] = 0  # modes: ask only
        known = self._adjtimex(self._timex) >= 0
        if known and not self._timex[self._status_at] & _STA_UNSYNC:
            self._state = "synced"
        elif self._state == "synced":
            self._state = "holdover"
        return self._state
