"""The fault lane's rooms: a mounted card, the process that forks writers, and what they were promised."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from missing import not_here

from station.core.event import decode
from station.journal import Journal, JournalReader
from tests.faults.card import ROOT, Card, Cut, mounted

WAIT_S = 10.0


class Green(NamedTuple):
    """A promise: an answer with a number."""

    log: str
    seq: int
    code: str
    boot_ns: int


class Writers:
    """The process that forks writers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def _order(self, **told: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, work: str, on: Path, log: Path, **plant: Any) -> int:
        """Start `work` on a journal or configuration; `plant` changes pragmas first. The process id."""
        return self._order(work=work, on=str(on), log=str(log), plant=plant)

    def kill(self, pid: int) -> int:
        """SIGKILL; how it ended."""
        return self._order(end=pid, kill=True)

    def wait(self, pid: int) -> int:
        """Wait for the end; the exit code."""
        return self._order(end=pid, kill=False)


class Bench(NamedTuple):
    """A station on a card: its configuration, its pipe of scans, its answers and its log."""

    config: Path
    pipe: int
    answers: Path
    log: Path

    def scan(self, codes: list[str]) -> None:
        """Hand codes to the reader; all of them must fit in the pipe."""
        os.write(self.pipe, "".join(f"{code}\n" for code in codes).encode())

    def said(self) -> list[dict[str, Any]]:
        """The answers so far."""
        return [
            json.loads(line) for line in self.answers.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")
        ]

    def greens(self, before_ns: int) -> list[Green]:
        """The promises made before the cut: what a program says after its disk has died is no promise."""
        return [
            Green(line["log"], line["seq"], line["code"], line["boot_ns"])
            for line in self.said()
            if line.get("seq") and line["boot_ns"] < before_ns
        ]

    def until_cut(self, card: Card) -> Cut:
        """Wait until the power has gone by itself."""
        deadline = time.monotonic() + WAIT_S
        while not (cut := card.look()).boot_ns:
            assert time.monotonic() < deadline, f"no cut after {WAIT_S} s: {self.log.read_text()[-500:]}"
            time.sleep(0.002)
        return cut

    def wait_for(self, answers: int) -> list[dict[str, Any]]:
        """Wait until so many answers are there."""
        deadline = time.monotonic() + WAIT_S
        while len(said := self.said()) < answers:
            if time.monotonic() > deadline:
                msg = f"{len(said)} of {answers} answers after {WAIT_S} s: {said[-3:]} {self.log.read_text()[-500:]}"
                raise AssertionError(msg)
            time.sleep(0.005)
        return said


def lay_bench(folder: Path, journal: Path) -> Bench:
    """A station's files in `folder`, its journal elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    scans, answers, config, log = (folder / name for name in ("scans", "answers", "station.toml", "log"))
    os.mkfifo(scans)
    answers.touch()
    log.touch()
    config.write_text(
        f'station = "saw-1"\nstage = "saw"\njournal = "{journal}"\nstatus = "{folder}/status.json"\n'
        f'[[reader]]\nkind = "replay"\npath = "{scans}"\n[[signal]]\nkind = "lines"\npath = "{answers}"\n'
    )
    return Bench(config, os.open(scans, os.O_RDWR | os.O_NONBLOCK), answers, log)


def kept(journal: Journal | JournalReader) -> dict[tuple[str, int], str]:
    """What a journal holds of scans: the scanned text by (log, seq), what was told again under its first place."""
    found, log = {}, journal.log_id.hex()
    for stored in journal.newest(10**6):
        event, place = decode(stored.encoded), (log, stored.seq)
        if event.kind == "salvage" and event.from_ is not None and event.body is not None:
            place, event = (event.from_.log, event.from_.seq), decode(event.body)
        elif event.origin is not None:
            place = (event.origin.log, event.origin.seq)
        if event.raw is not None:
            found[place] = event.raw.decode()
    return found


@pytest.fixture(scope="session")
def card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Card]:
    """A mounted card."""
    if not Path("/dev/fuse").exists():
        not_here("no /dev/fuse here: sudo apt-get install fuse3")
    with mounted(tmp_path_factory.mktemp("card") / "mnt") as found:
        yield found


@pytest.fixture(scope="session")
def writers() -> Iterator[Writers]:
    """The process that forks writers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.writers"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        yield Writers(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
