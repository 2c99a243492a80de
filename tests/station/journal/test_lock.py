"""One daemon a journal, by whatever name the journal is opened."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from station.journal import Journal, JournalLocked
from tests.station.fixtures.journals import a_scan, boottime_ns, bytes_of, open_journal


def open_at(path: Path) -> Journal:
    """The journal at a path of any name."""
    return Journal.open(path, station="saw-1", sw="0.1.0", boot="boot-a", now_ns=boottime_ns)


def test_a_second_daemon_through_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "journal.db")
    with open_journal(tmp_path), pytest.raises(JournalLocked):
        open_at(tmp_path / "link.db")


def test_a_second_daemon_through_a_hard_link_is_refused(tmp_path: Path) -> None:
    with open_journal(tmp_path):
        (tmp_path / "other.db").hardlink_to(tmp_path / "journal.db")
        with pytest.raises(JournalLocked):
            open_at(tmp_path / "other.db")


def test_a_second_daemon_after_the_lock_file_was_deleted_is_refused(tmp_path: Path) -> None:
    with open_journal(tmp_path):
        (tmp_path / "journal.db.lock").unlink()
        with pytest.raises(JournalLocked):
            open_journal(tmp_path)


def test_a_new_log_is_held_like_the_one_before(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan())
        journal.new_log("log_ahead")
        (tmp_path / "journal.db.lock").unlink()
        with pytest.raises(JournalLocked):
            open_journal(tmp_path)


def test_a_journal_opened_through_a_symbolic_link_keeps_its_write_ahead_log(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan(1))
    (tmp_path / "link.db").symlink_to(tmp_path / "journal.db")
    script = (
        "import os, sys; from pathlib import Path; from tests.station.journal.test_lock import open_at, a_scan;"
        "journal = open_at(Path(sys.argv[1])); journal._checkpoint(); journal.commit(a_scan(2)); os._exit(0)"
    )
    paths = {"PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "link.db")], check=True, env=paths, timeout=60)
    with open_at(tmp_path / "link.db") as journal:
        assert bytes_of(journal) == [a_scan(1), a_scan(2)]
        assert not list(tmp_path.glob("quarantine/*"))


def test_sqlites_own_locks_last_beside_the_lock_of_the_journal(tmp_path: Path) -> None:
    """A reader in another process that ends must not take itself for the last one, and fold the log in."""
    open_journal(tmp_path).close()
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan())
        script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM event'); c.close()"
        subprocess.run([sys.executable, "-c", script, str(tmp_path / "journal.db")], check=True, timeout=60)
        assert (tmp_path / "journal.db-wal").stat().st_size
        with closing(sqlite3.connect(tmp_path / "journal.db", timeout=0)) as second:
            assert second.execute("SELECT count(*) FROM event").fetchone() == (1,)
