"""HID POS scanners in sysfs: which are listed, and which is opened."""

import errno
import os
import time
from dataclasses import replace
from functools import partial

import pytest

from drivers import DriverError, Read, hidpos
from drivers.decode.detect.device_info import DeviceInfo, reader_id
from drivers.decode.keyboard.keys import JOINED_S
from drivers.hidpos import hid_device_at, open_device, open_hidraw, present
from tests.drivers.fixtures.hid_descriptors import COUNTLESS, EXTRA_BYTE, HONEYWELL, KEYBOARD, SMALL
from tests.drivers.fixtures.hid_devices import MAKERS, node, plugged_in

SPEAKS = "Its report descriptor has Bar Code Scanner data (page 8C)."
SILENT = "Its report descriptor has no Bar Code Scanner data (page 8C)."


@pytest.fixture
def machine(tmp_path):
    """A machine without any HID device; `machine(number, descriptor, ...)` plugs one in, `machine.open` opens one."""

    def plug(number, descriptor, **said):
        plugged_in(tmp_path, number, descriptor, **said)
        return node(tmp_path, number)

    plug.root, plug.sysfs, plug.dev = tmp_path, tmp_path / "sys" / "class" / "hidraw", tmp_path / "dev"
    plug.open = lambda **settings: open_device(settings, tmp_path)
    plug.present = lambda: present(tmp_path)
    return plug


def test_devices_are_listed_from_sysfs_alone(machine):
    first = machine(2, HONEYWELL)
    second = machine(10, KEYBOARD, ids="413C:2113", uniq="", phys="usb-0000:00:14.0-4/input1", name="Dell KB216")
    third = machine(3, b"\xa1", ids="0C2E:0B61", uniq="", phys="", name="", bus="0005")
    raw = partial(DeviceInfo, types=False, points=False, subsystem="hidraw")
    assert [(device.info, device.is_scanner, device.why) for device in machine.present()] == [
        (raw(first, "Zebra POS Scanner", 3, 0x05E0, 0x1300, "SN77", "usb-1.3"), True, SPEAKS),
        (raw(third, "", 5, 0x0C2E, 0x0B61, "", "hidraw3"), False,
         "Its report descriptor is damaged. The report descriptor ends in the middle of the item at byte 0."),
        (raw(second, "Dell KB216", 3, 0x413C, 0x2113, "", "usb-0000:00:14.0-4"), False, SILENT),
    ]  # fmt: skip
    assert [reader_id(device.info) for device in machine.present()] == [
        "usb-05e0-1300-SN77", "bluetooth-0c2e-0b61-at-hidraw3", "usb-413c-2113-at-usb-0000:00:14.0-4",
    ]  # fmt: skip


@pytest.mark.parametrize("descriptor", [HONEYWELL, EXTRA_BYTE, COUNTLESS, SMALL])
def test_every_makers_scanner_is_known_by_its_descriptor(machine, descriptor):
    assert hid_device_at(machine(0, descriptor), machine.root).is_scanner


def test_a_device_that_goes_while_it_is_looked_at_is_not_there(machine):
    machine(0, HONEYWELL)
    (machine.sysfs / "hidraw0" / "device" / "report_descriptor").unlink()
    machine(1, HONEYWELL)
    (machine.sysfs / "hidraw1" / "device" / "uevent").write_text("HID_ID=0003:05E0\n")
    machine(2, HONEYWELL)
    (machine.sysfs / "hidraw2" / "device" / "uevent").write_text("HID_NAME=x\n")
    (machine.sysfs / "hidrawX").mkdir()
    assert machine.present() == []
    assert hid_device_at("/dev/null") is None


def test_without_path_and_match_the_first_scanner_is_opened_and_no_keyboard(machine):
    machine(1, KEYBOARD, ids="413C:2113", uniq="A")
    machine(2, HONEYWELL)
    machine(3, SMALL, uniq="SN78")
    driver = machine.open()
    assert (driver.kind, driver.reader, driver.lossless) == ("hidpos", "usb-05e0-1300-SN77", False)
    driver.close()


@pytest.mark.parametrize("match", ["1eab:0010", "1EAB:0010:N1", "usb-1eab-0010-N1", "newland"])
def test_a_match_picks_one_of_two(machine, match):
    machine(2, HONEYWELL)
    machine(3, SMALL, ids="1EAB:0010", uniq="N1", name="Newland POS")
    driver = machine.open(match=match)
    assert driver.reader == "usb-1eab-0010-N1"
    driver.close()


def test_a_path_or_a_link_to_it_picks_one_of_two(machine):
    machine(2, HONEYWELL)
    path = machine(3, SMALL, uniq="SN78")
    link = machine.dev / "by-hand"
    link.symlink_to("hidraw3")
    for named in (path, str(link)):
        driver = machine.open(path=named, match="05e0:1300")
        assert driver.reader == "usb-05e0-1300-SN78"
        driver.close()
    with pytest.raises(DriverError):
        machine.open(path=path, match="05e0:1300:SN77")


