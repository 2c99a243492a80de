"""Texts of a USB device are not trusted: they are bounded and sanitised."""

import re
from dataclasses import replace

import pytest

from drivers.decode.detect.device_info import MAX_NAME, MAX_SERIAL, DeviceInfo, harmless, named, reader_id
from drivers.decode.detect.device_policy import evidence, verdict
from drivers.platform.pcsc_devices import lasting_name

SCANNER = DeviceInfo(
    "/dev/input/event3", "Bar Code Scanner", 3, 0x05E0, 0x1200, "SN77", "usb-1.3", types=True, points=False
)
HOSTILE = [
    "<script>alert(1)</script>",
    "\x1b[2J\x1b]0;owned\x07",
    "one\nready station=forged\r\n",
    "\u202egnp.renn\u2066ac\u2069S\u200b\ufeff",
    "\x9b2J\x00\x7f",
    "$(touch /tmp/owned); '\"{{7*7}}",
    "S" * 200,
    "\N{PILE OF POO}" * 200,
]


def is_harmless(text: str) -> bool:
    """Whether the text has no character that moves a cursor, ends a line, or hides or reverses text."""
    return text.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_or_serial_number_is_harmless_from_the_start(text: str) -> None:
    info = replace(SCANNER, name=f"Scanner {text}", serial=text)
    assert is_harmless(info.name)
    assert is_harmless(info.serial)
    assert len(info.name) <= MAX_NAME
    assert len(info.serial) <= MAX_SERIAL
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,100}", reader_id(info))
    assert all(map(is_harmless, evidence(info)))
    assert is_harmless(verdict(info).why)
    # The sanitised name matches the device.
    assert named(info, {"match": f"05e0:1200:{info.serial}"})
    assert replace(info, node="/dev/input/event9").serial == info.serial
    assert is_harmless(lasting_name(f"{text} 00 00", []))


def test_names_and_serial_numbers_are_whole_up_to_their_limits() -> None:
    name, serial = "N" * MAX_NAME, "S" * MAX_SERIAL
    assert (replace(SCANNER, name=name).name, replace(SCANNER, serial=serial).serial) == (name, serial)
    assert replace(SCANNER, name=f"{name}N").name == name


def test_two_devices_whose_long_serial_numbers_differ_at_the_end_stay_two() -> None:
    first, second = (replace(SCANNER, serial="S" * MAX_SERIAL + end) for end in "12")
    assert len(first.serial) == len(second.serial) == MAX_SERIAL
    assert reader_id(first) != reader_id(second)


def test_ordinary_names_stay_as_they_are() -> None:
    for name in ("Zebra Symbol Bar Code Scanner", "Lesegerät Größe 2", "扫码器", ""):
        assert harmless(name) == name
