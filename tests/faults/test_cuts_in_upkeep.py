"""The power goes while the journal is kept in order: at every 7th change that each piece of upkeep makes to the card."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from station.journal import JournalReader, schema
from tests.faults.card import Card
from tests.faults.conftest import Writers, kept
from tests.faults.writers import PRUNED_EVENTS, fill
from tests.station.fixtures.journals import a_scan, open_journal

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("fuse")]

SEED = 407
EVERY = [7, pytest.param(1, marks=pytest.mark.nightly)]
LAST = PRUNED_EVENTS + 100


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed journal of 1,600 events, 1,500 of them durable and old."""
    folder = tmp_path_factory.mktemp("full")
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(schema.PRAGMAS, "synchronous", 0)
        with open_journal(folder, most_ballast_bytes=0) as journal:
            fill(journal)
    return folder


@pytest.fixture(scope="module")
def damaged(full: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one bit wrong in event 1,550."""
    folder = Path(shutil.copytree(full, tmp_path_factory.mktemp("damaged") / "journal"))
    raw = bytearray((folder / "journal.db").read_bytes())
    raw[raw.index(a_scan(1_550)) + 40] ^= 1
    (folder / "journal.db").write_bytes(raw)
    return folder


def every_scan(folder: Path) -> dict[tuple[str, int], str]:
    """What the journal and the logs before it hold."""
    found: dict[tuple[str, int], str] = {}
    for path in (*sorted(folder.glob("earlier/*/journal.db")), folder / "journal.db"):
        with closing(JournalReader(path)) as reader:
            found |= kept(reader)
    return found


def nothing_undurable_is_lost(after: Path, log: str) -> None:
    """The journal opens, holds, and has every event that is not durable; what is gone went from the front."""
    with open_journal(after, most_ballast_bytes=0) as journal:
        assert journal.verify() == []
    found = every_scan(after)
    seqs = sorted(seq for name, seq in found if name == log and seq <= LAST)
    assert seqs == list(range(seqs[0], LAST + 1))
    assert seqs[0] <= PRUNED_EVENTS + 1


def every_event_is_in_one_log_or_the_other(after: Path, log: str) -> None:
    """The old log is whole where it stood or where it was moved to; nothing else is lost for it."""
    nothing_undurable_is_lost(after, log)
    assert {seq for name, seq in every_scan(after) if name == log} >= set(range(1, LAST + 1))


def a_birth_is_whole_or_has_not_been(after: Path, _log: str) -> None:
    """A journal cut off in its beginning begins again."""
    with open_journal(after, most_ballast_bytes=0) as journal:
        assert journal.verify() == []
        assert journal.tip.seq in (0, 1)


def all_but_one_is_told_again(after: Path, log: str) -> None:
    """The salvage is finished: every event behind the durable ones but the damaged one."""
    with open_journal(after, most_ballast_bytes=0) as journal:
        assert journal.verify() == []
        assert sorted(kept(journal)) == [(log, seq) for seq in range(PRUNED_EVENTS + 1, LAST + 1) if seq != 1_550]
    assert len(list((after / "quarantine").iterdir())) == 1


@pytest.mark.parametrize("step", EVERY)
@pytest.mark.parametrize(
    ("work", "start", "holds"),
    [
        ("birth", None, a_birth_is_whole_or_has_not_been),
        ("prune", "full", nothing_undurable_is_lost),
        ("checkpoint", "full", nothing_undurable_is_lost),
        ("new_log", "full", every_event_is_in_one_log_or_the_other),
        ("salvage", "damaged", all_but_one_is_told_again),
    ],
)
def test_upkeep_may_be_cut_off_anywhere(
    card: Card, writers: Writers, tmp_path: Path, request: pytest.FixtureRequest,
    work: str, start: str | None, holds: Callable[[Path, str], None], step: int,
) -> None:  # fmt: skip
    base = request.getfixturevalue(start) if start else tmp_path / "nothing"
    base.mkdir(exist_ok=True)
    log = log_of(base)
    changes = whole_run(card, writers, work, base, tmp_path)
    points = range(random.Random(SEED).randrange(1, step + 1), changes + 1, step)
    for point in points:
        card.reset(torn=True, seed=SEED + point)
        card.load(base)
        card.fault(cut_at=point + card.look().counted)
        writers.wait(writers.start(work, card.mount / "journal.db", tmp_path / "log"))
        assert card.look().boot_ns, f"{work} ended before change {point} of {changes}"
        after = card.image(tmp_path / f"after-{point}")
        try:
            holds(after, log)
        except BaseException as error:
            error.add_note(f"{work} cut at change {point} of {changes}, seed {SEED + point}")
            raise
        shutil.rmtree(after)
    print(f"\n{work}: cut at {len(points)} of {changes} changes (seed {SEED}), nothing lost")


def whole_run(card: Card, writers: Writers, work: str, base: Path, tmp_path: Path) -> int:
    """How many changes this work makes when nobody cuts it off."""
    card.reset()
    card.load(base)
    before = card.look().counted
    log = tmp_path / "log"
    assert writers.wait(writers.start(work, card.mount / "journal.db", log)) == 0, log.read_text()
    return card.look().counted - before


def log_of(folder: Path) -> str:
    """The log id in this folder's journal, in hex; empty where there is none."""
    if not (folder / "journal.db").exists():
        return ""
    with closing(JournalReader(folder / "journal.db")) as reader:
        return reader.log_id.hex()


@pytest.mark.parametrize("step", EVERY)
def test_a_migration_may_be_cut_off_anywhere(
    card: Card, writers: Writers, full: Path, tmp_path: Path, step: int
) -> None:
    changes = whole_run(card, writers, "migrate", full, tmp_path)
    points = range(random.Random(SEED).randrange(1, step + 1), changes + 1, step)
    for point in points:
        card.reset(torn=True, seed=SEED + point)
        card.load(full)
        card.fault(cut_at=point + card.look().counted)
        log = tmp_path / "log"
        writers.wait(writers.start("migrate", card.mount / "journal.db", log))
        after = card.image(tmp_path / f"after-{point}")
        assert writers.wait(writers.start("migrate", after / "journal.db", log)) == 0, f"{point}: {log.read_text()}"
        with closing(sqlite3.connect(after / "journal.db")) as db:
            assert db.execute("SELECT count(*), min(size) > 0 FROM later").fetchone() == (LAST, 1)
            assert db.execute("SELECT count(*) FROM event").fetchone() == (LAST,)
        assert not (after / "quarantine").exists()
        shutil.rmtree(after)
    print(f"\nmigrate: cut at {len(points)} of {changes} changes (seed {SEED}), nothing lost")
