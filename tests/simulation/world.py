"""The simulated world: one true time, events in their order, and machines whose clocks are read from it.

Everything that happens is a call at a moment of true time. Time moves in one place, `World.advance`; a request to the hub
advances it too, so that scans, power cuts and other stations happen while a reply is under way. The same seed gives the same
history, byte for byte.

>>> world = World(seed=1)
>>> world.at(5 * S, lambda: world.note("five"))
>>> world.advance(6 * S)
>>> world.history
['+5.000s five']
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

US = 1
S = 1_000_000  # microseconds
DAY = 86_400 * S
START_US = 1_790_000_000_000_000
MAX_HISTORY = 400


class PowerCut(BaseException):
    """The machine that runs this lost its power: nothing catches it but the simulator."""


class World:
    """True time in UTC microseconds, and what is due."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.began_us = self.now_us = START_US
        self.history: list[str] = []
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0

    def at(self, us_from_now: int, call: Callable[[], None]) -> None:
        """Have this called at a moment from now."""
        self._number += 1
        heapq.heappush(self._due, (self.now_us + max(0, us_from_now), self._number, call))

    def advance(self, us: int) -> None:
        """Let time pass, and let happen what is due on the way. May be called from what happens."""
        until = self.now_us + us
        while self._due and self._due[0][0] <= until:
            due_us, _, call = heapq.heappop(self._due)
            self.now_us = max(self.now_us, due_us)
            call()
        self.now_us = max(self.now_us, until)

    def jump(self, us: int) -> None:
        """Let a long time pass in which nothing happens; what was due is late then."""
        self.now_us += us

    def note(self, text: str) -> None:
        """A line of the history."""
        if len(self.history) < MAX_HISTORY:
            self.history.append(f"+{(self.now_us - self.began_us) / S:.3f}s {text}")

    @property
    def years(self) -> float:
        """How much simulated time has passed."""
        return (self.now_us - self.began_us) / (365.25 * DAY)


@dataclass
class MachineClock:
    """The clocks of one machine: boottime since its start, with a drift in ppm, and UTC that may be wrong by `offset_us`.

    It is the hub's `Clock` port, and gives a station's recorder its two clocks.
    """

    world: World
    name: str
    offset_us: int = 0
    drift_ppm: int = 0
    boots: int = 0
    _started_us: int = field(default=0)
    synced: bool = True

    def __post_init__(self) -> None:
        self.boot()

    def boot(self) -> None:
        """The machine starts."""
        self.boots += 1
        self._started_us = self.world.now_us - 20 * S

    def boot_ns(self) -> int:
        passed_us = self.world.now_us - self._started_us
        return passed_us * 1_000 + passed_us * self.drift_ppm // 1_000

    def utc_us(self) -> int:
        return max(0, self.world.now_us + self.offset_us)

    def boot_id(self) -> str:
        tail = f"{hash_of(self.name) & 0xFFFF:04x}{self.boots:08x}"
        return f"00000000-0000-4000-8000-{tail}"

    def read(self) -> "object":
        from server.clock.readings import ClockReading

        return ClockReading(self.boot_ns(), self.utc_us())

    def state(self) -> str:
        return "synced" if self.synced else "holdover"


def hash_of(name: str) -> int:
    """A number for a name, the same in every process."""
    return sum((place + 1) * ord(letter) for place, letter in enumerate(name)) * 2_654_435_761
