"""A hub whose projections are made anew takes scans meanwhile, shows its progress, and ends with the same rows."""

import threading
from contextlib import closing
from typing import Any

import pytest
from engines import SQLITE, both
from shop_writer import ShopWriter
from sqlalchemy import func, select, update

from server.db.long_work import REBUILD, published, running
from server.db.position_signal import PositionSignal
from server.db.schema import long_work
from server.db.store import Store
from server.ledger.ingest import last_pos
from server.projection.fold_version import refold_if_outdated
from server.projection.interpreter import DEFAULT_INTERPRETER
from server.projection.rebuild import compare
from server.projection.rebuild_beside import rebuilt, scratch_of
from server.projection.tables import FOLD_VERSION, FOLD_VERSION_ROW, item, projection
from server.projection.worker import HubStops, Projector

engine = both


@pytest.fixture
def shop(store: Store) -> ShopWriter:
    """A shop whose items were folded by an earlier version of the rules."""
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    for number in range(3):
        shop_writer.release(f"WO-{number}", qty=4)
        shop_writer.scan(f"WO-{number}", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    with store.write() as connection:
        earlier = update(projection).where(projection.c.k == FOLD_VERSION_ROW)
        connection.execute(earlier.values(v=FOLD_VERSION - 1))
    return shop_writer


def test_scans_are_recorded_during_a_rebuild_and_projected_after_it(store: Store, shop: ShopWriter) -> None:
    during: list[int] = []

    def advance(done: int, total: int) -> None:
        if not during:
            during.append(total)
            # Another thread, as that of a request: on SQLite it must find the writer free.
            writer = threading.Thread(target=shop.release, args=("WO-9",))
            writer.start()
            writer.join(20)
            assert not writer.is_alive()
        assert 0 <= done <= total == during[0]

    assert refold_if_outdated(store, DEFAULT_INTERPRETER, advance)
    with store.read() as connection:
        assert last_pos(connection) == during[0] + 1
        items = set(connection.execute(select(item.c.item)).scalars())
    assert items == {"WO-0", "WO-1", "WO-2"}
    Projector(store, PositionSignal()).drain()
    with store.read() as connection:
        assert "WO-9" in set(connection.execute(select(item.c.item)).scalars())
    assert compare(store) == []


def test_the_progress_is_in_the_database_for_every_process_and_removed_at_the_end(
    store: Store, shop: ShopWriter
) -> None:
    seen: list[dict[str, Any]] = []
    address = str(store.path) if store.path is not None else store.url.render_as_string(hide_password=False)
    ticks = iter(range(0, 10_000, 4))
    with closing(Store(address, writing=False)) as other:

        def look() -> None:
            with other.read() as connection:
                seen.append(running(other, connection))

        store.on_progress = look
        meter = published(store, REBUILD, "Rebuild", "event", now_s=lambda: float(next(ticks)))
        with meter as advance, rebuilt(store, DEFAULT_INTERPRETER, advance=advance):
            pass
    first, *_, last = seen
    assert set(first) == {REBUILD}
    assert (first[REBUILD].work, first[REBUILD].unit) == ("Rebuild", "event")
    assert 0 < first[REBUILD].done <= (first[REBUILD].total or 0)
    assert last == {}
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(long_work)).scalar_one() == 0


def test_a_hub_that_stops_leaves_the_former_rows(store: Store, shop: ShopWriter) -> None:
    def stop(_done: int, _total: int) -> None:
        raise HubStops

    with store.read() as connection:
        before = connection.execute(select(item)).all()
    with pytest.raises(HubStops), rebuilt(store, DEFAULT_INTERPRETER, advance=stop):
        pass
    with store.read() as connection:
        assert connection.execute(select(item)).all() == before


@pytest.mark.parametrize("engine", [SQLITE], ids=["file"])
def test_the_file_of_a_rebuild_is_removed(store: Store, shop: ShopWriter) -> None:
    assert store.path is not None
    scratch_of(store.path).write_bytes(b"of a killed process")
    assert refold_if_outdated(store, DEFAULT_INTERPRETER)
    assert not list(store.path.parent.glob("*.rebuild*"))
