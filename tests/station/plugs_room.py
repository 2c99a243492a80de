"""Plugs in a test's hand: what udev would say, and what the station begins for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from waiting import until

from drivers.decode.plugged import Facts
from drivers.hotplug import Added, Removed
from station.config import Reader as Row
from station.plugs import Plugs
from station.roll import Roll
from tests.station.readers_room import Watches

if TYPE_CHECKING:
    from station.reading import Wanted

SCANNER = Facts("/dev/input/event3", "Bar Code Scanner", 3, 0x05E0, 0x1200, "SN77", "usb-1.3", types=True, points=False)
MOUSE = replace(SCANNER, node="/dev/input/event5", name="Mouse", vendor=0x046D, serial="", place="usb-1.5", points=True)
KEYBOARD = replace(SCANNER, node="/dev/input/event4", name="KB216", vendor=0x413C, serial="", place="usb-1.4")
PORT = replace(
    SCANNER, node="/dev/ttyUSB0", name="USB Serial", vendor=0x1A86, product=0x7523, serial="", subsystem="tty"
)
POS = replace(
    SCANNER, node="/dev/hidraw0", types=False, subsystem="hidraw", said=("Its report descriptor has page 8C.",)
)
CARDS = replace(SCANNER, node="/sys/devices/usb1/1-2/1-2:1.0", name="ACR122U", vendor=0x072F, subsystem="usb")


class Station:
    """Plugs, and what they began."""

    def __init__(self, watches: Watches, rows: tuple[Row, ...] = (), taught: dict[str, str] | None = None) -> None:
        self.watches = watches
        self.begun: list[Wanted] = []
        self.knocks = 0
        self.roll = Roll(lambda *_, **__: None, lambda: None)
        self.plugs = Plugs(rows, self.roll, lambda: taught or {}, self.begun.append, self.knock)
        self.plugs.start()

    def knock(self) -> None:
        self.knocks += 1

    def sees(self, *changes: Added | Removed | Exception) -> "Station":
        wanted = self.knocks + sum(not isinstance(each, Exception) for each in changes)
        for change in changes:
            self.watches.put(change)
        until(lambda: self.knocks == wanted)
        return self


@pytest.fixture
def station(monkeypatch: pytest.MonkeyPatch, plugs: Watches) -> Iterator[Callable[..., Station]]:
    monkeypatch.setattr("station.plugs.FIRST_PAUSE_S", 0.01)
    made: list[Station] = []

    def make(*rows: Row, taught: dict[str, str] | None = None) -> Station:
        made.append(Station(plugs, rows, taught))
        return made[-1]

    yield make
    for one in made:
        one.plugs.close()
