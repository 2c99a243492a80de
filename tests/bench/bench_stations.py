"""Stations over real HTTP: the hub's processor time for one event with its projection, beside a bare Flask application.

The hub and the bare application are processes of their own; their processor time is that of /proc. The bare application
runs in the same web worker, decodes the batch and inserts a row: the floor. The hub's thread names give the parts: the
main thread receives, `station` answers, `projector` folds.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count, cycle
from pathlib import Path
from urllib.request import urlopen

from figure import Figure, bound, median, p99, ratio
from process_cpu import ProcessCpu
from simulated_stations import Fleet, SimulatedStation

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from postgres_server import postgres_server  # noqa: E402 - the folder is on the path only now
from reserved_ports import ReservedPorts  # noqa: E402
from running_hub import RunningHub  # noqa: E402
from shop_writer import STAGES, ShopWriter  # noqa: E402

from server.db.store import Store  # noqa: E402
from server.ops.bootstrap import initialise  # noqa: E402

STATIONS, SCANS_PER_S, SECONDS = 50, 100, 10
LONG_STATIONS, LONG_SECONDS = 200, 60
BEATS_PER_S = 50
ORDERS = 400
WARM_UP_S = 2.0


def shop(database: str, stations: int, *, orders: int = ORDERS) -> list[str]:
    """A new hub with the small shop, open orders and stations; the stations' tokens."""
    store = Store(database)
    initialise(store)
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release_all([(f"WO-{n}", "bracket", 40, {}) for n in range(orders)])
    tokens = [shop_writer.station(f"station-{n}") for n in range(stations)]
    shop_writer.settle()
    store.close()
    return tokens


def fleet(port: int, tokens: list[str]) -> Fleet:
    """The stations of these tokens, connected; each has one of the stages."""
    made = Fleet(
        [SimulatedStation(n, f"station-{n}", token, STAGES[n % len(STAGES)], port) for n, token in enumerate(tokens)]
    )
    made.connect()
    return made


def scans(stations: list[SimulatedStation], orders: int = ORDERS) -> Iterator[tuple[SimulatedStation, str]]:
    """Endless scans of the orders through the stages; the stations of a stage take turns."""
    turns = {stage: cycle([station for station in stations if station.stage == stage]) for stage in STAGES}
    for number in count():
        stage = STAGES[number // orders % len(STAGES)]
        yield next(turns[stage]), f"WO-{number % orders}"


def projected(url: str, patience_s: float = 60.0) -> None:
    """Wait until the hub has projected everything."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with urlopen(f"{url}/metrics") as answer:  # noqa: S310  loopback
            positions = dict(re.findall(r"(?m)^wipline_(ledger|projected)_pos (\S+)$", answer.read().decode()))
        if positions["ledger"] == positions["projected"]:
            return
        time.sleep(0.2)
    msg = f"The hub did not project {positions} within {patience_s:.0f} s."
    raise TimeoutError(msg)


class Measured:
    """Milliseconds of processor of one event, its parts by thread, and the milliseconds to the acknowledgement."""

    def __init__(
        self, cpu: ProcessCpu, stations: Fleet, seconds: float, settle: Callable[[], None] = lambda: None
    ) -> None:
        """`settle`: waits until what the hub does with the events is done."""
        stations.scan(scans(stations.stations), SCANS_PER_S, WARM_UP_S)
        settle()
        stations.acknowledged_s.clear()
        cpu.start()
        self.events = stations.scan(scans(stations.stations), SCANS_PER_S, seconds)
        settle()
        used = cpu.used_s()
        self.event_ms = sum(used.values()) * 1000 / self.events
        self.parts_ms = {name: spent * 1000 / self.events for name, spent in used.items() if spent}
        self.acknowledged_ms = [each * 1000 for each in stations.acknowledged_s]
        self.requests = stations.answered["events"]

    @property
    def note(self) -> str:
        """The parts in words."""
        return ", ".join(f"{name} {spent:.2f}" for name, spent in sorted(self.parts_ms.items()) if spent >= 0.01)


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """SQLite first, and PostgreSQL beside it."""
    place = folder / "stations"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    yield from _figures("SQLite", place, (str(place / "hub.db"), str(place / "bare.db")), long=long)
    with postgres_server(fsync=True) as server:
        yield from _figures("PostgreSQL", place, (server.create(), server.create()), long=long)


def _figures(engine: str, place: Path, databases: tuple[str, str], *, long: bool) -> Iterator[Figure]:
    stations, seconds = (LONG_STATIONS, LONG_SECONDS) if long else (STATIONS, SECONDS)
    with _bare(databases[1]) as (port, process):
        floor = Measured(ProcessCpu(process.pid), fleet(port, [f"token-{n}" for n in range(stations)]), seconds)
    tokens = shop(databases[0], stations)
    with ExitStack() as stack:
        files = place / "hub.db"
        files.touch()  # there is a hub in the database already
        hub = RunningHub(files, database=databases[0])
        stack.callback(hub.stop)
        connected = fleet(hub.start().ready().port, tokens)
        stack.callback(connected.close)
        cpu = ProcessCpu(hub.pid)
        hub_figures = Measured(cpu, connected, seconds, partial(projected, hub.url))
        cpu.start()
        beats = connected.beat(BEATS_PER_S, seconds / 2)
        beat_ms = sum(cpu.used_s().values()) * 1000 / beats
    shape = f"{stations} stations, {SCANS_PER_S} scans/s"
    yield ratio(
        f"{engine}: processor of an event, {shape}", hub_figures.event_ms, floor.event_ms, "ms", at_most=2.0,
        note=hub_figures.note,
    )  # fmt: skip
    yield bound(f"{engine}: processor of an event", hub_figures.event_ms, "ms", at_most=2.0)
    yield bound(f"{engine}: processor of a heartbeat", beat_ms, "ms", at_most=1.0)
    for name, value in (("p50", median), ("p99", p99)):
        note = f"bare {value(floor.acknowledged_ms):.1f} ms"
        yield bound(
            f"{engine}: acknowledged, {name}", value(hub_figures.acknowledged_ms), "ms", at_most=1000, note=note
        )


@contextmanager
def _bare(database: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """The bare application on a port, in a process of its own."""
    port = ReservedPorts().first
    command = [sys.executable, str(HERE / "bare_hub.py"), str(port), database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield port, process
        finally:
            process.terminate()
