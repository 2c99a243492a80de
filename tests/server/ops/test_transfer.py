"""A hub moves from SQLite to PostgreSQL with equal hashes, and a snapshot of either answers questions by its views."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from shop_writer import ShopWriter
from sqlalchemy import select

from server.auth import accounts, devices
from server.db import schema
from server.db.store import Store
from server.db.writer_lock import HubLocked
from server.ledger.entries import record
from server.ledger.verify import verify
from server.ops.bootstrap import NoHub, open_hub
from server.ops.transfer import TransferError, ledger_hash, move, snapshot, state_hash
from server.projection.rebuild import compare


@pytest.fixture
def shop(store: Store) -> ShopWriter:
    """A shop with two orders, of which one has scans; the store stays open."""
    written = ShopWriter(store)
    written.small_shop()
    written.release("WO-1")
    written.release("WO-2", qty=7)
    written.scan("WO-1", "saw", written.ago(hours=5), qty_milli=12_500)
    written.scan("WO-9", "deburr", written.ago(hours=4))
    written.settle()
    return written


@pytest.fixture
def target(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty database on the server."""
    url = postgres.create()
    yield url
    postgres.drop(url)


def hashes(store: Store) -> tuple[str, str]:
    with store.read() as connection:
        return ledger_hash(connection), state_hash(connection)


@pytest.mark.host
def test_a_hub_moves_to_postgresql_with_equal_hashes_and_goes_on_there(shop: ShopWriter, target: str) -> None:
    token = shop.station("saw-7")
    before = hashes(shop.store)
    with shop.store.read() as connection:
        chain = connection.execute(select(schema.ledger.c.chain).order_by(schema.ledger.c.pos)).scalars().all()
    shop.store.close()
    moved = move(str(shop.store.path), target)
    assert ((moved.ledger_hash, moved.state_hash), moved.events) == (before, len(chain))
    with closing(open_hub(target)) as store:
        with store.write() as connection:
            assert devices.device_of(connection, token) is not None
            assert devices.add(connection, "saw-8", 1) != token  # its number continues behind the copied ones
            accounts.add_person(connection, "Lee", "supervise", None, 1)
        record(store, "note", {"item": "WO-1", "text": "on the server"}, "Kim")
        ShopWriter(store).projector.drain()
        with store.read() as connection:
            now = connection.execute(select(schema.ledger.c.chain).order_by(schema.ledger.c.pos)).scalars().all()
            causes = connection.execute(select(schema.epoch.c.cause).order_by(schema.epoch.c.epoch)).scalars().all()
            assert verify(connection) == []
        assert now[: len(chain)] == chain
        assert causes[-1] == "moved from hub.db"
        assert compare(store) == []


@pytest.mark.host
def test_a_database_that_is_not_empty_is_left_alone(shop: ShopWriter, target: str, postgres: PostgresServer) -> None:
    postgres.execute("CREATE TABLE theirs (x integer)", target.partition("@/")[2].partition("?")[0])
    shop.store.close()
    with pytest.raises(NoHub, match=r"has the tables theirs\. Expected an empty database\. Name another\."):
        move(str(shop.store.path), target)


def test_a_running_hub_is_not_moved(store: Store) -> None:
    with pytest.raises(HubLocked):
        move(str(store.path), "postgresql:///nowhere")


@pytest.mark.parametrize(("source", "target"), [("postgresql:///a", "postgresql:///b"), ("a.db", "b.db")])
def test_a_move_is_from_a_file_to_a_server(source: str, target: str) -> None:
    with pytest.raises(TransferError, match="expected an SQLite file and the URL of a database server"):
        move(source, target)


def asked(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the views of a snapshot say."""
    questions = {
        "in_process": "SELECT item, stage, state, quantity FROM in_process ORDER BY item, quantity",
        "orders": "SELECT work_order, product, status, ordered, finished FROM orders ORDER BY work_order",
        "item_history": "SELECT item, verb, station, status FROM item_history WHERE item = 'WO-1' ORDER BY pos",
        "open_findings": "SELECT item, rule FROM open_findings ORDER BY item, rule",
    }
    with closing(sqlite3.connect(path)) as raw:
        return {name: raw.execute(question).fetchall() for name, question in questions.items()}


def test_a_snapshot_answers_questions_and_has_no_keys(shop: ShopWriter, tmp_path: Path) -> None:
    made = tmp_path / "questions.db"
    events = snapshot(str(shop.store.path), made)
    answers = asked(made)
    assert ("WO-1", "saw", "here", 12.5) in answers["in_process"]
    assert ("WO-2", "bracket", "open", 7.0, 0.0) in answers["orders"]
    assert [(verb, station) for _, verb, station, _ in answers["item_history"]] == [
        ("order.release", "hub"),
        ("", "saw-1"),
    ]
    assert ("WO-9", "unknown_code") in answers["open_findings"]
    with closing(sqlite3.connect(made)) as raw:
        (count,) = raw.execute("SELECT count(*) FROM ledger").fetchone()
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert (count, made.stat().st_mode & 0o777) == (events, 0o600)
    assert tables.isdisjoint({"hub", "device", "person", "token", "session", "link", "attempt"})
    with pytest.raises(TransferError, match="overwrites no file"):
        snapshot(str(shop.store.path), made)


@pytest.mark.host
def test_a_snapshot_of_postgresql_says_the_same(shop: ShopWriter, target: str, tmp_path: Path) -> None:
    snapshot(str(shop.store.path), tmp_path / "of-sqlite.db")
    shop.store.close()
    move(str(shop.store.path), target)
    snapshot(target, tmp_path / "of-postgresql.db")
    assert asked(tmp_path / "of-sqlite.db") == asked(tmp_path / "of-postgresql.db")
