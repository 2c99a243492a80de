"""The udev rules give the station access to the scanners that it reads through hidraw, and to no other HID device."""

import re
import shlex
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from drivers.decode.detect.device_policy import SCANNER_VENDORS
from drivers.hidpos import hid_device_at
from tests.drivers.fixtures.hid_descriptors import COUNTLESS, EXTRA_BYTE, HONEYWELL, HOSTILE, KEYBOARD, SMALL, written
from tests.drivers.fixtures.hid_devices import plugged_in

CONFIG = Path(__file__).resolve().parents[2] / "config"
LINES = [
    line
    for line in (CONFIG / "udev" / "70-wipline-readers.rules").read_text().splitlines()
    if line and not line.startswith("#")
]
RULES = LINES[LINES.index('LABEL="wipline_hidraw"') :]
SCALE = written("05 8D 09 20 A1 01 75 08 95 02 09 40 81 02 C0")
LONG = HONEYWELL[:-1] + bytes(3000) + HONEYWELL[-1:]


def leads_to(device, tmp_path):
    """The result of the rules for a device, applied in order as udev does; `device` is its kernel name."""
    for rule in RULES:
        named = re.fullmatch(r'KERNELS=="(.*)", GOTO="(\w+)"', rule)
        if named and any(fnmatchcase(device, pattern) for pattern in named[1].split("|")):
            return named[2]
        asked = re.fullmatch(r'PROGRAM=="(.*)", RESULT=="(.*)", GOTO="(\w+)"', rule)
        if asked:
            line = asked[1].replace("%S", str(tmp_path / "sys")).replace("%p", "/class/hidraw/hidraw0")
            done = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True)
            assert done.stdout.count("\n") == 1  # udev reads one line
            if any(fnmatchcase(done.stdout, pattern) for pattern in asked[2].split("|")):
                return asked[3]
    return "wipline_end"


@pytest.mark.parametrize(
    "descriptor",
    [HONEYWELL, EXTRA_BYTE, COUNTLESS, SMALL, HOSTILE, KEYBOARD, SCALE, KEYBOARD + SMALL, LONG],
    ids=["honeywell", "extra byte", "countless", "small", "hostile", "keyboard", "scale", "both", "long"],
)
def test_the_rules_and_the_driver_see_the_same_scanners(tmp_path, descriptor):
    plugged_in(tmp_path, 0, descriptor)
    speaks = hid_device_at("/dev/hidraw0", tmp_path).is_scanner
    assert leads_to("0003:1234:5678.0001", tmp_path) == ("wipline_pos" if speaks else "wipline_end")


def test_the_rules_name_the_vendors_of_the_station(tmp_path):
    plugged_in(tmp_path, 0, KEYBOARD)
    (makers,) = (found[1] for rule in RULES if (found := re.match(r'KERNELS=="(.*)", GOTO', rule)))
    assert [int(name.split(":")[1], 16) for name in makers.split("|")] == sorted(SCANNER_VENDORS)
    for vendor in SCANNER_VENDORS:
        for bus in ("0003", "0005"):
            assert leads_to(f"{bus}:{vendor:04X}:0001.002A", tmp_path) == "wipline_pos"
    assert leads_to("0003:413C:2113.0001", tmp_path) == "wipline_end"


def test_the_device_may_be_written_to_as_well():
    assert RULES[-2:] == ['GROUP="wipline", MODE="0660", TAG-="uaccess"', 'LABEL="wipline_end"']
    assert "DeviceAllow=char-hidraw rw" in (CONFIG / "systemd" / "wipline-station.service").read_text().splitlines()
