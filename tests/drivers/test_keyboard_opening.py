"""Opening a wedge scanner: which one is grabbed, and errors of evdev."""

import errno
import os
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from drivers import DriverError
from drivers.decode.detect.device_info import DeviceInfo
from drivers.keyboard import open_device
from tests.drivers.fixtures.input_devices import TYPES_CODES, plugged_in

FIRST = DeviceInfo("/dev/input/event3", "Symbol Bar Code Scanner", 3, 0x05E0, 0x1200, "SN77", "usb-1.3", True, False)
SECOND = replace(FIRST, node="/dev/input/event4", serial="SN78", place="usb-1.4")
DELL = replace(
    FIRST, node="/dev/input/event2", name="Dell KB216", vendor=0x413C, product=0x2113, serial="", place="usb-1.2"
)


class Evdev(SimpleNamespace):
    """The part of evdev that opens devices; `errors` are the error numbers by node below `root`."""

    def __init__(self, root, errors):
        self.calls = []
        self.root = root
        self.errors = errors
        super().__init__(InputDevice=self.open, ecodes=SimpleNamespace(LED_CAPSL=1))

    def _call(self, what, node):
        self.calls.append(f"{what} {node}")
        number = self.errors.get(f"{what} {node}")
        if number:
            raise OSError(number, os.strerror(number))

    def open(self, path):
        node = path.removeprefix(str(self.root))
        self._call("open", node)
        read_end, write_end = os.pipe()
        return SimpleNamespace(
            fd=read_end,
            grab=lambda: self._call("grab", node),
            leds=lambda: [1],
            close=lambda: [self._call("close", node), os.close(read_end), os.close(write_end)],
        )


@pytest.fixture
def plugged(monkeypatch, tmp_path):
    """Plug devices in, with the error numbers by node; `open` opens one of them."""

    def plug(*there, keys=TYPES_CODES, **errors):
        for info in there:
            plugged_in(tmp_path, info, keys)
        evdev = Evdev(tmp_path, {key.replace("_", " /dev/input/"): number for key, number in errors.items()})
        monkeypatch.setitem(sys.modules, "evdev", evdev)
        return evdev

    plug.open = lambda **settings: open_device(settings, tmp_path)
    return plug


def test_the_first_scanner_is_grabbed_and_no_keyboard(plugged):
    evdev = plugged(DELL, FIRST, SECOND)
    driver = plugged.open()
    assert driver.reader == "usb-05e0-1200-SN77"
    driver.close()
    assert evdev.calls == ["open /dev/input/event3", "grab /dev/input/event3", "close /dev/input/event3"]


def test_a_match_picks_one_of_two(plugged):
    evdev = plugged(DELL, FIRST, SECOND)
    driver = plugged.open(path=None, match="05e0:1200:SN78")
    assert driver.reader == "usb-05e0-1200-SN78"
    driver.close()
    assert evdev.calls == ["open /dev/input/event4", "grab /dev/input/event4", "close /dev/input/event4"]


def test_if_one_of_two_is_in_use_the_other_is_opened(plugged):
    evdev = plugged(FIRST, SECOND, grab_event3=errno.EBUSY)
    driver = plugged.open(match="05e0:1200")
    assert driver.reader == "usb-05e0-1200-SN78"
    driver.close()
    assert evdev.calls[:4] == [
        "open /dev/input/event3",
        "grab /dev/input/event3",
        "close /dev/input/event3",
        "open /dev/input/event4",
    ]


def test_a_scanner_that_is_in_use_is_closed_and_reported(plugged):
    evdev = plugged(FIRST, grab_event3=errno.EBUSY)
    with pytest.raises(DriverError) as refused:
        plugged.open(path="/dev/input/event3")
    assert refused.value.came == f"{evdev.root}/dev/input/event3 (Symbol Bar Code Scanner) is held by another program."
    assert evdev.calls == ["open /dev/input/event3", "grab /dev/input/event3", "close /dev/input/event3"]


def test_a_scanner_without_permission_is_reported(plugged):
    evdev = plugged(FIRST, open_event3=errno.EACCES)
    with pytest.raises(DriverError) as refused:
        plugged.open()
    assert (
        refused.value.came
        == f"{evdev.root}/dev/input/event3 (Symbol Bar Code Scanner) cannot be read: Permission denied."
    )


def test_a_path_to_something_else_is_refused_with_the_reason(plugged):
    evdev = plugged(FIRST, keys="0")
    with pytest.raises(DriverError) as refused:
        plugged.open(path="/dev/input/event3")
    assert str(refused.value) == (
        f"{evdev.root}/dev/input/event3 (Symbol Bar Code Scanner, usb-05e0-1200-SN77) is not read. "
        "It has no Enter key and digits, so it types no codes. "
        "Expected a device that types digits and Enter, is no mouse, and fits match where it is given. "
        "Correct path or match; `wipline-station readers` shows what is plugged in."
    )
    assert evdev.calls == []


def test_a_persons_keyboard_alone_is_no_scanner(plugged):
    evdev = plugged(DELL)
    with pytest.raises(DriverError) as refused:
        plugged.open()
    assert refused.value.came == "No scanner is plugged in."
    assert evdev.calls == []
