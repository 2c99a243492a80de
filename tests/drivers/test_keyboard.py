"""The keyboard driver at its descriptor: silences, overruns, split events, and errors of opening."""

import errno
import os
import sys
import time

import pytest

from drivers import DeviceLost, DriverError, Dropped, open_driver
from drivers.decode.detect.device_info import DeviceInfo
from drivers.decode.keyboard.keymap import BARE, US
from drivers.decode.keyboard.keys import GAP_S
from drivers.decode.keyboard.profile import ScannerProfile, profile_in, text_of
from drivers.hotplug import Hotplug, read_device_info
from drivers.keyboard import EVENT, Keyboard, KeyboardDevice, layout_and_profile
from drivers.platform import xkb
from drivers.platform.errors import refused

FACTS = DeviceInfo("/dev/input/event3", "Symbol Bar Code Scanner", 3, 0x05E0, 0x1200, "SN77", "usb-1.3", True, False)
SYN_DROPPED, SYN_REPORT = (0, 3, 0), (0, 0, 0)


@pytest.fixture
def wedge(benches, tmp_path):
    return benches["keyboard"](tmp_path)


def test_silence_ends_a_scan_without_enter(wedge, listen):
    outcomes = listen(wedge.driver)
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    wedge.begin("WO-1042")
    read = outcomes.read()
    assert read.raw == b"WO-1042"
    assert read.boot_ns >= before + int(GAP_S * 1e9)
    wedge.scan("WO-1043")
    assert outcomes.read().raw == b"WO-1043"


def test_an_overrun_is_reported_and_the_next_scan_is_complete(wedge, listen):
    outcomes = listen(wedge.driver)
    wedge.begin("WO-10")
    wedge.strike(SYN_DROPPED, SYN_REPORT)
    wedge.scan("42")
    wedge.scan("WO-1043")
    dropped = outcomes.next()
    why = "The reader sent keys faster than they were taken, and some were lost."
    assert isinstance(dropped, Dropped)
    assert dropped == Dropped("keyboard", "usb-05e0-1200-SN77", dropped.boot_ns, why)
    assert dropped.many
    assert outcomes.read().raw == b"WO-1043"


def test_half_a_scan_at_an_unplugging_is_dropped_and_reported_with_the_loss(wedge, listen):
    outcomes = listen(wedge.driver)
    wedge.begin("WO-10")
    wedge.unplug()
    lost = outcomes.next()
    assert isinstance(lost, DeviceLost)
    assert str(lost) == (
        "usb-05e0-1200-SN77 (Symbol Bar Code Scanner) was unplugged in mid-scan, and half a scan was dropped (bytes: 5). "
        "Scans are read while it is plugged in. Plug it in again; it is used again at once."
    )
    assert outcomes.next() is None


def test_unplugged_between_scans_nothing_was_dropped(wedge, listen):
    outcomes = listen(wedge.driver)
    wedge.scan("WO-1042")
    assert outcomes.read().raw == b"WO-1042"
    wedge.unplug()
    assert outcomes.next().came == "usb-05e0-1200-SN77 (Symbol Bar Code Scanner) was unplugged."


def test_an_event_cut_by_the_stream_is_put_together(strike, listen):
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    outcomes = listen(Keyboard(KeyboardDevice(read_end, "n", lambda: os.close(read_end)), "r"))
    for byte in b"".join(EVENT.pack(0, 0, *event) for event in strike("a1\n")):
        os.write(write_end, bytes([byte]))
        time.sleep(0.0005)
    assert outcomes.read().raw == b"a1"
    os.close(write_end)


def test_events_with_kernel_times_keep_them(strike, listen):
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    outcomes = listen(Keyboard(KeyboardDevice(read_end, "n", lambda: os.close(read_end), stamped=True), "r"))
    os.write(write_end, b"".join(EVENT.pack(5, 250_000, *event) for event in strike("a\n")))
    assert outcomes.read().boot_ns == 5_250_000_000
    os.close(write_end)


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EIO])
def test_an_error_of_the_device_is_a_loss(number):
    def fail():
        raise OSError(number, os.strerror(number))

    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    driver = Keyboard(KeyboardDevice(read_end, "n", lambda: os.close(read_end), read_events=fail), "r")
    os.write(write_end, b"!")
    with pytest.raises(DeviceLost):
        list(driver.reads())
    os.close(write_end)


def test_two_identical_scanners_never_mix(benches, tmp_path, listen):
    first, second = benches["keyboard"](tmp_path), benches["keyboard"](tmp_path)
    outcomes = [listen(first.driver), listen(second.driver)]
    for left, right in zip("WO-1111\n", "WO-2222\n", strict=True):
        first.begin(left)
        second.begin(right)
    assert [listener.read().raw for listener in outcomes] == [b"WO-1111", b"WO-2222"]


