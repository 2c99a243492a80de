"""Backups that were read back, and what a hub says when it went back in time."""

import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from fake_host import FakeMachine
from sqlalchemy import select

from server.cli.commands import main
from server.db import schema
from server.db.writer_lock import HubLocked
from server.ledger import entries
from server.ledger.hub_log import hub_row
from server.ops import backup
from server.ops.backup import BackupError, back_up, check, restore
from server.ops.bootstrap import NoHub, open_hub
from server.ops.scheduler import BackupScheduler
from server.text import utc_text

NOW_US = 1_790_000_000_000_000


@pytest.fixture
def machine():
    return FakeMachine()


def test_a_backup_is_made_beside_the_writer_and_verified(store, append_batch, a_log, tmp_path):
    append_batch(a_log.batch())
    made = back_up(str(store.path), tmp_path / "copy.db", NOW_US)
    assert made == backup.VerifiedBackup(tmp_path / "copy.db", 1, 4, off_disk=False)
    assert check(made.path) == (1, 4)
    assert [part.name for part in tmp_path.glob("copy*")] == ["copy.db"]


def test_a_backup_into_a_folder_gets_a_name_and_overwrites_nothing(store, tmp_path):
    (tmp_path / "backups").mkdir()
    made = back_up(str(store.path), tmp_path / "backups", NOW_US)
    assert made.path.name == "hub-20260921T141320Z.db"
    with pytest.raises(BackupError, match="a backup overwrites no file"):
        back_up(str(store.path), made.path, NOW_US)


def test_only_a_backup_off_the_hubs_disk_lets_stations_prune(machine, store, append_batch, a_log, tmp_path, rows):
    append_batch(a_log.batch(1, 3))
    machine.backups_off_disk = False
    BackupScheduler(str(tmp_path), 60, store).step()
    assert rows(select(schema.log.c.durable_thru)) == [(0,)]
    machine.backups_off_disk = True
    machine.clock.wait(1)
    BackupScheduler(str(tmp_path), 60, store).step()
    assert rows(select(schema.log.c.durable_thru)) == [(3,)]
    assert rows(select(schema.hub.c.backup_pos, schema.hub.c.backup_us)) == [(3, machine.clock.now_us)]


def test_the_schedule_makes_the_first_backup_when_it_is_due(store, tmp_path):
    (tmp_path / "backups").mkdir()
    stop = threading.Event()
    thread = threading.Thread(target=BackupScheduler(str(tmp_path / "backups"), 3600, store).run, args=(stop,))
    thread.start()
    for _ in range(200):
        if list((tmp_path / "backups").glob("hub-*Z.db")):
            break
        stop.wait(0.05)
    stop.set()
    thread.join(10)
    assert len(list((tmp_path / "backups").glob("hub-*Z.db"))) == 1


@pytest.fixture
def restored(store, append_batch, a_log, tmp_path):
    """A hub that had four events, one of them and a note after its backup, and was restored; (path, aside, epoch)."""
    entries.record(store, "note", {"item": "WO-1", "text": "x"}, "Kim")
    append_batch(a_log.batch(1, 3))
    made = back_up(str(store.path), tmp_path / "copy.db", NOW_US)
    append_batch(a_log.batch(4, 4))
    store.close()
    aside, epoch = restore(str(store.path), made.path)
    return store.path, aside, epoch


def test_a_restored_hub_is_in_a_new_epoch_and_keeps_what_was_there_before(restored, a_log):
    path, aside, epoch = restored
    assert aside == path.with_name("hub.db.before-restore-1")
    assert epoch > 1
    hub = open_hub(path)
    with hub.read() as connection:
        assert hub_row(connection).epoch == epoch, "and opening it again makes no further one"
        last = connection.execute(select(schema.epoch).order_by(schema.epoch.c.epoch.desc())).first()
        log = connection.execute(select(schema.log).where(schema.log.c.log_id == a_log.log_id)).one()
    hub.close()
    assert (last.cause, last.pos, last.high_pos) == ("restored from copy.db", 5, 6)
    assert (log.accepted_thru, log.durable_thru) == (3, 0)


