"""A simulated shop: a hub, its stations, and everything that can happen to them, each act by its name.

An act is done at once or put into the world's queue, and takes some simulated time. `end` mends everything and lets the
stations send what they have.
"""

from pathlib import Path

from tests.simulation.hub_acts import HOUR, HubActs
from tests.simulation.network import Weather
from tests.simulation.promises import Invariant, Ledger, Violation
from tests.simulation.sim_hub import SimHub
from tests.simulation.sim_station import SimStation
from tests.simulation.world import DAY, S, World

CALM_S = 35
MOST_ROUNDS = 60


class Shop(HubActs):
    """A hub and its stations in a folder of their own, and every act by its name."""

    def __init__(self, seed: int, folder: Path, template: Path | None = None) -> None:
        self.world, self.folder = World(seed), folder
        self.hub = SimHub(self.world, folder / "hub", template)
        self.hub.boot()
        self.ledger = Ledger(self.world, self.hub)
        self.hub.on_restore = self.ledger.hub_goes_back
        self.stations: list[SimStation] = []
        self._number = 0
        self._images: list[tuple[SimStation, Path, int]] = []
        self._hub_images: list[Path] = []
        for number in range(1, 1 + self.world.random.choice((1, 2, 2))):
            self._add(f"saw-{number}", f"pi-{number}")
        self._minutes()

    def _add(self, name: str, device: str, token: str | None = None) -> SimStation:
        token = token or self.hub.add_station(name)
        station = SimStation(self.world, name, device, token, self.folder / device, self.hub.answer)
        station.clock.drift_ppm = self.world.random.randrange(-40, 41)
        station.clock.offset_us = self.world.random.choice((0, 0, -20 * 365 * DAY, 3 * HOUR))
        self._watch(station)
        station.boot()
        self.stations.append(station)
        self.ledger.stations.append(station)
        return station

    def _watch(self, station: SimStation) -> None:
        station.on_answer, station.on_prune, station.on_end = (
            self.ledger.answered,
            self.ledger.pruned,
            self.ledger.ended,
        )

    def _minutes(self) -> None:
        """What the hub does by itself each minute."""
        self.hub.project()
        if self.hub.on:
            self.ledger.look_at_logs()
        self.hub.look_at_clock()
        self.world.at(60 * S, self._minutes)

    def _any(self) -> SimStation:
        return self.world.random.choice(self.stations)

    # -- acts

    def scans(self) -> None:
        """Some scans at one station, quick or slow after each other."""
        chance, station = self.world.random, self._any()
        gap_us = chance.choice((30_000, 200_000, 2 * S))
        count = chance.randrange(1, 8)
        self.world.note(f"{count} scans at {station.device}")
        self._scan_at(station, [place * gap_us + chance.randrange(1 + gap_us) for place in range(count)])
        self.world.advance(chance.randrange(1 + count * gap_us + S))

    def _scan_at(self, station: SimStation, times_us: list[int]) -> None:
        """Scan another code at each of these times from now."""
        for at_us in times_us:
            self._number += 1
            raw = f"WO-{self._number}".encode()
            self.world.at(at_us, lambda raw=raw: station.read(raw))

    def rest(self) -> None:
        """Nobody scans; heartbeats go on."""
        self.world.advance(self.world.random.choice((3, 35)) * S)

    def weather(self) -> None:
        """The network of one station, or of all, turns bad."""
        chance = self.world.random
        bad = Weather(
            lost_request=chance.choice((0, 0.2, 0.6)), lost_reply=chance.choice((0, 0.3, 0.6)),
            twice=chance.choice((0, 0.3)), again_later=chance.choice((0, 0, 0.3)), cut_reply=chance.choice((0, 0, 0.3)),
            page=chance.choice((0, 0, 0.2)), busy=chance.choice((0, 0, 0.3)),
            slow_us=chance.choice((20_000, 300_000, 2 * S)), away=chance.random() < 0.25,
        )  # fmt: skip
        self.world.note(f"bad weather: {bad}")
        for station in [self._any()] if chance.random() < 0.5 else self.stations:
            _become(station.weather, bad)

    def clear(self) -> None:
        """The network is well again."""
        for station in self.stations:
            _become(station.weather, Weather())

    def cut(self) -> None:
        """A station loses its power at some moment."""
        station = self._any()
        self.world.note(f"power cut at {station.device}")
        self.world.at(self.world.random.randrange(3 * S), lambda: station.on and station.power_off())
        self.world.advance(3 * S)

    def cut_in_write(self) -> None:
        """A station loses its power in the middle of the next write."""
        station, chance = self._any(), self.world.random
        if not station.on:
            return
        where = chance.choice(("commit", "commit", "committed", "tidy"))
        self.world.note(f"power cut at {station.device} in {where}")
        station.journal.cut_next = where
        self._scan_at(station, [1_500_000, 3_000_000, 4_500_000])
        self.world.advance(6 * S)
        if station.on:
            station.power_off()

    def boot(self) -> None:
        """Every station that is off is switched on."""
        for station in self.stations:
            if not station.on:
                self.world.note(f"{station.device} boots")
                station.boot()

    def reboot(self) -> None:
        """A station is switched off and on again."""
        station = self._any()
        self.world.note(f"{station.device} is switched off and on")
        if station.on:
            station.power_off()
        station.boot()
        self.world.advance(20 * S)

    def image_card(self) -> None:
        """Somebody copies a station's card, at one that is off."""
        self._image_of(self._any())

    def _image_of(self, station: SimStation) -> tuple[SimStation, Path, int]:
        """A copy of a station's card: the station, the copy, and how many promises are in it."""
        if station.on:
            station.power_off()
        target = self.folder / f"image-{len(self._images)}"
        station.image(target)
        self._images.append((station, target, len(station.promises)))
        station.boot()
        return self._images[-1]

    def roll_back(self) -> None:
        """A card is put back to an image that was made earlier."""
        if not self._images:
            self.image_card()
            self.scans()
            self.rest()
        station, image, promised = self.world.random.choice(self._images)
        if station.on:
            station.power_off()
        self.ledger.card_goes_back(station, promised)
        station.put_card(image)
        self.world.note(f"{station.device}: card rolled back to {image.name}")
        self.world.advance(self.world.random.choice((0, 2)) * S)
        station.boot()
        if self.world.random.random() < 0.7:
            self.scans()

    def roll_back_on_a_slow_wire(self) -> None:
        """A card is put back, and scans go on while the hub is asked what it has."""
        self.clear()
        self.boot()
        station, image, promised = self._image_of(self._any())
        self._scan_at(station, [0])
        self.world.advance(8 * S)
        station.power_off()
        self.ledger.card_goes_back(station, promised)
        station.put_card(image)
        self.world.note(f"{station.device}: card rolled back, on a slow wire")
        station.weather.slow_us = self.world.random.choice((300_000, S))
        station.boot()
        self._scan_at(station, [(place + 1) * 50_000 for place in range(20)])
        self.world.advance(5 * S)

    def clone(self) -> None:
        """A copy of a card runs in a second device, beside the first."""
        if len(self.stations) >= 4:
            return
        if not self._images:
            self.image_card()
        station, image, _ = self.world.random.choice(self._images)
        twin = SimStation(
            self.world, station.name, f"twin-{len(self.stations)}", station.token_file.read_text(),
            self.folder / f"twin-{len(self.stations)}", self.hub.answer,
        )  # fmt: skip
        if self.world.random.random() < 0.6:
            twin.board = station.board  # a board whose id is not unique: only the fork shows it
        twin.put_card(image)
        self._watch(twin)
        self.world.note(f"{twin.device} runs a copy of {station.device}")
        self.stations.append(twin)
        self.ledger.stations.append(twin)
        twin.boot()

    def new_board(self) -> None:
        """A card is moved to another board."""
        station = self._any()
        if station.on:
            station.power_off()
        station.board += "x"
        station.boot()

    def days(self) -> None:
        """Some days with a few scans each."""
        for _ in range(self.world.random.randrange(2, 6)):
            self.world.jump(DAY)
            self.scans()
            self._count_time()
            self.world.advance(5 * S)

    def season(self) -> None:
        """More than 90 days, each with a scan at every station; then a backup."""
        self.clear()
        self.boot()
        for _ in range(92):
            self.world.jump(DAY)
            for station in self.stations:
                self._number += 1
                station.read(f"WO-{self._number}".encode())
            self._count_time()
        self.rest()
        self.back_up()
        self.rest()

    def _count_time(self) -> None:
        for station in self.stations:
            if station.on:
                station.count_time()

    def full_card(self) -> None:
        """Another program fills a station's card, and later there is room again."""
        station = self._any()
        if not station.on:
            return
        station.journal.full = True
        station.journal.disk_level()
        self.scans()
        if station.on:
            station.journal.full = False
            station.journal.disk_level()

    # -- the end

    def end(self) -> None:
        """Everything is mended; the stations send what they have. Raises `Violation` where they do not come to rest."""
        self.clear()
        self.hub.full = False
        if not self.hub.on:
            self.hub.boot()
        self.confirm()
        self.boot()
        self.world.note("all is mended")
        for _ in range(MOST_ROUNDS):
            self.world.advance(CALM_S * S)
            self.hub.look_at_clock()
            if all(station.on and station.quiet for station in self.stations):
                break
        else:
            raise Violation(
                Invariant.BACKLOG_DRAINS, f"the backlog does not drain: {', '.join(map(_where, self.stations))}"
            )
        self.world.advance(CALM_S * S)
        self.hub.project()

    def close(self) -> None:
        """Let go of everything."""
        for station in self.stations:
            if station.on:
                station.power_off()
        self.hub.stop()


def _become(weather: Weather, other: Weather) -> None:
    alter = weather.alter
    weather.__dict__.update(other.__dict__)
    weather.alter = alter


def _where(station: SimStation) -> str:
    if not station.on:
        return f"{station.device} off"
    now = station.link.state
    return f"{station.device} tip {station.journal.tip.seq} accepted {now.accepted_thru} {now.error[:120]!r}"
