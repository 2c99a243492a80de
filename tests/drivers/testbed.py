"""The kernel's side of the umockdev lane: a machine whose input devices are ours, driven by JSON lines on standard input.

Runs under Debian's own Python, which has the bindings, inside `umockdev-wrapper`. Says where its file system is, then
answers each command: `{"add": DESCRIPTION, "ioctl": FILE}`, `{"node": NODE, "events": [[type, code, value, ns], ...]}`,
`{"node": NODE, "pull": true}` ends what the device's open files can read, `{"remove": SYSFS_PATH}` is udev's word of it.
"""

import fcntl
import json
import os
import struct
import sys
from typing import Any

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev  # noqa: E402 - the version is required first

NS = 1_000_000_000
TIOCGPTPEER = 0x5441  # linux: open the other end of a terminal, by the end in hand


def say(**words: object) -> None:
    """One answer."""
    print(json.dumps(words), flush=True)


def do(testbed: Any, command: dict[str, Any]) -> None:
    """Carry out one command."""
    if "add" in command:
        # The ioctls first: once the node is announced the other process opens it at once.
        testbed.load_ioctl(None, command["ioctl"])
        testbed.add_from_string(command["add"])
    elif "events" in command:
        packed = b"".join(
            struct.pack("@llHHi", ns // NS, ns % NS // 1000, kind, code, value)
            for kind, code, value, ns in command["events"]
        )
        os.write(testbed.get_dev_fd(command["node"]), packed)
    elif "pull" in command:
        master = testbed.get_dev_fd(command["node"])
        # To umockdev a device is a terminal, and it aborts when the kernel gives the number of a pulled one again: its
        # other end stays open here, so that it never becomes free.
        fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
        os.close(master)
    elif "remove" in command:
        testbed.uevent(command["remove"], "remove")
        testbed.remove_device(command["remove"])


def main() -> None:
    """Serve until standard input ends."""
    testbed = UMockdev.Testbed.new()
    say(root=testbed.get_root_dir())
    for line in sys.stdin:
        do(testbed, json.loads(line))
        say(done=True)


if __name__ == "__main__":
    main()
