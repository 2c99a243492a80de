"""Demo run: the hub, the past days and the stations of a demo in one folder.

It uses only the product's own functions: the hub is created and the shop imported as by `init` and `import`, hub and
stations run as separate processes, and all events are sent with the station protocol.
"""

import json
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
import urllib3

from server.auth import accounts, devices
from server.config import load
from server.db.store import Store, sqlite_path
from server.demo.days import DAYS, SHIFT_S, StationLog, after_last_shift, logs, split
from server.demo.factory import Products, badges, past_orders, sample_factory
from server.demo.live import DemoStation, Operators, acts, command
from server.demo.months import close_months, earlier_orders, release
from server.demo.office import office_work
from server.demo.simulated_shop import SimulatedOrder, SimulatedScan, SimulatedShop
from server.demo.station_client import CLOSING, DemoClient, LogEnd
from server.demo.stock_count import BESIDE, COUNTED, count_entries, items_at, walk
from server.importer.apply import import_shop
from server.ledger.hub_log import hub_row
from server.locale_format import LocaleFormat, site_of
from server.ops.bootstrap import initialise, remove_hub, require_empty
from station.system import clock

if TYPE_CHECKING:
    from server.importer.entry_builder import NewEntry

HOST = "127.0.0.1"
START_S = 20.0  # start of the hub on a slow board
FOLD_S = 20.0  # projection of ten days on a slow board
LAST_SCAN_US = 3 * 60 * 1_000_000  # age of the last past scan
NAME = "Dana Reyes"  # of the visitor
LAST_LINES = 20  # lines of a log in an error message
_LOCALTIME = Path("/etc/localtime")


def free_port(port: int) -> int:
    """This port, or any free one for 0. Raises `click.ClickException` for an unusable port."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            msg = f"{HOST}:{port} cannot be used: {error.strerror}. Expected a free port; name another, or --port 0."
            raise click.ClickException(msg) from error
        return int(trial.getsockname()[1])


def timezone() -> str:
    """The name of this machine's time zone; UTC where it is unknown."""
    _, is_zone, name = str(_LOCALTIME.resolve()).partition("/zoneinfo/")
    try:
        return ZoneInfo(name).key if is_zone else "UTC"
    except (ValueError, OSError):
        return "UTC"


