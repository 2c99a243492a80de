"""The disk under the journal: its levels, the ballast, the days that are left, and which board this is."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.journal import DiskLevel, Journal, JournalFull, JournalLost, disk_space, hardware_id
from station.journal.disk_space import MIB, DiskSpace, ballast_wanted, days_left, level_of, reserve_bytes
from station.journal.lock import JournalLock
from station.journal.records import HubMark
from station.journal.wal import cut_refused, read_wal
from tests.station.fixtures.journals import a_day_passes, a_scan, open_journal

GIB = 1024 * MIB


@pytest.mark.parametrize(
    ("used", "level"),
    [
        (0.699, DiskLevel.FINE),
        (0.701, DiskLevel.WARN),
        (0.849, DiskLevel.WARN),
        (0.851, DiskLevel.PRUNE),
        (0.949, DiskLevel.PRUNE),
        (0.951, DiskLevel.NEARLY_FULL),
        (0.998, DiskLevel.NEARLY_FULL),
        (0.9999, DiskLevel.FULL),
    ],
)
def test_the_levels_of_a_card(used: float, level: DiskLevel) -> None:
    assert level_of(DiskSpace(16 * GIB, int(16 * GIB * (1 - used)), 16 * MIB)) is level


def test_red_comes_with_two_mebibytes_left() -> None:
    assert reserve_bytes(16 * GIB) == 2 * MIB
    assert level_of(DiskSpace(16 * GIB, 2 * MIB + 1, 16 * MIB)) is DiskLevel.NEARLY_FULL
    assert level_of(DiskSpace(16 * GIB, 2 * MIB, 16 * MIB)) is DiskLevel.FULL


def test_ballast_that_is_out_is_no_room_for_events() -> None:
    assert level_of(DiskSpace(16 * GIB, 18 * MIB, 0)) is DiskLevel.FULL
    assert level_of(DiskSpace(16 * GIB, 18 * MIB + 1, 0)) is DiskLevel.NEARLY_FULL


@pytest.mark.parametrize(
    ("size", "wanted"),
    [(16 * GIB, 16 * MIB), (320 * MIB, 16 * MIB), (319 * MIB, 319 * MIB // 20), (20 * MIB, MIB), (20 * MIB - 1, 0)],
)
def test_ballast_is_sixteen_mebibytes_or_a_twentieth_or_none(size: int, wanted: int) -> None:
    assert ballast_wanted(size) == wanted


def test_ballast_lies_beside_the_journal_in_real_blocks(tmp_path: Path) -> None:
    with open_journal(tmp_path):
        ballast = (tmp_path / "journal.db.ballast").stat()
        assert ballast.st_size == disk_space.MOST_BALLAST
        assert ballast.st_blocks * 512 >= ballast.st_size
    assert disk_space.free_ballast(tmp_path / "journal.db") == disk_space.MOST_BALLAST
    open_journal(tmp_path).close()
    assert (tmp_path / "journal.db.ballast").exists(), "laid again at the next start"


@pytest.mark.parametrize(("most", "laid"), [(2 * MIB, 2 * MIB), (MIB - 1, None), (0, None)])
def test_a_journal_has_no_more_ballast_than_it_is_opened_with(tmp_path: Path, most: int, laid: int | None) -> None:
    with open_journal(tmp_path, most_ballast_bytes=most) as journal:
        assert journal.commit(a_scan()).seq == 1
    ballast = tmp_path / "journal.db.ballast"
    assert (ballast.stat().st_size if ballast.exists() else None) == laid


def test_days_left_are_counted_to_red() -> None:
    assert days_left(DiskSpace(16 * GIB, 18 * MIB + 30_000_000, 0), 600.0, 5_000.0) == 10.0
    assert days_left(DiskSpace(16 * GIB, MIB, 0), 600.0, 5_000.0) == 0.0


def test_the_pace_of_the_last_days_is_used_when_it_is_known(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        planned = journal.days_left()
        a_day_passes(journal, 0)
        for number in range(30):
            journal.commit(a_scan(number))
            if number % 10 == 9:
                a_day_passes(journal, number // 10 + 1)
        assert journal.days_left() > planned, "ten a day are fewer than planned"


def test_a_full_disk_refuses_and_takes_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(tmp_path)
    free = [real.f_bavail]

    class Told:
        f_blocks, f_frsize = real.f_blocks, real.f_frsize

        @property
        def f_bavail(self) -> int:
            return free[0]

    with open_journal(tmp_path) as journal:
        assert journal.commit(a_scan(1)).seq == 1
        monkeypatch.setattr(os, "statvfs", lambda _: Told())
        free[0] = 100
        assert journal.disk_level() is DiskLevel.FULL
        with pytest.raises(JournalFull) as told:
            journal.commit(a_scan(2))
        assert str(told.value) == (
            f"The disk under {tmp_path}/journal.db is full. Not recorded. Reach the hub, so that old events can go."
        )
        assert journal.tip.seq == 1
        free[0] = real.f_bavail
        assert journal.commit(a_scan(2)).seq == 2


def allow_no_page(journal: Journal) -> None:
    """Limit the database to its present pages: SQLite then refuses a new page as it does on a full disk."""
    (pages,) = journal.run_query(lambda db: db.execute("PRAGMA page_count").fetchone())
    journal.run_query(lambda db: db.execute(f"PRAGMA max_page_count = {pages}"))


def test_a_write_that_finds_no_room_is_refused_and_the_journal_is_proved_before_the_next(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        receipt = journal.commit(a_scan(1))
        allow_no_page(journal)
        with pytest.raises(JournalFull):
            journal.commit(a_scan(2, size=9_000))
        assert journal.tip == (receipt.seq, receipt.hash)
        assert journal.commit(a_scan(3, size=9_000)).seq == 2
        assert journal.verify() == []


def test_on_a_full_disk_only_what_the_restored_hub_has_durable_is_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark of the new epoch waits for room: what was durable in the epoch before says nothing any more."""
    real = os.statvfs(tmp_path)

    class Full:
        f_blocks, f_frsize, f_bavail = real.f_blocks, real.f_frsize, 100

    with open_journal(tmp_path) as journal:
        for number in range(1, 101):
            journal.commit(a_scan(number))
            a_day_passes(journal, number)
        journal.mark(1, 100, 100, "aa")
        allow_no_page(journal)
        with pytest.raises(JournalFull):
            journal.commit(a_scan(101, size=20_000))
        monkeypatch.setattr(os, "statvfs", lambda _: Full())
        journal.mark(2, 100, 3, "bb")
        assert journal.prune() == 3
        assert journal.state().mark == HubMark(2, 100, 3, "bb")
        assert journal.state().pruned_thru == 3


