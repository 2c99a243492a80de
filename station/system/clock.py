"""The machine's clocks: CLOCK_BOOTTIME, which never steps and counts suspend; UTC; and its synchronisation."""

import ctypes
import time
from functools import cache
from pathlib import Path

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def boot_ns() -> int:
    """CLOCK_BOOTTIME in ns: never steps, and counts suspended time."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def utc_us() -> int:
    """UTC in us since 1970, as this machine believes it."""
    return time.time_ns() // 1000


@cache
def boot_id() -> str:
    """The kernel's identifier of this boot, a UUID text."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def is_synchronised() -> bool:
    """Whether the kernel reports that a time service disciplines UTC (adjtimex(2), modes 0)."""
    timex = ctypes.create_string_buffer(512)  # struct timex is at most 208 bytes; its first field, modes, is 0
    return int(_libc().adjtimex(timex)) not in (-1, _TIME_ERROR)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
