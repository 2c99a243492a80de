"""The demo put together: its hub, its past, its stations, in one folder.

Everything in it is the product's own: the hub is made and the shop imported as by `init` and `import`, hub and stations run
as their own processes, and whatever happened or happens comes in over their protocol.
"""

import random
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
import urllib3

from server.auth import accounts, devices
from server.config import load
from server.db.store import Store
from server.demo.days import DAYS, SHIFT_S, logs, split
from server.demo.factory import Products, badges, past_orders, sample_factory
from server.demo.live import DemoStation, Operators, acts, command
from server.demo.simulated_shop import SimulatedOrder, SimulatedScan, SimulatedShop
from server.demo.station_client import CLOSING, DemoClient
from server.importer.apply import import_shop
from server.ledger.hub_log import hub_row
from server.ops.bootstrap import initialise
from station.system import clock

if TYPE_CHECKING:
    from server.importer.entry_builder import NewEntry

HOST = "127.0.0.1"
START_S = 20.0  # a slow board's time to start the hub
FOLD_S = 20.0  # and to fold ten days
LAST_SCAN_US = 3 * 60 * 1_000_000  # the past ends this long ago; the stations go on from there
NAME = "demo"
LAST_LINES = 20  # of a log, where something went wrong
_LOCALTIME = Path("/etc/localtime")


def free_port(port: int) -> int:
    """This port, or any free one for 0. Raises `click.ClickException` where nobody can listen there."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            msg = f"Nobody can listen on {HOST}:{port}: {error.strerror}. Expected a free port; name another, or --port 0."
            raise click.ClickException(msg) from error
        return int(trial.getsockname()[1])


def timezone() -> str:
    """This machine's time zone by name; UTC where it does not say."""
    _, found, name = str(_LOCALTIME.resolve()).partition("/zoneinfo/")
    try:
        return ZoneInfo(name).key if found else "UTC"
    except (ValueError, OSError):
        return "UTC"


class DemoRun:
    """One demo in its own folder. Call `prepare`, `open`, `relive`, `staff`, then take `acts`; end all of `processes`."""

    def __init__(self, folder: Path, seed: int, port: int) -> None:
        self._folder, self._port = folder, port
        self.url = f"http://{HOST}:{port}"
        self._chance = random.Random(seed)  # noqa: S311 - a plausible factory, no secret
        self._seed = seed
        self._factory = sample_factory()
        self._tokens: dict[str, str] = {}
        self._office = DemoClient(self.url, "")
        self._link = ""
        self._key = b""
        self._entries: tuple[NewEntry, ...] = ()
        self._releases: dict[str, dict[str, Any]] = {}
        self.stations: dict[str, DemoStation] = {}
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def sign_in(self) -> str:
        """The address of a sign-in link that works once."""
        return f"{self.url}/sign-in/{self._link}"

    def prepare(self) -> None:
        """Make the hub, import the shop, and give the stations, the office and the visitor their ways in."""
        configuration = self._folder / "hub.toml"
        configuration.write_text(
            f'db = "{self._folder}/hub.db"\nlisten = "{HOST}:{self._port}"\ntimezone = "{timezone()}"\n',
            encoding="utf-8",
        )
        config = load(configuration)
        now_us = clock.utc_us()
        store = Store(config.db)
        try:
            initialise(store)
            with store.write() as connection:
                self._key = hub_row(connection).mac_key
                self._tokens = {name: devices.add(connection, name, now_us) for name in self._factory.stations}
                self._office = DemoClient(self.url, accounts.add_token(connection, "office", "supervise", now_us))
                visitor = accounts.add_person(connection, NAME, "administer", None, now_us)
                self._link = accounts.make_link(connection, visitor, now_us)
        finally:
            store.close()
        zone = ZoneInfo(config.timezone)
        self._entries = import_shop(config.db, self._factory.sheets, by=NAME, now_us=now_us, zone=zone).entries

    def open(self) -> None:
        """Start the hub and wait until it answers."""
        with (self._folder / "hub.log").open("wb") as output:
            hub = subprocess.Popen(  # noqa: S603 - our own program
                command("server.cli", "run", "--config", str(self._folder / "hub.toml")),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the hub in order
            )
        self.processes.append(hub)
        deadline = time.monotonic() + START_S
        while self._health() is None:
            if hub.poll() is not None or time.monotonic() > deadline:
                msg = f"The demo's hub did not start. It said:\n{self.last_words('hub')}"
                raise click.ClickException(msg)
            time.sleep(0.03)

    def relive(self) -> Iterator[SimulatedScan]:
        """Send the ten past days and wait until the hub's pages show them; the scans that come after them."""
        end_us = clock.utc_us() - LAST_SCAN_US
        products = Products(self._entries)
        orders = past_orders(self._entries, products, end_us=end_us, chance=self._chance)

        def further(number: int, at_s: float) -> SimulatedOrder:
            data = products.further_release(number, date.today(), self._chance)  # noqa: DTZ011 - the shop's own day
            self._releases[data["order"]] = data
            return products.order(data, at_s + self._chance.uniform(0.3, 2) * SHIFT_S)

        floor = SimulatedShop(self._factory.stages, orders, seed=self._seed, new_order=further)
        past, rest = split(floor.scans(), DAYS * SHIFT_S)
        people_on = badges(self._entries)
        written = logs(past, self._factory.benches, people_on, end_us=end_us, key=self._key, seed=self._seed)
        with ThreadPoolExecutor(len(written)) as senders:
            for _ in senders.map(lambda log: DemoClient(self.url, self._tokens[log.station]).send(log), written):
                pass
        self._await_pages()
        return acts(floor, rest, lambda order: self._office.enter("order.release", self._releases.pop(order.order)))

    def staff(self) -> Operators:
        """Start the stations."""
        for name, stages in self._factory.stations.items():
            station = DemoStation(name, self._folder / name, stages)
            self.processes.append(station.start(self.url, self._tokens[name]))
            self.stations[name] = station
        return Operators(badges(self._entries), self._chance)

    def at(self, stage: str) -> DemoStation:
        """The station that scans at a stage."""
        return self.stations[self._factory.benches[stage]]

    def _health(self) -> dict[str, Any] | None:
        try:
            answer = urllib3.request("GET", self.url + "/healthz", headers=CLOSING, timeout=2.0, retries=False)
        except urllib3.exceptions.HTTPError:
            return None
        said: dict[str, Any] = answer.json()
        return said

    def _await_pages(self) -> None:
        """Until the projection has come to the ledger's end: whoever opens the page at once sees all ten days."""
        deadline = time.monotonic() + FOLD_S
        while time.monotonic() < deadline:
            found = self._health()
            if found is not None and (found.get("projected_pos") or 0) >= (found.get("pos") or 0):
                return
            time.sleep(0.03)

    def ended(self) -> str | None:
        """What to say where one of the programs has ended by itself; None while all of them run."""
        names = ["hub", *self.stations]
        for name, process in zip(names, self.processes, strict=True):
            if process.poll() is not None:
                return f"{name} ended with exit code {process.returncode}. It said:\n{self.last_words(name)}"
        return None

    def last_words(self, name: str) -> str:
        """The end of what the hub or a station has logged."""
        log = self._folder / "hub.log" if name == "hub" else self._folder / name / "station.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:]) or "nothing"
