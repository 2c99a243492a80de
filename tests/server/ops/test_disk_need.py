"""Too little disk is one sentence before anything begins: what is needed, what is free and what to do."""

import dataclasses
from contextlib import closing

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
FULL = dataclasses.replace(Host(), free_bytes=lambda _folder: 5 * 2**20)
MIB = 2**20


def mib(size):
    return f"{-(-size // MIB)} MiB"


@pytest.fixture
def old(store):
    """The address of a hub that an earlier version left, and the needs of its migration and its rebuild."""
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1")
    shop_writer.settle()
    with store.write() as connection:
        earlier = update(projection).where(projection.c.k == FOLD_VERSION_ROW)
        connection.execute(earlier.values(v=FOLD_VERSION - 1))
        connection.execute(text("DROP TABLE long_work"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0015'"))
        needs = migration_need(connection), rebuild_need(connection)
    address = str(store.path) if store.path is not None else store.url.render_as_string(hide_password=False)
    if store.path is not None:
        store.close()
    return address, *needs


def test_an_update_is_not_begun_without_room_for_migration_and_rebuild(old):
    db, migration, rebuild = old
    with pytest.raises(TooLittleDisk) as error:
        open_hub(db, host=FULL, folds=True)
    need = migration + rebuild
    told = str(error.value)
    assert told.startswith("The update of ")
    assert f" needs about {mib(need)} under /" in told
    assert told.endswith(f", and 5 MiB are free. Nothing was begun. Free {mib(need - 5 * MIB)} there and repeat it.")
    with closing(Store(db, writing=False)) as store, store.read() as connection:
        assert version_of(connection) == "0015"
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
    with pytest.raises(TooLittleDisk, match=r"^A backup of .* and 5 MiB are free"):
        back_up(db, tmp_path / "second.db", NOW_US, FULL)
    with pytest.raises(TooLittleDisk, match=r"^A snapshot of .* and 5 MiB are free"):
        snapshot(db, tmp_path / "questions.db", host=FULL)
    store.close()
    with pytest.raises(TooLittleDisk, match=r"^A restore of .* and 5 MiB are free"):
        restore(db, made, FULL)
    assert made.stat().st_size == size
    assert not [
        path.name for path in tmp_path.iterdir() if path.name.startswith(("second", "questions", "hub.db.rest"))
    ]
