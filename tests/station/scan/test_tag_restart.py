"""Tags that lay on a reader when the station was started anew: their arrival is told again, and counted once."""

from pathlib import Path
from typing import Any

import pytest

from station.core.event import Event, LogPosition, Reader, encode
from station.scan.deduplication import ScanSignature
from station.scan.pipeline import ReaderSettings
from station.scan.restart_state import RestartState, read_restart_state
from tests.station.fixtures.journals import open_journal
from tests.station.fixtures.scan_pipeline import Bench, a_read
from tests.station.fixtures.tag_reads import a_tag

FIRST, SECOND, THIRD = b"04A1B2C3", b"04D1B2C4", b"04E1B2C5"


def arrival(raw: bytes, reader: str = "pcsc-1", kind: str = "pcsc", **fields: Any) -> Event:
    """A recorded scan of a tag reader."""
    return Event(kind="scan", station="saw-1", sw="t", raw=raw, reader=Reader(kind, reader), scheme="uid", **fields)


def known_of(folder: Path, *events: Event) -> RestartState:
    """What a station finds that starts behind these events; a `ref` of them is to a number in this log."""
    with open_journal(folder) as journal:
        for event in events:
            journal.commit(encode(event))
        return read_restart_state(journal, "boot-a")


def end_of(folder: Path, raw: bytes, seq: int, **fields: Any) -> Event:
    """The end of the presence that began at this number of the log."""
    with open_journal(folder) as journal:
        return arrival(raw, ref=LogPosition(journal.log_id.hex(), seq), **({"seen": 3} | fields))


def started(before: RestartState, place: ReaderSettings | None = None) -> Bench:
    """A recording thread that has just started."""
    bench = Bench(more={"restart": before, "reader_settings": lambda _reader: place or ReaderSettings(stage="saw")})
    bench.scan.begin_restart_window()
    return bench


def repeats(bench: Bench) -> list[bool]:
    return [bool(event.repeat) for event in bench.journal.decoded()]


@pytest.mark.parametrize("order", [(FIRST, SECOND, THIRD), (THIRD, FIRST, SECOND), (SECOND, THIRD, FIRST)])
def test_all_tags_that_lay_there_are_told_again_and_not_counted_again(tmp_path: Path, order: tuple[bytes, ...]) -> None:
    bench = started(known_of(tmp_path, arrival(FIRST), arrival(SECOND), arrival(THIRD)))
    for number, raw in enumerate(order):
        bench.take(a_tag(raw, 10 + number))
    assert repeats(bench) == [True] * 3
    bench.take(a_tag(FIRST, 30))  # taken away and put there again
    assert repeats(bench)[3:] == [False]


def test_scrap_is_taken_once_of_each_tag_on_a_reader_for_scrap(tmp_path: Path) -> None:
    scrap = ReaderSettings(None, "saw", "scrap")
    there = arrival(FIRST, action="scrap"), arrival(SECOND, action="scrap")
    bench = started(known_of(tmp_path, *there), scrap)
    for raw in (FIRST, SECOND, THIRD):
        bench.take(a_tag(raw))
    assert repeats(bench) == [True, True, False]


def test_a_tag_that_left_before_the_start_is_a_scan(tmp_path: Path) -> None:
    end = end_of(tmp_path, FIRST, 1)
    before = known_of(tmp_path, arrival(FIRST), end, arrival(SECOND))
    assert before == RestartState({"pcsc-1": ScanSignature("04D1B2C4")}, {"pcsc-1": (ScanSignature("04D1B2C4"),)})
    bench = started(before)
    bench.take(a_tag(FIRST))
    assert repeats(bench) == [False]


def test_of_a_tag_that_came_twice_its_newest_arrival_counts(tmp_path: Path) -> None:
    end = end_of(tmp_path, FIRST, 2)
    assert known_of(tmp_path, arrival(FIRST), arrival(FIRST, repeat=True), end).present_tags == {}


def test_an_arrival_that_was_taken_back_is_meant_when_it_comes_again(tmp_path: Path) -> None:
    void = end_of(tmp_path, b"WIP:UNDO", 1, seen=None, action="void")
    assert known_of(tmp_path, arrival(FIRST), void, arrival(SECOND)).present_tags == {
        "pcsc-1": (ScanSignature("04D1B2C4"),)
    }


def test_an_end_in_another_log_ends_nothing_here(tmp_path: Path) -> None:
    elsewhere = arrival(FIRST, seen=3, ref=LogPosition("ab" * 16, 1))
    assert known_of(tmp_path, arrival(FIRST), elsewhere).present_tags == {"pcsc-1": (ScanSignature("04A1B2C3"),)}


def test_a_sheet_of_a_scanner_lies_nowhere(tmp_path: Path) -> None:
    scanned = Event(kind="scan", station="saw-1", sw="t", raw=b"WO-1", reader=Reader("keyboard", "usb-1"))
    assert known_of(tmp_path, scanned).present_tags == {}


def test_two_minutes_after_the_start_or_at_another_reader_an_arrival_is_a_scan(tmp_path: Path) -> None:
    before = known_of(tmp_path, arrival(FIRST), arrival(SECOND))
    bench = started(before)
    bench.take(a_tag(FIRST, 119.9))
    bench.take(a_tag(SECOND, 120.0))
    assert repeats(bench) == [True, False]
    bench = started(before)
    bench.take(a_tag(FIRST, reader="pcsc-2"))
    assert repeats(bench) == [False]


def test_a_card_that_was_lost_at_the_start_makes_no_second_scan_and_a_new_one_is_news(tmp_path: Path) -> None:
    before = known_of(tmp_path, arrival(FIRST, action="scrap", operator="kim"), arrival(SECOND, operator="kim"))
    bench = started(before)
    bench.take(a_tag(FIRST, 10))
    bench.take(a_read(b"WIP:SCRAP", 11, kind="pcsc", reader="pcsc-1"))
    bench.take(a_tag(SECOND, 12))
    kept = bench.journal.decoded()
    assert [(bool(event.repeat), event.action) for event in (kept[0], kept[-1])] == [(True, None), (False, "scrap")]


def test_a_tag_before_the_restart_is_its_repeat_and_its_end_is_nobodys_last_word(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(encode(arrival(FIRST)))
        journal.commit(encode(arrival(b"04FFFFFF", seen=3, ref=LogPosition(journal.log_id.hex(), 1))))
        before = read_restart_state(journal, "boot-a")
        assert before == RestartState({"pcsc-1": ScanSignature("04A1B2C3")})
    bench = Bench(more={"restart": before})
    bench.scan.begin_restart_window()
    bench.take(a_tag())
    assert bench.journal.decoded()[0].repeat
