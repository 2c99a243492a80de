"""A card that another program fills, on file systems of the kernel: red while full, and green again by itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from missing import not_here
from waiting import until

from station.journal import Journal, JournalFull, JournalReader
from tests.faults.card import ROOT
from tests.faults.conftest import Bench, Writers, kept, lay_bench
from tests.station.fixtures.journals import a_scan, open_journal

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("filled")]
CYCLES = 5


def _mounted(command: list[str], mount: Path) -> None:
    done = subprocess.run([*command, str(mount)], capture_output=True, text=True, check=False)
    if done.returncode:
        not_here(f"Nothing can be mounted here ({done.stderr.strip()}): run it as root, where mounts are allowed.")


@pytest.fixture(params=["tmpfs", "ext4"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A small disk: tmpfs without ballast, ext4 with it and with delayed allocation."""
    if os.geteuid():
        not_here("This test mounts disks: run it as root.")
    mount = tmp_path / "disk"
    mount.mkdir()
    if request.param == "tmpfs":
        _mounted(["mount", "-t", "tmpfs", "-o", "size=4m", "none"], mount)
    else:
        image = tmp_path / "image"
        image.touch()
        os.truncate(image, 64 << 20)
        # Blocks as large as a memory page, as on each card; docs/reliability.md says what happens with smaller ones.
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-b", "4096", str(image)], check=True)
        _mounted(["mount", "-o", "loop", str(image)], mount)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


class Filler:
    """The other program, told to fill the disk or to free it; it has done so when the call returns."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def _order(self, order: bytes) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(order)
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"done\n"

    def fill(self) -> None:
        """Take everything that is free, and what becomes free."""
        self._order(b"fill\n")

    def free(self) -> None:
        """Give all of it back."""
        self._order(b"free\n")


@pytest.fixture
def filler(disk: Path) -> Iterator[Filler]:
    """Another program on this disk."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.filler", str(disk)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    yield Filler(process)
    process.communicate(timeout=20)


