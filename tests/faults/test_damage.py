"""Damaged files: every intact event comes back, nothing is lost without a word, nothing is thrown away."""

import os
import random
import shutil
import signal
from bisect import bisect
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from station.core.event import Event, decode
from station.journal import Journal, JournalReader, schema
from tests.station.fixtures.journals import a_scan, bytes_of, open_journal

SEED = 20_261
WAL_GONE = "The write-ahead log is gone: what was recorded since the last checkpoint is missing."


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal as a kill leaves it: 60 events in the database, 40 in the write-ahead log, some long, marks between."""
    folder = tmp_path_factory.mktemp("crashed")
    child = os.fork()
    if child == 0:
        journal = open_journal(folder, now_ns=lambda: 1)
        for number in range(1, 101):
            journal.commit(a_scan(number, size=4_200 if number % 20 == 0 else 0))
            if number == 60:
                journal.tidy(1.0)
            if number % 25 == 0:
                journal.mark(1, number, 0, "aa")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    return folder


@pytest.fixture
def copy(crashed: Path, tmp_path: Path) -> Path:
    """A copy of the crashed journal."""
    return Path(shutil.copytree(crashed, tmp_path / "copy"))


def told(journal: Journal) -> dict[int, bytes | None]:
    """What the journal says of the old log's events, by their old place: themselves, or what a salvage holds."""
    events: dict[int, bytes | None] = {}
    for stored in reversed(journal.newest(10**6)):
        event: Event = decode(stored.encoded)
        if event.kind == "salvage":
            assert event.from_ is not None
            assert event.from_.seq not in events, "told once"
            events[event.from_.seq] = event.body
        elif event.kind == "scan":
            events[stored.seq] = stored.encoded
    return events


def intact(folder: Path) -> set[int]:
    """The events whose bytes stand in these files: in one piece, or a long one's in two (its page and one behind it)."""
    raw = (folder / "journal.db").read_bytes() + (folder / "journal.db-wal").read_bytes()
    whole = {number for number in range(1, 101) if number % 20 and a_scan(number) in raw}
    for number in range(20, 101, 20):
        text = a_scan(number, size=4_200)
        here = bisect(range(1, len(text) + 1), False, key=lambda length: text[:length] not in raw)
        if here > 1_000 and text[here:] in raw:
            whole.add(number)
    return whole


def flips(count: int) -> Iterator[tuple[str, int, int]]:
    """File, place (of 2**32) and bit of each flip."""
    chance = random.Random(SEED)
    for _ in range(count):
        yield (
            chance.choice(("journal.db", "journal.db-wal", "journal.db-shm")),
            chance.randrange(2**32),
            chance.randrange(8),
        )


