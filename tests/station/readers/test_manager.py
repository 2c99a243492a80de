"""Readers under supervision: opened again with patience, refused when too fast, and set as their row says."""

import queue
import threading
from collections.abc import Mapping

from waiting import until

from drivers import DriverError
from station.config import ReaderConfig as Row
from station.feedback.messages import TOO_FAST, Red
from station.scan.pipeline import ReaderSettings
from station.status import ReaderStatus
from tests.station.fixtures.reader_manager import FakeReader, Openings, a_station
from tests.station.fixtures.scan_pipeline import a_read


def test_a_reader_that_is_not_there_is_opened_when_it_comes() -> None:
    missing = DriverError(came="scans is not there.", expected="A pipe.", do="Make it: mkfifo scans")
    held = FakeReader()
    readers, work_queue, _, logged = a_station(opens=Openings(missing, missing, missing, held))
    readers.start()
    until(lambda: [each.state for each in readers.status()] == ["ready"])
    held.scans.put(a_read())
    assert work_queue.next_work(5) == a_read()
    until(lambda: readers.status()[0].reads == 1)
    named = ("Reader 1 of the configuration names it.",)
    assert readers.status() == [ReaderStatus("replay", "replay-1", "ready", "", 1, a_read().boot_ns, named)]
    assert logged == ["a reader is waiting", "a reader is ready"]
    readers.close()


def test_a_lost_reader_comes_back_under_its_name() -> None:
    first, second = FakeReader("usb-1"), FakeReader("usb-1")
    readers, work_queue, _, logged = a_station(opens=Openings(first, second))
    readers.start()
    first.scans.put(a_read())
    first.scans.put(None)
    until(lambda: logged[-1:] == ["a reader is ready"] and "a reader is lost" in logged)
    second.scans.put(a_read(b"WO-2"))
    assert [work_queue.next_work(5), work_queue.next_work(5)] == [a_read(), a_read(b"WO-2")]
    assert [(each.id, each.state) for each in readers.status()] == [("usb-1", "ready")]
    readers.close()


def test_a_device_that_is_too_fast_is_answered_red_and_a_file_waits() -> None:
    device = FakeReader()
    readers, work_queue, said, _ = a_station(opens=Openings(device), room=2)
    readers.start()
    for number in range(3):
        device.scans.put(a_read(b"WO-%d" % number))
    until(lambda: said != [])
    assert said == [Red("not_saved", TOO_FAST)]
    assert [work_queue.next_work(1), work_queue.next_work(1), work_queue.next_work(0)] == [
        a_read(b"WO-0"),
        a_read(b"WO-1"),
        None,
    ]
    readers.close()

    file = FakeReader(lossless=True)
    readers, work_queue, said, _ = a_station(opens=Openings(file), room=2)
    readers.start()
    for number in range(5):
        file.scans.put(a_read(b"WO-%d" % number))
    threading.Event().wait(0.05)
    assert [work_queue.next_work(5) for _ in range(5)] == [a_read(b"WO-%d" % number) for number in range(5)]
    assert said == []
    readers.close()


def test_a_storm_of_scans_is_answered_each_time_and_logged_now_and_then() -> None:
    device = FakeReader("usb-storm")
    readers, _, said, logged = a_station(opens=Openings(device), room=1)
    readers.start()
    for number in range(3000):
        device.scans.put(a_read(b"WO-1", at_s=10 + number / 1000, kind="keyboard"))
    until(lambda: len(said) == 2999)
    assert logged == ["a reader is ready", "scans came too fast"]
    readers.close()


def test_a_reader_stands_where_its_row_says() -> None:
    row = Row("replay", "scans", stage="mill", bench="left", action="out")
    readers, *_ = a_station(row, opens=Openings(FakeReader("replay-1")))
    readers.start()
    until(lambda: [each.state for each in readers.status()] == ["ready"])
    assert readers.reader_settings("replay-1") == ReaderSettings("left", "mill", "out")
    assert readers.reader_settings("another") == ReaderSettings(None, "saw", None)
    readers.close()


def test_a_scanner_that_is_configured_and_not_there_is_named() -> None:
    readers, *_ = a_station(Row("keyboard", match="05e0:1200"))
    assert readers.status() == [ReaderStatus("keyboard", "05e0:1200", "waiting", "No such reader is plugged in.")]


def test_a_serial_reader_is_opened_with_the_speed_and_parity_of_its_row() -> None:
    asked: queue.Queue[tuple[str, Mapping[str, str | None]]] = queue.Queue()

    def open_driver(kind: str, settings: Mapping[str, str | None]) -> FakeReader:
        asked.put((kind, settings))
        return FakeReader()

    readers, *_ = a_station(Row("serial_line", "/dev/ttyS0", baud=19_200, parity="even"), opens=open_driver)
    readers.start()
    settings = {
        "path": "/dev/ttyS0", "match": None, "layout": None, "baud": "19200", "parity": "even", "flow": None,
    }  # fmt: skip
    assert asked.get(timeout=5) == ("serial_line", settings)
    readers.close()
