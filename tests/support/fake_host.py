"""A fake machine: clocks that only the test moves, ids that count up, and a backup disk of one's choice."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from server.clock.readings import ClockReading
from server.db.rollback_guard import DatabaseLocation
from server.ops.host import Host

START_US = 1_790_000_000_000_000


@dataclass
class FakeClock:
    """Both clocks of one machine. `wait` lets time pass, `step` moves UTC alone, `reboot` starts the machine again."""

    now_us: int = START_US
    now_ns: int = 5_000_000_000
    boot: int = 1
    synced: bool = True

    def read(self) -> ClockReading:
        return ClockReading(self.now_ns, self.now_us)

    def utc_us(self) -> int:
        return self.now_us

    def boot_ns(self) -> int:
        return self.now_ns

    def boot_id(self) -> str:
        return f"00000000-0000-4000-8000-{self.boot:012x}"

    def state(self) -> str:
        return "synced" if self.synced else "holdover"

    def wait(self, seconds: float) -> None:
        self.now_us += int(seconds * 1_000_000)
        self.now_ns += int(seconds * 1_000_000_000)

    def step(self, seconds: float) -> None:
        self.now_us += int(seconds * 1_000_000)

    def reboot(self, off_s: float = 60.0) -> None:
        self.boot += 1
        self.now_us += int(off_s * 1_000_000)
        self.now_ns = 5_000_000_000


@dataclass
class FakeMachine:
    """A hub's machine: `host` is what a store takes. A file keeps its inode, so a moved database is still noticed."""

    clock: FakeClock = field(default_factory=FakeClock)
    name: str = "machine-1"
    backups_off_disk: bool = True
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def host(self) -> Host:
        return Host(
            clock=self.clock,
            random_bytes=lambda length: next(self._ids).to_bytes(length, "big"),
            location_of=lambda db: DatabaseLocation(db.stat().st_ino, self.name),
            off_disk=lambda _backup, _db: self.backups_off_disk,
        )
