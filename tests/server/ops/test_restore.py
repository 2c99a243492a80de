"""A restore that is cut off at any point, and repeated: either database is whole, and nothing is ever overwritten."""

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from server.db import schema
from server.db.store import Store
from server.db.writer_lock import HubLocked
from server.ledger.hub_log import hub_row
from server.ledger.ingest import last_pos
from server.ledger.verify import verify
from server.ops import restore_swap
from server.ops.backup import back_up, restore
from server.ops.bootstrap import NoHub, open_hub, open_read_only

SCRIPT = Path(__file__).parents[2] / "support" / "cut_restore.py"
NOW_US = 1_790_000_000_000_000
BEFORE, BACKED_UP = 4, 2  # events


@pytest.fixture
def killed(store, append_batch, a_log, tmp_path):
    """A folder with a hub that was killed (its last events only in the write-ahead log) and a backup of two events."""
    append_batch(a_log.batch(1, BACKED_UP))
    folder = tmp_path / "killed"
    folder.mkdir()
    back_up(str(store.path), folder / "copy.db", NOW_US)
    append_batch(a_log.batch(BACKED_UP + 1, BEFORE))
    for path in store.path.parent.glob("hub.db*"):
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    assert (folder / "hub.db-wal").stat().st_size
    return folder


def events_in(db):
    """How many events a database holds with its write-ahead log, and that they verify."""
    with closing(Store(db, writing=False)) as store, store.read() as connection:
        assert verify(connection) == []
        return last_pos(connection)


def test_a_restore_cut_at_any_operation_loses_and_overwrites_nothing(killed, tmp_path):
    out = tmp_path / "cuts"
    arguments = [sys.executable, str(SCRIPT), str(killed), "hub.db", "copy.db", str(out)]
    points = int(subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=300).stdout)
    assert points > 20
    decided = []
    for point in range(1, points + 1):
        folder = out / str(point)
        db = folder / "hub.db"
        if restore_swap.decided(db):
            decided.append(point)
            with pytest.raises(NoHub, match="was interrupted"), open_read_only(db):
                pass
        with closing(open_hub(db)) as hub, hub.read() as connection:
            kept = last_pos(connection)
            epoch = hub_row(connection).epoch
        asides = sorted(folder.glob("hub.db.before-restore-?"))
        assert (kept, [events_in(aside) for aside in asides]) in [(BEFORE, []), (BACKED_UP, [BEFORE])], point
        assert not list(folder.glob("*.restor*")), point
        before = {path: path.read_bytes() for path in folder.glob("hub.db.before-restore-?")}
        aside, again = restore(str(db), folder / "copy.db")
        assert again > epoch
        assert events_in(aside) == kept, point
        assert {path: path.read_bytes() for path in before} == before, f"the first copy was changed, cut at {point}"
        assert events_in(db) == BACKED_UP
        shutil.rmtree(folder)
    print(f"\nrestore: cut before each of {points - 1} operations, {len(decided)} of them in the middle of the swap")
    assert len(decided) > 3


def test_a_restore_that_is_repeated_after_a_cut_keeps_every_copy(killed):
    db = killed / "hub.db"
    shutil.copyfile(killed / "copy.db", restore_swap.fresh(db))
    restore_swap.decide(db)
    (killed / "hub.db-wal").rename(killed / "hub.db.before-restore-1-wal")  # and here it was killed
    aside, _ = restore(str(db), killed / "copy.db")
    assert aside.name == "hub.db.before-restore-2"
    assert events_in(killed / "hub.db.before-restore-1") == BEFORE
    assert events_in(aside) == BACKED_UP


def test_half_a_copy_that_an_earlier_version_left_is_not_overwritten(killed):
    half = killed / "hub.db.before-restore-1-wal"
    half.write_bytes(b"the only copy of some events")
    aside, _ = restore(str(killed / "hub.db"), killed / "copy.db")
    assert aside.name == "hub.db.before-restore-2"
    assert half.read_bytes() == b"the only copy of some events"
    assert events_in(aside) == BEFORE


def test_no_restore_over_a_running_hub_whose_lock_file_was_deleted(store, killed):
    store.path.with_name("hub.db.lock").unlink()
    with pytest.raises(HubLocked):
        restore(str(store.path), killed / "copy.db")


def test_a_restore_finished_by_the_next_start_begins_a_new_epoch(killed):
    db = killed / "hub.db"
    with closing(open_hub(db)) as hub, hub.read() as connection:
        before = hub_row(connection).epoch
    shutil.copyfile(killed / "copy.db", restore_swap.fresh(db))
    restore_swap.decide(db)
    with closing(open_hub(db)) as hub, hub.read() as connection:
        assert hub_row(connection).epoch > before
        assert (
            connection.execute(select(schema.epoch.c.cause)).scalars().all()[-1]
            == "the database is another file than before"
        )


def test_a_database_that_was_moved_aside_is_restored_with_its_write_ahead_log(killed):
    db = killed / "hub.db"
    aside, _ = restore(str(db), killed / "copy.db")
    assert aside.with_name(aside.name + "-wal").stat().st_size
    restore(str(db), aside)
    assert events_in(db) == BEFORE


def test_a_restore_through_a_symbolic_link_restores_the_real_file(killed, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(killed / "hub.db")
    aside, _ = restore(str(link), killed / "copy.db")
    assert link.is_symlink()
    assert aside == killed / "hub.db.before-restore-1"
    assert events_in(killed / "hub.db") == BACKED_UP
