"""A journal path that names another database is refused: nothing is moved aside, nothing is written beside it."""

import sqlite3
from pathlib import Path

import pytest

from station.journal import JournalError
from tests.station.fixtures.journals import open_journal


def test_another_database_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE customer (name)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"is another database, with the tables customer\. Expected a journal"):
        open_journal(tmp_path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("journal.db", before)]