@pytest.mark.host
@pytest.mark.parametrize("count", [500, pytest.param(5_000, marks=pytest.mark.nightly)])
def test_after_any_flipped_bit_every_intact_event_comes_back(
    crashed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    # No power is cut here: 500 starts need neither ballast nor fsync.
    monkeypatch.setitem(schema.PRAGMAS, "synchronous", 0)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    expected = {number: a_scan(number, size=4_200 if number % 20 == 0 else 0) for number in range(1, 101)}
    salvages = unreadable = 0
    for number, (name, place, bit) in enumerate(flips(count)):
        folder = Path(shutil.copytree(crashed, tmp_path / "flipped"))
        raw = bytearray((folder / name).read_bytes())
        raw[place % len(raw)] ^= 1 << bit
        (folder / name).write_bytes(raw)
        whole = intact(folder)
        where = f"flip {number} of seed {SEED}: {name} byte {place % len(raw)} bit {bit}"
        with open_journal(folder, most_ballast_bytes=0) as journal:
            sound = not journal.verify()
            found = told(journal)
        if not sound:  # only the walk of the whole chain saw it: the next start salvages
            with open_journal(folder, most_ballast_bytes=0) as journal:
                found = told(journal)
                assert journal.verify() == [], where
        assert sorted(found) == sorted(expected), f"{where}: every event is named, readable or not"
        assert {seq for seq, body in found.items() if body is not None} >= whole, where
        assert all(body in (None, expected[seq]) for seq, body in found.items()), f"{where}: nothing is made up"
        moved = (folder / "quarantine").exists()
        assert moved or sound, where
        salvages += moved
        unreadable += sum(body is None for body in found.values())
        shutil.rmtree(folder)
    print(
        f"\n{count} flips (seed {SEED}): {salvages} led to a new log, {unreadable} events unreadable, 0 intact ones lost"
    )
    assert salvages > count // 10, "the flips must bite"


def test_a_kill_in_the_stream_is_no_damage(copy: Path) -> None:
    with open_journal(copy) as journal:
        assert journal.news == ()
        assert journal.tip.seq == 100
        assert journal.verify() == []


def test_a_deleted_write_ahead_log_is_detected(copy: Path) -> None:
    with closing(JournalReader(copy / "journal.db")) as reader:
        old = reader.log_id
    (copy / "journal.db-wal").unlink()
    with open_journal(copy) as journal:
        assert journal.news == (
            f"{WAL_GONE} The files are in {copy}/quarantine/1; 60 of 60 events were read back into a new log.",
        )
        opened = decode(bytes_of(journal)[0])
        assert opened.parent is not None
        assert (opened.kind, opened.parent.log, opened.parent.seq) == ("open", old.hex(), 60)
        assert opened.cause == f"damaged: {WAL_GONE}"
        assert sorted(told(journal)) == list(range(1, 61))
        assert journal.log_id != old
    assert (copy / "quarantine" / "1" / "journal.db").exists()


def test_a_deleted_index_of_the_log_loses_nothing(copy: Path) -> None:
    (copy / "journal.db-shm").unlink()
    with open_journal(copy) as journal:
        assert (journal.news, journal.tip.seq) == ((), 100)


def test_an_old_write_ahead_log_put_back_is_detected(copy: Path) -> None:
    shutil.copy(copy / "journal.db-wal", copy / "old")
    with open_journal(copy) as journal:
        for number in range(101, 121):
            journal.commit(a_scan(number))
        journal.tidy(1.0)
    shutil.copy(copy / "old", copy / "journal.db-wal")
    with open_journal(copy) as journal:
        assert journal.news[0].startswith(
            "The write-ahead log is not this database's: it takes back event 120. The files"
        )
        assert sorted(told(journal)) == list(range(1, 121))
        assert None not in told(journal).values()


def test_a_deleted_database_is_detected_and_its_log_is_read(copy: Path) -> None:
    with closing(JournalReader(copy / "journal.db")) as reader:
        old = reader.log_id
    (copy / "journal.db").unlink()
    with open_journal(copy) as journal:
        assert journal.news[0].startswith(
            "The database file is gone; its write-ahead log is still here. The files are in"
        )
        assert {seq for seq, body in told(journal).items() if body} >= set(range(61, 101))
        opened = decode(bytes_of(journal)[0])
        assert opened.parent is not None
        assert opened.parent.log == old.hex(), "the lock file still names the log"


def test_a_torn_last_commit_is_read_back_in_place(copy: Path) -> None:
    wal = bytearray((copy / "journal.db-wal").read_bytes())
    wal[-4096 - 24 + 16] ^= 1  # the checksum of the last frame: SQLite ends the log in front of it
    (copy / "journal.db-wal").write_bytes(wal)
    with open_journal(copy) as journal:
        assert journal.tip.seq == 100
        assert journal.verify() == []
        assert not (copy / "quarantine").exists()


def test_a_log_cut_in_its_middle_is_damage(copy: Path) -> None:
    wal = bytearray((copy / "journal.db-wal").read_bytes())
    wal[32 + 8 * (4096 + 24) + 16] ^= 1
    (copy / "journal.db-wal").write_bytes(wal)
    with open_journal(copy) as journal:
        assert journal.news[0].startswith("The write-ahead log is damaged: it ends at event ")
        assert "more follows the damage. The files are in" in journal.news[0]
        assert sorted(told(journal)) == list(range(1, 101))
        assert None not in told(journal).values()


def test_a_salvaged_log_is_salvaged_again_under_its_first_names(copy: Path) -> None:
    (copy / "journal.db-wal").unlink()
    with open_journal(copy) as journal:
        first = bytes_of(journal)
    raw = bytearray((copy / "journal.db").read_bytes())
    place = raw.index(first[30])
    raw[place + 20] ^= 1
    (copy / "journal.db").write_bytes(raw)
    with open_journal(copy) as journal:
        journal.verify()
    with open_journal(copy) as journal:
        again = [event for event in map(decode, bytes_of(journal)) if event.kind == "salvage"]
        names = {event.from_.seq: event.body for event in again if event.from_ is not None and event.body is not None}
        before = [decode(encoded) for encoded in first]
        inner = {event.from_.seq: event.body for event in before if event.from_ is not None}
        lost = before[30].from_
        assert lost is not None
        assert {seq: body for seq, body in inner.items() if seq != lost.seq}.items() <= names.items()
    assert sorted(path.name for path in (copy / "quarantine").iterdir()) == ["1", "2"]


def test_an_interrupted_change_of_logs_is_finished_by_the_next_start(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "journal.db-wal").unlink()
    renamed = 0

    def cut_off(self: Path, target: Path) -> Path:
        nonlocal renamed
        renamed += 1
        if renamed == 3:
            msg = "the power went here"
            raise OSError(msg)
        return self.replace(target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut_off)
        with pytest.raises(Exception, match="the power went here"):
            open_journal(copy)
    with open_journal(copy) as journal:
        assert journal.news == ("A change to a new log, cut short by the last stop, was finished.",)
        assert sorted(told(journal)) == list(range(1, 61))
