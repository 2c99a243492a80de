"""The opened serial port is the one that the settings name; a device that accepts no bytes is not lost."""

import os
from contextlib import suppress
from dataclasses import replace

import pytest

from drivers import DeviceLost, DriverError, open_driver
from drivers.decode.detect.device_info import DeviceInfo
from drivers.platform import serial_ports
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


@pytest.fixture
def there(monkeypatch):
    """The answers of sysfs about every port, call by call; the last one is repeated."""
    looks = []

    def facts_of(path):
        found = looks.pop(0) if len(looks) > 1 else looks[0]
        return found and replace(found, node=path)

    monkeypatch.setattr(serial_ports, "facts_of", facts_of)
    monkeypatch.setattr(serial_ports, "present", list)
    return looks


@pytest.mark.parametrize("kind", ["serial_line", "serial_rfid"])
@pytest.mark.parametrize("match", ["05e0:1701", "05e0:1701:sn1", "symbol", "usb-05e0-1701-SN1"])
def test_a_port_that_is_the_device_that_match_names_is_opened(cable, there, kind, match):
    there.append(MEANT)
    driver = open_driver(kind, {"path": cable.port, "match": match})
    assert driver.reader == "usb-05e0-1701-SN1"
    driver.close()


@pytest.mark.parametrize("kind", ["serial_line", "serial_rfid"])
@pytest.mark.parametrize("looks", [[PRINTER], [MEANT, PRINTER], [None]], ids=["before", "in between", "no device"])
def test_another_device_at_the_path_of_the_named_one_is_not_opened(cable, there, open_descriptors, kind, looks):
    there += looks
    before = open_descriptors()
    what = "Printer (2c99:0001)" if looks[-1] else "no USB device"
    with pytest.raises(DriverError) as refused:
        open_driver(kind, {"path": cable.port, "match": "05e0:1701"})
    assert str(refused.value) == (
        f"{cable.port} is {what}, and not '05e0:1701'. Expected the device that both path and match name. "
        "Plug that one in, or correct path or match."
    )
    assert open_descriptors() == before
    there[:] = [MEANT]
    open_driver(kind, {"path": cable.port, "match": "05e0:1701"}).close()  # the lock is free


def test_a_device_that_accepts_no_bytes_is_read_all_the_same(cable, monkeypatch):
    monkeypatch.setattr(serial_ports, "WRITE_TIMEOUT_S", 0.05)
    line = serial_ports.open_port(cable.port, {})
    for _ in range(3):
        line.write(b"?" * 100_000)  # more than the line holds, and it is not read
    cable.send(b"WO-1042")
    assert line.read() == b"WO-1042"
    cable.hand_over()
    cable.unplug()
    with pytest.raises(DeviceLost):
        line.write(b"?")
    line.close()


def test_a_device_that_does_not_match_is_not_even_opened(cable, there, monkeypatch):
    """Opening raises DTR, which may reset a printer."""
    there.append(PRINTER)
    monkeypatch.setattr("serial.Serial", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(DriverError):
        open_driver("serial_line", {"path": cable.port, "match": "05e0:1701"})