def test_two_scanners_with_one_serial_number_are_distinguished(machine):
    machine(2, HONEYWELL, uniq="0001", phys="usb-1.3/input0")
    machine(3, HONEYWELL, uniq="0001", phys="usb-1.4/input0")
    left, right = machine.open(), machine.open()
    assert (left.reader, right.reader) == ("usb-05e0-1300-at-usb-1.3", "usb-05e0-1300-at-usb-1.4")
    left.close()
    right.close()


def test_a_scanner_is_read_by_one_program_alone(machine, open_descriptors):
    path = machine(2, HONEYWELL)
    driver = machine.open()
    before = open_descriptors()
    with pytest.raises(DriverError) as refused:
        machine.open()
    assert str(refused.value) == (
        f"{path} (Zebra POS Scanner) is held by another program. A scanner is read by one program alone. "
        f"End the other one, perhaps a second station; this finds it: sudo fuser -v {path}"
    )
    assert open_descriptors() == before
    driver.close()
    machine.open().close()


def test_a_scanner_that_changed_between_looking_and_opening_is_not_read(machine, open_descriptors):
    device = hid_device_at(machine(2, HONEYWELL), machine.root)
    (machine.sysfs / "hidraw2" / "device" / "report_descriptor").write_bytes(KEYBOARD)
    before = open_descriptors()
    for now in (device, replace(device, descriptor=None)):
        with pytest.raises(OSError, match="No such device"):
            open_hidraw(now, "usb-05e0-1300-SN77", machine.root)
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("settings", "came"),
    [
        ({}, "No HID POS scanner is plugged in."),
        ({"match": "1eab:0010"}, "No HID POS scanner '1eab:0010' is plugged in."),
        ({"path": "/dev/hidraw63"}, "No HID POS scanner '/dev/hidraw63' is plugged in."),
    ],
)
def test_a_missing_scanner_is_reported(machine, settings, came):
    machine(1, KEYBOARD)
    with pytest.raises(DriverError) as refused:
        machine.open(**settings)
    assert str(refused.value) == (
        f"{came} Expected a device whose report descriptor has Bar Code Scanner data (page 8C). "
        "Plug it in, and set the scanner to USB HID POS with the code in its manual; else correct path or match."
    )


@pytest.mark.parametrize("how", ["path", "match"])
def test_a_scanner_in_another_mode_is_refused_with_the_reason(machine, how):
    path = machine(1, KEYBOARD)
    with pytest.raises(DriverError) as refused:
        machine.open(**{"path": path} if how == "path" else {"match": "05e0:1300"})
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
def test_a_scanner_without_permission_is_reported(machine, monkeypatch, number, do):
    path = machine(2, HONEYWELL)

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(hidpos.os, "open", refuse)
    with pytest.raises(DriverError) as refused:
        machine.open()
    monkeypatch.undo()
    assert refused.value.came == f"{path} (Zebra POS Scanner) cannot be read: {os.strerror(number)}."
    assert refused.value.do == do


def test_if_one_of_two_is_in_use_the_other_is_opened(machine):
    machine(2, HONEYWELL)
    machine(3, HONEYWELL, uniq="SN78")
    first, second = machine.open(match="zebra"), machine.open(match="zebra")
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
    driver = machine.open()
    monkeypatch.undo()
    driver.show_state("green")  # the pipe refuses the write, as a device may
    end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(end, 100) == b""
    os.close(end)
    driver.close()


def test_a_honeywell_scanner_is_enabled_when_it_is_opened_and_no_other(machine, monkeypatch):
    asked = []
    monkeypatch.setattr(hidpos.fcntl, "ioctl", lambda _device, request, report: asked.append((request, bytes(report))))
    machine(2, HONEYWELL)
    machine(3, HONEYWELL, ids="0C2E:0B61", uniq="H1")
    machine.open(match="05e0:1300").close()
    assert asked == []
    machine.open(match="0c2e:0b61").close()
    # _IOC(_IOC_READ | _IOC_WRITE, 'H', 0x06, 2), as linux/hidraw.h puts it together
    assert asked == [(3 << 30 | 2 << 16 | ord("H") << 8 | 0x06, b"\xfe\x01")]


def test_a_honeywell_scanner_that_refuses_to_be_enabled_is_read_all_the_same(machine, listen):
    path = machine(3, HONEYWELL, ids="0C2E:0B61", uniq="H1")  # a pipe has no such ioctl
    outcomes = listen(machine.open())
    end = os.open(path, os.O_WRONLY)
    time.sleep(2 * JOINED_S)  # a scan so soon after the opening would count as the rest of an earlier one
    os.write(end, MAKERS["honeywell"].scan(b"WO-1042")[0])
    read = outcomes.read()
    assert read == Read(b"]C1WO-1042", "]C1", "hidpos", "usb-0c2e-0b61-H1", read.boot_ns, 10)
    os.close(end)
