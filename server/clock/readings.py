"""Clock readings: the port to the hub's clocks, and the limits of trust in UTC.

`boot_ns` counts from the start of the machine and never steps; durations and order are computed from it. `utc_us` can be set
by a person or be wrong after a battery failure, so a hub whose clock contradicts its ledger issues no anchors until a person
confirms the clock.

>>> stepped(before=ClockReading(boot_ns=0, utc_us=0), now=ClockReading(boot_ns=5_000_000_000, utc_us=5_000_400))
False
>>> stepped(before=ClockReading(boot_ns=0, utc_us=0), now=ClockReading(boot_ns=5_000_000_000, utc_us=7_000_000))
True
"""

from dataclasses import dataclass
from typing import Protocol

from station.system import clock

STEP_US = 500_000  # more than a synchronised clock is slewed between two checks
DOUBT_US = 3_600_000_000  # a deviation of one hour from the ledger puts the clock in doubt


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Both clocks at one moment: CLOCK_BOOTTIME in ns, UTC in us since 1970."""

    boot_ns: int
    utc_us: int


def stepped(before: ClockReading, now: ClockReading) -> bool:
    """Whether UTC and boottime advanced by different amounts since `before`, by more than half a second."""
    return abs((now.utc_us - before.utc_us) - (now.boot_ns - before.boot_ns) // 1000) > STEP_US


class HubClock(Protocol):
    """The clocks of one machine. Tests and the simulator pass their own."""

    def read(self) -> ClockReading:
        """Both clocks, read together."""

    def utc_us(self) -> int:
        """Microseconds of UTC since 1970, as the machine has it."""

    def boot_ns(self) -> int:
        """Nanoseconds since the machine started, sleep included."""

    def boot_id(self) -> str:
        """A UUID that is new at each start of the machine."""

    def state(self) -> str:
        """`synced` or `holdover`: whether the kernel keeps UTC synchronised."""


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The clocks of the machine of this process."""

    def read(self) -> ClockReading:
        """Both clocks, read together."""
        return ClockReading(clock.boot_ns(), clock.utc_us())

    def utc_us(self) -> int:
        """Microseconds of UTC since 1970, as the machine has it."""
        return clock.utc_us()

    def boot_ns(self) -> int:
        """Nanoseconds since the machine started, sleep included."""
        return clock.boot_ns()

    def boot_id(self) -> str:
        """The kernel's boot id, a UUID text."""
        return clock.boot_id()

    def state(self) -> str:
        """`synced` or `holdover`: whether the kernel keeps UTC synchronised."""
        return "synced" if clock.is_synchronised() else "holdover"
