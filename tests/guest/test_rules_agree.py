"""udev's rules and the station judge devices by the same signs: who may read a scanner is who takes it."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from drivers.decode.detect.device_info import DeviceInfo
from drivers.decode.detect.device_policy import SCANNER_PRODUCTS, SCANNER_VENDORS, verdict

RULES = Path(__file__).resolve().parents[2] / "config" / "udev" / "70-wipline-readers.rules"


def rules() -> list[str]:
    """The rules that are no comment."""
    return [line for line in RULES.read_text().splitlines() if line and not line.startswith("#")]


def test_the_rules_name_the_makers_that_the_station_knows() -> None:
    (listed,) = (found[1] for rule in rules() if (found := re.match(r'ATTRS\{id/vendor\}=="([0-9a-f|]+)", GOTO', rule)))
    assert [int(vendor, 16) for vendor in listed.split("|")] == sorted(SCANNER_VENDORS)


def test_the_rules_name_the_single_products_that_the_station_knows() -> None:
    pair = re.compile(r'ATTRS\{id/vendor\}=="(\w{4})", ATTRS\{id/product\}=="(\w{4})", GOTO="wipline_reader"')
    listed = {(int(found[1], 16), int(found[2], 16)) for rule in rules() if (found := pair.match(rule))}
    assert listed == SCANNER_PRODUCTS


@pytest.mark.parametrize(
    "name",
    [
        "USB Barcode Scanner", "BAR CODE wedge", "QR code keyboard", "qrcode", "Wedge Card Reader", "Symbol x", "SCANNER 2",
        "Dell KB216 Wired Keyboard", "Smart Card Reader Keyboard", "Numeric Keypad with reader", "USB device", "Barkode",
    ],
)  # fmt: skip
def test_the_rules_read_a_name_as_the_station_does(name: str) -> None:
    info = DeviceInfo("/dev/input/event3", name, 3, 0x1234, 0x5678, "", "usb-1", types=True, points=False)
    assert led_to(name) == ("wipline_reader" if verdict(info).take else "wipline_heard")


def led_to(name: str) -> str:
    """Where the rules about names lead, taken one after another as udev does."""
    for rule in rules():
        found = re.fullmatch(r'ATTRS\{name\}=="(.*)", GOTO="(\w+)"', rule)
        if found and any(fnmatchcase(name, pattern) for pattern in found[1].split("|")):
            return found[2]
    return "wipline_heard"
