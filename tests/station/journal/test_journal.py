"""The journal: what is committed stays as it is, stands in a chain, and leaves only when it is safe elsewhere."""

import ast
import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.core.hash_chain import genesis, link
from station.core.protocol import OpenItem
from station.journal import (
    HubMark,
    Journal,
    JournalError,
    JournalLocked,
    JournalReader,
    LogState,
    OpenItems,
    Receipt,
    StoredEvent,
    Tip,
    schema,
)
from station.journal.wal import wal_of
from tests.station.fixtures.journals import a_day_passes, a_scan, bytes_of, open_journal

DAY_US = 86_400 * 10**6


NEVER_DELETED = "an event leaves only when it is durable at the hub"


def test_a_receipt_says_where_the_event_stands(tmp_path: Path) -> None:
    with open_journal(tmp_path, now_ns=lambda: 77) as journal:
        first, second = journal.commit(a_scan(1)), journal.commit(a_scan(2))
        assert len(journal.log_id) == 16
        one = link(genesis(journal.log_id), a_scan(1))
        assert first == Receipt(journal.log_id, 1, one, 77)
        assert second == Receipt(journal.log_id, 2, link(one, a_scan(2)), 77)
        assert journal.tip == Tip(2, second.hash)
        assert journal.news == ("A new journal was begun.",)


def test_only_commit_makes_a_receipt() -> None:
    makers = []
    for path in sorted(Path("station").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.Lambda):
                calls = [
                    n for n in ast.walk(node) if isinstance(n, ast.Call) and ast.unparse(n.func).endswith("Receipt")
                ]
                makers += [f"{path}:{getattr(node, 'name', 'lambda')}" for _ in calls]
    assert makers == ["station/journal/writer.py:commit"]


def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        receipts = [journal.commit(a_scan(number)) for number in range(1, 4)]
        log_id = journal.log_id
    with open_journal(tmp_path) as journal:
        assert (journal.log_id, journal.tip) == (log_id, Tip(3, receipts[-1].hash))
        assert bytes_of(journal) == [a_scan(1), a_scan(2), a_scan(3)]
        assert journal.news == ()


def test_a_second_daemon_is_refused_and_hears_of_the_first(tmp_path: Path) -> None:
    with open_journal(tmp_path), pytest.raises(JournalLocked) as refused:
        open_journal(tmp_path)
    assert refused.value.pid == os.getpid()
    assert str(refused.value) == (
        f"The journal {tmp_path}/journal.db is being written by process {os.getpid()}; one daemon a journal. Stop it first."
    )
    open_journal(tmp_path).close()


def test_the_lock_is_an_flock_beside_the_journal(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal, (tmp_path / "journal.db.lock").open() as lock:
        assert lock.read() == f"pid {os.getpid()}\nlog {journal.log_id.hex()}\n"
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE event SET bytes = x'00' WHERE seq = 1", "an event is never changed"),
        ("DELETE FROM event WHERE seq = 1", NEVER_DELETED),
        ("DELETE FROM event", NEVER_DELETED),
        (
            "INSERT OR REPLACE INTO event SELECT 1, bytes, prev, hash FROM event WHERE seq = 2",
            "an event follows the last one",
        ),
        ("INSERT INTO event SELECT 9, bytes, prev, hash FROM event WHERE seq = 2", "an event follows the last one"),
        ("INSERT INTO event SELECT 3, bytes, prev, hash FROM event WHERE seq = 2", "an event follows the last one"),
        ("UPDATE meta SET v = x'00' WHERE k = 'log_id'", "a log keeps its id"),
        ("DELETE FROM meta WHERE k = 'log_id'", "a log keeps its id"),
    ],
)
def test_the_file_defends_itself_against_anyone(tmp_path: Path, statement: str, message: str) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan(1))
        journal.commit(a_scan(2))
    with closing(sqlite3.connect(tmp_path / "journal.db")) as anyone:
        with pytest.raises(sqlite3.IntegrityError, match=f"^{message}$"):
            anyone.execute(statement)
        assert anyone.execute("SELECT seq, bytes FROM event").fetchall() == [(1, a_scan(1)), (2, a_scan(2))]


