"""The verdict on what was plugged in: taken as what, listened to, or left alone; and why."""

from dataclasses import replace

import pytest

from drivers.decode.detect.device_info import named
from drivers.decode.detect.device_policy import FORGET, LEAVE_IT, NOT_NAMED, DevicePolicy, evidence, verdict
from tests.drivers.fixtures.usb_devices import ZEBRA

DELL = replace(ZEBRA, name="Dell KB216", vendor=0x413C, product=0x2113, serial="", links=())
CHEAP = replace(ZEBRA, name="USB Adapter", vendor=0x1A86, product=0x5723, serial="", links=())
PERSONS = DevicePolicy(
    False,
    "keyboard",
    "It looks like a person's keyboard, so it is only listened to, until it types the setup sheet.",
    listen=True,
    mend='Is it a scanner? Scan the setup sheet with it, or name it: kind = "keyboard", match = "413c:2113".',
)


def test_a_maker_of_scanners_is_known():
    assert verdict(ZEBRA) == DevicePolicy(
        True, "keyboard", "Its maker makes scanners: 05e0, Symbol, Zebra.", mend=LEAVE_IT
    )


def test_a_persons_keyboard_is_never_taken():
    assert verdict(DELL) == PERSONS
    assert verdict(DELL, [{"kind": "keyboard"}]) == replace(PERSONS, row=0)


@pytest.mark.parametrize(
    "name",
    ["Dell KB216", "Logitech USB Receiver", "AT Translated Set 2 keyboard", "Cherry Smart Card Reader Keyboard",
     "Keyboard with fingerprint scanner", "Power Button", "Raspberry Pi Ltd Raspberry Pi 500 Keyboard", ""],
)  # fmt: skip
def test_no_name_of_a_persons_keyboard_is_taken(name):
    assert not verdict(replace(DELL, name=name)).take


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("USB Barcode Scanner Keyboard", "barcode"),
        ("BARCODE SCANNER", "barcode"),
        ("Symbol Bar Code Scanner", "bar code"),
        ("Sycreader RFID Technology Co., Ltd SYC ID&IC USB Reader", "reader"),
        ("Generic Scanner", "scanner"),
        ("Symbol CS4070", "symbol"),
    ],
)
def test_a_name_that_says_so_is_taken(name, word):
    assert verdict(replace(CHEAP, name=name)) == DevicePolicy(
        True, "keyboard", f"Its name says so: {word!r}.", mend=LEAVE_IT
    )


def test_a_scanner_on_a_chip_for_everything_is_known_by_both_ids():
    generic = replace(CHEAP, vendor=0xFFFF, product=0x0035)
    assert verdict(generic) == DevicePolicy(True, "keyboard", "It is a known scanner: ffff:0035.", mend=LEAVE_IT)
    assert not verdict(replace(generic, product=0x0036)).take


def test_what_cannot_type_a_code_is_not_taken():
    rows = [{"kind": "keyboard", "match": "05e0:1200"}]
    why = "It has no Enter key and digits, so it types no codes."
    assert verdict(replace(ZEBRA, types=False), rows) == DevicePolicy(False, "keyboard", why, None)


def test_a_mouse_is_not_taken_even_if_it_is_configured():
    rows = [{"kind": "keyboard", "match": "05e0:1200"}]
    why = "It is a mouse as well; taking it would take the pointer from a person."
    assert verdict(replace(ZEBRA, points=True), rows) == DevicePolicy(False, "keyboard", why, None)


@pytest.mark.parametrize(
    "row",
    [
        {"path": "/dev/input/event3"},
        {"path": "/dev/input/by-id/usb-Zebra_SN77-event-kbd"},
        {"match": "05e0:1200"},
        {"match": "05E0:1200:sn77"},
        {"match": "usb-05e0-1200-SN77"},
        {"match": "usb-05e0-1200-at-usb-dummy_hcd.0-1"},
        {"match": "symbol bar"},
        {"path": "/dev/input/event3", "match": "05e0:1200"},
    ],
)
def test_a_configured_reader_is_known_by_path_ids_or_name(row):
    rows = [{"kind": "replay", "path": "/run/wipline/scans"}, {"kind": "keyboard", **row}]
    assert named(ZEBRA, row)
    assert verdict(ZEBRA, rows) == DevicePolicy(True, "keyboard", "Reader 2 of the configuration names it.", 1)


@pytest.mark.parametrize(
    "row",
    [
        {"path": "/dev/input/event30"},
        {"match": "05e0:1201"},
        {"match": "05e0:1200:SN7"},
        {"path": "/dev/input/event3", "match": "05e0:1201"},
        {"path": "/dev/input/event4", "match": "05e0:1200"},
    ],
)
def test_another_reader_than_the_configured_is_left_alone(row):
    mend = 'Is it a reader? Name it: [[reader]] with kind and match = "05e0:1200".'
    assert verdict(ZEBRA, [{"kind": "keyboard", **row}]) == DevicePolicy(False, "keyboard", NOT_NAMED, mend=mend)


