"""Readers that are plugged in, pulled out and plugged in again: known by one name, and what they cost is bounded."""

import gc
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waiting import HANG_S, until

from drivers import DriverError
from drivers.hotplug import DeviceAdded, DeviceInfo, DeviceRemoved
from station.config import ReaderConfig as Row
from station.config import StationConfig
from station.readers.device_access import DeviceAccess, ReaderPauses
from station.readers.enrolment import FORGET_IT
from station.readers.manager import ReaderManager
from station.readers.profile_store import KEYPAD, ProfileStore, ReaderProfile, beside
from station.readers.reader_thread import ReaderThread
from station.readers.registry import MAX_LINES
from station.readers.stored_scans import QUICK_ONES
from station.scan.pipeline import ReaderSettings
from station.scan.work_queue import WorkQueue
from tests.station.fixtures.reader_manager import FakeReader, Watches, a_station
from tests.station.fixtures.scan_pipeline import a_read

SCANNER = DeviceInfo(
    "/dev/input/event3", "Bar Code Scanner", 3, 0x05E0, 0x1200, "SN77", "usb-1.3", types=True, points=False
)
KEYBOARD = DeviceInfo("/dev/input/event4", "Dell KB216", 3, 0x413C, 0x2113, "", "usb-1.4", types=True, points=False)


def test_a_scanner_that_is_plugged_in_is_read_and_comes_back_as_itself_and_a_persons_keyboard_is_left_alone(
    plugs: Watches,
) -> None:
    asked: list[tuple[str | None, str | None]] = []
    first, second = FakeReader("usb-05e0-1200-SN77"), FakeReader("usb-05e0-1200-SN77")
    given = iter((first, second))

    def open_driver(_kind: str, settings: Mapping[str, str | None]) -> FakeReader:
        if settings["listen"]:
            return FakeReader("a person's")
        asked.append((settings["path"], settings["layout"]))
        return next(given)

    def states() -> list[str]:
        return [each.state for each in readers.status() if each.id != "a person's"]

    pauses = ReaderPauses(first_s=0.5)  # udev reports the removal some 50 ms after the device is lost
    row = Row("keyboard", stage="mill", layout="de")
    readers, work_queue, _, _ = a_station(row, opens=open_driver, watches=plugs, pauses=pauses)
    readers.start()
    for change in (DeviceAdded(KEYBOARD), DeviceAdded(SCANNER), DeviceAdded(SCANNER)):
        plugs.put(change)
    until(lambda: sorted(each.state for each in readers.status()) == ["listening", "ready"])
    heard = next(each for each in readers.status() if each.state == "listening")
    assert heard.evidence[:2] == (
        "It looks like a person's keyboard, so it is only listened to, until it types the setup sheet.", "usb 413c:2113",
    )  # fmt: skip
    first.scans.put(a_read())
    assert work_queue.next_work(5) == a_read()
    assert readers.reader_settings("usb-05e0-1200-SN77") == ReaderSettings(None, "mill", None)
    first.scans.put(None)
    plugs.put(DeviceRemoved(SCANNER))
    until(lambda: states() == ["lost", "waiting"])
    plugs.put(DeviceAdded(replace(SCANNER, node="/dev/input/event9")))
    until(lambda: states() == ["ready"])
    plugs.put(DeviceRemoved(KEYBOARD))
    second.scans.put(a_read(b"WO-2"))
    assert work_queue.next_work(5) == a_read(b"WO-2")
    assert asked == [("/dev/input/event3", "de"), ("/dev/input/event9", "de")]
    readers.close()


def test_a_scanner_that_comes_back_as_another_for_ever_costs_bounded_threads_and_memory(plugs: Watches) -> None:
    taken: list[FakeReader] = []
    plugged = threading.Event()

    def open_driver(_kind: str, _settings: Mapping[str, str | None]) -> FakeReader:
        if not plugged.is_set():
            raise DriverError(came="It is gone.", expected="A plug.", do="Plug it in.")
        taken.append(FakeReader(f"usb-05e0-1200-S{len(taken)}"))
        return taken[-1]

    def kept() -> int:
        gc.collect()
        return sum(isinstance(thing, ReaderThread) for thing in gc.get_objects())

    readers, *_ = a_station(Row("keyboard", stage="mill"), opens=open_driver, watches=plugs)
    before, kept_before = threading.active_count(), kept()
    readers.start()
    for turn in range(300):
        plugged.set()
        plugs.put(DeviceAdded(replace(SCANNER, serial=f"S{turn}")))
        until(lambda turn=turn: len(taken) == turn + 1)  # type: ignore[misc]
        plugged.clear()
        taken[-1].scans.put(None)
        plugs.put(DeviceRemoved(replace(SCANNER, serial=f"S{turn}")))
        plugs.until_applied()
    until(lambda: threading.active_count() <= before + 1)
    assert len(readers.status()) <= MAX_LINES + 1
    assert sum(readers.reader_settings(each.reader).stage == "mill" for each in taken) <= MAX_LINES + 1
    assert kept() <= kept_before + 2
    readers.close()


BURST = [a_read(b"WO-%d" % code, at_s=10 + code / 100, kind="keyboard") for code in range(20)]
STORED = len(BURST) - QUICK_ONES - 1  # these wait in the spool: the first quick scans find no room, one is in the queue


