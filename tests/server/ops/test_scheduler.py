"""The schedule of backups: which ones stay, and how far the hub may call its ledger durable."""

import logging
import os
import sqlite3
from contextlib import closing

import pytest
from fake_host import FakeMachine
from sqlalchemy import select

from server.api.health import notes
from server.db import schema
from server.db.store import Store
from server.ledger.hub_log import begin_epoch
from server.ops.backup import KEPT, back_up, check
from server.ops.bootstrap import initialise
from server.ops.durability import recheck
from server.ops.scheduler import RETRY_S, BackupScheduler

YEARS_30_S = 30 * 365.25 * 86_400
NOT_DURABLE = "No verified backup off the hub's disk: stations keep everything they send."


@pytest.fixture
def machine():
    return FakeMachine()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "backups"
    made.mkdir()
    return made


@pytest.fixture
def backups(store, folder):
    return BackupScheduler(str(folder), 3600, store)


@pytest.fixture
def durable_positions(store):
    """The durable positions: the hub's position, the log's, and whether its page admits that it is not."""

    def read():
        with store.read() as connection:
            hub_pos = connection.execute(select(schema.hub.c.backup_pos)).scalar_one()
            log = connection.execute(
                select(schema.log.c.durable_thru).where(schema.log.c.station == "saw-1")
            ).scalar_one()
            return hub_pos, log, NOT_DURABLE in notes(connection, 0)

    return read


def newest(folder):
    return max(folder.glob("hub-*.db"), key=lambda path: check(path)[1])


@pytest.mark.parametrize("growing", [True, False], ids=["growing", "idle"])
def test_a_clock_30_years_ahead_and_right_again_costs_no_new_backup(
    store, append_batch, a_log, machine, backups, folder, growing
):
    made = []
    for number in range(20):
        if number in (5, 12):
            machine.clock.step(YEARS_30_S if number == 5 else -YEARS_30_S)
        if growing or not number:
            a_log.write(f"scan {number}")
            append_batch(a_log.batch())
        before = set(folder.iterdir())
        backups.step()
        (new,) = set(folder.iterdir()) - before
        made.append(new)
        machine.clock.wait(3600)
    assert set(folder.iterdir()) == set(made[-KEPT:])
    with store.read() as connection:
        pos = connection.execute(select(schema.hub.c.backup_pos)).scalar_one()
    assert check(made[-1]) == (1, pos)


def test_two_backups_in_one_second_get_two_names(backups, folder):
    backups.step()
    backups.step()
    assert sorted(path.name for path in folder.iterdir()) == ["hub-20260921T141320Z-2.db", "hub-20260921T141320Z.db"]


def test_another_hubs_backups_and_files_made_by_hand_stay(store, machine, backups, folder, tmp_path):
    other = Store(tmp_path / "other.db", host=FakeMachine().host)
    initialise(other)
    for _ in range(3):
        BackupScheduler(str(folder), 3600, other).step()
    other.close()
    (folder / "hub-by-hand.db").write_bytes(b"mine")
    (folder / "hub-19990101T000000Z.db").write_bytes(b"no database")
    before = set(folder.iterdir())
    for _ in range(KEPT + 4):
        machine.clock.wait(3600)
        backups.step()
    assert before <= set(folder.iterdir())
    assert len(set(folder.iterdir()) - before) == KEPT


@pytest.fixture
def two_backups(append_batch, a_log, machine, backups, folder):
    """Two backups: one of two events, and one of four; (folder of both, the earlier, the later)."""
    append_batch(a_log.batch(1, 2))
    backups.step()
    (earlier,) = folder.iterdir()
    append_batch(a_log.batch(3, 4))
    machine.clock.wait(3600)
    backups.step()
    return earlier, newest(folder)


def test_what_lies_in_the_newest_backup_is_durable(two_backups, durable_positions):
    assert durable_positions() == (4, 4, False)


def test_durable_goes_back_to_the_newest_backup_that_is_still_there(two_backups, backups, durable_positions):
    earlier, later = two_backups
    later.unlink()
    backups.check_backups()
    assert durable_positions() == (2, 2, False)
    earlier.unlink()
    backups.check_backups()
    assert durable_positions() == (0, 0, True)


