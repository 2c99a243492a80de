"""Read complete to green: a scan through the recording thread, and after each the floor: one bare INSERT of the same bytes.

A disk answers a flush faster the sooner it follows the last one, so the two are measured in turn and at the same pace. The
run is void where the floor's first half and its last differ.
"""

import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from figure import DRIFT, Figure, median, p99, ratio, voided

from drivers import Read
from station.config import OutputConfig
from station.feedback.messages import Answer
from station.feedback.outputs import open_output
from station.journal import Journal
from station.rules.interface import NoRules, RuleContext
from station.scan.bench_state import BenchSettings
from station.scan.event_builder import EventBuilder
from station.scan.pipeline import ScanPipeline
from station.scan.work_queue import WorkQueue
from station.system.clock import boot_id, boot_ns, utc_us

SCANS = 1_000
WARM = 1_200  # until both write-ahead logs are as long as they get: a flush that also grows its file costs twice
REST_S = 1.5  # the bench rests, and the journal folds its log, as it does after every busy spell
EVENT_BYTES = 300


class Floor:
    """A bare database with the journal's columns, WAL and FULL; `insert` puts as many bytes as a scan's event has."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE event(seq INTEGER PRIMARY KEY, bytes BLOB, prev BLOB, hash BLOB)")

    def insert(self, number: int, event: bytes) -> float:
        """Milliseconds of one INSERT."""
        began = time.perf_counter()
        self._connection.execute("INSERT INTO event VALUES (?, ?, ?, ?)", (number, event, bytes(32), bytes(32)))
        return (time.perf_counter() - began) * 1000

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def in_turn(folder: Path) -> tuple[list[float], list[float]]:
    """Milliseconds from read to answer of each scan, and of the bare INSERT that followed it."""
    sys.setswitchinterval(0.0005)  # as the daemon sets it
    journal = Journal.open(folder / "journal.db", station="saw-1", sw="bench", boot=boot_id(), now_ns=boot_ns)
    lines = open_output(OutputConfig("lines", str(folder / "answers")))
    answered, ended = threading.Event(), [0.0]

    def say(answer: Answer) -> None:
        lines.show(answer, boot_ns())
        ended[0] = time.perf_counter()
        answered.set()

    work_queue: WorkQueue[Read] = WorkQueue()
    recorder = EventBuilder("saw-1", "bench", boot_id(), boot_ns, utc_us, "never")
    scan = ScanPipeline(
        journal, work_queue, recorder, say, boot_ns, rules=RuleContext((), NoRules()), settings=BenchSettings()
    )
    thread = threading.Thread(target=scan.run)
    thread.start()
    floor, event = Floor(folder / "floor.db"), bytes(EVENT_BYTES)
    took: list[float] = []
    bare: list[float] = []
    for number in range(WARM + SCANS):
        if number == WARM:
            time.sleep(REST_S)
        raw = f"WO-{number:06}".encode()
        answered.clear()
        began = time.perf_counter()
        read = Read(raw, None, "keyboard", "usb-05e0-1200-SN77", boot_ns(), len(raw))
        work_queue.put(read, wait=True)
        answered.wait()
        took.append((ended[0] - began) * 1000)
        bare.append(floor.insert(number, event))
    work_queue.close()
    thread.join()
    floor.close()
    journal.close()
    return took[WARM:], bare[WARM:]


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """Median and p99."""
    place = folder / "scan"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    took, bare = in_turn(place)
    first, last = median(bare[: SCANS // 2]), median(bare[SCANS // 2 :])
    moved = abs(first - last) / min(first, last)
    note = f"VOID: the floor moved by {moved:.0%}" if moved > DRIFT else ""
    yield voided(ratio("read complete to green, median", median(took), median(bare), "ms", at_most=1.5), note)
    yield voided(ratio("read complete to green, p99", p99(took), p99(bare), "ms", at_most=3.0), note)
