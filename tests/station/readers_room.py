"""What the tests of supervised readers share: a reader in a test's hand, and a station's readers with what they say."""

import queue
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


class Plugs:
    """What udev would say: changes put in `said` are watched; None ends it."""

    said: queue.Queue[Added | Removed | None] = queue.Queue()

    def __init__(self, _known: dict[str, Facts]) -> None: ...

    def watch(self) -> Iterator[Added | Removed]:
        """The changes."""
        while (change := self.said.get()) is not None:
            yield change

    def close(self) -> None:
        """End."""
        self.said.put(None)


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
