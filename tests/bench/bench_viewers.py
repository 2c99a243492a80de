"""Open pages over real HTTP: 50 viewers of the board while stations scan, and what one notification costs the hub."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench_stations import fleet, projected, scans, shop
from figure import Figure, bound, median, quantile
from postgres_server import postgres_server
from process_cpu import ProcessCpu
from running_hub import RunningHub
from simulated_stations import Fleet
from simulated_viewers import Viewers

VIEWERS, SCANS_PER_S, SECONDS, LONG_SECONDS = 50, 20, 8, 60
STATIONS, ORDERS = 20, 100


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """SQLite first, and PostgreSQL beside it."""
    place = folder / "viewers"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    seconds = LONG_SECONDS if long else SECONDS
    yield from _figures("SQLite", place, str(place / "hub.db"), seconds)
    with postgres_server(fsync=True) as server:
        yield from _figures("PostgreSQL", place, server.create(), seconds)


def _figures(engine: str, place: Path, database: str, seconds: float) -> Iterator[Figure]:
    tokens = shop(database, STATIONS, orders=ORDERS)
    with ExitStack() as stack:
        files = place / "hub.db"
        files.touch()  # there is a hub in the database already
        hub = RunningHub(files, database=database)
        stack.callback(hub.stop)
        stations = fleet(hub.start().ready().port, tokens)
        stack.callback(stations.close)
        cpu = ProcessCpu(hub.pid)
        alone = Watch(hub, stations, cpu, seconds / 2, viewers=0, fetch=False)
        streams = Watch(hub, stations, cpu, seconds / 2, viewers=VIEWERS, fetch=False)
        pages = Watch(hub, stations, cpu, seconds, viewers=VIEWERS, fetch=True)
    shape = f"{VIEWERS} viewers, {SCANS_PER_S} scans/s"
    each_ms = (streams.cpu_s - alone.cpu_s) * 1000 / max(streams.watched.events, 1)
    yield bound(f"{engine}: processor of a notification to a page", each_ms, "ms", at_most=0.2)
    shown = [seconds * 1000 for seconds in pages.watched.shown_s]
    watched = pages.watched
    note = f"{watched.pages} pages, {watched.unchanged} of them unchanged, hub {pages.cpu_s / seconds:.0%} of a core"
    yield bound(f"{engine}: green to page, p95, {shape}", quantile(shown, 0.95), "ms", at_most=1000, note=note)
    yield bound(f"{engine}: green to page, median", median(shown), "ms", at_most=500)


class Watch:
    """Scan for some seconds while viewers watch: `watched`, and the hub's seconds of processor."""

    def __init__(
        self, hub: RunningHub, stations: Fleet, cpu: ProcessCpu, seconds: float, *, viewers: int, fetch: bool
    ) -> None:
        by_name = {station.name: station for station in stations.stations}
        before = {name: len(station.history_s) for name, station in by_name.items()}
        self.watched = Viewers(
            hub.port, viewers, "/", lambda name, number: by_name[name].history_s[before[name] + number], fetch=fetch
        )
        self.watched.start()
        try:
            cpu.start()
            stations.scan(scans(stations.stations, ORDERS), SCANS_PER_S, seconds)
            projected(hub.url)
            self.cpu_s = sum(cpu.used_s().values())
        finally:
            self.watched.stop()
