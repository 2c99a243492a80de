"""Read complete to green: one scan at a time through the recording thread, against one bare INSERT of the same bytes."""

import json
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from figure import DRIFT, Figure, median, p99, ratio, voided

from drivers import Read
from station.answers import Answer
from station.bench_state import Settings
from station.clock import boot_id, boot_ns, wall_us
from station.composing import Recorder
from station.inbox import Inbox
from station.journal import Journal, JournalReader
from station.judgement import NoJudge
from station.scan import Known, Scan
from station.signals import open_signal

SCANS = 1_500
WARM = 100


def scans(folder: Path) -> tuple[list[float], bytes]:
    """Milliseconds from read to answer of each scan, and the bytes of one such event."""
    sys.setswitchinterval(0.0005)  # as the daemon sets it
    journal = Journal.open(folder / "journal.db", station="saw-1", sw="bench", boot=boot_id(), now_ns=boot_ns)
    lines = open_signal("lines", str(folder / "answers"))
    answered = threading.Event()

    def say(answer: Answer) -> None:
        lines.show(answer, boot_ns())
        ended.append(time.perf_counter())
        answered.set()

    ended: list[float] = []
    took: list[float] = []
    inbox: Inbox[Read] = Inbox()
    recorder = Recorder("saw-1", "bench", boot_id(), boot_ns, wall_us, "never")
    scan = Scan(journal, inbox, recorder, say, boot_ns, known=Known((), NoJudge()), settings=Settings())
    thread = threading.Thread(target=scan.run)
    thread.start()
    for number in range(WARM + SCANS):
        raw = f"WO-{number:06}".encode()
        answered.clear()
        began = time.perf_counter()
        inbox.put(
            Read(raw=raw, sym=None, kind="keyboard", reader="usb-05e0-1200-SN77", boot_ns=boot_ns(), raw_len=len(raw)),
            wait=True,
        )
        answered.wait()
        took.append((ended[-1] - began) * 1000)
    inbox.close()
    thread.join()
    journal.close()
    event = JournalReader(folder / "journal.db").newest(1)[0].encoded
    return took[WARM:], event


def inserts(folder: Path, event: bytes) -> list[float]:
    """Milliseconds of each bare INSERT of the same bytes, WAL and FULL."""
    path = folder / "floor.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE event(seq INTEGER PRIMARY KEY, bytes BLOB, prev BLOB, hash BLOB)")
    took = []
    for number in range(WARM + SCANS):
        began = time.perf_counter()
        connection.execute("INSERT INTO event VALUES (?, ?, ?, ?)", (number, event, bytes(32), bytes(32)))
        took.append((time.perf_counter() - began) * 1000)
    connection.close()
    for leftover in folder.glob("floor.db*"):
        leftover.unlink()
    return took[WARM:]


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """Median and p99, the floor first and last."""
    place = folder / "scan"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    example = json.dumps({"v": 1, "kind": "scan", "fill": "x" * 250}).encode()
    first = inserts(place, example)
    took, event = scans(place)
    last = inserts(place, event)
    moved = abs(median(first) - median(last)) / min(median(first), median(last))
    note = f"VOID: the floor moved by {moved:.0%}" if moved > DRIFT else ""
    floor = [*first, *last]
    yield voided(ratio("read complete to green, median", median(took), median(floor), "ms", at_most=1.5), note)
    yield voided(ratio("read complete to green, p99", p99(took), p99(floor), "ms", at_most=3.0), note)
