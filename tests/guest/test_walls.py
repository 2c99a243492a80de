"""Inside the station's unit: what the sandbox lets through, and what the drivers read there from real USB devices."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.guest.machine import Machine
from tests.guest.scanner import Scanner

pytestmark = pytest.mark.guest

UNPLUGS = 5
FIRST, SECOND = "usb-05e0-1200-SN77", "usb-05e0-1200-SN78"
SAID = "/var/lib/wipline/said.jsonl"
# A program of the tests takes the daemon's place; user, devices, walls and limits stay those of the shipped unit.
IN_ITS_PLACE = """[Service]
Type=exec
WatchdogSec=0
ExecStart=
ExecStart=/opt/wipline/bin/python /project/{}
"""


def put_in_place(guest: Machine, unit: str, program: str) -> None:
    """Make a shipped unit start another program."""
    guest.write(f"/etc/systemd/system/{unit}.service.d/test.conf", IN_ITS_PLACE.format(program))
    guest.sh("systemctl daemon-reload")


def said(guest: Machine, count: int) -> list[dict[str, Any]]:
    """The first `count` things the drivers said, waited for."""
    guest.wait_until(f"[ $(wc -l <{SAID}) -ge {count} ]")
    return [json.loads(line) for line in guest.sh(f"cat {SAID}").splitlines()]


@pytest.fixture
def reading(guest: Machine) -> Machine:
    """A guest in which the drivers run as the station's service, with no scanner yet."""
    put_in_place(guest, "wipline-station", f"reads.py {SAID}")
    guest.sh("systemctl start wipline-station || { journalctl -u wipline-station --no-pager; false; }")
    assert said(guest, 1) == [{"ready": True}]
    return guest


def test_behind_the_walls_scanners_are_read_and_held_and_a_persons_keyboard_is_left_alone(reading: Machine) -> None:
    keyboard = Scanner(reading, "keyboard", ids="413c:2113", maker="Dell", product="Dell KB216 Wired Keyboard").add()
    keyboard.node()
    scanner = Scanner(reading).add()
    assert said(reading, 2)[1:] == [{"took": FIRST}]
    keyboard.type("secret\n")
    scanner.type("Wo-1001_a\n")
    scanner.type("]C10104006381333931\x1d10LOT/7\n")
    assert said(reading, 4)[2:] == [
        {"raw": "Wo-1001_a", "sym": None, "reader": FIRST},
        {"raw": "]C10104006381333931\x1d10LOT/7", "sym": "]C1", "reader": FIRST},
    ]
    node = scanner.node()
    program = f"from drivers import open_driver as o; o('keyboard', {{'path': '{node}'}})"
    code, out = reading.ask(f'/opt/wipline/bin/python -c "{program}"')
    assert code == 1
    assert out.splitlines()[-1].split(" ", 1)[1] == (
        f"{node} (Symbol Technologies, Inc, 2008 Symbol Bar Code Scanner) is held by another program. "
        "A scanner is read by one program alone. "
        f"End the other one, perhaps a second station; this finds it: sudo fuser -v {node}"
    )


# 58 s on a busy machine; `test_story` pulls a scanner in mid-scan in every run.
@pytest.mark.nightly
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


# 36 s on a busy machine; `test_story` has two at once in every run, but none that falls quiet in the middle of a scan.
@pytest.mark.nightly
def test_two_scanners_of_one_model_never_mix(reading: Machine) -> None:
    first, second = Scanner(reading).add(), Scanner(reading, name="other", serial="SN78").add()
    said(reading, 3)
    first.type("AAAA")
    second.type("2222\n")
    first.type("BBBB\n")
    reads = [fact for fact in said(reading, 5) if "raw" in fact]
    assert {"raw": "2222", "sym": None, "reader": SECOND} in reads
    assert "".join(fact["raw"] for fact in reads if fact["reader"] == FIRST) == "AAAABBBB"


OPEN = "systemd-run --quiet --unit=open -p StateDirectory=wipline /usr/bin/python3 /project/"
TRIED = "/var/lib/wipline/walls.json"
ALLOWED = {
    # It hears a keyboard that nobody knows, in case it is a scanner (docs/adr/0007), and must never take one's keys away.
    "wipline-station": {"write to its state", "call the hub", "read a person's keyboard"},
    "wipline-hub": {"write to its state", "call the hub", "listen on a port"},
}


def came_of_tries(guest: Machine, start: str) -> dict[str, str]:
    """What came of each try of walls.py, once this line has started it."""
    guest.sh(f"rm -f {TRIED}; {start}")
    came: dict[str, str] = json.loads(guest.wait_until(f"cat {TRIED}"))
    return came


def test_the_walls_let_out_what_each_service_does_and_nothing_else(start: Callable[..., Machine]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hub:
        guest = start(hub_port=hub.getsockname()[1])
        node = Scanner(guest, ids="413c:2113", maker="Dell", product="Dell KB216 Wired Keyboard").add().node()
        program = f"walls.py {node} 10.0.2.100:8080"
        for unit, allowed in ALLOWED.items():
            put_in_place(guest, unit, program)
            came = came_of_tries(guest, f"systemctl start {unit}")
            assert {name for name, each in came.items() if each == "done"} == allowed
            guest.sh(f"systemctl stop {unit}")
        # And as root without walls every try succeeds, so each of them tries what it says.
        open_air = came_of_tries(guest, OPEN + program)
        assert {name: each for name, each in open_air.items() if each != "done"} == {}
