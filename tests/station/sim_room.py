"""A station and a hub in one process, without threads: production code on simulated machines, driven by `World.advance`."""

import sqlite3
from contextlib import closing
from pathlib import Path

from station.core.event import Event, encode
from station.journal import Journal
from tests.simulation.promises import Ledger
from tests.simulation.sim_hub import SimHub
from tests.simulation.sim_station import Promise, SimStation
from tests.simulation.world import S, World

MOST_ROUNDS = 200


class SimRoom:
    """A hub that runs and one station that is off; `ledger` counts its promises."""

    def __init__(self, folder: Path) -> None:
        self.world = World(1)
        self.hub = SimHub(self.world, folder / "hub")
        self.hub.boot()
        self.ledger = Ledger(self.world, self.hub)
        self.folder = folder
        self.station = self.add("saw-1", "pi-1")

    def add(self, name: str, device: str, token: str | None = None) -> SimStation:
        """Another station."""
        token = token or self.hub.add_station(name)
        station = SimStation(self.world, name, device, token, self.folder / device, self.answer)
        station.on_end = self.ledger.ended
        self.ledger.stations.append(station)
        return station

    def answer(self, *request: object) -> object:
        """What the hub answers to a request; a test puts something in between."""
        return self.hub.answer(*request)  # type: ignore[arg-type]

    def scan(self, name: str, count: int, every_us: int = 10_000) -> None:
        """So many scans at the station."""
        for number in range(count):
            self.station.read(f"{name}-{number}".encode())
            self.world.advance(every_us)

    def settle(self) -> None:
        """Let time pass until the station has sent everything, as far as it knows, and said so in a heartbeat."""
        for _ in range(MOST_ROUNDS):
            self.world.advance(5 * S)
            if self.station.quiet:
                self.world.advance(31 * S)
                if self.station.quiet:
                    return
        link = self.station.link
        msg = f"the station does not come to rest: {link._standing}, aside {link.aside}"
        raise AssertionError(msg)

    def all_counted_once(self) -> None:
        """Every green of every station is in the ledger and counts once."""
        self.hub.project()
        self.ledger.check()

    def journal(self) -> Journal:
        """The journal on the station's card, while the station is off."""
        return Journal.open(
            self.station.folder / "journal.db", station=self.station.name, sw="sim", boot="by-hand",
            now_ns=lambda: 1, hardware_id=f"serial:{self.station.board}",
        )  # fmt: skip

    def commit(self, journal: Journal, name: str, count: int) -> None:
        """Scans that a station of an earlier version answered green, put into its journal by hand."""
        for number in range(count):
            raw = f"{name}-{number}".encode()
            event = Event(kind="scan", station="saw-1", sw="old", boot="by-hand", mono_ns=number, raw=raw, stage="saw")
            receipt = journal.commit(encode(event))
            place = (receipt.log_id, receipt.seq, receipt.hash)
            self.station.promises.append(Promise(raw, *place, self.world.now_us, self.station.name))


def as_the_version_before(journal: Path) -> None:
    """Take out of a journal's facts what the version before did not write: how much it carries of the log before."""
    with closing(sqlite3.connect(journal)) as db:
        db.execute("DELETE FROM meta WHERE k = 'carried_after'")
        db.commit()


def make_unreadable(database: Path) -> None:
    """Overwrite the first page, without which SQLite reads nothing; rows on other pages can still be carved."""
    with database.open("r+b") as file:
        file.write(b"\xff" * 4096)