def test_a_restored_hub_names_the_span_that_may_be_lost(restored):
    from server.api.health import notes

    hub = open_hub(restored[0])
    with hub.read() as connection:
        since_us = connection.execute(select(schema.epoch.c.since_us).order_by(schema.epoch.c.epoch.desc())).scalar()
        told = notes(connection, since_us)
    hub.close()
    assert told == [
        (
            f"Since {utc_text(since_us)} (restored from copy.db) the events at positions 6 to 6 are missing: stations send"
            " their scans again, entries of that time must be entered again."
        ),
        "No verified backup off the hub's disk: stations keep everything they send.",
    ]


def test_a_restored_hub_takes_again_what_it_lacks(restored, a_log):
    from server.ledger.ingest import BatchAppended, append

    hub = open_hub(restored[0])
    with hub.write() as connection:
        taken = append(connection, a_log.batch(4, 4), recv_us=NOW_US)
    assert isinstance(taken, BatchAppended)
    assert (taken.accepted_thru, taken.epoch) == (4, restored[2])
    hub.close()


def test_restoring_the_same_backup_twice_gives_two_epochs(restored, tmp_path):
    path, _, epoch = restored
    aside, again = restore(str(path), tmp_path / "copy.db")
    assert aside == path.with_name("hub.db.before-restore-2")
    assert again > epoch


def test_a_hub_that_runs_is_not_restored_over(store, tmp_path):
    made = back_up(str(store.path), tmp_path / "copy.db", NOW_US)
    with pytest.raises(HubLocked):
        restore(str(store.path), made.path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-8_192]), "Use another backup."),
        (lambda path: path.write_bytes(b"no database" * 100), "file is not a database"),
        (lambda path: path.unlink(), "is not a file; expected a backup made by wipline-hub backup"),
    ],
)
def test_a_backup_that_cannot_be_trusted_replaces_nothing(store, append_batch, a_log, tmp_path, spoil, said):
    append_batch(a_log.batch())
    made = back_up(str(store.path), tmp_path / "copy.db", NOW_US)
    store.close()
    before = store.path.read_bytes()
    spoil(made.path)
    with pytest.raises(BackupError) as caught:
        restore(str(store.path), made.path)
    assert said in str(caught.value)
    assert store.path.read_bytes() == before


def test_an_edited_backup_does_not_verify(store, append_batch, a_log, tmp_path):
    import sqlite3

    append_batch(a_log.batch())
    made = back_up(str(store.path), tmp_path / "copy.db", NOW_US)
    raw = sqlite3.connect(made.path)
    raw.execute("DROP TRIGGER ledger_update")
    raw.execute("UPDATE ledger SET bytes = x'7b7d' WHERE pos = 2")
    raw.commit()
    raw.close()
    with pytest.raises(BackupError, match=r"does not verify: pos 2, .*its bytes are not those that were acknowledged"):
        check(made.path)


def test_the_commands_say_what_they_did(store, append_batch, a_log, tmp_path):
    append_batch(a_log.batch())
    store.close()

    def run(*arguments):
        done = CliRunner().invoke(main, [*map(str, arguments), "--db", str(store.path)])
        return done.exit_code, done.stdout, done.stderr

    copy = tmp_path / "copy.db"
    assert run("backup", copy) == (
        0,
        f"{copy}: 4 events, verified.\n",
        "It is on the hub's own disk, so stations keep the events that they sent.\n",
    )
    assert run("backup") == (
        1,
        "",
        "Error: No target: expected a file or folder, here or as path under [backup] in hub.toml. Name one.\n",
    )
    code, said, _ = run("export")
    lines = [json.loads(line) for line in said.splitlines()]
    assert (code, [line["hash"] for line in lines]) == (0, [own.hex() for own in a_log.hashes])
    assert run("verify") == (0, "4 events verified, no break.\n", "")
    code, _, said = run("restore", copy)
    assert (code, "The previous database is kept as" in said) == (0, True)
    assert Path(f"{store.path}.before-restore-1").exists()


@pytest.mark.parametrize("place", ["nothing", "empty", "folder"])
def test_where_there_is_no_hub_there_is_no_backup(tmp_path, place):
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    db = tmp_path / place
    with pytest.raises(NoHub) as told:
        back_up(str(db), tmp_path / "copy.db", 0)
    assert str(told.value) == f"{db} holds no hub. Create one: wipline-hub init --db {db}"
    assert not list(tmp_path.glob("copy.db*"))
