"""An open HID POS scanner: its scans, its loss, and its beeps."""

import errno
import fcntl
import os
import select
import time

import pytest

from drivers import DeviceLost, Dropped, hidpos
from drivers.decode.hid.report_descriptor import parsed
from drivers.decode.hid.scanned_data import REST_S
from drivers.hidpos import HidPos
from tests.drivers.fixtures.hid_descriptors import HONEYWELL
from tests.drivers.fixtures.hid_devices import MAKERS, PosScanner


@pytest.fixture
def scanner(tmp_path):
    """A simulated scanner."""
    held = PosScanner(tmp_path)
    yield held
    held.driver.close()
    held.unplug()


@pytest.mark.parametrize("maker", MAKERS)
def test_each_makers_scans_arrive_with_their_identifier(tmp_path, listen, maker):
    scanner = PosScanner(tmp_path, maker)
    outcomes = listen(scanner.driver)
    scanner.scan("]d2010401234567890110" + "A" * 90)
    scanner.scan("]E04006381333931")
    read, second = outcomes.read(), outcomes.read()
    assert (read.sym, read.raw) == ("]d2", b"]d2010401234567890110" + b"A" * 90)
    assert (second.sym, second.raw) == ("]E0", b"]E04006381333931")
    outcomes.end()
    scanner.unplug()


def test_a_scan_that_stops_is_dropped_and_reported_without_another_report(scanner, listen):
    outcomes = listen(scanner.driver)
    scanner.begin("WO-10")
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    dropped = outcomes.next()
    assert isinstance(dropped, Dropped)
    why = "The scanner stopped in the middle of a scan. Half a scan was dropped (bytes: 8)."
    assert dropped == Dropped("hidpos", scanner.reader, dropped.boot_ns, why)
    assert abs(dropped.boot_ns - began - REST_S * 1e9) < 0.4e9
    scanner.scan("whole")
    assert outcomes.read().raw == b"whole"
    outcomes.end()


def test_half_a_scan_at_an_unplugging_is_dropped_and_reported(scanner, listen):
    outcomes = listen(scanner.driver)
    scanner.begin("WO-10")
    time.sleep(0.1)
    scanner.unplug()
    lost = outcomes.next()
    assert isinstance(lost, DeviceLost)
    assert str(lost) == (
        "usb-05e0-1300-SN77 (Zebra POS Scanner) was unplugged in mid-scan, and half a scan was dropped (bytes: 8). "
        "Scans are read while it is plugged in. Plug it in again; it is used again at once."
    )
    assert outcomes.next() is None


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV])
def test_a_removed_device_is_lost_and_closed_at_once(listen, open_descriptors, number):
    def gone(_device, _bytes):
        raise OSError(number, os.strerror(number))

    before = open_descriptors()
    read_end, write_end = os.pipe()
    outcomes = listen(HidPos(read_end, PosScanner.reader, "Zebra POS Scanner", parsed(HONEYWELL), gone))
    os.write(write_end, b"!")
    lost = outcomes.next()
    assert isinstance(lost, DeviceLost)
    assert lost.came == "usb-05e0-1300-SN77 (Zebra POS Scanner) was unplugged."
    assert outcomes.next() is None
    os.close(write_end)
    assert open_descriptors() == before


def test_a_hung_up_terminal_is_lost_as_a_removed_device_is(listen):
    ours, theirs = os.openpty()
    outcomes = listen(HidPos(ours, PosScanner.reader, "Zebra POS Scanner", parsed(HONEYWELL)))
    os.close(theirs)  # from now on reads fail with EIO, as with hidraw
    assert isinstance(outcomes.next(), DeviceLost)


def test_a_wakeup_for_nothing_is_none(listen):
    answers = iter([BlockingIOError(), MAKERS["honeywell"].scan(b"WO-1042")[0]])
    read_end, write_end = os.pipe()

    def take(device, count):
        os.read(device, 1)
        answer = next(answers)
        if isinstance(answer, bytes):
            return answer
        raise answer

    outcomes = listen(HidPos(read_end, PosScanner.reader, "Zebra POS Scanner", parsed(HONEYWELL), take))
    os.write(write_end, b"!!")
    assert outcomes.read().raw == b"]C1WO-1042"
    outcomes.end()
    os.close(write_end)


@pytest.mark.parametrize(("state", "report"), [("green", b"\x04\x08"), ("amber", b"\x04\x10"), ("red", b"\x04\x04")])
def test_an_answer_is_a_beep_of_the_scanner(scanner, state, report):
    scanner.driver.show_state(state)
    assert scanner.heard() == report


def test_a_scanner_without_that_beep_stays_silent(tmp_path):
    scanner = PosScanner(tmp_path, "16 bytes")  # it has the good read beep alone
    for state in ("amber", "red", "wait", ""):
        scanner.driver.show_state(state)
    scanner.driver.show_state("green")
    assert scanner.heard() == b"\x00\x01"
    assert select.select([scanner.device], [], [], 0)[0] == []
    scanner.driver.close()
    scanner.unplug()


def test_telling_leaves_nothing_open(scanner, open_descriptors):
    before = open_descriptors()
    for _ in range(3):
        scanner.driver.show_state("green")
        scanner.heard()
    assert open_descriptors() == before


def test_telling_while_reading_disturbs_no_scan(scanner, listen):
    outcomes = listen(scanner.driver)
    for number in range(20):
        scanner.scan(f"WO-{number}")
        scanner.driver.show_state("green")
        assert scanner.heard() == b"\x04\x08"
    assert [outcomes.read().raw for _ in range(20)] == [f"WO-{number}".encode() for number in range(20)]
    outcomes.end()


def test_a_scanner_that_takes_no_answer_goes_on_reading(tmp_path, listen):
    scanner = PosScanner(tmp_path, "extra byte")  # its beeps are in a feature report, which a socket refuses
    outcomes = listen(scanner.driver)
    scanner.driver.show_state("green")
    scanner.scan("WO-1042")
    assert outcomes.read().raw == b"WO-1042"
    outcomes.end()
    scanner.unplug()


def test_a_beep_by_feature_report_is_set_as_one(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(hidpos.fcntl, "ioctl", lambda _device, request, report: asked.append((request, bytes(report))))
    scanner = PosScanner(tmp_path, "extra byte")
    scanner.driver.show_state("red")
    assert asked == [(0xC002_4806, b"\x05\x02")]
    scanner.driver.close()
    scanner.unplug()


def test_showing_a_state_after_close_writes_to_no_file(scanner, listen):
    outcomes = listen(scanner.driver)
    number = scanner.descriptor
    scanner.unplug()
    assert isinstance(outcomes.next(), DeviceLost)
    assert outcomes.next() is None
    ends = os.pipe()
    read_end, write_end = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 500) for end in ends)
    for end in ends:
        os.close(end)
    os.set_blocking(read_end, False)
    os.dup2(write_end, number)  # the descriptor number belongs to another file now
    scanner.driver.show_state("green")
    with pytest.raises(BlockingIOError):
        os.read(read_end, 10)
    for descriptor in (read_end, write_end, number):
        os.close(descriptor)
