"""Logs that follow each other: a hub that is ahead, a card in another board, a break, and files that cannot be used."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from station.cli.commands import main
from station.core.event import EventIdentity, decode
from station.journal import ChainBreak, JournalError, JournalLost, JournalReader, LogChanged, schema
from tests.station.fixtures.journals import a_scan, bytes_of, open_journal


def test_files_taken_away_under_the_daemon_are_red(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.commit(a_scan())
    (tmp_path / "journal.db-wal").rename(tmp_path / "elsewhere")
    with pytest.raises(JournalLost):
        journal.tidy(1.0)
    with pytest.raises(JournalLost):
        journal.commit(a_scan(2))
    journal.run_query(sqlite3.Connection.close)  # a station ends here, and leaves it to the kernel


def test_a_new_log_follows_the_one_that_the_hub_is_ahead_of(tmp_path: Path) -> None:
    with open_journal(tmp_path, now_ns=lambda: 9) as journal, closing(JournalReader(tmp_path / "journal.db")) as reader:
        receipts = [journal.commit(a_scan(number)) for number in range(1, 4)]
        old = reader.log_id
        journal.new_log("log_ahead")
        assert journal.log_id != old
        assert reader.log_id == journal.log_id, "a reader follows"
        (opened,) = [decode(encoded) for encoded in bytes_of(journal)]
        assert (opened.kind, opened.cause) == ("open", "log_ahead")
        assert opened.parent == EventIdentity(old.hex(), 3, receipts[-1].hash.hex())
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
        assert second.origin == EventIdentity(old.hex(), 2, receipts[1].hash.hex())
        assert (second.raw, second.boot, second.mono_ns) == (b"WO-0002", "boot-a", 2)
        assert third.origin == EventIdentity(old.hex(), 3, receipts[2].hash.hex())
        assert (fourth.kind, fourth.from_) == ("salvage", EventIdentity(old.hex(), 4, later.hash.hex()))
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
        assert (opened.cause, opened.parent) == ("hardware", EventIdentity(old.hex(), 3, receipts[-1].hash.hex()))
        assert [event.origin for event in rest] == [EventIdentity(old.hex(), r.seq, r.hash.hex()) for r in receipts[1:]]
        new = journal.log_id
    with open_journal(tmp_path, hardware_id="serial:2") as journal:
        assert (journal.log_id, journal.news) == (new, ())


def test_a_journal_of_later_software_is_left_alone(tmp_path: Path) -> None:
    open_journal(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('journal', 'version_9')")
        db.commit()
        db.execute("ALTER TABLE meta RENAME TO settings")  # the file has no table that this version would check first
        db.commit()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for _ in range(2):
        with pytest.raises(JournalError) as told:
            open_journal(tmp_path)
        assert str(told.value) == "The journal was written by later software (version_9). Install that version again."
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_journal_of_later_software_is_read_by_no_command(tmp_path: Path) -> None:
    open_journal(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('journal', 'version_9')")
        db.commit()
    for command in ("verify", "events"):
        done = CliRunner().invoke(main, [command, "--journal", str(tmp_path / "journal.db")])
        assert done.exit_code == 1
        assert "The journal was written by later software (version_9). Install that version again." in done.output
        assert "Traceback" not in done.output


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
        assert journal.verify() == [ChainBreak(2, "Event 2 is not as it was recorded: its hash differs.")]
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
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan())
    (tmp_path / "journal.db-wal").mkdir()  # not even root can open it for writing
    with pytest.raises(JournalError) as told:
        open_journal(tmp_path)
    assert str(told.value) == (
        f"The journal {tmp_path}/journal.db cannot be opened for writing by this user: unable to open database file."
        f" Correct it: sudo chown -R $(id -un) {tmp_path}"
    )
    assert not (tmp_path / "quarantine").exists()


def test_an_empty_log_has_no_child(tmp_path: Path) -> None:
    open_journal(tmp_path, hardware_id="serial:1").close()
    with open_journal(tmp_path, hardware_id="serial:2") as journal:
        assert (journal.tip.seq, journal.state().parent) == (0, None)