class DemoRun:
    """One demo in its own folder. Call `prepare`, `open`, `send_past`, `start_stations`; at the end stop `processes`."""

    def __init__(self, folder: Path, seed: int, port: int, db: str | None = None) -> None:
        """`db`: the URL of an empty database; None: a file in the folder."""
        self._folder, self._port = folder, port
        self._db, self._made = db or f"{folder}/hub.db", False
        self.url = f"http://{HOST}:{port}"
        self._chance = random.Random(seed)  # noqa: S311 - a simulation, no secret
        self._seed = seed
        self._factory = sample_factory()
        self._tokens: dict[str, str] = {}
        self._office = DemoClient(self.url, "")
        self._link = ""
        self._key = b""
        self._zone = ZoneInfo("UTC")
        self._entries: tuple[NewEntry, ...] = ()
        self._releases: dict[str, dict[str, Any]] = {}
        self.stations: dict[str, DemoStation] = {}
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def sign_in(self) -> str:
        """The address of a sign-in link that works once."""
        return f"{self.url}/sign-in/{self._link}"

    def prepare(self) -> None:
        """Create the hub, make tokens for stations and office and a sign-in link for the visitor, and import the shop."""
        configuration = self._folder / "hub.toml"
        configuration.write_text(
            f'db = {json.dumps(self._db)}\nlisten = "{HOST}:{self._port}"\ntimezone = "{timezone()}"\n',
            encoding="utf-8",
        )
        config = load(configuration)
        now_us = clock.utc_us()
        store = Store(config.db)
        try:
            if store.path is None:
                require_empty(store)
            initialise(store)
            self._made = True
            with store.write() as connection:
                self._key = hub_row(connection).mac_key
                self._tokens = {name: devices.add(connection, name, now_us) for name in self._factory.stations}
                self._office = DemoClient(
                    self.url, accounts.add_token(connection, "office", "supervise account", now_us)
                )
                visitor = accounts.add_person(connection, NAME, "administer", None, now_us)
                self._link = accounts.make_link(connection, visitor, now_us)
        finally:
            store.close()
        self._zone = ZoneInfo(site_of(config).zone)
        self._entries = import_shop(config.db, self._factory.sheets, by=NAME, now_us=now_us, zone=self._zone).entries

    def remove_tables(self) -> None:
        """Remove what the demo made in the database of `--db`; a file is removed with the folder."""
        if self._made and sqlite_path(self._db) is None:
            with closing(Store(self._db)) as store:
                remove_hub(store)

    def open(self) -> None:
        """Start the hub and wait until it answers. Raises `click.ClickException` after START_S."""
        with (self._folder / "hub.log").open("wb") as output:
            hub = subprocess.Popen(  # noqa: S603 - the product's own program
                command("server.cli", "run", "--config", str(self._folder / "hub.toml")),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C must reach only the demo, which then stops the hub
            )
        self.processes.append(hub)
        deadline = time.monotonic() + START_S
        while self._health() is None:
            if hub.poll() is not None or time.monotonic() > deadline:
                msg = f"The demo's hub did not start. The end of its log:\n{self.log_tail('hub')}"
                raise click.ClickException(msg)
            time.sleep(0.03)

    def send_past(self) -> Iterator[SimulatedScan]:
        """Send the past, do the office's work about it, and count a stage. Returns the scans after the past."""
        end_us = clock.utc_us() - LAST_SCAN_US
        products = Products(self._entries)
        orders = past_orders(self._entries, products, end_us=end_us, chance=self._chance)
        earlier = earlier_orders(products, end_us, self._chance)
        release(self._office, earlier)

        def further(number: int, at_s: float) -> SimulatedOrder:
            data = products.further_release(number, date.today(), self._chance)  # noqa: DTZ011 - the shop's own day
            self._releases[data["order"]] = data
            return products.order(data, at_s + self._chance.uniform(0.3, 2) * SHIFT_S)

        orders += [one.simulated for one in earlier]
        shop = SimulatedShop(self._factory.stages, orders, seed=self._seed, new_order=further)
        past, rest = split(shop.scans(), DAYS * SHIFT_S)
        ends = self._send_logs(self._written(past, end_us))
        self._await_projection()
        self._count(ends[COUNTED], end_us)
        close_months(self._office, clock.utc_us(), LocaleFormat(zone=self._zone), self._await_projection)
        office_work(self._office, badges(self._entries))
        self._await_projection()
        return acts(shop, rest, lambda order: self._office.enter("order.release", self._releases.pop(order.order)))

    def _written(self, past: list[SimulatedScan], end_us: int) -> list[StationLog]:
        factory = self._factory
        return logs(
            past, factory.benches, badges(self._entries), end_us=end_us, key=self._key, seed=self._seed,
            readers=factory.readers,
        )  # fmt: skip

    def _send_logs(self, written: list[StationLog]) -> dict[str, tuple[StationLog, LogEnd]]:
        """Send all logs at once; each log with its end, by stage."""
        with ThreadPoolExecutor(len(written)) as senders:
            ends = senders.map(lambda log: DemoClient(self.url, self._tokens[log.station]).send(log), written)
            by_station = {log.station: (log, end) for log, end in zip(written, ends, strict=True)}
        return {stage: by_station[station] for stage, station in self._factory.benches.items()}

    def _count(self, sent: tuple[StationLog, LogEnd], end_us: int) -> None:
        """Count a stage after the last shift."""
        log, end = sent
        beside = [one for stage in BESIDE for one in items_at(self._office, stage)]
        scans = list(walk(items_at(self._office, COUNTED), beside))
        events = after_last_shift(
            log, scans, badges(self._entries)[0], end_us=end_us, key=self._key, readers=self._factory.readers
        )
        DemoClient(self.url, self._tokens[log.station]).append(log, end, events)
        self._office.post("/api/v1/entries", {"entries": count_entries(end_us)})

    def start_stations(self) -> Operators:
        """Start the stations; returns their operators."""
        for name, stages in self._factory.stations.items():
            readers = {stage: self._factory.reader(stage) for stage in stages}
            station = DemoStation(name, self._folder / name, stages, readers)
            self.processes.append(station.start(self.url, self._tokens[name]))
            self.stations[name] = station
        return Operators(badges(self._entries), self._chance)

    def at(self, stage: str) -> DemoStation:
        """The station of a stage."""
        return self.stations[self._factory.benches[stage]]

    def _health(self) -> dict[str, Any] | None:
        try:
            answer = urllib3.request("GET", self.url + "/healthz", headers=CLOSING, timeout=2.0, retries=False)
        except urllib3.exceptions.HTTPError:
            return None
        health: dict[str, Any] = answer.json()
        return health

    def _await_projection(self) -> None:
        """Wait until all events are projected and no item waits for its refold, at most FOLD_S."""
        deadline = time.monotonic() + FOLD_S
        while time.monotonic() < deadline:
            lag = self._office.get("/api/v1/counts?limit=1")
            if lag["behind"] == lag["recalculating"] == 0:
                return
            time.sleep(0.03)

    def ended(self) -> str | None:
        """An error message where a process has ended; None while all of them run."""
        names = ["hub", *self.stations]
        for name, process in zip(names, self.processes, strict=True):
            if process.poll() is not None:
                return f"{name} ended with exit code {process.returncode}. The end of its log:\n{self.log_tail(name)}"
        return None

    def log_tail(self, name: str) -> str:
        """The last lines of the log of the hub or of a station."""
        log = self._folder / "hub.log" if name == "hub" else self._folder / name / "station.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:]) or "nothing"
