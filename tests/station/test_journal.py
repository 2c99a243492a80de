"""The journal: what is committed stays as it is, stands in a chain, and leaves only when it is safe elsewhere."""

import ast
import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.core.chain import genesis, link
from station.core.event import Identity, decode
from station.journal import (
    Break,
    Journal,
    JournalError,
    JournalLocked,
    JournalLost,
    JournalReader,
    LogChanged,
    LogState,
    Mark,
    OpenItem,
    OpenItems,
    Receipt,
    Stored,
    Tip,
    opening,
    schema,
)
from tests.station.journal_room import a_scan, bytes_of, open_journal

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
        "item": ["item", "product", "operation", "state", "qty_milli"],
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
        read = {name: journal._execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}
        assert read == wanted


def test_a_reader_sees_what_was_committed_beside_the_writer(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal, closing(JournalReader(tmp_path / "journal.db")) as reader:
        receipts = [journal.commit(a_scan(number)) for number in range(1, 6)]
        start = genesis(journal.log_id)
        assert reader.log_id == journal.log_id
        assert reader.tip == Tip(5, receipts[-1].hash)
        assert reader.events(0, 2) == [
            Stored(1, a_scan(1), start, receipts[0].hash),
            Stored(2, a_scan(2), receipts[0].hash, receipts[1].hash),
        ]
        assert [event.seq for event in reader.events(1, 500, len(a_scan()) * 3)] == [2, 3, 4]
        assert [event.seq for event in reader.events(1, 500, 1)] == [2], "one at least, or a long event stops the queue"
        assert reader.events(5) == []
        assert [event.seq for event in reader.newest(2)] == [5, 4]
        assert [event.seq for event in reader.newest(2, before=4)] == [3, 2]
        assert reader.state() == LogState(journal.log_id, Tip(5, receipts[-1].hash), 0, None, None)
        assert reader.verify() == []
        with pytest.raises(JournalError, match="attempt to write a readonly database"):
            reader._ask(lambda db: db.execute("DELETE FROM verified"))


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
        journal.mark(7, 10, 5, "aa")
        assert reader.mark() == Mark(7, 10, 5, "aa")
        journal.mark(8, 3, 0, "bb")
        assert reader.mark() == Mark(8, 3, 0, "bb")
        journal.mark("text", 4, 0, "cc")
        journal.mark(7, 11, 9, "dd")
        assert journal.state().mark == Mark(7, 11, 9, "dd")


def test_pruning_waits_for_durable_and_ninety_days(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        receipts = [journal.commit(a_scan(number)) for number in range(1, 11)]
        journal.mark(1, 10, 4, "aa", hub_us=1_000 * DAY_US)
        assert journal.prune(1_089 * DAY_US) == 0, "89 days"
        journal.mark(2, 10, 0, "aa", hub_us=1_001 * DAY_US)
        assert journal.prune(1_090 * DAY_US) == 0, "another epoch: nothing is durable in it"
        journal.mark(1, 10, 4, "aa")
        assert journal.prune(1_090 * DAY_US, most=3) == 3
        assert journal.prune(1_090 * DAY_US, most=3) == 1
        assert journal.prune(1_090 * DAY_US, most=3) == 0
        journal.mark(1, 10, 10, "aa")
        assert journal.prune(1_090 * DAY_US) == 5, "the last event stays: the chain goes on from it"
        assert journal.state().pruned_thru == 9
        assert journal.verify() == []
        eleventh = journal.commit(a_scan(11))
    with open_journal(tmp_path) as journal:
        assert journal.tip == Tip(11, link(receipts[-1].hash, a_scan(11))) == Tip(11, eleventh.hash)
        assert bytes_of(journal) == [a_scan(10), a_scan(11)]
        assert journal.verify() == []


def test_an_anchor_event_after_the_day_does_not_age_what_follows(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan(1))
        journal.mark(1, 1, 1, "aa", hub_us=1_000 * DAY_US)
        for number in range(2, 5):
            journal.commit(a_scan(number))
        journal.mark(1, 4, 4, "aa", hub_us=1_050 * DAY_US)
        assert journal.prune(1_095 * DAY_US) == 1
        assert [event.seq for event in journal.newest(9)] == [4, 3, 2]


def test_definitions_and_open_items_are_kept(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal, closing(JournalReader(tmp_path / "journal.db")) as reader:
        assert (reader.snapshot(), reader.items()) == (None, OpenItems([], "", complete=False))
        journal.save_snapshot("v1", b"one")
        journal.save_snapshot("v2", b"two")
        a, b = OpenItem("A", "bracket", 20, "here", 5_000), OpenItem("B", None, None, None, None)
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
        while journal._wal_bytes() <= 4 * 1024 * 1024:
            number += 1
            journal.commit(a_scan(number, size=4_000))
        assert journal.tidy(0.0) is True


def test_files_taken_away_under_the_daemon_are_red(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.commit(a_scan())
    (tmp_path / "journal.db-wal").rename(tmp_path / "elsewhere")
    with pytest.raises(JournalLost):
        journal.tidy(1.0)
    with pytest.raises(JournalLost):
        journal.commit(a_scan(2))


def test_a_new_log_follows_the_one_that_the_hub_is_ahead_of(tmp_path: Path) -> None:
    with open_journal(tmp_path, now_ns=lambda: 9) as journal, closing(JournalReader(tmp_path / "journal.db")) as reader:
        receipts = [journal.commit(a_scan(number)) for number in range(1, 4)]
        old = reader.log_id
        journal.new_log("log_ahead")
        assert journal.log_id != old
        assert reader.log_id == journal.log_id, "a reader follows"
        (opened,) = [decode(encoded) for encoded in bytes_of(journal)]
        assert (opened.kind, opened.cause) == ("open", "log_ahead")
        assert opened.parent == Identity(old.hex(), 3, receipts[-1].hash.hex())
        with pytest.raises(LogChanged):
            reader.events(0, log_id=old)
        assert journal.commit(a_scan(4)).seq == 2
        assert journal.state().parent is not None
    with closing(JournalReader(tmp_path / "earlier" / "1" / "journal.db")) as reader:
        assert [event.encoded for event in reader.events()] == [a_scan(1), a_scan(2), a_scan(3)]


def test_what_the_hub_lacks_is_sent_again_by_its_origin(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        receipts = [journal.commit(a_scan(number)) for number in range(1, 4)]
        old = journal.log_id
        later = journal.commit(b'{"v":1,"kind":"scan","station":"saw-1","sw":"9","colour":"red"}')
        journal.new_log("reidentify", again_after=1)
        _, second, third, fourth = [decode(encoded) for encoded in bytes_of(journal)]
        assert second.origin == Identity(old.hex(), 2, receipts[1].hash.hex())
        assert (second.raw, second.boot, second.mono_ns) == (b"WO-0002", "boot-a", 2)
        assert third.origin == Identity(old.hex(), 3, receipts[2].hash.hex())
        assert (fourth.kind, fourth.from_) == ("salvage", Identity(old.hex(), 4, later.hash.hex()))
        assert fourth.body == b'{"v":1,"kind":"scan","station":"saw-1","sw":"9","colour":"red"}'
        again = [third.origin, fourth.from_]
        journal.new_log("reidentify", again_after=2)
        assert [event.origin or event.from_ for event in map(decode, bytes_of(journal)[1:])] == again, (
            "inner names stay"
        )
    assert sorted(path.name for path in (tmp_path / "earlier").iterdir()) == ["1", "2"]


def test_a_card_in_another_board_begins_its_own_log(tmp_path: Path) -> None:
    with open_journal(tmp_path, hardware_id="serial:1") as journal:
        receipts = [journal.commit(a_scan(number)) for number in range(1, 4)]
        journal.mark(1, 2, 1, "aa")
        old = journal.log_id
    with open_journal(tmp_path, hardware_id="machine:77") as journal:
        assert journal.log_id == old, "an id of another kind is no evidence"
    with open_journal(tmp_path, hardware_id="serial:2") as journal:
        opened, *rest = [decode(encoded) for encoded in bytes_of(journal)]
        assert (opened.cause, opened.parent) == ("hardware", Identity(old.hex(), 3, receipts[-1].hash.hex()))
        assert [event.origin for event in rest] == [Identity(old.hex(), r.seq, r.hash.hex()) for r in receipts[1:]]
        new = journal.log_id
    with open_journal(tmp_path, hardware_id="serial:2") as journal:
        assert (journal.log_id, journal.news) == (new, ())


def test_a_journal_of_later_software_is_left_alone(tmp_path: Path) -> None:
    open_journal(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('journal', 'version_9')")
        db.commit()
    with pytest.raises(JournalError) as told:
        open_journal(tmp_path)
    assert str(told.value) == "The journal was written by later software (version_9). Install that version again."


def test_a_program_that_reads_for_ever_is_named_not_blamed_on_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(schema.PRAGMAS, "busy_timeout", 50)
    journal = open_journal(tmp_path)
    journal.commit(a_scan(1))
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as anyone:
        anyone.execute("BEGIN")
        anyone.execute("SELECT * FROM event").fetchall()
        journal.commit(a_scan(2))
        journal.close()
        with pytest.raises(
            JournalError, match=r"^Another program is reading .*journal.db; `fuser .*` names it. End it,"
        ):
            open_journal(tmp_path)
    assert not (tmp_path / "quarantine").exists()
    open_journal(tmp_path).close()


def test_a_break_that_a_walk_finds_is_salvaged_at_the_next_start(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        for number in range(1, 4):
            journal.commit(a_scan(number))
    open_journal(tmp_path).close()  # this start walked all three
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("DROP TRIGGER event_stays_as_it_is")
        db.execute("UPDATE event SET bytes = ? WHERE seq = 2", (a_scan(7),))
        db.commit()
    with open_journal(tmp_path) as journal:
        assert journal.verify() == [Break(2, "Event 2 is not as it was recorded: its hash differs.")]
    with open_journal(tmp_path) as journal:
        assert [event.from_.seq for event in map(decode, bytes_of(journal)[1:]) if event.from_] == [1, 2, 3]
        assert [event.body for event in map(decode, bytes_of(journal)[1:])] == [a_scan(1), None, a_scan(3)]


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError) as told:
        open_journal(tmp_path / "file" / "below")
    assert str(told.value) == (
        f"The journal's folder {tmp_path}/file/below cannot be used: Not a directory. Create it for the station's user."
    )


def test_a_missing_right_is_not_taken_for_damage(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as refused:
        sqlite3.connect(tmp_path / "missing" / "journal.db")
    blamed = opening._blame(refused.value, tmp_path / "journal.db")
    assert isinstance(blamed, JournalError)
    assert str(blamed) == (
        f"The journal {tmp_path}/journal.db cannot be opened for writing by this user: unable to open database file."
        f" Mend it: sudo chown -R $(id -un) {tmp_path}"
    )


def test_an_empty_log_has_no_child(tmp_path: Path) -> None:
    open_journal(tmp_path, hardware_id="serial:1").close()
    with open_journal(tmp_path, hardware_id="serial:2") as journal:
        assert (journal.tip.seq, journal.state().parent) == (0, None)


def test_the_journal_type_stays_importable_by_its_contract_name() -> None:
    assert Journal.__module__.startswith("station.journal")
