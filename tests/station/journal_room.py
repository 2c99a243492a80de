"""What the journal's tests share: a scan's bytes, and a journal on the test's own folder."""

import random
import time
from pathlib import Path
from typing import Any

from station.core.event import Event, encode
from station.journal import Journal, keep


def boottime_ns() -> int:
    """CLOCK_BOOTTIME."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def a_scan(number: int = 1, size: int = 0) -> bytes:
    """The bytes of a scan of WO-<number>, its code made longer by `size` unrepeated characters."""
    raw = f"WO-{number:04}".encode() + random.Random(number).randbytes(size).hex()[:size].encode()
    return encode(Event(kind="scan", station="saw-1", sw="0.1.0", boot="boot-a", mono_ns=number, raw=raw, stage="saw"))


def open_journal(folder: Path, **changes: Any) -> Journal:
    """The journal of this folder, as the station saw-1 opens it."""
    known = {"station": "saw-1", "sw": "0.1.0", "boot": "boot-a", "now_ns": boottime_ns}
    return Journal.open(folder / "journal.db", **(known | changes))


def a_day_passes(journal: Journal, day: int) -> None:
    """Day `day` of this journal's boot time is over: 24 hours, counted as the station counts them."""
    journal._change(lambda db: keep.count_time(db, "boot-a", day * keep.DAY_NS))


def bytes_of(journal: Journal) -> list[bytes]:
    """Every event's bytes, oldest first."""
    return [event.encoded for event in reversed(journal.newest(10**6))]
