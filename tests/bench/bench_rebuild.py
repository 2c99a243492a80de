"""The rebuild: events a second against a bare insert of the same rows, its memory with a longer ledger, bytes an event."""

import gc
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from figure import Figure, bound, ratio
from traffic import SCANS_AN_ORDER, batches, hub, introduce, orders_through, take

from server.db.store import Store
from server.ops.gc_tuning import tune
from server.projection.rebuild import rebuild
from server.projection.tables import TABLES

SMALL, LARGE = 20_000, 80_000
SMALL_LONG, LARGE_LONG = 100_000, 1_000_000
AT_ONCE_ORDERS = 2_000


def shop(path: Path, events: int) -> int:
    """A projected hub with about so many events in a file; the exact number."""
    store, told = hub(path)
    orders = events // (SCANS_AN_ORDER + 1)
    for first in range(0, orders, AT_ONCE_ORDERS):
        orders_through(told, first, min(AT_ONCE_ORDERS, orders - first), days_ago=9)
        introduce(told)
        for batch in batches(told):
            take(told, batch)
        told.projector.drain()
    pos = told.projector.pos
    store.close()
    return pos


def rebuild_cpu_s(path: Path) -> float:
    """CPU seconds of a rebuild."""
    store = Store(path)
    tune()  # as the hub does before it serves
    began = time.process_time()
    rebuild(store)
    took_s = time.process_time() - began
    store.close()
    return took_s


def bare_insert_cpu_s(path: Path) -> float:
    """CPU seconds of inserting the rows of the projection into the same tables of an empty file, with their indexes."""
    source, target = sqlite3.connect(path), sqlite3.connect(path.with_suffix(".bare"))
    rows = {}
    for table in TABLES:
        for (statement,) in source.execute(
            "SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND sql > ''", [table.name]
        ):
            target.execute(statement)
        rows[table.name] = source.execute(f'SELECT * FROM "{table.name}"').fetchall()  # noqa: S608  our own tables
    began = time.process_time()
    for name, values in rows.items():
        if values:
            marks = ", ".join("?" * len(values[0]))
            target.executemany(f'INSERT INTO "{name}" VALUES ({marks})', values)  # noqa: S608
    target.commit()
    took_s = time.process_time() - began
    source.close()
    target.close()
    path.with_suffix(".bare").unlink()
    return took_s


def peak_bytes(path: Path) -> int:
    """The most memory that a rebuild holds in Python's heap. SQLite's page cache has a fixed limit beside it."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; import bench_rebuild; bench_rebuild.print_peak({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


def print_peak(path: str) -> None:
    """Rebuild in this process and print the peak."""
    store = Store(path)
    gc.collect()
    tracemalloc.start()
    rebuild(store)
    print(tracemalloc.get_traced_memory()[1])
    store.close()


def bytes_an_event(path: Path, events: int) -> float:
    """The bytes of all tables and indexes, divided by the events."""
    with sqlite3.connect(path) as raw:
        size = raw.execute("SELECT sum(pgsize) FROM dbstat").fetchone()[0]
    raw.close()
    return float(size / events)


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """The speed and the bytes with the small ledger, the memory with both; --long measures 100,000 against 1,000,000."""
    small, large = (SMALL_LONG, LARGE_LONG) if long else (SMALL, LARGE)
    path = folder / "rebuild-small.db"
    events = shop(path, small)
    yield bound("bytes an event, tables and indexes", bytes_an_event(path, events), "bytes", at_most=1_000)
    floors = [bare_insert_cpu_s(path)]
    took_s = rebuild_cpu_s(path)
    floors.append(bare_insert_cpu_s(path))
    floor = sum(floors) / len(floors)
    yield ratio("rebuild, CPU time", events / took_s, events / floor, "events/s", at_least=0.05)
    less = peak_bytes(path)
    path = folder / "rebuild-large.db"
    shop(path, large)
    name = f"rebuild, heap at {large:,} against {small:,} events"
    note = "" if long else "1,000,000 against 100,000 with --long"
    yield ratio(name, peak_bytes(path) / 2**20, less / 2**20, "MiB", at_most=1.3, note=note)
