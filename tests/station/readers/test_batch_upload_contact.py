"""The last contact with a reader, from which on its stored scans may have been made: over a new plug and a new start."""

from dataclasses import replace
from pathlib import Path

from waiting import until

from drivers import Read
from station.core.event import Event, Reader, encode
from station.readers.reader_thread import ReaderSpec, ReaderThread
from station.readers.stored_scans import MS, QUICK_ONES, ReadPace
from station.scan.restart_state import read_restart_state
from tests.station.fixtures.journals import open_journal
from tests.station.fixtures.reader_threads import Scanner, Station

MINUTE_NS = 60_000 * MS


def a_burst(scanner: Scanner, at_ns: int, count: int = 6) -> None:
    for number in range(count):
        raw = b"WO-%d" % number
        scanner.says.put(Read(raw, None, "keyboard", "usb-1", at_ns + number * 50 * MS, len(raw)))


def taken(station: Station, count: int = 6) -> list[int | None]:
    return [station.work_queue.next_work(5).since_ns for _ in range(count)]


def test_of_a_reader_that_was_heard_before_it_was_opened_the_last_contact_is_known() -> None:
    pace = ReadPace(MINUTE_NS)
    heard = [pace.record_read(b"WO-%d" % n, 9 * MINUTE_NS + n * 50 * MS) for n in range(6)]
    assert heard == [None] * QUICK_ONES + [MINUTE_NS] * 3


def test_a_burst_that_goes_on_behind_a_new_opening_is_one_from_its_first_scan_that_is_quick() -> None:
    pace = ReadPace(MINUTE_NS)
    assert [pace.record_read(b"WO-%d" % n, MINUTE_NS + (n + 1) * 50 * MS) for n in range(4)] == [None, None, 0, 0]


def test_a_scanner_that_was_plugged_in_anew_was_heard_before(tmp_path: Path) -> None:
    first, second = Scanner(), Scanner()
    station = Station(tmp_path, first, second)
    reading = station.reads()
    a_burst(first, MINUTE_NS, 1)
    assert taken(station, 1) == [None]
    first.says.put("lost")
    a_burst(second, 9 * MINUTE_NS)
    assert taken(station) == [None] * QUICK_ONES + [MINUTE_NS] * 3
    reading.close()


def test_a_scanner_of_which_the_journal_knows_was_heard_before_the_station_was_started(tmp_path: Path) -> None:
    scanner = Scanner()
    station = Station(tmp_path, scanner)
    context = replace(station.context, last_contact_ns={"usb-1": MINUTE_NS, "usb-2": 1})
    reading = ReaderThread(ReaderSpec("event3", "keyboard", {}), context)
    reading.start()
    a_burst(scanner, 9 * MINUTE_NS)
    assert taken(station) == [None] * QUICK_ONES + [MINUTE_NS] * 3
    until(lambda: station.registry.lines()[0].reads == 6)
    reading.close()


def test_the_journal_says_when_each_reader_was_heard_last_in_this_boot(tmp_path: Path) -> None:
    def heard(reader: str, mono_ns: int, boot: str = "boot-a", **more: object) -> bytes:
        who = Reader("keyboard", reader)
        return encode(
            Event(kind="scan", station="saw-1", sw="1", boot=boot, mono_ns=mono_ns, reader=who, raw=b"WO-1", **more)
        )

    with open_journal(tmp_path) as journal:
        for encoded in (
            heard("usb-2", 90, boot="boot-before"), heard("usb-1", 7), heard("usb-1", 5), heard("usb-3", 6),
            heard("usb-3", 60, seen=2),
        ):  # fmt: skip
            journal.commit(encoded)
        assert read_restart_state(journal, "boot-a").last_contact_ns == {"usb-1": 7, "usb-3": 6}
        assert read_restart_state(journal, "boot-before").last_contact_ns == {"usb-2": 90}
        assert read_restart_state(journal, "boot-c").last_contact_ns == {}
