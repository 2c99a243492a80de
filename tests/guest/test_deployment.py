"""The shipped systemd units and udev rules, looked at by the programs that will read them on a bench."""

import json
import re
from importlib.metadata import version

import pytest

from tests.guest.machine import Machine
from tests.guest.scanner import Scanner

pytestmark = pytest.mark.guest

EXPOSURE_MAX = 2.0  # of systemd-analyze security, where 10 is a service without any wall
UNITS = ("wipline-station.service", "wipline-hub.service")


def test_the_units_are_understood_word_for_word_and_shut_in(guest: Machine) -> None:
    for unit in UNITS:
        assert guest.sh(f"systemd-analyze verify --man=no /etc/systemd/system/{unit}", timeout_s=120) == ""
        report = guest.sh(f"systemd-analyze security --no-pager {unit}", timeout_s=120)
        exposure = re.search(rf"Overall exposure level for {unit}: ([0-9.]+)", report)
        assert exposure, report
        print(f"\n{unit}: exposure {exposure[1]}")
        assert float(exposure[1]) <= EXPOSURE_MAX, report


def ownership(guest: Machine, node: str) -> str:
    """Owner, group and mode of a device node."""
    return guest.sh(f"stat -c '%U:%G %a' {node}")


def properties(guest: Machine, node: str) -> dict[str, str]:
    """What udev says of a device."""
    lines = guest.sh(f"udevadm info --query=property --name={node}").splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_scanner_belongs_to_the_station_and_to_no_desktop(guest: Machine, scanner: Scanner) -> None:
    node = scanner.node()
    said = properties(guest, node)
    assert ownership(guest, node) == "root:wipline 640"
    assert (said["WIPLINE_READER"], said["LIBINPUT_IGNORE_DEVICE"]) == ("1", "1")
    assert "power-switch" not in said.get("CURRENT_TAGS", "")
    reading = f"setpriv --reuid=wipline --regid=wipline --clear-groups dd if={node} of=/dev/null count=0"
    assert guest.ask(reading)[0] == 0


PLUGGED = [  # ids, maker, product, and whether it is the station's
    ("1234:5678", "Shenzhen", "USB BARCODE Keyboard", True),
    ("1234:5678", "Shenzhen", "Wedge Card Reader", True),
    ("413c:2113", "Dell", "Dell KB216 Wired Keyboard", False),
    ("413c:2101", "Dell", "Dell Smart Card Reader Keyboard", False),
]


def test_a_persons_keyboard_stays_a_persons(guest: Machine) -> None:
    for number, (ids, maker, product, ours) in enumerate(PLUGGED):
        node = Scanner(guest, name=f"plugged-{number}", ids=ids, maker=maker, product=product).add().node()
        rights = ownership(guest, node), properties(guest, node).get("LIBINPUT_IGNORE_DEVICE")
        # What types is heard; only what scans is kept from others.
        assert rights == ("root:wipline 640", "1" if ours else None), product


def test_a_site_names_a_reader_of_its_own(guest: Machine) -> None:
    guest.write(
        "/etc/udev/rules.d/69-wipline-site.rules",
        'SUBSYSTEM=="input", KERNEL=="event*", ATTRS{id/vendor}=="413c", ATTRS{id/product}=="2113", '
        'ENV{WIPLINE_READER}="1"\n',
    )
    guest.sh("udevadm control --reload")
    node = Scanner(guest, ids="413c:2113", maker="Dell", product="Dell KB216 Wired Keyboard").add().node()
    assert ownership(guest, node) == "root:wipline 640"


def test_the_product_is_installed_beside_debians_reader_libraries(guest: Machine) -> None:
    names = ("wipline", "evdev", "pyudev", "pyscard", "msgspec")
    ask = f"import json; from importlib.metadata import version as v; print(json.dumps({{n: v(n) for n in {names}}}))"
    versions = json.loads(guest.sh(f'/opt/wipline/bin/python -I -c "{ask}"'))
    print("\nguest:", versions)
    assert versions["wipline"] == version("wipline")
    assert (
        versions["evdev"] == guest.sh("dpkg-query -W -f '${Version}' python3-evdev").partition("+")[0].partition("-")[0]
    )
