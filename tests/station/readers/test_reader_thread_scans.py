"""What a reader's thread hands over: stored scans in their order, notes, what found no room, and what is logged of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from waiting import until

from drivers import Dropped, OperatorNotice, Read
from station.feedback.messages import TOO_FAST, Notice, Red
from station.readers.stored_scans import MS
from tests.station.fixtures.reader_threads import SHEET, Scanner, Station
from tests.station.fixtures.scan_pipeline import a_read


def test_a_note_is_amber_without_a_number_at_its_reader(tmp_path: Path) -> None:
    scanner = Scanner()
    station = Station(tmp_path, scanner)
    reading = station.reads()
    scanner.says.put(OperatorNotice("keyboard", "usb-1", 5, "The sheet was read in half. Scan it again."))
    until(lambda: station.said != [])
    assert station.said == [Notice("card", "The sheet was read in half. Scan it again.")]
    assert station.said[0].reader == "usb-1"
    reading.close()


def test_stored_scans_wait_in_their_order_and_no_other_is_lost(tmp_path: Path) -> None:
    scanner = Scanner()
    station = Station(tmp_path, scanner, room=8)
    reading = station.reads()
    for number in range(200):
        raw = b"WO-%d" % number
        scanner.says.put(Read(raw, None, "keyboard", "usb-1", 10**9 + number * 40 * MS, len(raw)))
    until(lambda: reading.waiting >= 190)
    taken = [station.work_queue.next_work(5) for _ in range(200)]
    assert [read.raw for read in taken] == [b"WO-%d" % number for number in range(200)]
    assert [read.since_ns for read in taken] == [None] * 3 + [0] * 197
    assert station.said == []
    reading.close()
    until(lambda: reading.waiting == 0)


def test_scans_by_hand_that_find_no_room_are_red(tmp_path: Path) -> None:
    scanner = Scanner()
    station = Station(tmp_path, scanner, room=1)
    reading = station.reads()
    for number in range(2):
        scanner.says.put(a_read(b"WO-%d" % number, 10 + number, kind="keyboard", reader="usb-1"))
    until(lambda: station.said != [])
    assert station.said == [Red("not_saved", TOO_FAST)]
    reading.close()


@pytest.mark.parametrize(("kind", "tag"), [("replay", False), ("serial_rfid", True)])
def test_a_pipe_and_a_field_full_of_tags_are_no_memory(tmp_path: Path, kind: str, tag: bool) -> None:
    scanner = Scanner(kind)
    station = Station(tmp_path, scanner)
    reading = station.reads(kind=kind)
    for number in range(20):
        raw = b"04A1B2%02X" % number
        scanner.says.put(Read(raw, None, kind, "usb-1", 10**9 + number * MS, len(raw), tag=tag))
    assert [station.work_queue.next_work(5).since_ns for _ in range(20)] == [None] * 20
    reading.close()


def test_scans_that_a_device_loses_by_the_thousand_are_each_red_and_logged_now_and_then(tmp_path: Path) -> None:
    scanner = Scanner()
    station = Station(tmp_path, scanner, room=4000)
    reading = station.reads()
    for _ in range(3000):
        scanner.says.put(Dropped("keyboard", "usb-1", 5, "The scanner spoke of 70 bytes in a report with room for 56."))
    taken = [station.work_queue.next_work(5) for _ in range(3000)]
    assert {type(each) for each in taken} == {Dropped}
    assert station.logged == ["a reader lost a scan"]
    reading.close()


def test_a_scanner_that_looks_at_the_sheet_for_hours_is_logged_once(tmp_path: Path) -> None:
    scanner = Scanner()
    station = Station(tmp_path, scanner)
    reading = station.reads()
    for _ in range(100):
        scanner.says.put(SHEET)
    scanner.says.put(replace(SHEET, evidence=("The layout is fr.",), profile='{"layout": "fr"}'))
    scanner.says.put(a_read())
    assert station.work_queue.next_work(5).raw == a_read().raw
    assert station.logged == ["a reader was identified"] * 2
    reading.close()


def test_what_cannot_be_kept_is_logged_and_the_reader_reads_on(tmp_path: Path) -> None:
    scanner = Scanner()
    station = Station(tmp_path / "missing", scanner)
    reading = station.reads()
    scanner.says.put(SHEET)
    scanner.says.put(a_read())
    assert station.work_queue.next_work(5).raw == a_read().raw
    assert "a reader's profile cannot be stored" in station.logged
    reading.close()
