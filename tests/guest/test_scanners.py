"""Scanners in the guest's USB sockets: enumerated, named, read and pulled as the kernel does it with real ones."""

import json
from typing import Any

import pytest

from tests.guest.machine import Machine
from tests.guest.scanner import Scanner

pytestmark = pytest.mark.guest

ENODEV = 19


def listen(guest: Machine, node: str, log: str) -> None:
    """Hold a device as evdev gives it and write what happens to `log`."""
    guest.background(f"/usr/bin/python3 /project/evread.py {node}", log)
    guest.wait_until(f"grep -q open {log}")


def heard(guest: Machine, log: str, count: int) -> list[dict[str, Any]]:
    """The first `count` lines of the log, waited for."""
    guest.wait_until(f"[ $(wc -l <{log}) -ge {count} ]")
    return [json.loads(line) for line in guest.sh(f"cat {log}").splitlines()]


def test_a_scanner_is_enumerated_linked_by_its_serial_number_and_read_key_by_key(
    guest: Machine, scanner: Scanner
) -> None:
    node = scanner.node()
    line = guest.sh("lsusb -d 05e0:1200")
    print(f"\nguest: kernel {guest.sh('uname -r')}, lsusb: {line}, {scanner.by_id} -> {node}")
    assert line.endswith("ID 05e0:1200 Symbol Technologies Bar Code Scanner")
    listen(guest, node, "/run/read.log")
    scanner.type("Wo-17\n")
    scanner.type("0123456789" * 20 + "\n", pause_ms=3)
    assert heard(guest, "/run/read.log", 3) == [
        {"open": "Symbol Technologies, Inc, 2008 Symbol Bar Code Scanner", "ids": "05e0:1200", "serial": "SN77"},
        {"keys": ["LEFTSHIFT", "W", "O", "MINUS", "1", "7"]},
        {"keys": list("0123456789" * 20)},
    ]


# 20 s on a busy machine; `test_story` has two at once in every run, behind the product's own reader.
@pytest.mark.nightly
def test_two_scanners_of_one_model_are_two_devices(guest: Machine, scanner: Scanner) -> None:
    other = Scanner(guest, name="other", serial="SN78").add()
    nodes = scanner.node(), other.node()
    assert len(set(nodes)) == 2
    for node, log in zip(nodes, ("/run/first.log", "/run/second.log"), strict=True):
        listen(guest, node, log)
    scanner.type("1")
    other.type("2\n")
    scanner.type("3\n")
    assert [fact.get("keys") for fact in heard(guest, "/run/first.log", 2)] == [None, ["1", "3"]]
    assert [fact.get("keys") for fact in heard(guest, "/run/second.log", 2)] == [None, ["2"]]
    assert guest.sh("lsusb -d 05e0:1200 | wc -l") == "2"


def test_a_scanner_pulled_in_mid_scan_is_gone_with_enodev_and_comes_back_under_its_link(
    guest: Machine, scanner: Scanner
) -> None:
    listen(guest, scanner.node(), "/run/first.log")
    scanner.type("12")
    guest.sh("sleep 0.3")  # typed means handed to the port; the other side reads it within milliseconds
    scanner.unplug()
    assert heard(guest, "/run/first.log", 2)[1] == {"gone": ENODEV, "half": ["1", "2"]}
    guest.wait_until(f"! test -e {scanner.by_id}")
    scanner.plug()
    listen(guest, scanner.node(), "/run/second.log")
    scanner.type("3\n")
    assert heard(guest, "/run/second.log", 2)[1] == {"keys": ["3"]}