def test_the_contract_names_the_tables_and_columns(tmp_path: Path) -> None:
    open_journal(tmp_path).close()
    wanted = {
        "meta": ["k", "v"],
        "event": ["seq", "bytes", "prev", "hash"],
        "mark": ["hub_epoch", "accepted_thru", "durable_thru", "head"],
        "snapshot": ["version", "body"],
        "item": ["item", "product", "operation", "state", "qty_milli", "stage", "more"],
        "verified": ["seq", "hash"],
    }
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        for table, columns in wanted.items():
            assert [row[1] for row in db.execute(f"PRAGMA table_info({table})")] == columns
        strict = {row[1]: row[5] for row in db.execute("PRAGMA table_list")}
        assert all(strict[table] == 1 for table in wanted)
        ((log_id,),) = db.execute("SELECT v FROM meta WHERE k = 'log_id'")
        assert isinstance(log_id, bytes)
        assert len(log_id) == 16


def test_a_setting_that_does_not_hold_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_journal(tmp_path).close()
    monkeypatch.setitem(schema.PRAGMAS, "synchronous", 9)  # SQLite takes it for something else, without a word
    with pytest.raises(
        JournalError, match=r"^SQLite [\d.]+ answers synchronous = 1; expected 9. Nothing can be promised.$"
    ):
        open_journal(tmp_path)


