"""A closed period in a moved hub, a snapshot and a restored backup: the same figures, the same listing, a clean `verify`."""

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from postgres_server import PostgresServer, name_of
from restated_close import restated
from shop_writer import ShopWriter
from sqlalchemy import Connection, create_engine

from server.db.schema import period_listing
from server.db.store import Store
from server.ledger.period_listings import listing_at
from server.ledger.verify import verify
from server.ops.backup import back_up, check, restore
from server.ops.bootstrap import open_hub
from server.ops.transfer import move, snapshot
from server.projection.rebuild import rebuild
from server.queries.closed_periods import ClosedPeriod, closed_periods, stored_lines

NOW_US = 1_790_000_000_000_000
Kept = list[tuple[ClosedPeriod, str, int]]


@pytest.fixture
def shop(store: Store) -> ShopWriter:
    """Two closes, the first one reopened; a scan of before arrived after both, and an exported journal."""
    written = ShopWriter(store)
    written.small_shop()
    for line, account in (("wip", "1300"), ("material", "1200"), ("labour", "5100"), ("rounding", "6999")):
        written.say("account.map", 0, line=line, account=account)
    written.release("WO-1", qty=10)
    written.scan("WO-1", "saw", written.ago(hours=9), qty_milli=10_000)
    written.settle()
    written.say("period.close", written.ago(hours=7), why="too early")
    written.settle()
    written.say("period.reopen", why="a scan was missing")
    written.scan("WO-1", "deburr", written.ago(hours=8), qty_milli=4_000)
    written.settle()
    written.say("period.close", written.ago(hours=6), why="month end")
    written.settle()
    with store.read() as connection:
        newest = closed_periods(connection)[0].pos
    written.say("journal.export", period=newest)
    written.scan("WO-1", "deburr", written.ago(hours=7), station="late-1", qty_milli=3_000)
    written.settle()
    return written


def kept(connection: Connection) -> Kept:
    """Each close with its figures, the SHA-256 of its listing as it is read, and the number of lines in it."""
    found = []
    for close in closed_periods(connection):
        listing, lines = listing_at(connection, close.pos), stored_lines(connection, close)
        assert listing is not None
        assert lines is not None
        found.append((close, sha256(listing).hexdigest(), len(lines)))
    return found


def kept_in(store: Store) -> Kept:
    with store.read() as connection:
        return kept(connection)


def in_file(path: Path) -> Kept:
    """The closes of a snapshot, which has no hub of its own."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = kept(connection)
    engine.dispose()
    return found


def breaks(store: Store) -> list[str]:
    with store.read() as connection:
        return [one.text for one in verify(connection)]


def of_a_close(shop: ShopWriter) -> Kept:
    """What was stored in the hub: the listings have the hashes that their entries name, and `verify` is clean."""
    found = kept_in(shop.store)
    assert [(close.why, close.holds, lines) for close, _, lines in found] == [
        ("month end", True, 2), ("too early", False, 1),
    ]  # fmt: skip
    assert all(close.listing == listing for close, listing, _ in found)
    assert found[0][0].value_micros == 24_000_000
    assert breaks(shop.store) == []
    return found


def test_a_snapshot_has_the_listings_of_the_closed_periods(shop: ShopWriter, tmp_path: Path) -> None:
    before = of_a_close(shop)
    snapshot(str(shop.store.path), tmp_path / "copy.db")
    assert in_file(tmp_path / "copy.db") == before


def test_a_restored_backup_has_the_listings_of_the_closed_periods(shop: ShopWriter, tmp_path: Path) -> None:
    before, restatement = of_a_close(shop), restated(shop, kept_in(shop.store)[0][0].pos)
    made = back_up(str(shop.store.path), tmp_path / "backup.db", NOW_US)
    assert made.breaks == ()
    with shop.store.write() as connection:
        connection.execute(period_listing.delete())
    assert len(breaks(shop.store)) == 2
    shop.store.close()
    restore(str(shop.store.path), made.path)
    with closing(open_hub(shop.store.path)) as store:
        assert kept_in(store) == before
        assert breaks(store) == []
        rebuild(store)
        assert kept_in(store) == before
        assert restated(ShopWriter(store), before[0][0].pos) == restatement == (24, {"late_scans": 3}, 27)


def test_a_backup_with_another_listing_is_not_verified(shop: ShopWriter, tmp_path: Path) -> None:
    with shop.store.write() as connection:
        connection.execute(period_listing.update().values(content=b"x"))
    made = back_up(str(shop.store.path), tmp_path / "backup.db", NOW_US)
    assert len(made.breaks) == 2


@pytest.fixture
def target(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty database on the server; what a restore makes of it is dropped too."""
    url = postgres.create()
    yield url
    for (name,) in postgres.execute("SELECT datname FROM pg_database"):
        if name.startswith(name_of(url)):
            postgres.drop(postgres.url(name))


@pytest.mark.host
def test_a_moved_hub_has_the_listings_of_the_closed_periods(shop: ShopWriter, target: str, tmp_path: Path) -> None:
    before, restatement = of_a_close(shop), restated(shop, kept_in(shop.store)[0][0].pos)
    shop.store.close()
    move(str(shop.store.path), target)
    with closing(open_hub(target)) as store:
        assert kept_in(store) == before
        assert breaks(store) == []
        assert restated(ShopWriter(store), before[0][0].pos) == restatement
        rebuild(store)
        assert kept_in(store) == before
    snapshot(target, tmp_path / "copy.db")
    assert in_file(tmp_path / "copy.db") == before


@pytest.mark.host
def test_a_restored_dump_has_the_listings_of_the_closed_periods(shop: ShopWriter, target: str, tmp_path: Path) -> None:
    before = of_a_close(shop)
    shop.store.close()
    move(str(shop.store.path), target)
    made = back_up(target, tmp_path, NOW_US)
    assert (made.breaks, check(made.path, target)[1]) == ((), made.pos)
    with closing(Store(target)) as store, store.write() as connection:
        connection.execute(period_listing.delete())
    restore(target, made.path)
    with closing(open_hub(target)) as store:
        assert kept_in(store) == before
        assert breaks(store) == []
