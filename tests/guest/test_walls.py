"""Inside the station's unit: what the sandbox lets through, and what the drivers read there from real USB devices."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.guest.machine import Machine
from tests.guest.scanner import Scanner

pytestmark = pytest.mark.guest

UNPLUGS = 5
SAID = "/var/lib/wipline/said.jsonl"
# A program of the tests takes the daemon's place; user, devices, walls and limits stay those of the shipped unit.
IN_ITS_PLACE = """[Service]
Type=exec
WatchdogSec=0
ExecStart=
ExecStart=/opt/wipline/bin/python /project/{}
"""


def start_in_place(guest: Machine, unit: str, program: str) -> None:
    """Start a shipped unit with another program in it."""
    guest.write(f"/etc/systemd/system/{unit}.service.d/test.conf", IN_ITS_PLACE.format(program))
    guest.sh(f"systemctl daemon-reload && systemctl start {unit} || {{ journalctl -u {unit} --no-pager; false; }}")


def said(guest: Machine, count: int) -> list[dict[str, Any]]:
    """The first `count` things the drivers said, waited for."""
    guest.wait_until(f"[ $(wc -l <{SAID}) -ge {count} ]")
    return [json.loads(line) for line in guest.sh(f"cat {SAID}").splitlines()]


@pytest.fixture
def reading(guest: Machine) -> Machine:
    """A guest in which the drivers run as the station's service, with no scanner yet."""
    start_in_place(guest, "wipline-station", f"reads.py {SAID}")
    assert said(guest, 1) == [{"ready": True}]
    return guest


def test_a_scan_is_read_behind_the_walls_from_a_scanner_plugged_in_later(reading: Machine) -> None:
    scanner = Scanner(reading).add()
    assert said(reading, 2)[1] == {"took": "usb-05e0-1200-SN77"}
    scanner.type("Wo-1001_a\n")
    scanner.type("]C10104006381333931\x1d10LOT/7\n")
    assert said(reading, 4)[2:] == [
        {"raw": "Wo-1001_a", "sym": None, "reader": "usb-05e0-1200-SN77"},
        {"raw": "]C10104006381333931\x1d10LOT/7", "sym": "]C1", "reader": "usb-05e0-1200-SN77"},
    ]


def test_a_scanner_pulled_in_mid_scan_comes_back_without_the_half(reading: Machine) -> None:
    scanner = Scanner(reading).add()
    for turn in range(1, 1 + UNPLUGS):
        reading.wait_until(f"[ $(grep -c took {SAID}) -eq {turn} ]")
        scanner.type(f"whole-{turn}\n")
        scanner.type("half", pull_after=True)
        reading.wait_until(f"[ $(grep -c unplugged {SAID}) -eq {turn} ]")
        scanner.plug()
    told = said(reading, 1 + 3 * UNPLUGS)
    assert [fact["raw"] for fact in told if "raw" in fact] == [f"whole-{turn}" for turn in range(1, 1 + UNPLUGS)]
    lost = {fact["lost"] for fact in told if "lost" in fact}
    print("\nguest:", lost)
    assert any("in mid-scan" in sentence for sentence in lost)


def test_two_scanners_of_one_model_never_mix(reading: Machine) -> None:
    first, second = Scanner(reading).add(), Scanner(reading, name="other", serial="SN78").add()
    said(reading, 3)
    first.type("AAAA")
    second.type("2222\n")
    first.type("BBBB\n")
    reads = [fact for fact in said(reading, 5) if "raw" in fact]
    assert {"raw": "2222", "sym": None, "reader": "usb-05e0-1200-SN78"} in reads
    assert "".join(fact["raw"] for fact in reads if fact["reader"] == "usb-05e0-1200-SN77") == "AAAABBBB"


def test_a_scanner_is_held_by_one_program_alone(reading: Machine) -> None:
    node = Scanner(reading).add().node()
    said(reading, 2)
    program = f"from drivers import open_driver as o; o('keyboard', {{'path': '{node}'}})"
    code, out = reading.ask(f'/opt/wipline/bin/python -c "{program}"')
    assert code == 1
    assert out.splitlines()[-1].split(" ", 1)[1] == (
        f"{node} (Symbol Technologies, Inc, 2008 Symbol Bar Code Scanner) is held by another program. "
        "A scanner is read by one program alone. "
        f"End the other one, perhaps a second station; this finds it: sudo fuser -v {node}"
    )


def test_a_persons_keyboard_is_left_alone(reading: Machine) -> None:
    keyboard = Scanner(reading, ids="413c:2113", maker="Dell", product="Dell KB216 Wired Keyboard").add()
    keyboard.node()
    scanner = Scanner(reading, name="other").add()
    assert said(reading, 2)[1:] == [{"took": "usb-05e0-1200-SN77"}]
    keyboard.type("secret\n")
    scanner.type("1\n")
    assert said(reading, 3)[2:] == [{"raw": "1", "sym": None, "reader": "usb-05e0-1200-SN77"}]


OPEN = "systemd-run --quiet --unit=open -p StateDirectory=wipline /usr/bin/python3 /project/"
ALLOWED = {
    "wipline-station": {"write to its state", "call the hub"},
    "wipline-hub": {"write to its state", "call the hub", "listen on a port"},
}


@pytest.fixture
def tries(start: Callable[..., Machine]) -> Iterator[Callable[[str | None], dict[str, str]]]:
    """`tries(unit)`: what came of each try of walls.py in the place of that service; as root without walls for None."""
    with socket.create_server(("127.0.0.1", 0)) as hub:

        def tries(unit: str | None) -> dict[str, str]:
            guest = start(hub_port=hub.getsockname()[1])
            node = Scanner(guest, ids="413c:2113", maker="Dell", product="Dell KB216 Wired Keyboard").add().node()
            program = f"walls.py {node} 10.0.2.100:8080"
            if unit:
                start_in_place(guest, unit, program)
            else:
                guest.sh(OPEN + program)
            came: dict[str, str] = json.loads(guest.wait_until("cat /var/lib/wipline/walls.json"))
            return came

        yield tries


@pytest.mark.parametrize("unit", ALLOWED)
def test_the_walls_let_out_what_the_service_does_and_nothing_else(
    tries: Callable[[str | None], dict[str, str]], unit: str
) -> None:
    assert {name for name, came in tries(unit).items() if came == "done"} == ALLOWED[unit]


def test_without_walls_every_try_succeeds(tries: Callable[[str | None], dict[str, str]]) -> None:
    assert {name: came for name, came in tries(None).items() if came != "done"} == {}
