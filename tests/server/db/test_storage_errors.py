"""A hub that cannot write or read: it answers 503 with Retry-After, says so in healthz, and goes on when it can again."""

import sqlite3
import threading
from contextlib import closing

import psycopg
import pytest
from fake_host import FakeMachine
from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from waiting import until

from server.api.health import health
from server.app import create_app
from server.auth import devices
from server.config import HubConfig
from server.context import HubContext
from server.db import schema, storage_errors
from server.db.store import Store
from server.ledger import entries
from server.ledger.verify import verify
from server.ops.scheduler import LATE_S, BackupScheduler
from server.ops.serve import WorkerTasks
from server.projection.dead_letters import is_of_medium

FULL = "The hub's disk is full: nothing can be written. Free some space."
DAMAGED = "The hub's database is damaged. Stop the hub, keep its files, and restore a backup: wipline-hub restore."
LOG = "/api/v1/logs/000102030405060708090a0b0c0d0e0f/events"


@pytest.fixture
def machine():
    return FakeMachine()


@pytest.fixture
def health_faults(store):
    """The faults in the answer of healthz, whose status is checked."""

    def ask(*duties):
        answer = create_app(HubConfig(), store, duties=duties).test_client().get("/healthz")
        assert answer.status_code == (503 if answer.json["wrong"] else 200)
        return answer.json["wrong"]

    return ask


@pytest.fixture
def fill_database(store):
    """Bound the database to its present number of pages; a second call removes the bound."""

    def limit(*, full):
        with store.write() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages if full else 2**30}")

    return limit


def big(a_log):
    return a_log.write(*("X" * 3_000 for _ in range(100)))


def test_a_full_disk_answers_503_to_stations_and_people_and_loses_nothing(
    hub_app, store, a_log, fill_database, health_faults
):
    station, office = hub_app.station(), hub_app.token("supervise")
    browser = hub_app.anonymous()
    fill_database(full=True)
    events = browser.post(LOG, json=big(a_log).body(), headers=station)
    note = {"entries": [{"what": "note", "data": {"item": "WO-1", "text": "n" * 3_000}}] * 40}
    entered = browser.post("/api/v1/entries", json=note, headers=office)
    for answer in (events, entered):
        assert (answer.status_code, answer.headers["Retry-After"], answer.json["error"]["came"]) == (503, "30", FULL)
    assert FULL in health_faults()
    assert browser.get("/api/v1/wip", headers=office).status_code == 200, "reading goes on"
    fill_database(full=False)
    assert browser.post(LOG, json=a_log.body(), headers=station).json["accepted_thru"] == 104
    assert browser.post("/api/v1/entries", json=note, headers=office).status_code == 200
    assert health_faults() == []
    with store.read() as connection:
        assert verify(connection) == []


def test_a_damaged_database_answers_503_and_stays_wrong(store, append_batch, a_log, machine):
    with store.write() as connection:
        station = {"Authorization": f"Bearer {devices.add(connection, 'saw-1', 0)}"}
    append_batch(a_log.batch())
    store.close()
    with closing(sqlite3.connect(store.path)) as raw:
        page = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ledger'").fetchone()[0]
        size = raw.execute("PRAGMA page_size").fetchone()[0]
    with store.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    damaged = Store(store.path, host=machine.host)
    app = create_app(HubConfig(), damaged)
    app.testing = False
    browser = app.test_client()
    answer = browser.get("/healthz")
    assert (answer.status_code, answer.json["wrong"]) == (503, [DAMAGED])
    other = type(a_log)(bytes(16)).write("one")
    sent = browser.post(f"/api/v1/logs/{bytes(16).hex()}/events", json=other.body(), headers=station)
    assert (sent.status_code, sent.headers["Retry-After"], sent.json["error"]["came"]) == (503, "60", DAMAGED)
    with damaged.write() as connection:
        connection.execute(schema.hub.update().values(clock_doubt=False))
    assert damaged.trouble is not None, "a page that can still be written mends nothing"
    damaged.close()