class Scanner:
    """Scans codes that never repeat, one after the answer to the other."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self.sent = bench, 0

    def scan(self) -> dict[str, Any]:
        """Scan the next code; its answer. Notices and "wait" are no answers to a scan."""
        self.sent += 1
        self._bench.scan([f"WO-{self.sent:05}"])
        until(lambda: len(self.answers()) >= self.sent, 30)
        return self.answers()[self.sent - 1]

    def answers(self) -> list[dict[str, Any]]:
        """The answers to scans."""
        return [line for line in self._bench.said() if line["state"] != "amber"]

    def until(self, state: str, times: int = 1) -> None:
        """Scan until there were so many answers of this colour."""
        seen = 0
        for _ in range(20_000):
            seen += self.scan()["state"] == state
            if seen == times:
                return
        msg = f"{seen} of {times} answers were {state}"
        raise AssertionError(msg)


@contextmanager
def running(writers: Writers, bench: Bench, *, end: int = signal.SIGTERM) -> Iterator[int]:
    """The station as a process; it must run until the end."""
    pid = writers.start("run_daemon", bench.config, bench.log)
    try:
        yield pid
    finally:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        os.kill(pid, end)
        writers.wait(pid)
        assert state != "Z", f"the station ended: {bench.log.read_text()[-800:]}"


@pytest.fixture
def bench(disk: Path, tmp_path: Path) -> Iterator[Bench]:
    """A station whose journal lies on the small disk."""
    laid = lay_bench(tmp_path / "bench", disk / "journal.db")
    yield laid
    os.close(laid.pipe)


def assert_kept(disk: Path, bench: Bench) -> int:
    """Every green is in the journal as it was promised, no red is, and no file was set aside; how many were green."""
    with closing(open_journal(disk)) as journal:
        assert journal.verify() == []
        found = kept(journal)
    said = [line for line in bench.said() if line["state"] != "amber"]
    greens = [line for line in said if line["state"] == "green"]
    assert [line for line in greens if found.get((line["log"], line["seq"])) != line["code"]] == []
    refused = {line["code"] for line in said if line["state"] == "red" and line["code"]}
    assert refused.isdisjoint(found.values()), "what was answered red is not recorded"
    assert not (disk / "quarantine").exists()
    assert not (disk / "earlier").exists()
    return len(greens)


def test_recording_goes_on_by_itself_each_time_the_other_program_gives_room_back(
    disk: Path, filler: Filler, writers: Writers, bench: Bench
) -> None:
    scanner = Scanner(bench)
    with running(writers, bench):
        scanner.until("green", 20)
        for _ in range(CYCLES):
            filler.fill()
            scanner.until("red", 10)
            filler.free()
            scanner.until("green", 20)
        assert "there is room again" in bench.log.read_text()
    greens = assert_kept(disk, bench)
    red = len(scanner.answers()) - greens
    print(f"\nfilled {CYCLES} times: {greens} green, all of them kept; {red} red; 0 restarts")


def test_the_operator_reads_that_there_is_room_again_without_a_scan(
    disk: Path, filler: Filler, writers: Writers, bench: Bench
) -> None:
    scanner = Scanner(bench)
    with running(writers, bench):
        scanner.until("green")
        filler.fill()
        scanner.until("red")
        filler.free()
        until(lambda: bench.said()[-1]["text"] == "there is room again: scan again what was red", 20)
        assert scanner.scan()["state"] == "green"
    assert_kept(disk, bench)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_station_that_is_stopped_and_started_on_a_full_disk_is_red_and_then_records(
    disk: Path, filler: Filler, writers: Writers, bench: Bench, end: int
) -> None:
    scanner = Scanner(bench)
    with running(writers, bench, end=end):
        scanner.until("green", 20)
        filler.fill()
        scanner.until("red", 3)
    with running(writers, bench):
        scanner.until("red", 3)
        filler.free()
        scanner.until("green", 3)
    assert assert_kept(disk, bench) >= 23


def test_the_first_start_of_a_station_on_a_full_disk_is_red_until_there_is_room(
    disk: Path, filler: Filler, writers: Writers, bench: Bench
) -> None:
    scanner = Scanner(bench)
    filler.fill()
    with running(writers, bench):
        scanner.until("red", 3)
        filler.free()
        scanner.until("green", 3)
    assert assert_kept(disk, bench) == 3


def test_a_new_log_that_finds_no_room_leaves_the_old_one_in_use(disk: Path, filler: Filler) -> None:
    with closing(open_journal(disk)) as journal:
        for number in range(100):
            journal.commit(a_scan(number))
        old = journal.log_id
        filler.fill()
        with pytest.raises(JournalFull):
            journal.new_log("reidentify", again_after=0)
        assert journal.log_id == old
        assert not journal.has_room()
        filler.free()
        assert journal.commit(a_scan(100)).seq == 101
        journal.new_log("reidentify", again_after=99)
        assert (journal.log_id != old, journal.tip.seq) == (True, 3)
    assert [path.name for path in disk.glob("*.next*")] == []


def test_what_the_hub_said_meanwhile_is_written_when_there_is_room(disk: Path, filler: Filler) -> None:
    with closing(open_journal(disk)) as journal:
        receipts = [journal.commit(a_scan(number)) for number in range(10)]
        filler.fill()
        _until_full(journal)
        journal.mark(1, receipts[-1].seq, 0, "aa")
        journal.save_snapshot("v2", b"{}" * 4_000)
        with pytest.raises(JournalFull):
            journal.save_items(["WO-1"], [], "1:9")
        filler.free()
        assert journal.has_room()
        mark = journal.state().mark
        assert mark is not None
        assert (mark.accepted_thru, journal.snapshot()) == (10, ("v2", b"{}" * 4_000))


def _until_full(journal: Journal) -> None:
    for number in range(20_000):
        try:
            journal.commit(a_scan(1_000 + number))
        except JournalFull:
            return
    msg = "the disk is never full"
    raise AssertionError(msg)


def test_a_closed_journal_that_found_no_room_is_whole_at_the_next_start(disk: Path, filler: Filler) -> None:
    journal = open_journal(disk)
    journal.commit(a_scan(1))
    filler.fill()
    _until_full(journal)
    tip = journal.tip
    journal.close()
    filler.free()
    with closing(open_journal(disk)) as again:
        assert (again.tip, again.news) == (tip, ())
        assert again.verify() == []


Work = Callable[[Journal], object]


@pytest.mark.parametrize(
    "work",
    [lambda j: j.tidy(1.0), lambda j: j.prune(10**18), lambda j: j.distrust(), lambda j: j.disk_level()],
    ids=["tidy", "prune", "distrust", "disk_level"],
)
def test_upkeep_on_a_full_disk_raises_nothing(disk: Path, filler: Filler, work: Work) -> None:
    with closing(open_journal(disk)) as journal:
        journal.commit(a_scan(1))
        filler.fill()
        work(journal)
        _until_full(journal)
        work(journal)
        filler.free()
        assert journal.has_room()
        with closing(JournalReader(disk / "journal.db")) as reader:
            assert reader.tip == journal.tip
