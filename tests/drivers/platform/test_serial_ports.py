"""The opened serial port is the one that the settings name; a device that accepts no bytes is not lost."""

import os
from contextlib import suppress
from dataclasses import replace

import pytest
import serial

from drivers import DeviceLost, DriverError, open_driver
from drivers.decode.detect.device_info import DeviceInfo
from drivers.platform.serial_ports import open_port
from tests.drivers.fixtures.simulated_readers import Cable

MEANT = DeviceInfo(
    "", "Symbol Scanner", 3, 0x05E0, 0x1701, "SN1", "usb-1-1.3", types=False, points=False, subsystem="tty"
)
PRINTER = replace(MEANT, name="Printer", vendor=0x2C99, product=0x0001, serial="P1", place="usb-1-1.4")


@pytest.fixture
def cable():
    made = Cable()
    yield made
    for end in (made.end, made.port_end):
        with suppress(OSError):  # the test may have closed it
            os.close(end)


def looks(*found):
    """What sysfs has at the port, look by look; the last one is repeated."""
    left = list(found)

    def device_at(path):
        info = left.pop(0) if len(left) > 1 else left[0]
        return info and replace(info, node=path)

    return device_at


@pytest.mark.parametrize("match", ["05e0:1701", "05e0:1701:sn1", "symbol", "usb-05e0-1701-SN1"])
def test_a_port_that_is_the_device_that_match_names_is_opened(cable, match):
    line = open_port(cable.port, {"match": match}, device_at=looks(MEANT))
    assert line.reader == "usb-05e0-1701-SN1"
    line.close()


@pytest.mark.parametrize("found", [[PRINTER], [MEANT, PRINTER], [None]], ids=["before", "in between", "no device"])
def test_another_device_at_the_path_of_the_named_one_is_not_opened(cable, open_descriptors, found):
    before = open_descriptors()
    what = "Printer (2c99:0001)" if found[-1] else "no USB device"
    with pytest.raises(DriverError) as refused:
        open_port(cable.port, {"match": "05e0:1701"}, device_at=looks(*found))
    assert str(refused.value) == (
        f"{cable.port} is {what}, and not '05e0:1701'. Expected the device that both path and match name. "
        "Plug that one in, or correct path or match."
    )
    assert open_descriptors() == before
    open_port(cable.port, {"match": "05e0:1701"}, device_at=looks(MEANT)).close()  # the lock is free


@pytest.mark.parametrize("kind", ["serial_line", "serial_rfid"])
def test_every_serial_reader_compares_path_and_match(cable, kind):
    with pytest.raises(DriverError, match="Expected the device that both path and match name"):
        open_driver(kind, {"path": cable.port, "match": "05e0:1701"})


def test_a_device_that_accepts_no_bytes_is_read_all_the_same(cable):
    line = open_port(cable.port, {}, write_timeout_s=0.05)
    for _ in range(3):
        line.write(b"?" * 100_000)  # more than the line holds, and it is not read
    cable.send(b"WO-1042")
    assert line.read() == b"WO-1042"
    cable.hand_over()
    cable.unplug()
    with pytest.raises(DeviceLost):
        line.write(b"?")
    line.close()


def test_a_device_that_does_not_match_is_not_even_opened(cable):
    """Opening raises DTR, which may reset a printer."""
    with serial.Serial(cable.port, exclusive=True), pytest.raises(DriverError, match="is Printer"):
        open_port(cable.port, {"match": "05e0:1701"}, device_at=looks(PRINTER))