REFUSED = {
    errno.EBUSY: """\
/dev/input/event3 (Symbol Bar Code Scanner) is held by another program. \
A scanner is read by one program alone. \
End the other one, perhaps a second station; this finds it: sudo fuser -v /dev/input/event3""",
    errno.EACCES: """\
/dev/input/event3 (Symbol Bar Code Scanner) cannot be read: Permission denied. \
The station's user must be allowed to read the device. \
Install config/udev/70-wipline-readers.rules, then plug the scanner in again.""",
    errno.ENODEV: """\
/dev/input/event3 (Symbol Bar Code Scanner) cannot be read: No such device. \
Expected a device that can be opened. \
Plug the scanner in again.""",
}


@pytest.mark.parametrize("number", REFUSED)
def test_a_scanner_that_cannot_be_opened_is_reported_with_cause_and_remedy(number):
    assert str(refused(FACTS, OSError(number, os.strerror(number)))) == REFUSED[number]


@pytest.mark.parametrize("setting", ["path", "match"])
def test_a_scanner_that_is_not_plugged_in_is_reported(setting):
    with pytest.raises(DriverError) as refused:
        open_driver("keyboard", {setting: "/dev/input/by-id/none"})
    assert refused.value.came == "No scanner '/dev/input/by-id/none' is plugged in."
    assert read_device_info("/dev/input/by-id/none") is None


@pytest.mark.parametrize(
    ("package", "debian", "use"),
    [
        ("evdev", "python3-evdev", lambda: open_driver("keyboard", {"match": "none"})),
        ("pyudev", "python3-pyudev libudev1", Hotplug),
    ],
)
def test_a_missing_package_is_named_with_its_installation(monkeypatch, package, debian, use):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DriverError) as refused:
        use()
    assert str(refused.value) == (
        f"The Python package {package!r} is not installed here. Readers of this kind need it. "
        f"Install it: sudo apt-get install {debian}, or in wipline's source folder: "
        f"{sys.prefix}/bin/pip install '.[station]'."
    )


WRONG_SETTINGS = {
    ("layout", "zz"): "There is no keyboard layout 'zz'. ",
    ("profile", "{"): "The reader's profile cannot be used: The profile is not JSON: ",
    ("profile", '{"layout": "zz"}'): "There is no keyboard layout 'zz'. ",
    (
        "profile",
        '{"caps": "off"}',
    ): "The reader's profile cannot be used: The profile's 'caps' is 'off': expected one of ",
}


@pytest.mark.parametrize(("setting", "value"), WRONG_SETTINGS)
def test_a_wrong_layout_or_profile_is_reported_before_a_device_is_opened(setting, value):
    with pytest.raises(DriverError) as refused:
        open_driver("keyboard", {setting: value})
    assert str(refused.value).startswith(WRONG_SETTINGS[setting, value])


def testlayout_and_profile_come_from_the_settings():
    german = text_of(ScannerProfile(layout="de", keys={"Q": "x"}, alike=("at",), prefix="S1-"))
    assert layout_and_profile({}) == (US, ScannerProfile())
    assert layout_and_profile({"layout": "ch(fr)"}) == (xkb.layout("ch(fr)"), ScannerProfile(layout="ch(fr)"))
    assert layout_and_profile({"profile": german}) == (xkb.layout("de"), profile_in(german))
    assert layout_and_profile({"profile": german, "layout": "de"}) == (xkb.layout("de"), profile_in(german))
    # Another layout than the learned one: the learned keys do not apply to it.
    assert layout_and_profile({"profile": german, "layout": "at"}) == (
        xkb.layout("at"),
        ScannerProfile(layout="at", prefix="S1-"),
    )
    learned = text_of(ScannerProfile(layout="learned", keys={"Q": "x"}))
    assert layout_and_profile({"profile": learned}) == (BARE, profile_in(learned))


def test_a_scanner_is_read_by_its_profile(strike, listen):
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    profile = ScannerProfile(layout="de", control={"GS": "F8"}, prefix="y")
    device = KeyboardDevice(read_end, "n", lambda: os.close(read_end))
    outcomes = listen(Keyboard(device, "r", layout=xkb.layout("de"), profile=profile))
    os.write(write_end, b"".join(EVENT.pack(0, 0, *event) for event in [*strike("z[1"), (1, 66, 1), *strike("\n")]))
    assert outcomes.read().raw == "ü1\x1d".encode()
    os.close(write_end)
