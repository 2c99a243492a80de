"""Peak memory of the hub's process in each of its large tasks, by which MemoryMax of its unit is chosen.

Each figure is VmHWM of the worker, reset before the task, plus that of the process that started it. The table in
docs/installing.md has the figures of one run with `--long`.
"""

import http.client
import json
import re
import shutil
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from figure import Figure, bound
from running_hub import RunningHub, hub_command
from traffic import batches, hub, introduce, take

from server.ops.admin_commands import execute

OPEN, OPEN_LONG = 1_000, 3_000  # open orders on the board, each scanned once
IMPORTED, IMPORTED_LONG = 1_000, 5_000  # orders of the imported folder
STREAMS, PRINTED = 50, 500
LIMIT_MIB = 2048  # MemoryMax of the unit
WAIT_S = 900.0


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """Start, rebuild, board, streams, import, travellers: peak MiB of one running hub, in this order."""
    db = folder / "memory.db"
    many = OPEN_LONG if long else OPEN
    _grown(db, many)
    token = execute(str(db), "token add", name="bench", roles="supervise administer")
    running = RunningHub(db).start()
    try:
        pids = _processes(running.pid)
        running.until(lambda health: health["projected_pos"] == health["pos"] and not health["running"], WAIT_S)
        yield _peak(f"rebuild of {many * 2:,} events", pids)
        for path in ("/", "/wall", "/orders", "/stages/saw", "/api/v1/wip?by=item"):
            _get(running, path)
        yield _peak(f"pages with {many:,} open items", pids)
        with closing(_Streams(running)):
            _get(running, "/")
            yield _peak(f"{STREAMS} streams asked for", pids)
        orders = IMPORTED_LONG if long else IMPORTED
        hub_command("import", str(_shop_folder(folder, orders)), "--db", str(db))
        running.until(lambda health: health["projected_pos"] == health["pos"], WAIT_S)
        yield _peak(f"import of {orders:,} orders", pids)
        body = json.dumps({"orders": [f"WO-{n}" for n in range(PRINTED)]}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{running.url}/api/v1/print/travellers", body, headers)  # noqa: S310 loopback
        with urllib.request.urlopen(request, timeout=600) as answer:  # noqa: S310 loopback
            answer.read()
        yield _peak(f"{PRINTED} travellers printed", pids)
    finally:
        running.stop()
        for path in folder.glob("memory.db*"):
            path.unlink()


def _grown(db: Path, orders: int) -> None:
    """A hub with open orders, folded by an earlier version of the rules, so that its start rebuilds everything."""
    store, told = hub(db)
    for start in range(0, orders, 500):
        told.release_all((f"WO-{n}", "bracket", 40, {}) for n in range(start, min(start + 500, orders)))
    for n in range(orders):
        told.scan(f"WO-{n}", "saw", told.ago(hours=1))
    introduce(told)
    for batch in batches(told):
        take(told, batch)
    told.projector.drain()
    store.close()
    with closing(sqlite3.connect(db)) as earlier:
        earlier.execute("UPDATE projection SET v = v - 1 WHERE k = 'fold_version'")
        earlier.commit()


def _shop_folder(folder: Path, orders: int) -> Path:
    shop = folder / "memory-shop"
    shutil.rmtree(shop, ignore_errors=True)
    shop.mkdir()
    rows = "".join(f"IM-{n},bracket,40\n" for n in range(orders))
    (shop / "orders.csv").write_text(f"order,product,qty\n{rows}")
    return shop


class _Streams:
    """Open event streams; the hub refuses those above its limit."""

    def __init__(self, running: RunningHub) -> None:
        self._lines = []
        for _ in range(STREAMS):
            line = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
            line.request("GET", "/api/v1/events")
            line.getresponse()
            self._lines.append(line)

    def close(self) -> None:
        for line in self._lines:
            line.close()


def _get(running: RunningHub, path: str) -> None:
    with urllib.request.urlopen(running.url + path, timeout=120) as answer:  # noqa: S310 loopback
        answer.read()


def _processes(pid: int) -> list[int]:
    """The process and its children, once the worker runs."""
    while True:
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if children:
                return [pid, *map(int, children)]
        time.sleep(0.1)


def _peak(name: str, pids: list[int]) -> Figure:
    """The sum of the peaks since the last call; they are reset."""
    total = 0
    for pid in pids:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert found is not None
        total += int(found[1])
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    return bound(f"hub memory, {name}", total / 1024, "MiB", at_most=LIMIT_MIB / 4)
