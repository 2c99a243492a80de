"""Backups of PostgreSQL: dumped, restored elsewhere and verified before anything is durable, and put back by a swap."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from postgres_server import PostgresServer, name_of
from sqlalchemy import select
from waiting import until

from server.db import schema
from server.db.store import Store
from server.db.writer_lock import HubLocked
from server.ledger.entries import record
from server.ledger.ingest import last_pos
from server.ops import dump
from server.ops.backup import BackupError, back_up, check, restore
from server.ops.bootstrap import open_hub, save_location
from server.ops.host import Host
from server.ops.scheduler import BackupScheduler

pytestmark = pytest.mark.host


@pytest.fixture
def engine() -> str:
    return "postgresql"


@pytest.fixture
def elsewhere() -> Host:
    """A machine whose backups are on another disk."""
    return Host(off_disk=lambda _backup, _db: True)


@pytest.fixture
def url(postgres: PostgresServer, hubs_on_server: Any) -> Iterator[str]:
    """The address of a new hub in a database of its own."""
    made = postgres.create(template="new_hub")
    with closing(Store(made)) as store:
        save_location(store)
    yield made
    for name in databases(postgres):
        if name.startswith(name_of(made)):
            postgres.drop(postgres.url(name))


def note(url: str, text: str) -> int:
    with closing(Store(url)) as store:
        return record(store, "note", {"item": "WO-1", "text": text}, "Kim")[2]


def state(url: str) -> tuple[int, int, list[str]]:
    """(last position, durable position, causes of the epochs)."""
    with closing(Store(url, writing=False)) as store, store.read() as connection:
        causes = connection.execute(select(schema.epoch.c.cause).order_by(schema.epoch.c.epoch)).scalars().all()
        return last_pos(connection), connection.execute(select(schema.hub.c.backup_pos)).scalar_one(), list(causes)


def databases(postgres: PostgresServer) -> set[str]:
    return {name for (name,) in postgres.execute("SELECT datname FROM pg_database")}


def test_a_dump_is_restored_elsewhere_and_verified(url: str, postgres: PostgresServer, tmp_path: Path) -> None:
    pos, before = note(url, "kept"), databases(postgres)
    made = back_up(url, tmp_path, 1_790_000_000_000_000)
    assert (made.path.name, made.epoch, made.pos, made.breaks) == ("hub-20260921T141320Z.dump", 1, pos, ())
    assert check(made.path, url) == (1, pos)
    assert databases(postgres) == before
    assert [path.name for path in tmp_path.iterdir()] == [made.path.name]


def test_a_damaged_dump_does_not_count(url: str, tmp_path: Path) -> None:
    note(url, "kept")
    made = back_up(url, tmp_path, 1_790_000_000_000_000)
    content = made.path.read_bytes()
    made.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BackupError, match="cannot be restored for its verification"):
        check(made.path, url)


def test_the_schedule_moves_the_durable_position_only_with_a_verified_dump(
    url: str, elsewhere: Host, tmp_path: Path
) -> None:
    pos = note(url, "kept")
    with closing(Store(url, host=elsewhere)) as store:
        schedule = BackupScheduler(str(tmp_path), 3600, store)
        schedule.step()
        assert state(url)[1] == pos
        (made,) = tmp_path.iterdir()
        content = made.read_bytes()
        made.write_bytes(content[:-400])
        schedule.check_backups()
        assert state(url)[1] == 0
        assert schedule.trouble() is None


def test_one_process_makes_the_backups(url: str) -> None:
    with closing(Store(url)) as one, closing(Store(url)) as other:
        assert (one.keeps_backups(), other.keeps_backups(), one.keeps_backups()) == (True, False, True)
        one.close()
        until(other.keeps_backups)  # the server ends a session some time after its connection


def test_without_the_right_to_make_databases_it_is_said_what_to_do(
    url: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    postgres.execute("DROP ROLE IF EXISTS plain")
    postgres.execute("CREATE ROLE plain LOGIN")
    postgres.execute("GRANT pg_read_all_data, pg_write_all_data TO plain")
    postgres.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain", name_of(url))
    with pytest.raises(BackupError, match=r"permission denied to create database.*See docs/postgresql\.md, Backups\."):
        back_up(postgres.url(name_of(url), "plain"), tmp_path, 1)
    postgres.execute("DROP OWNED BY plain", name_of(url))


def test_a_restored_hub_begins_a_new_epoch_and_the_database_before_is_kept(
    url: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    pos = note(url, "kept")
    made = back_up(url, tmp_path / "one.dump", 1)
    note(url, "lost")
    aside, epoch = restore(url, made.path)
    last, durable, causes = state(url)
    assert epoch > 1
    assert (last, durable, causes[-1]) == (pos + 1, 0, "restored from one.dump")  # and the event that opens the new log
    assert str(aside) == f"{name_of(url)}_before_restore_1"
    assert state(postgres.url(str(aside)))[0] == pos + 1
    with closing(open_hub(url)):
        assert state(url)[2] == causes


def test_a_hub_that_runs_is_not_restored(url: str, tmp_path: Path) -> None:
    made = back_up(url, tmp_path / "one.dump", 1)
    with closing(Store(url)) as running:
        with running.project():
            pass
        with pytest.raises(HubLocked, match="Stop the hub first"):
            restore(url, made.path)


def test_a_dump_that_was_put_back_without_the_command_begins_a_new_epoch(
    url: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    from server.db.store import as_url

    note(url, "kept")
    made = back_up(url, tmp_path / "one.dump", 1)
    postgres.drop(url)
    dump.restore_into(as_url(url), made.path)
    for _ in range(2):
        with closing(open_hub(url)):
            assert state(url)[2][1:] == ["the database is another one than before"]


def test_the_hub_that_was_left_stays_in_its_epoch(url: str) -> None:
    with closing(open_hub(url)):
        assert state(url)[2][1:] == []


def test_without_pg_dump_it_is_said_how_to_install_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "PATH", "/nowhere")
    with pytest.raises(BackupError, match="pg_dump is not installed"):
        back_up(url, tmp_path / "one.dump", 1)
