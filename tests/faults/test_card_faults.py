"""A slow card, a full one, one that fails once, one that lies: what the operator sees, read from outside."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from missing import not_here

from station.core.event import decode
from station.journal import JournalReader
from tests.faults.card import Card
from tests.faults.conftest import Bench, Writers, kept, lay_bench
from tests.station.fixtures.journals import open_journal

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("fuse")]


@contextmanager
def running(writers: Writers, bench: Bench) -> Iterator[int]:
    """The station as a process; ended at the end if it has not ended by itself."""
    pid = writers.start("run_daemon", bench.config, bench.log)
    try:
        yield pid
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        else:
            writers.wait(pid)


def brief(said: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    """State, why and whether there is a number."""
    return [(line["state"], line["why"], bool(line.get("seq"))) for line in said]


GREEN, WAIT, RED = ("green", "saved", True), ("amber", "wait", False), ("red", "not_saved", False)


@pytest.fixture
def bench(card: Card, tmp_path: Path) -> Iterator[Bench]:
    """A station whose journal lies on a new card."""
    card.reset()
    laid = lay_bench(tmp_path / "bench", card.mount / "journal.db")
    yield laid
    os.close(laid.pipe)


def test_a_slow_card_is_amber_then_green_and_a_very_slow_one_red(card: Card, writers: Writers, bench: Bench) -> None:
    with running(writers, bench):
        bench.scan(["WO-1"])
        assert brief(bench.wait_for(1)) == [GREEN]
        card.fault(delay_s=0.8)
        bench.scan(["WO-2"])
        assert brief(bench.wait_for(3)[1:]) == [WAIT, GREEN]
        card.fault(delay_s=3.6)
        bench.scan(["WO-3"])
        assert brief(bench.wait_for(5)[3:]) == [WAIT, RED]
        card.fault(delay_s=0.0)
        bench.scan(["WO-4"])
        said = bench.wait_for(6)
        assert brief(said[5:]) == [GREEN], "no green follows a red"
        with closing(JournalReader(card.mount / "journal.db")) as reader:
            last, slow = (decode(stored.encoded) for stored in reader.newest(2))
        assert (slow.raw, last.raw, last.late) == (b"WO-3", b"WO-4", [said[5]["seq"] - 1])


def test_a_full_card_is_red_before_it_is_full_and_recovers(card: Card, writers: Writers, bench: Bench) -> None:
    card.fault(capacity=1_500_000)
    with running(writers, bench):
        sent, said = 0, bench.said()
        while not any(line["state"] == "red" for line in said):
            bench.scan([f"WO-{sent + number:05}" for number in range(100)])
            sent += 100
            said = bench.wait_for(sent)
        red = next(place for place, line in enumerate(said) if line["state"] == "red")
        assert set(brief(said[:red])) == {GREEN}
        assert set(brief(said[red:])) == {RED}
        assert card.look().refused == 0, "red came before the card said no"
        card.fault(capacity=3_000_000)
        bench.scan(["WO-AGAIN"])
        assert brief(bench.wait_for(sent + 1)[sent:]) == [GREEN]
        with closing(JournalReader(card.mount / "journal.db")) as reader:
            found = kept(reader)
        assert [found[line["log"], line["seq"]] for line in said[:red]] == [f"WO-{number:05}" for number in range(red)]
    print(
        f"\nfull card: {red} green, then red with {card.look().refused} writes refused; green again after room was made"
    )


@pytest.mark.parametrize("fails", ["-wal", "journal.db"])
def test_a_flush_that_fails_once_ends_the_station_and_no_green_stands_on_it(
    card: Card, writers: Writers, bench: Bench, tmp_path: Path, fails: str
) -> None:
    with running(writers, bench) as pid:
        bench.scan([f"WO-{number}" for number in range(5)])
        bench.wait_for(5)
        card.fault(fail_once=fails)
        if fails == "-wal":
            bench.scan(["WO-5"])
            assert brief(bench.wait_for(6)[5:]) == [RED]
        assert writers.wait(pid) == 1, "the station ends when its card has failed"
        assert card.look().failed == 1
        before = len(bench.said())
    with running(writers, bench):
        bench.scan(["WO-6", "WO-7"])
        said = bench.wait_for(before + 2)
        assert brief(said[before:]) == [GREEN, GREEN]
        cut = card.cut()
    with closing(open_journal(card.image(tmp_path / "after"))) as journal:
        found = kept(journal)
        assert journal.verify() == []
    promised = bench.greens(cut.boot_ns)
    assert len(promised) == 7
    assert [green for green in promised if found.get((green.log, green.seq)) != green.code] == []


def test_a_card_that_lies_about_flushing_loses_what_no_program_can_keep(
    card: Card, writers: Writers, bench: Bench, tmp_path: Path
) -> None:
    card.fault(lies=True)
    with running(writers, bench):
        bench.scan([f"WO-{number}" for number in range(20)])
        bench.wait_for(20)
        cut = card.cut()
    after = card.image(tmp_path / "after")
    with closing(open_journal(after)) as journal:
        found = kept(journal)
    lost = [green for green in bench.greens(cut.boot_ns) if (green.log, green.seq) not in found]
    print(f"\na card that lies: lost {len(lost)} of 20 green; only the hub's copy helps")
    assert len(lost) == 20


def test_the_event_is_flushed_before_the_signal_is_written(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        not_here("no strace here: sudo apt-get install strace")
    trace = tmp_path / "trace"
    bench = lay_bench(tmp_path / "bench", tmp_path / "journal.db")
    command = ["strace", "-D", "-f", "-y", "-o", str(trace), "-e", "trace=write,pwrite64,fdatasync,fsync"]
    station = Path(sys.executable).with_name("wipline-station")
    traced = subprocess.Popen([*command, str(station), "run", "--config", str(bench.config)])
    try:
        bench.scan(["WO-TRACED"])
        bench.wait_for(1)
    finally:
        traced.terminate()  # with -D this is the station; strace ends behind it
        try:
            assert traced.wait(10) == 0
        finally:
            traced.kill()
            os.close(bench.pipe)
    calls = [line.split(None, 1)[1] for line in trace.read_text(errors="replace").splitlines()]
    answer = next(
        place for place, call in enumerate(calls) if call.startswith("write(") and f"<{bench.answers}>" in call
    )
    wal = f"<{tmp_path}/journal.db-wal>"
    ours = [call.partition("(")[0] for call in calls[:answer] if wal in call]
    assert ours[-2:] == ["pwrite64", "fdatasync"], (
        "the last thing that happened to the log before the answer is its flush"
    )
