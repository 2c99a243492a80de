"""A crowd of stations over real HTTP: whether an event is lost, and how old the board is at most.

With `--long` as in the night: 1,000 stations, 200 scans a second, 10 minutes; else a tenth of it. Each station keeps its
connection, sends heartbeats and fetches items beside its scans.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import Any

from bench_stations import fleet, projected, scans, shop
from figure import Figure, bound, p99
from postgres_server import postgres_server
from process_cpu import ProcessCpu
from running_hub import RunningHub
from simulated_stations import Fleet, SimulatedStation
from simulated_viewers import Viewers
from sqlalchemy import func, select

from server.db.schema import ledger, log
from server.db.store import Store

__all__ = ["Fleet", "SimulatedStation", "figures", "lost_of"]
STATIONS, SCANS_PER_S, SECONDS = 100, 20, 20
LONG_STATIONS, LONG_SCANS_PER_S, LONG_SECONDS = 1_000, 200, 600
ORDERS = 400
VIEWERS = 2


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """SQLite first, and PostgreSQL beside it."""
    place = folder / "crowd"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    yield from _figures("SQLite", place, str(place / "hub.db"), long=long)
    with postgres_server(fsync=True) as server:
        yield from _figures("PostgreSQL", place, server.create(), long=long)


def _figures(engine: str, place: Path, database: str, *, long: bool) -> Iterator[Figure]:
    count, per_s, seconds = (
        (LONG_STATIONS, LONG_SCANS_PER_S, LONG_SECONDS) if long else (STATIONS, SCANS_PER_S, SECONDS)
    )
    tokens = shop(database, count, orders=ORDERS)
    with ExitStack() as stack:
        files = place / "hub.db"
        files.touch()  # there is a hub in the database already
        hub = RunningHub(files, database=database)
        stack.callback(hub.stop)
        stations = fleet(hub.start().ready().port, tokens)
        stack.callback(stations.close)
        by_name = {station.name: station for station in stations.stations}
        viewers = Viewers(hub.port, VIEWERS, "/", lambda name, number: by_name[name].history_s[number], fetch=True)
        cpu = ProcessCpu(hub.pid)
        stations.begin_background()
        viewers.start()
        recorded = stations.scan(scans(stations.stations, ORDERS), per_s, seconds)
        used_s = sum(cpu.used_s().values())
        projected(hub.url)
        viewers.stop()
    shape = f"{count} stations, {per_s} scans/s, {seconds} s"
    lost = sum(lost_of(database, stations).values())
    answers = ", ".join(f"{number} {what}" for what, number in stations.answered.items())
    yield bound(f"{engine}: events lost, {shape}", lost, "events", at_most=0, note=f"of {recorded}; {answers}")
    note = f"{viewers.pages} pages, hub {used_s / seconds:.0%} of a core"
    yield bound(f"{engine}: oldest board", max(viewers.shown_s, default=inf), "s", at_most=3, note=note)
    yield bound(f"{engine}: acknowledged, p99", p99(stations.acknowledged_s) * 1000, "ms", at_most=1000)


def lost_of(database: str, stations: Fleet) -> dict[str, int]:
    """The stations whose ledger at the hub is not what they sent, and the number of events that it lacks, at least 1."""
    store = Store(database, writing=False)
    with store.read() as connection:
        counts = select(ledger.c.log_id, func.count()).group_by(ledger.c.log_id)
        stored: dict[bytes, int] = {bytes(log_id): number for log_id, number in connection.execute(counts)}
        tips: dict[bytes, Any] = {bytes(row.log_id): bytes(row.tip) for row in connection.execute(select(log))}
    store.close()
    return {
        station.name: max(1, station.seq - stored.get(station.log_id, 0))
        for station in stations.stations
        if (stored.get(station.log_id), tips.get(station.log_id)) != (station.seq, station.tip)
    }