def test_a_journal_that_does_not_end_with_the_last_receipt_is_lost_after_a_full_disk(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.commit(a_scan(1))
    allow_no_page(journal)
    with pytest.raises(JournalFull):
        journal.commit(a_scan(2, size=9_000))
    with closing(sqlite3.connect(tmp_path / "journal.db")) as other, other:
        other.execute("DROP TRIGGER event_leaves_when_durable")
        other.execute("DELETE FROM event")
    with pytest.raises(JournalLost) as told:
        journal.commit(a_scan(3))
    assert "does not end with event 1, the last that was answered" in str(told.value)
    journal.close()


def test_what_a_refused_commit_left_in_the_log_is_cut_off_and_no_answered_event_with_it(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan(1))
        whole = read_wal(journal.path)
        journal.commit(a_scan(2, size=9_000))
        more = read_wal(journal.path)
        last = more[len(whole) : -(24 + 4096)]  # the frames of the second commit but for the last, which ends it
        (tmp_path / "cut.db-wal").write_bytes(whole + last)
        cut_refused(tmp_path / "cut.db")
        assert read_wal(tmp_path / "cut.db") == whole
        (tmp_path / "cut.db-wal").write_bytes(more)
        cut_refused(tmp_path / "cut.db")
        assert read_wal(tmp_path / "cut.db") == more


def test_a_lock_on_a_full_disk_keeps_the_name_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = JournalLock(tmp_path / "journal.db")
    held.write(bytes(16))

    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    held.write(None)
    assert held.named_log() == bytes(16)
    held.release()


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("SQLITE_FULL", True),
        ("SQLITE_IOERR_SHMSIZE", True),
        ("SQLITE_IOERR_FSYNC", False),
        ("SQLITE_IOERR_WRITE", False),
    ],
)
def test_only_a_refused_write_is_a_lack_of_room(tmp_path: Path, name: str, *, lacks: bool) -> None:
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorname = name
    assert disk_space.lacks_room(error, tmp_path / "journal.db") is lacks


def test_the_board_is_named_by_the_first_source_that_says_something(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_text("00000000-0000\n")
    (tmp_path / "serial").write_bytes(b"10000000ABCD1234\0")
    sources = [("none", tmp_path / "missing"), ("dmi", tmp_path / "zeros"), ("serial", tmp_path / "serial")]
    assert hardware_id(sources) == "serial:10000000abcd1234"
    assert hardware_id(sources[:2]) is None
