"""A ledger with a break is backed up and restored all the same; what the medium changed in a copy is not."""

import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from server.api.health import health
from server.cli.commands import main
from server.config import HubConfig
from server.context import HubContext
from server.db import schema
from server.ledger.verify import verify
from server.ops.backup import BackupError, back_up, check, restore
from server.ops.scheduler import BackupScheduler

NOW_US = 1_790_000_000_000_000


@pytest.fixture
def broken(store, append_batch, a_log):
    """A hub whose ledger has a break, as a version before gaps were checked could make one."""
    append_batch(a_log.batch())
    with closing(sqlite3.connect(store.path)) as raw, raw:
        raw.execute("DROP TRIGGER ledger_update")
        raw.execute("UPDATE ledger SET prev = zeroblob(32) WHERE seq = 3")
    return store


def breaks(store):
    with store.read() as connection:
        return tuple(str(each) for each in verify(connection))


def test_a_ledger_with_a_break_is_backed_up_and_the_break_is_named(broken, tmp_path):
    made = back_up(str(broken.path), tmp_path / "copy.db", NOW_US)
    assert made.breaks == tuple(sorted(breaks(broken)))
    assert len(made.breaks) == 2
    assert check(made.path) == (1, 4)


def test_the_command_says_what_is_broken(broken, tmp_path):
    first = min(breaks(broken))
    broken.close()
    said = CliRunner().invoke(main, ["backup", "--db", str(broken.path), str(tmp_path / "copy.db")])
    assert said.exit_code == 0
    assert f"the ledger itself has 2 breaks, the first: {first}" in " ".join(said.output.split())


def test_a_copy_that_differs_from_its_source_is_no_backup(broken, tmp_path):
    made = back_up(str(broken.path), tmp_path / "copy.db", NOW_US)
    with closing(sqlite3.connect(made.path)) as raw, raw:
        raw.execute("UPDATE ledger SET bytes = zeroblob(4) WHERE seq = 1")
    with pytest.raises(BackupError, match="does not verify: pos 1"):
        check(made.path)


def test_a_copy_of_a_whole_ledger_must_be_whole(store, append_batch, a_log, tmp_path):
    append_batch(a_log.batch())
    made = back_up(str(store.path), tmp_path / "copy.db", NOW_US)
    assert made.breaks == ()
    with closing(sqlite3.connect(made.path)) as raw, raw:
        raw.execute("DROP TRIGGER ledger_update")
        raw.execute("UPDATE ledger SET prev = zeroblob(32) WHERE seq = 3")
    with pytest.raises(BackupError, match="does not verify"):
        check(made.path)


def test_a_backup_with_a_known_break_can_be_restored(broken, tmp_path):
    made = back_up(str(broken.path), tmp_path / "copy.db", NOW_US)
    path = broken.path
    broken.close()
    assert restore(str(path), made.path)[1] > 1


def test_the_schedule_makes_it_and_healthz_names_the_break(broken, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    BackupScheduler(str(folder), 60, broken).step()
    assert len(list(folder.glob("hub-*Z.db"))) == 1
    with broken.read() as connection:
        assert tuple(connection.execute(select(schema.known_break.c.text)).scalars()) == tuple(sorted(breaks(broken)))
    wrong = health(HubContext(HubConfig(), broken)).wrong
    assert any(each.startswith("The ledger has 2 breaks, the first: ") for each in wrong)
