"""What the tests of supervised readers share: a reader in a test's hand, and a station's readers with what they say."""

import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping

import pytest

from drivers import DeviceLost, DriverError, Dropped, Read
from drivers.hotplug import Added, Facts, Removed
from station import reading as module
from station.answers import Answer
from station.config import Config
from station.config import Reader as Row
from station.inbox import Inbox
from station.readers import Readers


class Held:
    """A reader in a test's hand: what is put in `scans` is read; None is a pulled plug."""

    kind = "replay"

    def __init__(self, name: str = "replay-1", lossless: bool = False) -> None:
        self.reader, self.lossless = name, lossless
        self.scans: queue.Queue[Read | Dropped | str | None] = queue.Queue()

    def reads(self) -> Iterator[Read | Dropped]:
        """What is put in."""
        while (scan := self.scans.get()) != "closed":
            if scan is None:
                raise DeviceLost(came="Unplugged.", expected="A plug.", do="Plug it in.")
            assert not isinstance(scan, str)
            yield scan

    def close(self) -> None:
        """End."""
        self.scans.put("closed")


def a_station(*rows: Row, room: int = 64) -> tuple[Readers, Inbox[Read | Dropped], list[Answer], list[str]]:
    """Readers with an inbox, what was said, and what was logged."""
    inbox: Inbox[Read | Dropped] = Inbox(room)
    said, logged = list[Answer](), list[str]()
    config = Config(station="saw-1", stage="saw", reader=rows or (Row("replay", "scans"),))
    log = lambda what, **_fields: logged.append(what)  # noqa: E731 - a port
    return Readers(config, inbox, said.append, log, lambda: None), inbox, said, logged


class Watches:
    """The changes that udev reports in one test, and the watches on them: `Hotplug` is `drivers.hotplug.Hotplug` here.

    A watch that was closed takes nothing, also where it is one of a station of an earlier test that began late. An
    exception that was put ends one watch. `open`: the watches that were begun and not closed.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._changes: deque[Added | Removed | Exception] = deque()
        self.open: list[Watch] = []

    def put(self, change: "Added | Removed | Exception") -> None:
        """Report this change."""
        with self._changed:
            self._changes.append(change)
            self._changed.notify_all()

    def Hotplug(self, _known: dict[str, Facts]) -> "Watch":  # noqa: N802 - the name in `drivers.hotplug`
        """A new watch."""
        with self._changed:
            self.open.append(Watch(self))
            return self.open[-1]

    def next(self, watch: "Watch") -> "Added | Removed | Exception | None":
        """The next change; None once this watch is closed."""
        with self._changed:
            self._changed.wait_for(lambda: watch not in self.open or self._changes)
            return self._changes.popleft() if watch in self.open else None

    def close(self, watch: "Watch") -> None:
        """End this watch; a second time is nothing."""
        with self._changed:
            if watch in self.open:
                self.open.remove(watch)
            self._changed.notify_all()


class Watch:
    """One watch, as `drivers.hotplug.Hotplug` is one."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches

    def watch(self) -> Iterator[Added | Removed]:
        """The changes until it is closed; raises an exception that was put."""
        while (change := self._watches.next(self)) is not None:
            if isinstance(change, Exception):
                raise change
            yield change

    def close(self) -> None:
        """End."""
        self._watches.close(self)


@pytest.fixture
def plugs(monkeypatch: pytest.MonkeyPatch) -> Watches:
    """What is plugged in and pulled out in this test: nothing yet."""
    watches = Watches()
    monkeypatch.setattr("drivers.hotplug.Hotplug", watches.Hotplug)
    return watches


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Held | DriverError]:
    """What the next openings give; the last one stays."""
    queued: list[Held | DriverError] = []

    def open_driver(_kind: str, _settings: Mapping[str, str | None]) -> Held:
        given = queued.pop(0) if len(queued) > 1 else queued[0]
        if isinstance(given, DriverError):
            raise given
        return given

    monkeypatch.setattr(module, "open_driver", open_driver)
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    return queued
