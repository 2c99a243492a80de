"""The floor of the bench of plugs: the least program that hears of a device, opens it and reads one scan.

A bare pyudev monitor and a bare open; it judges nothing, keeps nothing and is told of each node how it is read. The
argument is a JSON object, node -> how; the answers are JSON lines: a node was opened, and its scan was read.
"""

import json
import os
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import pyudev
import serial
from evdev import InputDevice, ecodes
from smartcard import scard

_printing = threading.Lock()
ASK_AGAIN_S = 0.01


def say(**words: object) -> None:
    """One line, with its time."""
    with _printing:
        print(json.dumps({**words, "at_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME)}), flush=True)


def keys(node: str, _how: dict[str, Any]) -> None:
    """Grab it and read until Enter."""
    device = InputDevice(node)
    device.grab()
    say(opened=node)
    for event in device.read_loop():
        if event.type == ecodes.EV_KEY and event.code == ecodes.KEY_ENTER and not event.value:
            return


def report(node: str, _how: dict[str, Any]) -> None:
    """Read one report."""
    device = os.open(node, os.O_RDWR)
    say(opened=node)
    os.read(device, 4096)


def line(node: str, how: dict[str, Any]) -> None:
    """Read up to the last byte, behind the question where it is asked one."""
    port = serial.Serial(node, how["baud"])
    if how["question"]:
        port.write(bytes.fromhex(how["question"]))
    say(opened=node)
    port.read_until(bytes.fromhex(how["end"]))


def card(_node: str, _how: dict[str, Any]) -> None:
    """Ask the card on the first reader for its number."""
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    while not (names := scard.SCardListReaders(context, [])[1]):
        time.sleep(ASK_AGAIN_S)
    while (found := scard.SCardConnect(context, names[0], scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1))[0]:
        time.sleep(ASK_AGAIN_S)
    scard.SCardTransmit(found[1], scard.SCARD_PCI_T1, [0xFF, 0xCA, 0, 0, 0])


HOW = {"keys": keys, "report": report, "line": line, "card": card}


def read(node: str, how: dict[str, Any]) -> None:
    """One device, to its end."""
    HOW[how["kind"]](node, how)
    say(read=node)


def main() -> None:
    """Follow udev until this process is ended."""
    hows = json.loads(sys.argv[1])
    monitor = pyudev.Monitor.from_netlink(pyudev.Context())
    for subsystem in ("input", "tty", "hidraw", "usb"):
        monitor.filter_by(subsystem)
    monitor.start()
    say(watching=True)
    for device in iter(monitor.poll, None):
        node = device.device_node or device.device_path
        with suppress(KeyError):
            if device.action == "add":
                threading.Thread(target=read, args=(node, hows[node]), daemon=True).start()


if __name__ == "__main__":
    main()