def test_the_settings_of_the_writing_connection(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        wanted = {"journal_mode": "wal", "synchronous": 2, "mmap_size": 0, "cell_size_check": 1, "trusted_schema": 0}
        read = {name: journal.run_query(lambda db: db.execute(f"PRAGMA {name}").fetchone()[0]) for name in wanted}  # noqa: B023
        assert read == wanted


def test_a_reader_sees_what_was_committed_beside_the_writer(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal, closing(JournalReader(tmp_path / "journal.db")) as reader:
        receipts = [journal.commit(a_scan(number)) for number in range(1, 6)]
        start = genesis(journal.log_id)
        assert reader.log_id == journal.log_id
        assert reader.tip == Tip(5, receipts[-1].hash)
        assert reader.events(0, 2) == [
            StoredEvent(1, a_scan(1), start, receipts[0].hash),
            StoredEvent(2, a_scan(2), receipts[0].hash, receipts[1].hash),
        ]
        assert [event.seq for event in reader.events(1, 500, len(a_scan()) * 3)] == [2, 3, 4]
        assert [event.seq for event in reader.events(1, 500, 1)] == [2], "one at least, or a long event stops the queue"
        assert reader.events(5) == []
        assert [event.seq for event in reader.newest(2)] == [5, 4]
        assert [event.seq for event in reader.newest(2, before=4)] == [3, 2]
        assert reader.state() == LogState(journal.log_id, Tip(5, receipts[-1].hash), 0, None, None)
        assert reader.verify() == []
        with pytest.raises(JournalError, match="attempt to write a readonly database"):
            reader.run_query(lambda db: db.execute("DELETE FROM verified"))


def test_a_reader_reads_a_journal_whose_daemon_is_away(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan())
    with closing(JournalReader(tmp_path / "journal.db")) as reader:
        assert [event.encoded for event in reader.events()] == [a_scan()]


def test_a_reader_of_no_journal_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(JournalError) as told:
        JournalReader(tmp_path / "journal.db")
    assert str(told.value) == (
        f"There is no journal at {tmp_path}/journal.db. Start the station once, or name another with --config."
    )


def test_marks_follow_the_hubs_epoch(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal, closing(JournalReader(tmp_path / "journal.db")) as reader:
        assert reader.mark() is None
        for number in range(11):
            journal.commit(a_scan(number))
        journal.mark(7, 10, 5, "aa")
        assert reader.mark() == HubMark(7, 10, 5, "aa")
        journal.mark(8, 3, 0, "bb")
        assert reader.mark() == HubMark(8, 3, 0, "bb")
        journal.mark("text", 4, 0, "cc")
        journal.mark(7, 11, 9, "dd")
        assert journal.state().mark == HubMark(7, 11, 9, "dd")


def test_pruning_waits_for_durable_and_ninety_days(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        receipts = [journal.commit(a_scan(number)) for number in range(1, 11)]
        journal.mark(1, 10, 4, "aa")
        for day in range(91):  # the first closes the day of the ten, each later one has a scan of its own
            a_day_passes(journal, day)
            receipts.append(journal.commit(a_scan(11 + day)))
        assert journal.prune() == 0, "89 days"
        a_day_passes(journal, 91)
        journal.mark(2, 10, 0, "aa")
        assert journal.prune() == 0, "another epoch: nothing is durable in it"
        journal.mark(1, 10, 4, "aa")
        assert journal.prune(most=3) == 3
        assert journal.prune(most=3) == 1
        assert journal.prune(most=3) == 0
        journal.mark(1, 101, 101, "aa")
        assert journal.prune() == 7, "to the end of the day that is 90 days old"
        assert journal.state().pruned_thru == 11
        assert journal.verify() == []
        last = journal.commit(a_scan(200))
    with open_journal(tmp_path) as journal:
        assert journal.tip == Tip(102, link(receipts[-1].hash, a_scan(200))) == Tip(102, last.hash)
        assert bytes_of(journal)[0] == a_scan(12)
        assert journal.verify() == []


def test_the_last_event_is_never_pruned(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        for day in range(200):
            journal.commit(a_scan(day))
            a_day_passes(journal, day)
        journal.mark(1, 200, 200, "aa")
        journal.run_query(lambda db: db.execute("UPDATE day SET day = day - 1000 WHERE day < 199"))
        journal.prune()
        assert journal.newest(1)[0].seq == 200


def test_days_in_which_nothing_was_scanned_and_jumps_of_a_clock_make_nothing_old(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan(1))
        a_day_passes(journal, 0)
        journal.commit(a_scan(2))
        journal.mark(1, 2, 2, "aa")
        for day in range(1, 400):
            a_day_passes(journal, day)
        assert journal.prune() == 0, "one day in which the log grew, and 398 in which it did not"
        a_day_passes(journal, 100_000)
        assert journal.prune() == 0


@pytest.mark.parametrize(("accepted", "durable"), [(3, 0), (2, 3), (-1, -1), (2**63, 0), (2, -1), (10**30, 10**30)])
def test_a_mark_that_cannot_be_true_of_the_log_is_refused_and_recording_goes_on(
    tmp_path: Path, accepted: int, durable: int
) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan(1))
        journal.commit(a_scan(2))
        with pytest.raises(JournalError, match="a log that ends at 2"):
            journal.mark(1, accepted, durable, "aa")
        assert journal.state().mark is None
        assert journal.commit(a_scan(3)).seq == 3


def test_a_value_that_the_journal_cannot_hold_loses_no_journal(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        with pytest.raises(JournalError, match="Nothing was written"):
            journal.mark(2**70, 0, 0, "aa")
        with pytest.raises(JournalError, match="Nothing was written"):
            journal.save_items(["A"], [OpenItem("A", None, None, None, 2**63)], "1:1")
        assert journal.items() == OpenItems([], "", complete=False)
        assert journal.commit(a_scan(1)).seq == 1


def test_definitions_and_open_items_are_kept(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal, closing(JournalReader(tmp_path / "journal.db")) as reader:
        assert (reader.snapshot(), reader.items()) == (None, OpenItems([], "", complete=False))
        journal.save_snapshot("v1", b"one")
        journal.save_snapshot("v2", b"two")
        a, b = OpenItem("A", "bracket", 20, "here", 5_000), OpenItem("B", stage="saw")
        split = [OpenItem("A", "bracket", 20, "here", 1_000), OpenItem("A", "bracket", 30, "waiting", 4_000)]
        journal.save_items(["A", "B"], [a, b], "1:9")
        assert journal.items() == OpenItems([a, b], "1:9", complete=True)
        journal.save_items(["A"], split, "1:12", complete=False)
        assert journal.items() == OpenItems([b, *split], "1:12", complete=False)
        journal.save_items(["B"], [], "1:13")
        assert reader.items() == OpenItems(split, "1:13", complete=True)
        journal.save_items([], [b], "2:1", afresh=True)
    with open_journal(tmp_path) as journal:
        assert journal.snapshot() == ("v2", b"two")
        assert journal.items() == OpenItems([b], "2:1", complete=True)


def test_tidy_folds_when_idle_or_when_the_log_is_long(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        assert journal.tidy(5.0) is False, "nothing to fold"
        journal.commit(a_scan())
        assert journal.tidy(0.9) is False
        assert journal.tidy(1.0) is True
        assert journal.tidy(2.0) is False
        number = 0
        while wal_of(journal.path).stat().st_size <= 4 * 1024 * 1024:
            number += 1
            journal.commit(a_scan(number, size=4_000))
        assert journal.tidy(0.0) is True


def test_the_journal_type_stays_importable_by_its_contract_name() -> None:
    assert Journal.__module__.startswith("station.journal")
