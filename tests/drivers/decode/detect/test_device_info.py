"""The attributes of a device, and the stable id of a reader."""

from dataclasses import replace

from drivers.decode.detect.device_info import is_pointer, keys_in, reader_id, types_codes
from tests.drivers.fixtures.usb_devices import ZEBRA


def test_a_reader_is_known_again_by_its_serial_number_else_by_its_place():
    assert reader_id(ZEBRA) == "usb-05e0-1200-SN77"
    assert reader_id(replace(ZEBRA, serial="")) == "usb-05e0-1200-at-usb-dummy_hcd.0-1"
    assert reader_id(replace(ZEBRA, bus=5, serial="a4:c1:38:00:11:22")) == "bluetooth-05e0-1200-a4:c1:38:00:11:22"
    assert reader_id(replace(ZEBRA, bus=6, serial="S 7/ä")) == "input-05e0-1200-S_7__"


def test_two_readers_with_one_serial_number_are_distinguished_by_place():
    twin = replace(ZEBRA, node="/dev/input/event7", place="usb-dummy_hcd.0-2")
    second_interface = replace(ZEBRA, node="/dev/input/event4")
    assert reader_id(ZEBRA, [ZEBRA, twin]) == "usb-05e0-1200-at-usb-dummy_hcd.0-1"
    assert reader_id(twin, [ZEBRA, twin]) == "usb-05e0-1200-at-usb-dummy_hcd.0-2"
    assert reader_id(ZEBRA, [ZEBRA, second_interface]) == "usb-05e0-1200-SN77"


def test_capability_bitmaps_are_parsed_in_kernel_words():
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
