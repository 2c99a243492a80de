"""Which devices with keys are readers, and what they are called."""

from dataclasses import replace

import pytest

from drivers.decode.plugged import Facts, Verdict, is_pointer, keys_in, named, reader_id, types_codes, verdict

ZEBRA = Facts(
    node="/dev/input/event3",
    name="Zebra Symbol Bar Code Scanner",
    bus=3,
    vendor=0x05E0,
    product=0x1200,
    serial="SN77",
    place="usb-dummy_hcd.0-1",
    types=True,
    points=False,
    links=("/dev/input/by-id/usb-Zebra_SN77-event-kbd",),
)
DELL = replace(ZEBRA, name="Dell KB216", vendor=0x413C, product=0x2113, serial="", links=())
CHEAP = replace(ZEBRA, name="USB Adapter", vendor=0x1A86, product=0x5723, serial="", links=())
PERSONS = (
    "It looks like a person's keyboard. "
    'To read from it, configure a reader of kind "keyboard" with match = "413c:2113".'
)


def test_a_maker_of_scanners_is_known():
    assert verdict(ZEBRA) == Verdict(True, "keyboard", "Its maker makes scanners: 05e0, Symbol, Zebra.", None)


def test_a_persons_keyboard_is_never_taken():
    assert verdict(DELL) == Verdict(False, "keyboard", PERSONS, None)
    assert verdict(DELL, [{"kind": "keyboard"}]) == Verdict(False, "keyboard", PERSONS, None)


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
    assert verdict(replace(CHEAP, name=name)) == Verdict(True, "keyboard", f"Its name says so: {word!r}.", None)


def test_a_scanner_on_a_chip_for_everything_is_known_by_both_ids():
    generic = replace(CHEAP, vendor=0xFFFF, product=0x0035)
    assert verdict(generic) == Verdict(True, "keyboard", "It is a known scanner: ffff:0035.", None)
    assert not verdict(replace(generic, product=0x0036)).take


def test_what_cannot_type_a_code_is_not_taken():
    rows = [{"kind": "keyboard", "match": "05e0:1200"}]
    why = "It has no Enter key and digits, so it types no codes."
    assert verdict(replace(ZEBRA, types=False), rows) == Verdict(False, "keyboard", why, None)


def test_a_mouse_is_not_taken_even_if_it_is_configured():
    rows = [{"kind": "keyboard", "match": "05e0:1200"}]
    why = "It is a mouse as well; taking it would take the pointer from a person."
    assert verdict(replace(ZEBRA, points=True), rows) == Verdict(False, "keyboard", why, None)


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
    assert verdict(ZEBRA, rows) == Verdict(True, "keyboard", "Reader 2 of the configuration names it.", 1)


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
    why = "The configuration names the readers of this station, and not this one."
    assert verdict(ZEBRA, [{"kind": "keyboard", **row}]) == Verdict(False, "keyboard", why, None)


def test_a_keypad_or_keyboard_that_is_configured_is_taken():
    rows = [{"kind": "keyboard", "match": "413c:2113"}]
    assert verdict(DELL, rows) == Verdict(True, "keyboard", "Reader 1 of the configuration names it.", 0)


def test_a_configured_reader_without_a_name_stands_for_any_scanner():
    rows = [{"kind": "keyboard", "match": "413c:2113"}, {"kind": "keyboard", "path": None, "match": None}]
    assert verdict(ZEBRA, rows).row == 1
    assert verdict(DELL, rows).row == 0
    assert not verdict(replace(DELL, product=1), rows).take


def test_a_reader_is_known_again_by_its_serial_number_else_by_its_place():
    assert reader_id(ZEBRA) == "usb-05e0-1200-SN77"
    assert reader_id(replace(ZEBRA, serial="")) == "usb-05e0-1200-at-usb-dummy_hcd.0-1"
    assert reader_id(replace(ZEBRA, bus=5, serial="a4:c1:38:00:11:22")) == "bluetooth-05e0-1200-a4:c1:38:00:11:22"
    assert reader_id(replace(ZEBRA, bus=6, serial="S 7/ä")) == "input-05e0-1200-S_7__"


def test_two_readers_with_one_serial_number_are_told_apart_by_their_places():
    twin = replace(ZEBRA, node="/dev/input/event7", place="usb-dummy_hcd.0-2")
    second_interface = replace(ZEBRA, node="/dev/input/event4")
    assert reader_id(ZEBRA, [ZEBRA, twin]) == "usb-05e0-1200-at-usb-dummy_hcd.0-1"
    assert reader_id(twin, [ZEBRA, twin]) == "usb-05e0-1200-at-usb-dummy_hcd.0-2"
    assert reader_id(ZEBRA, [ZEBRA, second_interface]) == "usb-05e0-1200-SN77"


def test_capability_bitmaps_are_read_in_words_of_the_kernel():
    scanner = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
    keys = keys_in(scanner, 64)
    assert {1, 2, 28, 57, 96, 127} <= keys
    assert 0 not in keys
    assert keys_in("10000000 0", 32) == {60}
    assert keys_in("", 64) == keys_in("0", 64) == frozenset()
    assert types_codes(keys)


def test_a_keypad_types_codes_and_a_button_does_not():
    keypad = frozenset({82, 79, 80, 81, 75, 76, 77, 71, 72, 73})
    assert types_codes(keypad | {96})
    assert not types_codes(keypad)
    assert not types_codes(frozenset({28, 116}))


def test_a_pointer_has_two_axes_and_a_wheel_is_none():
    assert is_pointer(frozenset({0, 1, 8}), frozenset())
    assert is_pointer(frozenset(), frozenset({0, 1}))
    assert not is_pointer(frozenset({6, 8}), frozenset({32}))
