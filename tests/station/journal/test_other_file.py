"""A journal path that names another file is refused: nothing is moved aside, nothing is written beside it.

A journal whose file is damaged stays one: it is moved to quarantine, and its events are read back.
"""

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from station.journal import JournalError, JournalReader, NotAJournal
from station.journal.other_file import MOST_SEARCHED_BYTES
from tests.station.fixtures.journals import a_scan, open_journal

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 64


def database(path: Path, statement: str) -> None:
    """An SQLite file of another application."""
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def a_socket(path: Path) -> None:
    """A socket's file; the socket itself is closed."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


OTHER: dict[str, tuple[Callable[[Path], object], str]] = {
    "another database": (
        lambda path: database(path, "CREATE TABLE customer (name)"),
        "another database, with the tables customer",
    ),
    "an empty database": (lambda path: database(path, "PRAGMA user_version = 7"), "a database without tables"),
    "a text": (
        lambda path: path.write_text("a list of what to buy\n" * 500),
        "a file of another kind, which begins with b'a list of what t'",
    ),
    "a short text": (lambda path: path.write_text("hi\n"), r"a file of another kind, which begins with b'hi\n'"),
    "an image": (
        lambda path: path.write_bytes(PNG),
        r"a file of another kind, which begins with b'\x89PNG\r\n\x1a\n\x00\x01\x02\x03\x04\x05\x06\x07'",
    ),
    "zeros and a text": (
        lambda path: path.write_bytes(bytes(8192) + b"a list of what to buy"),
        f"a file of another kind, which begins with {bytes(16)!r}",
    ),
    "a folder": (Path.mkdir, "a folder"),
    "a named pipe": (os.mkfifo, "a named pipe"),
    "a device": (lambda path: path.symlink_to("/dev/null"), "a device"),
    "a socket": (a_socket, "a socket"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHER)
def test_another_file_is_refused_and_stays_as_it_is(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    make, words = OTHER[what]
    monkeypatch.chdir(tmp_path)  # the address of a socket is short
    make(Path("journal.db"))
    before = path.lstat(), path.read_bytes() if path.is_file() else None
    do = "Expected a journal, or a path without a file. Correct `journal` in station.toml."
    with pytest.raises(NotAJournal) as refused:
        open_journal(tmp_path)
    assert str(refused.value) == f"{path.resolve()} is {words}. {do}"
    with pytest.raises(NotAJournal) as refused:
        JournalReader(path)
    assert str(refused.value) == f"{path} is {words}. {do}"
    after = path.lstat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (
        before[0].st_ino, before[0].st_mtime_ns, before[0].st_mode,
    )  # fmt: skip
    assert (path.read_bytes() if path.is_file() else None) == before[1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_large_file_that_begins_with_zeros_is_refused(tmp_path: Path) -> None:
    """A disk image: its content begins behind what is searched."""
    path = tmp_path / "journal.db"
    with path.open("wb") as file:
        file.truncate(MOST_SEARCHED_BYTES)
        file.seek(0, os.SEEK_END)
        file.write(b"content")
    with pytest.raises(NotAJournal):
        open_journal(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("left", [b"", bytes(8192)], ids=["empty", "zeros"])
def test_a_file_without_content_as_a_power_cut_leaves_it_keeps_no_station_from_starting(
    tmp_path: Path, left: bytes
) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(left)
    with open_journal(tmp_path) as opened:
        assert opened.commit(a_scan(1)).seq == 2  # behind the opening of the log
    with closing(JournalReader(path)) as reader:
        assert not reader.verify()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The journal of a station that was killed after three scans: database, write-ahead log and lock file."""
    kept = tmp_path / "kept"
    kept.mkdir()
    with open_journal(tmp_path) as opened:
        for number in (1, 2, 3):
            opened.commit(a_scan(number))
        files = {name: (tmp_path / name).read_bytes() for name in ("journal.db", "journal.db-wal", "journal.db.lock")}
    for name, content in files.items():
        (kept / name).write_bytes(content)
    return kept / "journal.db"


def overwrite_head(path: Path) -> None:
    """Zeros in place of the file's first sector, as a power cut leaves them."""
    raw = path.read_bytes()
    path.write_bytes(bytes(512) + raw[512:])


def fold(path: Path) -> None:
    """Checkpoint the write-ahead log into the database, and remove the other files beside it."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    for suffix in ("-wal", "-shm", ".lock"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def empty(path: Path) -> None:
    """Nothing is left of the database."""
    path.write_bytes(b"")


PROOFS: dict[str, tuple[Callable[[Path], object], ...]] = {
    "its write-ahead log": (overwrite_head, lambda path: path.with_name("journal.db.lock").unlink()),
    "its write-ahead log alone": (empty, lambda path: path.with_name("journal.db.lock").unlink()),
    "its lock file": (overwrite_head, lambda path: path.with_name("journal.db-wal").unlink()),
    "its lock file alone": (empty, lambda path: path.with_name("journal.db-wal").unlink()),
    "its own rows": (fold, overwrite_head),
}


@pytest.mark.parametrize("proof", PROOFS)
def test_a_journal_whose_head_is_gone_is_known_and_moved_to_quarantine(journal: Path, proof: str) -> None:
    for damage in PROOFS[proof]:
        damage(journal)
    readable = 0 if "lock file" in proof else 3  # the scans are in the write-ahead log until a checkpoint
    with open_journal(journal.parent) as opened:
        opened.commit(a_scan(4))
        news = " ".join(opened.news)
    assert f"The files are in {journal.parent}/quarantine/1; " in news
    assert f"{readable} of {readable} events were read back into a new log." in news
    assert (journal.parent / "quarantine" / "1" / "journal.db").exists()


def test_a_command_that_reads_an_empty_journal_leaves_its_write_ahead_log(journal: Path) -> None:
    empty(journal)
    with pytest.raises(JournalError, match=r"is an empty file\. Restart the station: it moves damaged files aside"):
        JournalReader(journal)
    with open_journal(journal.parent) as opened:
        assert "; 3 of 3 events were read back into a new log." in " ".join(opened.news)
