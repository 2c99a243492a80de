"""The power goes while a real station records: what showed green is there afterwards, and the test can tell."""

import os
import random
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.card import Card
from tests.faults.conftest import Writers, kept, lay_bench
from tests.station.fixtures.journals import open_journal

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("fuse")]

SEED = 1_868
SCANS = 1_500  # more than any cut lets through; they all fit in the pipe
CODES = [f"WO-{number:05}" for number in range(SCANS)]


def one_cut(
    card: Card, writers: Writers, folder: Path, seed: int, plant: dict[str, int], forgets: bool
) -> tuple[int, int, int]:
    """Cut the power in mid-stream; (promised, lost, pages not flushed at the cut)."""
    chance = random.Random(seed)
    timed = chance.random() < 0.25
    bench = lay_bench(folder / "bench", card.mount / "journal.db")
    at = 0 if timed else chance.randrange(60, 460)
    card.reset(torn=True, seed=seed, forgets_names=forgets, cut_on="-wal", cut_at=at)
    bench.scan(CODES)
    pid = writers.start("run_daemon", bench.config, bench.log, **plant)
    if timed:
        bench.wait_for(chance.randrange(5, 80))
        cut = card.cut()
    else:
        cut = bench.until_cut(card)
    writers.kill(pid)
    os.close(bench.pipe)
    promised = bench.greens(cut.boot_ns)
    after = card.image(folder / "after")
    with closing(open_journal(after, most_ballast_bytes=0)) as journal:  # the image is on a real disk
        assert journal.verify() == [], f"seed {seed}"
        found = kept(journal)
        assert plant or forgets or not (after / "quarantine").exists(), (
            f"seed {seed}: a power cut is no damage: {journal.news}"
        )
    lost = [green for green in promised if found.get((green.log, green.seq)) != green.code]
    return len(promised), len(lost), cut.unsynced_pages


@pytest.mark.parametrize(
    ("mode", "plant", "forgets", "cuts"),
    [
        ("as shipped", {}, False, 150),
        ("synchronous=NORMAL", {"synchronous": 1}, False, 30),
        ("fsyncdir ignored by the card", {}, True, 30),
        pytest.param("as shipped", {}, False, 500, marks=pytest.mark.nightly),
    ],
)
def test_green_survives_the_power_cut(
    card: Card, writers: Writers, tmp_path: Path,
    mode: str, plant: dict[str, int], forgets: bool, cuts: int,
) -> None:  # fmt: skip
    results = [one_cut(card, writers, tmp_path / str(number), SEED + number, plant, forgets) for number in range(cuts)]
    promised, lost = (sum(each[place] for each in results) for place in (0, 1))
    unsynced = sum(each[2] > 0 for each in results)
    print(f"\n{mode}: {cuts} cuts (seed {SEED}), {unsynced} with un-synced pages, lost {lost} of {promised} green")
    assert unsynced > cuts // 2, "the cuts must hit a writer in mid-stream"
    assert promised > cuts
    if mode == "as shipped":
        assert lost == 0
    else:
        assert lost > 0, "a harness that loses nothing here proves nothing above"