def test_a_projection_that_does_not_move_is_wrong(append_batch, a_log, machine, health_faults):
    machine.clock.now_us = 1_790_000_000_000_000
    append_batch(a_log.batch())
    assert health_faults() == []
    machine.clock.wait(121)
    assert health_faults() == ["The pages have not moved for 2 min: 4 events wait. See the hub's log."]


def test_a_stopped_thread_is_wrong(store, tmp_path, health_faults):
    work = WorkerTasks(HubConfig(), store)
    work.start()
    assert health_faults(*work.duties) == []
    store.arrived.close()  # ends the projector alone
    stopped = ["The hub's projector has stopped. See the hub's log, and restart the hub."]
    until(lambda: health_faults(*work.duties) == stopped)
    work.stop()
    assert [duty() for duty in work.duties] == [None, None]


def test_a_backup_that_fails_is_wrong_until_one_succeeds(store, tmp_path, health_faults):
    backups = BackupScheduler(str(tmp_path / "gone"), 3600, store)
    assert health_faults(backups.trouble) == []
    backups.step()
    (text,) = health_faults(backups.trouble)
    assert text.startswith(f"The last backup failed: [backup] path {tmp_path / 'gone'} is not a folder")
    (tmp_path / "gone").mkdir()
    backups.step()
    assert health_faults(backups.trouble) == []


def test_a_backup_that_is_long_due_is_wrong(store, tmp_path, machine, health_faults):
    backups = BackupScheduler(str(tmp_path), 3600, store)
    backups.step()
    machine.clock.wait(3600 + LATE_S)
    assert health_faults(backups.trouble) == []
    machine.clock.wait(60)
    (text,) = health_faults(backups.trouble)
    assert text.startswith("A backup is due for 61 min and was not made.")


def test_without_a_folder_no_backup_is_due(store, machine, health_faults):
    backups = BackupScheduler(None, 3600, store)
    machine.clock.wait(10**6)
    assert health_faults(backups.trouble) == []


def test_health_answers_within_its_bound_where_a_disk_hangs(store):
    hangs = threading.Event()

    def duty():
        hangs.wait()

    found = health(HubContext(HubConfig(), store, duties=(duty,)), within_s=0.2)
    hangs.set()
    assert found.wrong == ["The database does not answer within 0.2 s. Check its disk, then restart the hub."]


def test_an_entry_is_written_once_where_the_high_water_file_cannot_be(store, rows):
    store.rollback_guard.close()
    store.rollback_guard.path.unlink()
    store.rollback_guard.path.mkdir()
    entries.record(store, "note", {"item": "WO-1", "text": "x"}, "Kim")
    assert len(rows(select(schema.ledger.c.pos))) == 2, "an anchor and the note, and no error after their commit"


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        ("DiskFull", storage_errors.FULL),
        ("TooManyConnections", storage_errors.BUSY),
        ("LockNotAvailable", storage_errors.BUSY),
        ("SerializationFailure", storage_errors.BUSY),
        ("AdminShutdown", storage_errors.AWAY),
        ("CannotConnectNow", storage_errors.AWAY),
        ("OperationalError", storage_errors.AWAY),
        ("InterfaceError", storage_errors.AWAY),
        ("ReadOnlySqlTransaction", storage_errors.CLOSED),
        ("IndexCorrupted", storage_errors.DAMAGED),
        ("DataError", None),
        ("UniqueViolation", None),
        ("ProgramLimitExceeded", None),
    ],
)
def test_an_error_of_a_database_server_is_a_storage_fault_or_one_of_its_statement(error, trouble):
    """Raised by the driver itself, and as SQLAlchemy wraps it."""
    own = getattr(psycopg.errors, error)("it failed")
    wrapped = DBAPIError.instance("INSERT", {}, own, psycopg.Error, dialect=postgresql.psycopg.dialect())
    assert [storage_errors.storage_trouble(each) for each in (own, wrapped)] == [trouble, trouble]
    assert [is_of_medium(each) for each in (own, wrapped)] == [trouble is not None] * 2
