"""Logs that lie aside, at the port of `station.journal.earlier_logs`: which are found, and what each still has to send."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from station.cli.doctor import earlier_logs
from station.config import StationConfig
from station.journal.earlier_logs import NOTE, EarlierLogNote, set_aside, unconfirmed
from tests.station.fixtures.journals import a_scan, open_journal
from tests.station.fixtures.simulated_station import as_the_version_before, make_unreadable


def follow(folder: Path, cause: str, again_after: int | None, events: int = 6, accepted: int = 4) -> None:
    """A log with so many events, of which the hub of epoch 1 has accepted some, and a new log behind it."""
    with open_journal(folder) as journal:
        while journal.tip.seq < events:
            journal.commit(a_scan(journal.tip.seq + 1))
        journal.mark(1, accepted, 1, "aa")
        journal.new_log(cause, again_after)


def damage(folder: Path, name: str = "journal.db") -> None:
    """Alter an event without a word to the chain; the next start finds it."""
    with closing(sqlite3.connect(folder / name)) as db:
        db.execute("DROP TRIGGER event_stays_as_it_is")
        db.execute("UPDATE event SET bytes = ? WHERE seq = 6", (a_scan(99),))
        db.execute("DELETE FROM verified")
        db.commit()


def test_a_log_that_the_version_before_set_aside_owes_all_that_the_hub_is_not_known_to_have(tmp_path: Path) -> None:
    follow(tmp_path, "log_ahead", None)
    as_the_version_before(tmp_path / "journal.db")
    (log,) = set_aside(tmp_path / "journal.db")
    assert (log.duty_thru, log.whole, log.path) == (6, True, tmp_path / "earlier/1/journal.db")
    assert [log.unconfirmed(epoch) for epoch in (1, 2, None)] == [2, 6, 6]


def test_a_log_of_a_fork_owes_what_the_log_behind_it_does_not_carry(tmp_path: Path) -> None:
    follow(tmp_path, "reidentify", 4)
    (log,) = set_aside(tmp_path / "journal.db")
    assert (log.duty_thru, [log.unconfirmed(epoch) for epoch in (1, 2)]) == (4, [0, 4])
    as_the_version_before(tmp_path / "journal.db")  # it wrote no word of what it carries
    (log,) = set_aside(tmp_path / "journal.db")
    assert (log.duty_thru, log.unconfirmed(1)) == (6, 2)


def test_a_damaged_log_owes_what_was_durable_at_the_hub_and_was_not_salvaged(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        for number in range(1, 7):
            journal.commit(a_scan(number))
        journal.mark(1, 6, 3, "aa")
    damage(tmp_path)
    open_journal(tmp_path).close()
    (log,) = set_aside(tmp_path / "journal.db")
    assert (log.path.parent, log.whole, log.duty_thru) == (tmp_path / "quarantine/1", False, 3)
    assert [log.unconfirmed(epoch) for epoch in (1, 2)] == [0, 3]
    assert [(each.seq, each.encoded) for each in log.events(1)] == [(2, a_scan(2)), (3, a_scan(3))]


def test_what_is_noted_lasts_and_lessens_what_is_owed(tmp_path: Path) -> None:
    follow(tmp_path, "log_ahead", None)
    (log,) = set_aside(tmp_path / "journal.db")
    assert log.noted(EarlierLogNote(7, 3)).duty_thru == 3
    (log,) = set_aside(tmp_path / "journal.db")
    assert (log.note, log.duty_thru) == (EarlierLogNote(7, 3), 3)
    assert [log.unconfirmed(epoch) for epoch in (7, "7", 8, None)] == [0, 3, 3, 3]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b"[]", b'{"epoch":1.5}', b'{"sent_again_after":"3"}'])
def test_a_note_that_cannot_be_read_owes_everything_again(tmp_path: Path, content: bytes) -> None:
    follow(tmp_path, "log_ahead", None)
    (tmp_path / "earlier" / "1" / NOTE).write_bytes(content)
    assert unconfirmed(tmp_path / "journal.db", 2) == 6


@pytest.mark.parametrize("thru", [-1, -(2**70), 2**70])
def test_a_note_of_an_impossible_place_never_lessens_what_is_owed(tmp_path: Path, thru: int) -> None:
    follow(tmp_path, "log_ahead", None)
    (tmp_path / "earlier" / "1" / NOTE).write_text(f'{{"sent_again_after":{thru}}}')
    assert unconfirmed(tmp_path / "journal.db", 2) == 6


def test_logs_are_named_in_the_order_in_which_they_were_set_aside(tmp_path: Path) -> None:
    for _ in range(11):
        follow(tmp_path, "log_ahead", None, events=2, accepted=1)
    (tmp_path / "earlier" / "notes").mkdir()
    logs = set_aside(tmp_path / "journal.db")
    assert [log.path.parent.name for log in logs] == [str(number) for number in range(1, 12)]


def test_an_earlier_log_whose_file_cannot_be_read_owes_what_the_log_behind_it_says(tmp_path: Path) -> None:
    follow(tmp_path, "reidentify", 4, events=200, accepted=4)
    (before,) = set_aside(tmp_path / "journal.db")
    make_unreadable(tmp_path / "earlier/1/journal.db")
    (log,) = set_aside(tmp_path / "journal.db")
    assert (log.log_id, log.duty_thru, log.whole) == (before.log_id, 4, False)
    assert log.unconfirmed(1) == 4, "what the hub had accepted stood in that file"


def test_an_earlier_log_of_the_version_before_that_cannot_be_read_owes_all_of_it(tmp_path: Path) -> None:
    follow(tmp_path, "log_ahead", None)
    as_the_version_before(tmp_path / "journal.db")
    make_unreadable(tmp_path / "earlier/1/journal.db")
    (log,) = set_aside(tmp_path / "journal.db")
    assert (log.duty_thru, log.whole, log.unconfirmed(1)) == (6, False, 6)
    (tmp_path / "earlier/1/journal.db").unlink()
    places = [(each.seq, each.encoded) for each in log.events(3)]
    assert places == [(4, None), (5, None), (6, None)], "what cannot be read is named as lost, not passed over"


def test_the_first_log_of_a_card_says_nothing_of_the_logs_that_are_set_aside_later(tmp_path: Path) -> None:
    """At its birth it names the folder in which a log before it would lie; that is where other logs come to lie."""
    with open_journal(tmp_path) as journal:
        for number in range(1, 7):
            journal.commit(a_scan(number))
    damage(tmp_path)
    follow(tmp_path, "reidentify", 3, events=9, accepted=3)
    earlier, damaged = set_aside(tmp_path / "journal.db")
    assert (earlier.duty_thru, damaged.duty_thru) == (3, 0)
    assert [log.path.parent.parent.name for log in (earlier, damaged)] == ["earlier", "quarantine"]


def gone(folder: Path) -> None:
    (folder / "journal.db").unlink()


def empty(folder: Path) -> None:
    (folder / "journal.db").write_bytes(b"")


def no_folder(folder: Path) -> None:
    (folder / "journal.db").unlink()
    folder.rmdir()
    folder.write_text("a file where a folder was")


@pytest.mark.parametrize("harm", [gone, empty, no_folder])
def test_files_of_an_earlier_log_that_are_gone_stop_nothing(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    follow(tmp_path, "log_ahead", None)
    follow(tmp_path, "log_ahead", None)
    harm(tmp_path / "earlier" / "1")
    assert "2" in [log.path.parent.name for log in set_aside(tmp_path / "journal.db")]


def test_the_doctor_counts_what_earlier_logs_still_owe(tmp_path: Path) -> None:
    config = StationConfig(station="saw-1", journal=str(tmp_path / "journal.db"))
    open_journal(tmp_path).close()
    assert earlier_logs(config).only_note
    follow(tmp_path, "log_ahead", None)
    found = earlier_logs(config)
    assert (found.ok, found.what, found.mend) == (
        False,
        f"6 events of earlier logs are not confirmed by the hub; the first are in {tmp_path}/earlier/1",
        "let the station reach its hub: it sends what is missing; delete nothing",
    )
    (log,) = set_aside(tmp_path / "journal.db")
    with open_journal(tmp_path) as journal:
        journal.mark(3, 0, 0, "aa")
    log.noted(EarlierLogNote(3, None))
    found = earlier_logs(config)
    assert (found.ok, found.what) == (True, "the events of 1 earlier logs are at the hub")
