"""The hub's one door to its database: one writer, readers that cannot write, and a database that is the one we left."""

import shutil
import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from server.db import schema
from server.db.rollback_guard import RollbackGuard
from server.db.store import Store
from server.db.writer_lock import HubLocked, WriterLock
from server.ledger.hub_log import hub_row
from server.ops.bootstrap import NoHub, initialise, open_hub, open_read_only
from station.core.event import decode
from station.system import clock


def test_a_second_process_is_told_who_has_the_database(store):
    with pytest.raises(HubLocked, match=r"is in use by process \d+: only one process writes a hub's database"):
        Store(store.path)


def test_none_a_bool_and_bytes_reach_the_database_as_they_are(store):
    with store.write() as connection:
        values = (None, True, False, b"a\0", "x", 7)
        row = connection.exec_driver_sql(
            "SELECT ?1, ?2, ?3, ?4, ?5, ?6, typeof(?1), typeof(?2), typeof(?4)", values
        ).one()
    assert tuple(row) == (None, 1, 0, b"a\0", "x", 7, "null", "integer", "blob")


def test_the_writer_flushes_every_commit_and_trusts_nothing(store):
    with store.write() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                "journal_mode",
                "synchronous",
                "mmap_size",
                "cell_size_check",
                "trusted_schema",
                "foreign_keys",
            )
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "mmap_size": 0,
        "cell_size_check": 1,
        "trusted_schema": 0,
        "foreign_keys": 1,
    }


def test_a_reader_cannot_write(store):
    with pytest.raises(OperationalError, match="readonly"), store.read() as connection:
        connection.execute(text("UPDATE hub SET epoch = 9"))


def test_a_reader_sees_one_moment(store):
    with store.read() as before:
        assert before.execute(select(schema.counter.c.pos)).scalar() == 0
        with store.write() as connection:
            connection.execute(schema.counter.update().values(pos=5))
        assert before.execute(select(schema.counter.c.pos)).scalar() == 0
    with store.read() as after:
        assert after.execute(select(schema.counter.c.pos)).scalar() == 5


def test_writers_of_many_threads_come_one_after_another(store):
    def add():
        for _ in range(20):
            with store.write() as connection:
                pos = connection.execute(select(schema.counter.c.pos)).scalar_one()
                connection.execute(schema.counter.update().values(pos=pos + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert connection.execute(select(schema.counter.c.pos)).scalar() == 80


def test_a_new_hub_is_made_once(store):
    with pytest.raises(NoHub, match="already holds a hub"):
        initialise(store)


def test_where_there_is_no_hub_it_is_said_how_to_make_one(tmp_path):
    nowhere = tmp_path / "hub.db"
    with pytest.raises(NoHub, match=f"{nowhere} holds no hub. Create one: wipline-hub init --db {nowhere}"):
        open_hub(nowhere)
    with pytest.raises(NoHub), open_read_only(nowhere):
        pass
    assert not nowhere.exists()


def test_the_database_can_be_read_by_its_owner_only(store):
    assert {part.stat().st_mode & 0o077 for part in store.path.parent.iterdir()} == {0}


def opened_again(path):
    """The epoch after the hub was closed and opened, and why."""
    store = open_hub(path)
    with store.read() as connection:
        epochs = connection.execute(select(schema.epoch.c.epoch, schema.epoch.c.cause).order_by(schema.epoch.c.epoch))
        causes = [row.cause for row in epochs]
        epoch = hub_row(connection).epoch
    store.close()
    return epoch, causes[1:]


def test_a_hub_that_is_the_one_we_left_stays_in_its_epoch(store, append_batch, a_log):
    append_batch(a_log.batch())
    store.close()
    assert opened_again(store.path) == (1, [])


def test_an_older_copy_in_the_databases_place_begins_a_new_epoch(store, append_batch, a_log):
    """By `cp` over the file: the inode stays, so only the high-water file can tell."""
    append_batch(a_log.batch(1, 2))
    store.close()
    old = store.path.read_bytes()
    again = open_hub(store.path)
    with again.write() as connection:
        from server.ledger import ingest

        ingest.append(connection, a_log.batch(3), recv_us=1)
    again.close()
    store.path.write_bytes(old)
    epoch, causes = opened_again(store.path)
    assert causes == ["the ledger ends at 2 and had reached 4"]
    assert epoch >= clock.utc_us() // 1_000_000 - 60


def test_a_copy_elsewhere_begins_a_new_epoch_with_a_new_log_that_names_the_old(store, tmp_path, append_batch, a_log):
    from server.ledger import entries

    entries.record(store, "note", {"item": "WO-1", "text": "before"}, "Kim")
    with store.read() as connection:
        before = hub_row(connection)
    store.close()
    moved = tmp_path / "copy.db"
    shutil.copy(store.path, moved)
    shutil.copy(RollbackGuard(store.path).path, RollbackGuard(moved).path)
    assert opened_again(moved)[1] == ["the database is another file than before"]
    copy = open_hub(moved)
    log_id, seq, _ = entries.record(copy, "note", {"item": "WO-1", "text": "after"}, "Kim")
    with copy.read() as connection:
        first = connection.execute(
            select(schema.ledger.c.bytes).where(schema.ledger.c.log_id == log_id).order_by(schema.ledger.c.seq)
        ).scalar()
    copy.close()
    opening = decode(first)
    assert (opening.kind, opening.cause, seq) == ("open", "the database is another file than before", 2)
    assert (opening.parent.log, opening.parent.seq) == (before.log_id.hex(), 2)


def test_a_missing_high_water_file_counts_as_a_doubt(store):
    store.close()
    RollbackGuard(store.path).path.unlink()
    assert opened_again(store.path)[1] == ["the high-water file beside the database is missing"]
    assert opened_again(store.path)[1] == ["the high-water file beside the database is missing"], "and only once"


def test_the_lock_is_free_when_its_holder_is_gone(tmp_path):
    held = WriterLock(tmp_path / "hub.db")
    with pytest.raises(HubLocked):
        WriterLock(tmp_path / "hub.db")
    held.release()
    WriterLock(tmp_path / "hub.db").release()


def test_a_hub_that_cannot_be_brought_up_to_date_is_let_go(store):
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    path = store.path
    store.close()
    with pytest.raises(Exception, match="9999"):
        open_hub(path)
    WriterLock(path).release()  # nobody holds it


def test_an_old_database_file_of_another_program_is_left_alone(tmp_path):
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as raw:
        raw.execute("CREATE TABLE t (x)")
    with pytest.raises(NoHub):
        open_hub(other)


def test_a_hub_that_was_killed_can_be_looked_at_before_it_runs_again(store, append_batch, a_log, tmp_path):
    """Its last commits are in the write-ahead log; the index beside it may be gone."""
    append_batch(a_log.batch())
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("hub.db", "hub.db-wal"):
        shutil.copy(tmp_path / name, killed / name)
    with open_read_only(killed / "hub.db") as found, found.read() as connection:
        assert connection.execute(select(schema.counter.c.pos)).scalar() == 4


def test_every_table_and_trigger_can_be_made_on_postgresql_too():
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateIndex, CreateTable

    from server.projection import tables

    assert tables
    dialect = postgresql.dialect()
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in schema.metadata.sorted_tables]
    made += [
        str(CreateIndex(index).compile(dialect=dialect))
        for table in schema.metadata.sorted_tables
        for index in table.indexes
    ]
    assert any('COLLATE "C"' in statement for statement in made)
    assert len(made) > 25