def test_a_backup_disk_that_comes_back_counts_again(two_backups, backups, folder, durable_positions):
    folder.rename(folder.with_name("unplugged"))
    backups.check_backups()
    assert durable_positions() == (0, 0, True)
    folder.with_name("unplugged").rename(folder)
    backups.check_backups()
    assert durable_positions() == (4, 4, False)


def test_a_damaged_backup_is_not_durable(two_backups, backups, durable_positions, caplog):
    _, later = two_backups
    later.write_bytes(later.read_bytes()[:-8_192])
    with caplog.at_level(logging.ERROR):
        backups.check_backups()
    assert durable_positions() == (2, 2, False)
    assert "a backup no longer counts" in caplog.text


def test_damage_that_leaves_size_and_time_is_found_when_the_hub_starts(two_backups, store, durable_positions):
    _, later = two_backups
    whole, times = later.read_bytes(), later.stat()
    with closing(sqlite3.connect(later)) as raw:
        page = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ledger'").fetchone()[0]
    later.write_bytes(whole[: (page - 1) * 4096] + b"\xff" * 4096 + whole[page * 4096 :])
    os.utime(later, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert recheck(store, check) == 2
    assert durable_positions() == (2, 2, False)


def test_another_backup_under_the_same_name_does_not_count_for_more(two_backups, backups, durable_positions):
    earlier, later = two_backups
    later.write_bytes(earlier.read_bytes())
    backups.check_backups()
    assert durable_positions() == (2, 2, False)


def test_backups_of_an_earlier_epoch_make_nothing_durable(two_backups, store, machine, backups, durable_positions):
    with store.write() as connection:
        begin_epoch(connection, "a test", None, machine.host)
    backups.check_backups()
    assert durable_positions() == (0, 0, True)
    backups.step()
    assert durable_positions()[:2] == (4, 4)


def test_a_failed_backup_is_tried_again_soon_and_the_others_are_looked_at(
    two_backups, backups, folder, durable_positions
):
    for path in two_backups:
        path.unlink()
    folder.rmdir()
    backups.step()
    assert not folder.exists(), "and no file has taken the folder's name"
    assert durable_positions() == (0, 0, True)
    assert backups.due_in_s() == RETRY_S


def test_a_step_of_the_clock_makes_no_backup_due(machine, backups):
    backups.step()
    machine.clock.step(YEARS_30_S)
    assert backups.due_in_s() == 3600
    machine.clock.step(-2 * YEARS_30_S)
    machine.clock.wait(600)
    assert backups.due_in_s() == 3000


def test_a_backup_that_was_cut_off_is_cleaned_up_by_the_next_one(backups, folder):
    for name in (
        "hub-20260101T000000Z.db.part",
        "hub-20260101T000000Z.db.part-journal",
        "hub-20260102T000000Z.db.part",
    ):
        (folder / name).write_bytes(b"half a backup")
    backups.step()
    assert [path.name for path in folder.iterdir()] == ["hub-20260921T141320Z.db"]


def test_a_backup_that_is_being_written_is_left_alone(store, backups, folder):
    part = folder / "hub-20260101T000000Z.db.part"
    with closing(sqlite3.connect(part)) as writer:
        writer.execute("CREATE TABLE half (v)")
        writer.commit()
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO half VALUES (1)")
        backups.step()
        assert part.exists()
    backups.step()
    assert not part.exists()


def test_a_backup_made_by_hand_counts_while_it_is_there(
    store, append_batch, a_log, machine, backups, tmp_path, durable_positions
):
    from server.ops.admin_commands import handle
    from server.ops.control_protocol import ControlRequest

    append_batch(a_log.batch())
    made = back_up(str(store.path), tmp_path / "stick.db", machine.clock.now_us, machine.host)
    copy = {"path": str(made.path), "epoch": made.epoch, "pos": made.pos, "off_disk": made.off_disk}
    assert handle(store, ControlRequest("backed up", copy)).value is True
    assert durable_positions() == (4, 4, False)
    made.path.unlink()
    backups.check_backups()
    assert durable_positions() == (0, 0, True)
    assert handle(store, ControlRequest("backed up", copy)).value is False