def test_stored_scans_also_of_a_scanner_that_was_pulled_out_are_waited_for_at_the_end(plugs: Watches) -> None:
    scanners = {f"/dev/input/event{number}": FakeReader(f"usb-{number}", kind="keyboard") for number in range(4)}
    readers, work_queue, *_ = a_station(
        Row("keyboard"), opens=lambda _kind, settings: scanners[str(settings["path"])], watches=plugs, room=1
    )
    readers.start()
    for node, scanner in scanners.items():
        plugs.put(DeviceAdded(replace(SCANNER, node=node, serial=node)))
        for scan in BURST:
            scanner.scans.put(scan)
    until(lambda: readers.waiting >= 4 * STORED)
    plugs.put(DeviceRemoved(replace(SCANNER, node="/dev/input/event0")))
    plugs.until_applied()
    assert readers.waiting >= 4 * STORED  # those of the removed scanner too
    left: list[int] = []
    closing = threading.Thread(target=lambda: (readers.close(HANG_S), left.append(readers.waiting)))
    closing.start()
    until(lambda: all(each.closed.is_set() for each in scanners.values()))
    until(lambda: work_queue.next_work(0.01) is None and not closing.is_alive())
    assert left == [0]


def test_stored_scans_for_which_there_is_no_room_are_waited_for_once_and_not_once_a_reader() -> None:
    wait_s = 0.6
    scanners = {f"/dev/ttyS{number}": FakeReader(f"serial-{number}", kind="serial_line") for number in range(120)}
    assert len(scanners) * wait_s > HANG_S
    readers, work_queue, *_ = a_station(
        *(Row("serial_line", path) for path in scanners),
        opens=lambda _kind, settings: scanners[str(settings["path"])],
        room=1,
    )
    readers.start()
    for scanner in scanners.values():
        for scan in BURST:
            scanner.scans.put(scan)
    until(lambda: readers.waiting >= len(scanners) * STORED)
    closing = threading.Thread(target=readers.close, args=(wait_s,), daemon=True)
    closing.start()
    until(lambda: not closing.is_alive())
    assert readers.waiting >= len(scanners) * STORED
    while readers.waiting:
        work_queue.next_work(0.01)


@pytest.mark.parametrize("row", [Row("hidpos", match="05e0:1200"), Row("hidpos", path="/dev/hidraw3"), Row("hidpos")])
def test_a_point_of_sale_scanner_that_a_row_names_is_opened_once_and_its_twin_too(plugs: Watches, row: Row) -> None:
    asked: list[str | None] = []

    def open_driver(_kind: str, settings: Mapping[str, str | None]) -> FakeReader:
        asked.append(settings["path"])
        return FakeReader(f"usb-05e0-1200-S{len(asked)}")

    readers, *_ = a_station(row, opens=open_driver, watches=plugs)
    readers.start()
    first = replace(SCANNER, node="/dev/hidraw3", types=False, subsystem="hidraw")
    plugs.put(DeviceAdded(first))
    plugs.put(DeviceAdded(replace(first, node="/dev/hidraw4", serial="SN78")))
    both = 1 if row.path else 2
    until(lambda: [each.state for each in readers.status()] == ["ready"] * both + ["ignored"] * (2 - both))
    assert asked == ["/dev/hidraw3", "/dev/hidraw4"][:both]
    readers.close()


class Teachable(FakeReader):
    """One that can be taught, and notes its profile."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.profile: str | None = "not asked"

    def teach(self, _sheets: Any, profile: str | None) -> None:
        """Note it."""
        self.profile = profile


@pytest.mark.parametrize("opened_as", ["usb-1a86-5723-S1", "usb-1a86-5723-at-usb-1.3"])
@pytest.mark.parametrize("taught_as", ["usb-1a86-5723-S1", "usb-1a86-5723-at-usb-1.3"])
def test_what_a_scanner_was_taught_holds_whether_or_not_a_twin_claims_its_serial_number(
    plugs: Watches, tmp_path: Path, taught_as: str, opened_as: str
) -> None:
    config = StationConfig(station="saw-1", journal=str(tmp_path / "journal.db"))
    taught = ProfileStore(beside(tmp_path / "journal.db"))
    info = replace(SCANNER, name="USB Keyboard", vendor=0x1A86, product=0x5723, serial="S1", place="usb-1.3")

    def plugged_in() -> tuple[ReaderManager, Teachable]:
        scanner = Teachable(opened_as)
        devices = DeviceAccess(lambda _kind, _settings: scanner, plugs.open_monitor)
        readers = ReaderManager(
            config, WorkQueue(), lambda _: None, lambda *_, **__: None, lambda: None, devices=devices
        )
        readers.start()
        plugs.put(DeviceAdded(info))
        until(lambda: [each.state for each in readers.status()] == ["ready"])
        readers.close()
        return readers, scanner

    taught.keep(taught_as, ReaderProfile(profile={"layout": "de"}, words="German."))
    readers, scanner = plugged_in()
    assert scanner.profile == '{"layout": "de"}'
    (line,) = readers.status()
    assert (line.id, line.taught, line.mend) == (opened_as, "German.", FORGET_IT.format(taught_as))
    taught.keep(taught_as, KEYPAD)
    readers, scanner = plugged_in()
    assert readers.reader_settings(opened_as).keypad
