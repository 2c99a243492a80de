"""HID POS scanners as devices: which there are, which is opened, what happens when they go, and how they are answered."""

import errno
import fcntl
import os
import select
import time

import pytest

from drivers import DeviceLost, DriverError, Dropped, Read, hidpos, open_driver
from drivers.decode.hid_report import parsed
from drivers.decode.hidpos import REST_S
from drivers.decode.plugged import Facts, reader_id
from drivers.hidpos import HidPos, present, seen
from tests.drivers.hid_devices import (
    COUNTLESS,
    EXTRA_BYTE,
    HONEYWELL,
    KEYBOARD,
    MAKERS,
    SMALL,
    PosScanner,
    node,
    plugged_in,
)

SPEAKS = "Its report descriptor has Bar Code Scanner data (page 8C)."
SILENT = "Its report descriptor has no Bar Code Scanner data (page 8C)."


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without any HID device; `machine(number, descriptor, ...)` plugs one in."""
    sysfs, dev = tmp_path / "class", tmp_path / "dev"
    sysfs.mkdir()
    dev.mkdir()
    monkeypatch.setattr(hidpos, "SYS_HIDRAW", sysfs)
    monkeypatch.setattr(hidpos, "DEV", dev)

    def plug(number, descriptor, **said):
        plugged_in(sysfs, number, descriptor, **said)
        node(dev, number)
        return str(dev / f"hidraw{number}")

    plug.sysfs, plug.dev = sysfs, dev
    return plug


@pytest.fixture
def scanner(tmp_path):
    """A scanner in a hand."""
    held = PosScanner(tmp_path)
    yield held
    held.driver.close()
    held.unplug()


def test_what_is_there_is_told_from_sysfs_alone(machine):
    first = machine(2, HONEYWELL)
    second = machine(10, KEYBOARD, ids="413C:2113", uniq="", phys="usb-0000:00:14.0-4/input1", name="Dell KB216")
    third = machine(3, b"\xa1", ids="0C2E:0B61", uniq="", phys="", name="", bus="0005")
    assert [(each.facts, each.speaks, each.why) for each in present()] == [
        (Facts(first, "Zebra POS Scanner", 3, 0x05E0, 0x1300, "SN77", "usb-1.3", False, False), True, SPEAKS),
        (Facts(third, "", 5, 0x0C2E, 0x0B61, "", "hidraw3", False, False), False,
         "Its report descriptor is damaged. The report descriptor ends in the middle of the item at byte 0."),
        (Facts(second, "Dell KB216", 3, 0x413C, 0x2113, "", "usb-0000:00:14.0-4", False, False), False, SILENT),
    ]  # fmt: skip
    assert [reader_id(each.facts) for each in present()] == [
        "usb-05e0-1300-SN77", "bluetooth-0c2e-0b61-at-hidraw3", "usb-413c-2113-at-usb-0000:00:14.0-4",
    ]  # fmt: skip


@pytest.mark.parametrize("descriptor", [HONEYWELL, EXTRA_BYTE, COUNTLESS, SMALL])
def test_every_makers_scanner_is_known_by_its_descriptor(machine, descriptor):
    assert seen(machine(0, descriptor)).speaks


def test_a_device_that_goes_while_it_is_looked_at_is_not_there(machine):
    machine(0, HONEYWELL)
    (machine.sysfs / "hidraw0" / "device" / "report_descriptor").unlink()
    machine(1, HONEYWELL)
    (machine.sysfs / "hidraw1" / "device" / "uevent").write_text("HID_ID=0003:05E0\n")
    machine(2, HONEYWELL)
    (machine.sysfs / "hidraw2" / "device" / "uevent").write_text("HID_NAME=x\n")
    (machine.sysfs / "hidrawX").mkdir()
    assert present() == []
    assert seen("/dev/null") is None


def test_without_path_and_match_the_first_scanner_is_opened_and_no_keyboard(machine):
    machine(1, KEYBOARD, ids="413C:2113", uniq="A")
    machine(2, HONEYWELL)
    machine(3, SMALL, uniq="SN78")
    driver = open_driver("hidpos", {})
    assert (driver.kind, driver.reader, driver.lossless) == ("hidpos", "usb-05e0-1300-SN77", False)
    driver.close()


@pytest.mark.parametrize("match", ["1eab:0010", "1EAB:0010:N1", "usb-1eab-0010-N1", "newland"])
def test_a_match_picks_one_of_two(machine, match):
    machine(2, HONEYWELL)
    machine(3, SMALL, ids="1EAB:0010", uniq="N1", name="Newland POS")
    driver = open_driver("hidpos", {"match": match})
    assert driver.reader == "usb-1eab-0010-N1"
    driver.close()


def test_a_path_or_a_link_to_it_picks_one_of_two(machine):
    machine(2, HONEYWELL)
    path = machine(3, SMALL, uniq="SN78")
    link = machine.dev / "by-hand"
    link.symlink_to("hidraw3")
    for named in (path, str(link)):
        driver = open_driver("hidpos", {"path": named, "match": "05e0:1300"})
        assert driver.reader == "usb-05e0-1300-SN78"
        driver.close()
    with pytest.raises(DriverError):
        open_driver("hidpos", {"path": path, "match": "05e0:1300:SN77"})


def test_two_scanners_that_claim_one_serial_number_are_told_apart(machine):
    machine(2, HONEYWELL, uniq="0001", phys="usb-1.3/input0")
    machine(3, HONEYWELL, uniq="0001", phys="usb-1.4/input0")
    left, right = open_driver("hidpos", {}), open_driver("hidpos", {})
    assert (left.reader, right.reader) == ("usb-05e0-1300-at-usb-1.3", "usb-05e0-1300-at-usb-1.4")
    left.close()
    right.close()


def test_a_scanner_is_read_by_one_program_alone(machine, open_descriptors):
    path = machine(2, HONEYWELL)
    driver = open_driver("hidpos", {})
    before = open_descriptors()
    with pytest.raises(DriverError) as refused:
        open_driver("hidpos", {})
    assert str(refused.value) == (
        f"{path} (Zebra POS Scanner) is held by another program. A scanner is read by one program alone. "
        f"End the other one, perhaps a second station; this finds it: sudo fuser -v {path}"
    )
    assert open_descriptors() == before
    driver.close()
    open_driver("hidpos", {}).close()


def test_a_scanner_that_changed_between_looking_and_opening_is_not_read(machine, open_descriptors, monkeypatch):
    path = machine(2, HONEYWELL)
    real = hidpos._open

    def swapped(device):
        (machine.sysfs / "hidraw2" / "device" / "report_descriptor").write_bytes(KEYBOARD)
        return real(device)

    monkeypatch.setattr(hidpos, "_open", swapped)
    before = open_descriptors()
    with pytest.raises(DriverError) as refused:
        open_driver("hidpos", {"path": path})
    assert refused.value.came == f"{path} (Zebra POS Scanner) cannot be read: No such device."
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("settings", "came"),
    [
        ({}, "No HID POS scanner is plugged in."),
        ({"match": "1eab:0010"}, "No HID POS scanner '1eab:0010' is plugged in."),
        ({"path": "/dev/hidraw63"}, "No HID POS scanner '/dev/hidraw63' is plugged in."),
    ],
)
def test_a_scanner_that_is_not_there_is_said_so(machine, settings, came):
    machine(1, KEYBOARD)
    with pytest.raises(DriverError) as refused:
        open_driver("hidpos", settings)
    assert str(refused.value) == (
        f"{came} Expected a device whose report descriptor has Bar Code Scanner data (page 8C). "
        "Plug it in, and set the scanner to USB HID POS with the code in its manual; else correct path or match."
    )


@pytest.mark.parametrize("how", ["path", "match"])
def test_a_scanner_in_another_mode_is_refused_with_the_reason(machine, how):
    path = machine(1, KEYBOARD)
    with pytest.raises(DriverError) as refused:
        open_driver("hidpos", {"path": path} if how == "path" else {"match": "05e0:1300"})
    assert str(refused.value) == (
        f"{path} (Zebra POS Scanner, usb-05e0-1300-SN77) is not read. {SILENT} Expected a scanner in the mode USB HID POS. "
        "Set the scanner to that mode with the code in its manual, or correct path or match."
    )


@pytest.mark.parametrize(
    ("number", "do"),
    [
        (errno.EACCES, "Install config/udev/70-wipline-readers.rules, then plug the scanner in again."),
        (errno.EIO, "Plug the scanner in again."),
    ],
)
def test_a_scanner_that_may_not_be_opened_is_said_so(machine, monkeypatch, number, do):
    path = machine(2, HONEYWELL)

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(hidpos.os, "open", refuse)
    with pytest.raises(DriverError) as refused:
        open_driver("hidpos", {})
    monkeypatch.undo()
    assert refused.value.came == f"{path} (Zebra POS Scanner) cannot be read: {os.strerror(number)}."
    assert refused.value.do == do


def test_where_one_of_two_is_held_the_other_is_taken(machine):
    machine(2, HONEYWELL)
    machine(3, HONEYWELL, uniq="SN78")
    first, second = open_driver("hidpos", {"match": "zebra"}), open_driver("hidpos", {"match": "zebra"})
    assert (first.reader, second.reader) == ("usb-05e0-1300-SN77", "usb-05e0-1300-SN78")
    first.close()
    second.close()


def test_a_scanner_that_may_only_be_read_is_read(machine, monkeypatch):
    path = machine(2, HONEYWELL)
    real = os.open

    def read_only(node, flags):
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(node, flags)

    monkeypatch.setattr(hidpos.os, "open", read_only)
    driver = open_driver("hidpos", {})
    monkeypatch.undo()
    driver.tell("green")  # the pipe refuses it, as the device would
    end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(end, 100) == b""
    os.close(end)
    driver.close()


def test_a_honeywell_scanner_is_enabled_when_it_is_opened_and_no_other(machine, monkeypatch):
    asked = []
    monkeypatch.setattr(hidpos.fcntl, "ioctl", lambda _device, request, report: asked.append((request, bytes(report))))
    machine(2, HONEYWELL)
    machine(3, HONEYWELL, ids="0C2E:0B61", uniq="H1")
    open_driver("hidpos", {"match": "05e0:1300"}).close()
    assert asked == []
    open_driver("hidpos", {"match": "0c2e:0b61"}).close()
    # _IOC(_IOC_READ | _IOC_WRITE, 'H', 0x06, 2), as linux/hidraw.h puts it together
    assert asked == [(3 << 30 | 2 << 16 | ord("H") << 8 | 0x06, b"\xfe\x01")]


def test_a_honeywell_scanner_that_refuses_to_be_enabled_is_read_all_the_same(machine, listen):
    path = machine(3, HONEYWELL, ids="0C2E:0B61", uniq="H1")  # a pipe knows no such request
    heard = listen(open_driver("hidpos", {}))
    end = os.open(path, os.O_WRONLY)
    os.write(end, MAKERS["honeywell"].scan(b"WO-1042")[0])
    read = heard.read()
    assert read == Read(b"]C1WO-1042", "]C1", "hidpos", "usb-0c2e-0b61-H1", read.boot_ns, 10)
    os.close(end)


@pytest.mark.parametrize("maker", MAKERS)
def test_each_makers_scans_arrive_with_their_identifier(tmp_path, listen, maker):
    scanner = PosScanner(tmp_path, maker)
    heard = listen(scanner.driver)
    scanner.scan("]d2010401234567890110" + "A" * 90)
    scanner.scan("]E04006381333931")
    read, second = heard.read(), heard.read()
    assert (read.sym, read.raw) == ("]d2", b"]d2010401234567890110" + b"A" * 90)
    assert (second.sym, second.raw) == ("]E0", b"]E04006381333931")
    heard.end()
    scanner.unplug()


def test_a_scan_that_stops_is_dropped_and_said_so_without_another_report(scanner, listen):
    heard = listen(scanner.driver)
    scanner.begin("WO-10")
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    dropped = heard.next()
    assert isinstance(dropped, Dropped)
    why = "The scanner stopped in the middle of a scan. Half a scan was dropped (bytes: 8)."
    assert dropped == Dropped("hidpos", scanner.reader, dropped.boot_ns, why)
    assert abs(dropped.boot_ns - began - REST_S * 1e9) < 0.4e9
    scanner.scan("whole")
    assert heard.read().raw == b"whole"
    heard.end()


def test_half_a_scan_at_the_pulled_plug_is_dropped_and_said_so(scanner, listen):
    heard = listen(scanner.driver)
    scanner.begin("WO-10")
    time.sleep(0.1)
    scanner.unplug()
    lost = heard.next()
    assert isinstance(lost, DeviceLost)
    assert str(lost) == (
        "usb-05e0-1300-SN77 (Zebra POS Scanner) was unplugged in mid-scan, and half a scan was dropped (bytes: 8). "
        "Scans are read while it is plugged in. Plug it in again; it is used again at once."
    )
    assert heard.next() is None


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV])
def test_a_removed_device_is_lost_and_closed_at_once(listen, open_descriptors, number):
    def gone(_device, _bytes):
        raise OSError(number, os.strerror(number))

    before = open_descriptors()
    read_end, write_end = os.pipe()
    heard = listen(HidPos(read_end, PosScanner.reader, "Zebra POS Scanner", parsed(HONEYWELL), gone))
    os.write(write_end, b"!")
    lost = heard.next()
    assert isinstance(lost, DeviceLost)
    assert lost.came == "usb-05e0-1300-SN77 (Zebra POS Scanner) was unplugged."
    assert heard.next() is None
    os.close(write_end)
    assert open_descriptors() == before


def test_a_hung_up_terminal_is_lost_as_a_removed_device_is(listen):
    ours, theirs = os.openpty()
    heard = listen(HidPos(ours, PosScanner.reader, "Zebra POS Scanner", parsed(HONEYWELL)))
    os.close(theirs)  # from now on reading answers EIO, as hidraw does
    assert isinstance(heard.next(), DeviceLost)


def test_a_wakeup_for_nothing_is_none(listen):
    answers = iter([BlockingIOError(), MAKERS["honeywell"].scan(b"WO-1042")[0]])
    read_end, write_end = os.pipe()

    def take(device, count):
        os.read(device, 1)
        answer = next(answers)
        if isinstance(answer, bytes):
            return answer
        raise answer

    heard = listen(HidPos(read_end, PosScanner.reader, "Zebra POS Scanner", parsed(HONEYWELL), take))
    os.write(write_end, b"!!")
    assert heard.read().raw == b"]C1WO-1042"
    heard.end()
    os.close(write_end)


@pytest.mark.parametrize(("state", "report"), [("green", b"\x04\x08"), ("amber", b"\x04\x10"), ("red", b"\x04\x04")])
def test_an_answer_is_a_beep_of_the_scanner(scanner, state, report):
    scanner.driver.tell(state)
    assert scanner.heard() == report


def test_a_scanner_without_that_beep_stays_silent(tmp_path):
    scanner = PosScanner(tmp_path, "16 bytes")  # it has the good one alone
    for state in ("amber", "red", "wait", ""):
        scanner.driver.tell(state)
    scanner.driver.tell("green")
    assert scanner.heard() == b"\x00\x01"
    assert select.select([scanner.device], [], [], 0)[0] == []
    scanner.driver.close()
    scanner.unplug()


def test_telling_while_reading_disturbs_no_scan(scanner, listen):
    heard = listen(scanner.driver)
    for number in range(20):
        scanner.scan(f"WO-{number}")
        scanner.driver.tell("green")
        assert scanner.heard() == b"\x04\x08"
    assert [heard.read().raw for _ in range(20)] == [f"WO-{number}".encode() for number in range(20)]
    heard.end()


def test_a_scanner_that_takes_no_answer_goes_on_reading(tmp_path, listen):
    scanner = PosScanner(tmp_path, "extra byte")  # its beeps are a feature report, which a socket refuses
    heard = listen(scanner.driver)
    scanner.driver.tell("green")
    scanner.scan("WO-1042")
    assert heard.read().raw == b"WO-1042"
    heard.end()
    scanner.unplug()


def test_a_beep_by_feature_report_is_set_as_one(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(hidpos.fcntl, "ioctl", lambda _device, request, report: asked.append((request, bytes(report))))
    scanner = PosScanner(tmp_path, "extra byte")
    scanner.driver.tell("red")
    assert asked == [(0xC002_4806, b"\x05\x02")]
    scanner.driver.close()
    scanner.unplug()


def test_telling_a_scanner_that_is_gone_is_silent_and_touches_nobody_elses_file(scanner, listen):
    heard = listen(scanner.driver)
    number = scanner.driver._device
    scanner.unplug()
    assert isinstance(heard.next(), DeviceLost)
    assert heard.next() is None
    ends = os.pipe()
    read_end, write_end = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 500) for end in ends)
    for end in ends:
        os.close(end)
    os.set_blocking(read_end, False)
    os.dup2(write_end, number)  # the number has gone to another file
    scanner.driver.tell("green")
    with pytest.raises(BlockingIOError):
        os.read(read_end, 10)
    for each in (read_end, write_end, number):
        os.close(each)