def test_a_keypad_or_keyboard_that_is_configured_is_taken():
    rows = [{"kind": "keyboard", "match": "413c:2113"}]
    assert verdict(DELL, rows) == DevicePolicy(True, "keyboard", "Reader 1 of the configuration names it.", 0)


def test_a_configured_reader_without_a_name_stands_for_any_scanner():
    rows = [{"kind": "keyboard", "match": "413c:2113"}, {"kind": "keyboard", "path": None, "match": None}]
    assert verdict(ZEBRA, rows).row == 1
    assert verdict(DELL, rows).row == 0
    assert not verdict(replace(DELL, product=1), rows).take


def test_what_typed_the_setup_sheet_is_taken_wherever_its_name_came_from():
    how = "It has sent the setup sheet."
    taught = DevicePolicy(True, "keyboard", how, mend=f"To forget it: {FORGET}")
    assert verdict(DELL, taught={"usb-413c-2113-at-usb-dummy_hcd.0-1": how}) == taught
    assert verdict(replace(DELL, serial="S1"), taught={"usb-413c-2113-S1": how}) == taught
    assert verdict(DELL, taught={"usb-413c-2113-at-usb-9": how}) == PERSONS


PORT = replace(ZEBRA, node="/dev/ttyACM0", subsystem="tty", types=False)
BRIDGE = replace(PORT, node="/dev/ttyUSB0", name="USB Serial", vendor=0x1A86, product=0x7523, serial="")


def test_a_serial_port_of_a_maker_of_scanners_is_taken_and_another_is_asked_and_heard():
    sign = "Its maker makes scanners: 05e0, Symbol, Zebra."
    assert verdict(PORT) == DevicePolicy(True, "serial_line", sign, mend=LEAVE_IT)
    asked = verdict(BRIDGE)
    assert (asked.take, asked.listen, asked.kind) == (False, True, "serial_rfid")
    assert asked.mend.endswith('kind = "serial_line", match = "1a86:7523".')
    assert verdict(BRIDGE, taught={"usb-1a86-7523-at-usb-dummy_hcd.0-1": "It has."}).kind == "serial_line"


@pytest.mark.parametrize("name", ["Quectel LTE Modem", "u-blox GNSS receiver", "STM32 ST-Link", "3D printer"])
def test_a_port_that_says_it_is_something_else_is_not_even_asked(name):
    found = verdict(replace(BRIDGE, name=name))
    assert (found.take, found.listen) == (False, False)
    assert found.why.startswith("Its name says that it is something else: ")


def test_a_serial_port_that_is_configured_is_left_to_its_reader():
    row = {"kind": "serial_rfid", "path": "/dev/ttyUSB0"}
    why = "Reader 1 of the configuration names it."
    assert verdict(BRIDGE, [row]) == DevicePolicy(False, "serial_rfid", why, 0)
    assert verdict(BRIDGE, [{"kind": "keyboard"}]).why == NOT_NAMED
    assert verdict(BRIDGE, [{"kind": "serial_rfid"}]).row == 0
    assert not verdict(PORT, [{"kind": "keyboard", "match": "05e0:1200"}]).take


def test_a_row_for_serial_scanners_has_no_unknown_port_asked():
    assert verdict(BRIDGE, [{"kind": "serial_line"}]) == DevicePolicy(
        False, "serial_rfid", NOT_NAMED, mend='Is it a reader? Name it: [[reader]] with kind and match = "1a86:7523".'
    )
    assert verdict(BRIDGE, [{"kind": "serial_line"}, {"kind": "serial_rfid"}]).row == 1
    taught = {"usb-1a86-7523-at-usb-dummy_hcd.0-1": "It has."}
    assert verdict(BRIDGE, [{"kind": "serial_line"}], taught).row == 0


def test_a_serial_port_goes_with_the_row_of_its_kind():
    rows = [{"kind": "serial_rfid"}, {"kind": "serial_line"}]
    assert (verdict(PORT, rows).kind, verdict(PORT, rows).row) == ("serial_line", 1)
    assert (verdict(PORT, rows[:1]).kind, verdict(PORT, rows[:1]).row) == ("serial_line", 0)


def test_what_its_class_or_descriptor_names_is_taken_as_that():
    assert verdict(replace(PORT, subsystem="usb")).kind == "pcsc"
    assert verdict(replace(PORT, subsystem="hidraw")).kind == "hidpos"
    assert verdict(replace(PORT, subsystem="hidraw"), [{"kind": "pcsc"}]).why == NOT_NAMED


def test_the_evidence_names_what_the_verdict_stands_on():
    assert evidence(ZEBRA) == (
        "usb 05e0:1200", "called 'Zebra Symbol Bar Code Scanner'", "serial number SN77", "has Enter and digits",
    )  # fmt: skip
    mouse = replace(DELL, bus=5, name="", types=False, points=True, hints=("its descriptor is empty",))
    assert evidence(mouse) == (
        "bluetooth 413c:2113", "without a name", "no serial number: known by its place usb-dummy_hcd.0-1",
        "has no Enter key and digits", "has the axes of a mouse", "its descriptor is empty",
    )  # fmt: skip
