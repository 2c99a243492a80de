"""Too little disk is one sentence before anything begins: what is needed, what is free and what to do."""

import dataclasses
import re
from contextlib import closing
from importlib import import_module

import pytest
from engines import SQLITE, both
from shop_writer import ShopWriter
from sqlalchemy import text, update

from server.db.migrations import HEAD, version_of
from server.db.store import Store
from server.ops.backup import back_up, restore
from server.ops.bootstrap import open_hub
from server.ops.disk_need import TooLittleDisk, folded_bytes, migration_need, rebuild_need
from server.ops.host import Host
from server.ops.transfer import snapshot
from server.projection.fold_version import is_outdated
from server.projection.tables import FOLD_VERSION, FOLD_VERSION_ROW, projection

engine = both
NOW_US = 1_790_000_000_000_000
FULL = dataclasses.replace(Host(), free_bytes=lambda _folder: 2**20)
MIB = 2**20
BEFORE = import_module("server.db.migrations.versions.0019_long_work").down_revision  # it has no table `long_work`


@pytest.fixture
def old(store):
    """The address of a hub that an earlier version left, and the need of its migration and its rebuild."""
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1")
    shop_writer.settle()
    with store.write() as connection:
        earlier = update(projection).where(projection.c.k == FOLD_VERSION_ROW)
        connection.execute(earlier.values(v=FOLD_VERSION - 1))
        connection.execute(text("DROP TABLE long_work"))
        connection.execute(text("UPDATE alembic_version SET version_num = :before"), {"before": BEFORE})
    with store.read() as connection:
        need = migration_need(connection) + rebuild_need(connection)
    address = str(store.path) if store.path is not None else store.url.render_as_string(hide_password=False)
    if store.path is not None:
        store.close()
    return address, need


def test_an_update_is_not_begun_without_room_for_migration_and_rebuild(old):
    db, need = old
    with pytest.raises(TooLittleDisk) as error:
        open_hub(db, host=FULL, folds=True)
    told = re.fullmatch(
        r"The update of .* needs about (\d+) MiB under /.*, and 1 MiB are free\. Nothing was begun\."
        r" Free (\d+) MiB there and repeat it\.",
        str(error.value),
    )
    assert told is not None, error.value
    assert int(told[1]) - 1 == int(told[2])
    assert abs(int(told[1]) - need / MIB) < 2  # a server writes something between two looks at its size
    with closing(Store(db, writing=False)) as store, store.read() as connection:
        assert version_of(connection) == BEFORE
        assert is_outdated(connection)
    with closing(open_hub(db, folds=True)) as store, store.read() as connection:
        assert version_of(connection) == HEAD


def test_the_folded_rows_are_a_part_of_the_database(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.settle()
    with store.read() as connection:
        assert 0 < folded_bytes(connection) < migration_need(connection)


@pytest.mark.parametrize("engine", [SQLITE])
def test_a_copy_is_not_begun_without_room(store, tmp_path):
    db = str(store.path)
    made = back_up(db, tmp_path / "copy.db", NOW_US).path
    size = made.stat().st_size
    with pytest.raises(TooLittleDisk, match=r"^A backup of .* and 1 MiB are free"):
        back_up(db, tmp_path / "second.db", NOW_US, FULL)
    with pytest.raises(TooLittleDisk, match=r"^A snapshot of .* and 1 MiB are free"):
        snapshot(db, tmp_path / "questions.db", host=FULL)
    store.close()
    with pytest.raises(TooLittleDisk, match=r"^A restore of .* and 1 MiB are free"):
        restore(db, made, FULL)
    assert made.stat().st_size == size
    assert not [
        path.name for path in tmp_path.iterdir() if path.name.startswith(("second", "questions", "hub.db.rest"))
    ]
