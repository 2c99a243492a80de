"""The power goes while a file beside the journal is written, or while a hub's tables are brought up to this version."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest
from shop_writer import ShopWriter
from sqlalchemy import func, select

from drivers.decode.capture_file import CaptureError, CaptureEvent, CaptureReader
from server.db.position_signal import PositionSignal
from server.db.schema import ledger
from server.db.store import Store
from server.ops.bootstrap import initialise, open_hub, save_location
from server.projection.internal_tables import tag_number
from server.projection.rebuild import compare
from server.projection.tables import event_state
from server.projection.worker import Projector
from station.readers.profile_store import KEYPAD, ProfileStore
from tests.faults.card import Card
from tests.faults.conftest import Writers
from tests.faults.writers import TAPED

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("fuse")]

SEED = 1_143
STRANGE = b'{"readers": {"usb-9": 5}}'  # written by a hand, or by another version
TAGS = 150
RECORDED = [*range(TAPED), "end"]
EVERY = [7, pytest.param(1, marks=pytest.mark.nightly)]


class After(NamedTuple):
    """The medium after a cut, and the lines that the program had said before it."""

    folder: Path
    said: list[str]
    point: str


def every_cut(
    card: Card, writers: Writers, work: str, file: str, base: Path, tmp_path: Path, step: int
) -> Iterator[After]:
    """Cut the power at every `step`th change that a piece of work makes, last when it has ended by itself."""
    log = tmp_path / "log"
    card.reset()
    card.load(base)
    before = card.look().counted
    assert writers.wait(writers.start(work, card.mount / file, log)) == 0, log.read_text()
    changes = card.look().counted - before
    points = [*range(random.Random(SEED).randrange(1, step + 1), changes + 1, step), None]
    missed = []
    for point in points:
        # Behind the end everything that was not flushed is lost, not some of it.
        card.reset(torn=point is not None, seed=SEED + (point or 0))
        card.load(base)
        if point is not None:
            card.fault(cut_at=point + card.look().counted)
        log.write_text("")
        ended = writers.wait(writers.start(work, card.mount / file, log))
        was_cut = bool(card.look().boot_ns)
        assert point or not was_cut
        assert was_cut or ended == 0
        if point and not was_cut:
            # The kernel may hand two changes over as one: this run ended before as many as the first one made.
            missed.append(point)
            continue
        after = card.image(tmp_path / "after")
        # What a program says after its disk has died is no promise: these end at their first error.
        yield After(after, log.read_text().splitlines(), f"{work} cut at {point} of {changes}, seed {SEED}")
        shutil.rmtree(after)
    assert all(point > changes - 4 for point in missed), missed
    print(f"\n{work}: cut at {len(points) - len(missed)} of {changes} changes (seed {SEED}), nothing lost")


TAUGHT = [
    ("old",),
    ("old", "usb-0"),
    ("old", "usb-0", "usb-1"),
    ("old", "usb-0", "usb-1", "usb-2"),
    ("old", "usb-0", "usb-2"),
]


def test_what_was_taught_is_whole_and_what_was_said_to_be_kept_is_kept(
    card: Card, writers: Writers, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    ProfileStore(base / "readers.json").keep("old", KEYPAD)
    for after in every_cut(card, writers, "teach", "readers.json", base, tmp_path, step=1):
        done = [line for line in after.said if line.startswith(("kept", "forgot"))]
        found = ProfileStore(after.folder / "readers.json").ids()
        assert found in TAUGHT[len(done) :], after.point


def test_a_file_of_another_hand_is_still_there_wherever_the_power_goes(
    card: Card, writers: Writers, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "readers.json").write_bytes(STRANGE)
    for after in every_cut(card, writers, "teach", "readers.json", base, tmp_path, step=1):
        assert STRANGE in [each.read_bytes() for each in after.folder.iterdir()], after.point
        taught = ProfileStore(after.folder / "readers.json")
        taught.keep("usb-5", KEYPAD)
        assert "usb-5" in taught.ids(), after.point


@pytest.mark.parametrize("step", EVERY)
def test_a_recording_that_is_said_to_be_kept_is_kept_whole(
    card: Card, writers: Writers, tmp_path: Path, step: int
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    kept = 0
    for after in every_cut(card, writers, "record", "case.rec", base, tmp_path, step):
        file = after.folder / "case.rec"
        if "kept" in after.said:
            kept += 1
            assert list(lines_of(file)) == RECORDED, after.point
        elif file.exists():
            # Half a recording is played as far as it goes, or refused in a sentence where the medium tore it.
            found = list(lines_of(file))
            assert found == RECORDED[: len(found)], after.point
    assert kept


def lines_of(file: Path) -> Iterator[object]:
    """The numbers that were recorded, in their order; those in front of what the medium tore."""
    reader = CaptureReader()
    with suppress(CaptureError):
        for each in chain(reader.feed(file.read_bytes()), reader.end()):
            if isinstance(each, CaptureEvent):
                yield "end" if each.name == "end" else int(bytes(each.value)[3:-1])


@pytest.fixture(scope="module")
def version_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a hub of version 1: scans, stored ones among them, and tags, all of them projected."""
    folder = tmp_path_factory.mktemp("one")
    store = Store(folder / "hub.db")
    initialise(store)
    save_location(store)
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    for number in range(TAGS):
        shop_writer.scan(f"3C{number:08X}", "saw", shop_writer.ago(hours=20) + number * 60_000_000, scheme="uid")
    shop_writer.settle()
    store.close()
    with closing(sqlite3.connect(folder / "hub.db")) as raw:
        raw.execute("ALTER TABLE event_state DROP COLUMN since_ns")
        raw.execute("DROP TABLE tag_number")
        raw.execute("UPDATE alembic_version SET version_num = '0001'")
        raw.commit()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@pytest.mark.parametrize("step", EVERY)
def test_a_hub_is_brought_up_to_this_version_wherever_the_power_went_before(
    card: Card, writers: Writers, tmp_path: Path, version_one: Path, step: int
) -> None:
    with closing(sqlite3.connect(version_one / "hub.db")) as raw:
        (events,) = raw.execute("SELECT count(*) FROM ledger").fetchone()
    for after in every_cut(card, writers, "open_hub", "hub.db", version_one, tmp_path, step):
        with closing(open_hub(after.folder / "hub.db")) as hub:
            with hub.read() as connection:
                assert len(connection.execute(select(tag_number)).all()) == TAGS, after.point
                assert connection.execute(select(func.count()).select_from(event_state)).scalar() == events, after.point
                assert connection.execute(select(func.count()).select_from(ledger)).scalar() >= events, after.point
            Projector(hub, PositionSignal()).drain()
            assert compare(hub) == [], after.point
