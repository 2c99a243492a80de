"""What the tests of one reader's thread share: scanners in a test's hand, and the desk at which they are read."""

import json
import queue
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from drivers import DeviceLost, DriverError, Known
from station import reading as module
from station.answers import Answer
from station.inbox import Inbox
from station.reading import Desk, Reading, Wanted
from station.roll import Roll
from station.signals.reader import Beeps
from station.taught import Taught

SHEET = Known("keyboard", "usb-1", 5, ("The layout is de.", "GS comes as Ctrl+]."), json.dumps({"layout": "de"}))


class Scanner:
    """A reader in a test's hand; it can be taught."""

    kind = "keyboard"
    lossless = False

    def __init__(self, kind: str = "keyboard") -> None:
        self.kind, self.reader = kind, "usb-1"
        self.says: queue.Queue[Any] = queue.Queue()
        self.taught: list[tuple[int, str | None]] = []

    def teach(self, sheets: Any, profile: str | None) -> None:
        self.taught.append((len(sheets), profile))

    def reads(self) -> Iterator[Any]:
        while (said := self.says.get()) is not None:
            if said == "lost":
                raise DeviceLost(came="Unplugged.", expected="A plug.", do="Plug it in.")
            yield said

    def close(self) -> None:
        self.says.put(None)


class Station:
    """A desk, and the scanners that are opened one after the other."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *scanners: Scanner, room: int = 64) -> None:
        self.inbox: Inbox[Any] = Inbox(room)
        self.said = list[Answer]()
        self.logged: list[str] = []
        self.asked: list[tuple[str, str | None]] = []
        self.roll = Roll(lambda *_a, **_f: None, lambda: None)
        self.taught = Taught(folder / "readers.json")
        log = lambda what, **_: self.logged.append(what)  # noqa: E731 - a port
        self.desk = Desk(
            self.inbox, self.said.append, log, self.roll, Beeps(log), self.taught, lambda _: None, lambda *_: None
        )
        given = iter(scanners)

        def open_driver(kind: str, settings: Mapping[str, str | None]) -> Scanner:
            self.asked.append((kind, settings.get("listen")))
            scanner = next(given, None)
            if scanner is None:
                raise DriverError(came="It is gone.", expected="A plug.", do="Plug it in.")
            return scanner

        monkeypatch.setattr(module, "open_driver", open_driver)
        monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)

    def reads(self, *, listen: bool = False, kind: str = "keyboard") -> Reading:
        evidence = ("It looks like a person's keyboard.", "usb 1a86:5723")
        reading = Reading(
            Wanted("event3", kind, {"listen": "yes" if listen else None}, None, listen, evidence), self.desk
        )
        reading.start()
        return reading

    def state(self) -> list[str]:
        return [each.state for each in self.roll.lines()]
