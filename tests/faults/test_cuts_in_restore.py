"""The power goes while a hub is restored: either database is whole, and the one before is kept."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from shop_writer import ShopWriter

from server.db.store import Store
from server.ledger.ingest import last_pos
from server.ledger.verify import verify
from server.ops.backup import back_up
from server.ops.bootstrap import initialise, open_hub
from tests.faults.card import Card
from tests.faults.conftest import Writers
from tests.faults.test_cuts_in_files import EVERY, every_cut

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("fuse")]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub that was killed, its last scans only in the write-ahead log, and a backup from before them."""
    work, folder = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("killed")
    with closing(Store(work / "hub.db")) as store:
        initialise(store)
        shop_writer = ShopWriter(store)
        shop_writer.small_shop()
        shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
        shop_writer.settle()
        back_up(str(store.path), folder / "copy.db", 0)
        shop_writer.scan("WO-1", "weld", shop_writer.ago(hours=1))
        shop_writer.settle()
        for name in ("hub.db", "hub.db-wal", "hub.db.high"):
            shutil.copyfile(work / name, folder / name)
    return folder


def events_in(db: Path) -> int:
    """How many events a database holds, all of which verify."""
    with closing(Store(db, writing=False)) as store, store.read() as connection:
        assert verify(connection) == []
        return last_pos(connection)


@pytest.mark.parametrize("step", EVERY)
def test_a_restore_loses_nothing_wherever_the_power_went(
    card: Card, writers: Writers, tmp_path: Path, killed: Path, step: int
) -> None:
    copied = tmp_path / "whole"
    shutil.copytree(killed, copied)
    whole, backed_up = events_in(copied / "hub.db"), events_in(copied / "copy.db")
    assert backed_up < whole
    for after in every_cut(card, writers, "restore", "hub.db", killed, tmp_path, step):
        with closing(open_hub(after.folder / "hub.db")) as hub, hub.read() as connection:
            assert verify(connection) == [], after.point
            here = last_pos(connection)
        asides = [events_in(each) for each in after.folder.glob("hub.db.before-restore-?")]
        # Each new epoch adds the event that opens the hub's next log: one by the restore, one where the power went in it.
        before = range(whole, whole + 2) if not asides else range(backed_up, backed_up + 3)
        assert here in before, after.point
        assert asides in ([], [whole]), after.point
        assert "restored" not in after.said or asides, after.point
