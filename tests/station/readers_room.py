"""What the tests of supervised readers share: a reader in a test's hand, and a station's readers with what they say."""

import queue
from collections.abc import Iterator

from drivers import DeviceLost, Dropped, Read
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
