"""kill -9 in the middle of commits: every answered scan is there, the log goes on in the same chain."""

import os
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from station.journal import JournalReader
from tests.faults.conftest import Writers, kept, lay_bench

SEED = 9
KILLS_A_JOURNAL = 100  # after each the whole journal is read and walked: one of a thousand kills took over an hour


@pytest.mark.host
@pytest.mark.parametrize("kills", [40, pytest.param(1_000, marks=pytest.mark.nightly)])
def test_kills_in_mid_commit_lose_nothing_that_was_answered(writers: Writers, tmp_path: Path, kills: int) -> None:
    chance = random.Random(SEED)
    answered = extra = 0
    for number in range(0, kills, KILLS_A_JOURNAL):
        one = killed(writers, tmp_path / str(number), chance, min(KILLS_A_JOURNAL, kills - number))
        answered, extra = answered + one[0], extra + one[1]
    print(f"\n{kills} kills (seed {SEED}): {answered} answered, {extra} saved and cut off before their answer")
    assert answered >= kills, "each kill came behind one more answer, and each of them was looked for after each kill"
    assert 0 <= extra <= kills, "at most one commit a kill was not answered"


def killed(writers: Writers, folder: Path, chance: random.Random, kills: int) -> tuple[int, int]:
    """Kill one station again and again on one journal; after each kill every scan that was answered must be there.

    How many were answered with a number in the log, and how many were saved and not answered.
    """
    folder.mkdir()
    journal = folder / "journal" / "journal.db"
    bench = lay_bench(folder / "bench", journal)
    sent = heard = 0
    promised: dict[tuple[str, int], str] = {}
    found: dict[tuple[str, int], str] = {}
    for number in range(kills):
        pid = writers.start("run_daemon", bench.config, bench.log)
        bench.scan([f"WO-{sent + each:05}" for each in range(400)])
        sent += 400
        bench.wait_for(heard + chance.randrange(1, 60))
        assert writers.kill(pid) == -9
        drained(bench.pipe)
        said = bench.said()
        with closing(JournalReader(journal)) as reader:
            assert reader.verify() == [], f"kill {number} of seed {SEED}"
            found, log = kept(reader), reader.log_id.hex()
        promised = {(line["log"], line["seq"]): line["code"] for line in said if line.get("seq")}
        assert {place: found.get(place) for place in promised} == promised, f"kill {number} of seed {SEED}"
        assert {name for name, _ in promised} == {log}, "one log all along"
        heard = len(said)
        assert len(found) - len(promised) <= number + 1, "at most one commit a kill was not answered"
    assert not (journal.parent / "quarantine").exists()
    os.close(bench.pipe)
    return len(promised), len(found) - len(promised)


@pytest.mark.host
def test_a_second_station_on_the_same_journal_exits_and_names_the_first(writers: Writers, tmp_path: Path) -> None:
    bench = lay_bench(tmp_path / "bench", tmp_path / "journal.db")
    pid = writers.start("run_daemon", bench.config, bench.log)
    try:
        bench.scan(["WO-1"])
        bench.wait_for(1)
        station = Path(sys.executable).with_name("wipline-station")
        second = subprocess.run(
            [station, "run", "--config", bench.config], capture_output=True, text=True, timeout=20, check=False
        )
        assert second.returncode == 1
        assert f"is being written by process {pid}; one daemon a journal." in second.stderr
    finally:
        writers.kill(pid)
        os.close(bench.pipe)


def drained(pipe: int) -> None:
    """Take what nobody read out of the pipe."""
    try:
        while os.read(pipe, 65_536):
            pass
    except BlockingIOError:
        return
