"""A whole hub on a machine that only the test moves: its clocks, its ids and its backup disk."""

import sqlite3
from contextlib import closing

from fake_host import START_US, FakeMachine

from server.app import create_app
from server.auth import devices
from server.config import HubConfig
from server.db.store import Store
from server.ledger import entries
from server.ledger.verify import verify
from server.ops.backup import restore
from server.ops.bootstrap import initialise, open_hub
from server.ops.scheduler import BackupScheduler, ClockMonitor

MINUTE_US = 60_000_000


def live_a_day(folder, a_log):
    """A hub is made, opened, takes four events and a note, is backed up, restored and opened again; its database."""
    machine, db, backups = FakeMachine(), folder / "hub.db", folder / "backups"
    backups.mkdir(parents=True)
    made = Store(db, host=machine.host)
    initialise(made)
    made.close()
    hub = open_hub(db, host=machine.host)
    with hub.write() as connection:
        token = devices.add(connection, "saw-1", machine.clock.utc_us())
    browser = create_app(HubConfig(), hub).test_client()
    mine = {"Authorization": f"Bearer {token}"}
    machine.clock.wait(60)
    body = {"log": a_log.log_id.hex(), "boot": machine.clock.boot_id(), "t1": 1}
    session = browser.post("/api/v1/session", json=body, headers=mine).json
    assert session["t2"] == session["t3"] == START_US + MINUTE_US
    assert browser.post(f"/api/v1/logs/{a_log.log_id.hex()}/events", json=a_log.body(), headers=mine).status_code == 200
    assert browser.post("/api/v1/heartbeat", json={}, headers=mine).status_code == 200
    entries.record(hub, "note", {"item": "WO-1", "text": "x"}, "Kim")
    machine.clock.step(2)
    ClockMonitor(hub).step()
    schedule = BackupScheduler(str(backups), 3600, hub)
    assert schedule.due_in_s() == 0
    schedule.step()
    assert schedule.due_in_s() == 3600
    hub.close()
    machine.clock.reboot()
    restore(str(db), next(backups.iterdir()), machine.host)
    with closing(open_hub(db, host=machine.host)) as again, again.read() as connection:
        assert verify(connection) == []
    return machine, db


def rows_of(db):
    """(table, row) of every row of the database, each row a dict by column."""
    with closing(sqlite3.connect(db)) as raw:
        raw.row_factory = sqlite3.Row
        names = [row["name"] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(name, dict(row)) for name in names for row in raw.execute(f'SELECT * FROM "{name}"')]  # noqa: S608


def test_a_hub_reads_no_other_clock_than_the_one_it_was_given(tmp_path, a_log):
    machine, db = live_a_day(tmp_path, a_log)
    times = [
        (table, column, value)
        for table, row in rows_of(db)
        for column, value in row.items()
        if column.endswith("_us") and value is not None
    ]
    assert len(times) > 8
    assert [each for each in times if not START_US <= each[2] <= machine.clock.utc_us()] == []


def test_the_same_day_on_the_same_machine_gives_the_same_database(tmp_path, a_log):
    def lived(folder):
        # A token comes from its own generator; the inode is the file's. No time, id or anchor follows from either.
        rows = rows_of(live_a_day(folder, a_log)[1])
        return sorted(
            (table, str({column: value for column, value in row.items() if column not in ("token_hash", "inode")}))
            for table, row in rows
        )

    assert lived(tmp_path / "first") == lived(tmp_path / "second")
