"""The power goes while a new version opens the files of an old one: afterwards the old or the new version runs on them."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlite_utils import Database

from server.ops.bootstrap import open_hub
from station.journal.schema import migrations
from tests.compat.releases import HERE, VERSIONS
from tests.faults.card import Card
from tests.faults.conftest import Writers
from tests.station.fixtures.journals import open_journal

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("fuse")]

SEED = 36
EVERY = [7, pytest.param(1, marks=pytest.mark.nightly)]


class Contents(NamedTuple):
    """A database's tables and indexes as SQL, and its events in their order."""

    schema: tuple[str, ...]
    events: tuple[tuple[bytes, ...], ...]


def contents(path: Path, table: str) -> Contents:
    """What a database holds, recovered from its write-ahead log as any version would."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name")
        schema = tuple(row[0] for row in found)
        columns = "hash, bytes" if table == "event" else "log_id, seq, hash, bytes"
        return Contents(schema, tuple(db.execute(f"SELECT {columns} FROM {table} ORDER BY rowid")))  # noqa: S608


def cut_everywhere(
    card: Card, writers: Writers, tmp_path: Path, work: str, base: Path, name: str, step: int
) -> Iterator[Path]:
    """The card's files after a cut at every `step`th change of an upgrade; each yielded folder is removed afterwards."""
    log = tmp_path / "log"
    card.reset()
    card.load(base)
    before = card.look().counted
    assert writers.wait(writers.start(work, card.mount / name, log)) == 0, log.read_text()
    changes = card.look().counted - before
    points = range(random.Random(SEED).randrange(1, step + 1), changes + 1, step)
    cuts = 0
    for point in points:
        card.reset(torn=True, seed=SEED + point)
        card.load(base)
        card.fault(cut_at=point + card.look().counted)
        writers.wait(writers.start(work, card.mount / name, log))
        if not card.look().boot_ns:
            continue  # the kernel handed two changes over as one, and the run ended before
        cuts += 1
        after = card.image(tmp_path / "after")
        try:
            yield after
        except BaseException as error:
            error.add_note(f"{work} cut at change {point} of {changes}, seed {SEED + point}")
            raise
        shutil.rmtree(after)
    assert cuts >= len(points) - 4
    print(f"\n{work}: cut at {cuts} of {changes} changes (seed {SEED}), old or new afterwards")


def upgraded(base: Path, folder: Path, name: str) -> Path:
    """A copy of an old version's file in `folder`, opened once by this version."""
    folder.mkdir()
    shutil.copy(base / name, folder / name)
    if name == "hub.db":
        open_hub(folder / name).close()
    else:
        open_journal(folder).close()
    return folder / name


def between(base: Path, folder: Path) -> set[tuple[str, ...]]:
    """The schemas of an old version's journal after each of its migrations but the last; each one commits alone."""
    schemas = set()
    for number, stop in enumerate(("version_2", "version_3", "version_4")):
        path = Path(shutil.copytree(base, folder / str(number))) / "journal.db"
        db = Database(path)
        if stop not in {done.name for done in migrations.applied(db)}:
            migrations.apply(db, stop_before=stop)
        db.close()
        schemas.add(contents(path, "event").schema)
    return schemas


@pytest.fixture(params=VERSIONS)
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with the files of an old version, and nothing else."""
    folder = tmp_path / "release"
    folder.mkdir()
    for name in ("hub.db", "journal.db"):
        (folder / name).mkdir()
        shutil.copy(HERE / request.param / name, folder / name / name)
    return folder


@pytest.mark.parametrize("step", EVERY)
@pytest.mark.parametrize(
    ("name", "work", "table"), [("hub.db", "open_hub", "ledger"), ("journal.db", "birth", "event")]
)
def test_an_upgrade_that_is_cut_off_anywhere_leaves_the_old_or_the_new_tables_and_every_event(
    card: Card, writers: Writers, release: Path, tmp_path: Path, name: str, work: str, table: str, step: int
) -> None:
    base = release / name
    shutil.copytree(base, tmp_path / "old")
    old = contents(tmp_path / "old" / name, table)
    new = contents(upgraded(base, tmp_path / "new", name), table)
    allowed = {old.schema, new.schema}
    if name == "journal.db":
        allowed |= between(base, tmp_path / "between")
    for after in cut_everywhere(card, writers, tmp_path, work, base, name, step):
        read = Path(shutil.copytree(after, tmp_path / "read"))
        found = contents(read / name, table)
        assert found.schema in allowed
        assert found.events[: len(old.events)] == old.events
        shutil.rmtree(read)
        if name == "hub.db":
            open_hub(after / name).close()
        else:
            with open_journal(after) as journal:
                assert journal.verify() == []
        assert contents(after / name, table).schema == new.schema
        assert contents(after / name, table).events[: len(old.events)] == old.events
        assert not (after / "quarantine").exists()
