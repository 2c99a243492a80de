"""The kernel's and the devices' side of the bench of plugs: devices that come and go, and what they send by themselves.

Runs under Debian's own Python, which has the bindings, inside `umockdev-wrapper`. Says where its file system is, then
answers each line of JSON on standard input: `add` with `node`, `ioctl` and `plays` plugs a device in and tells when;
`events` and `bytes` are what it sends, `pull` with `remove` takes it away.
"""

import fcntl
import json
import os
import struct
import sys
import termios
import threading
import time
from typing import Any

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev  # noqa: E402 - the version is required first

NS = 1_000_000_000
TIOCGPTPEER = 0x5441  # linux: open the other end of a terminal, by the end in hand
SPEEDS = {9600: termios.B9600, 115_200: termios.B115200}
SHUT_S = 0.002  # until a port that nobody has open is looked at again
_AT = 4  # of the speed among a terminal's attributes


def say(**words: object) -> None:
    """One answer."""
    print(json.dumps(words), flush=True)


def boot_ns() -> int:
    """Now."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def at_speed(master: int, baud: int) -> bool:
    """Whether the port is open at this speed: at another a reader and the station do not understand each other."""
    return bool(termios.tcgetattr(master)[_AT] == SPEEDS[baud])


def answer(master: int, plays: dict[str, Any], pulled: threading.Event) -> None:
    """A reader that is asked: what it is asked at its speed it answers after a while; all else it is silent to."""
    question, said = bytes.fromhex(plays["question"]), bytes.fromhex(plays["says"])
    heard = b""
    while not pulled.is_set():
        try:
            heard = (heard if at_speed(master, plays["baud"]) else b"")[-64:] + os.read(master, 4096)
            if heard.endswith(question) and at_speed(master, plays["baud"]):
                heard = b""
                pulled.wait(plays["after_s"])
                os.write(master, said)
        except OSError:
            pulled.wait(SHUT_S)


def repeat(master: int, plays: dict[str, Any], pulled: threading.Event) -> None:
    """A reader that speaks by itself, again and again."""
    while not pulled.wait(plays["after_s"]):
        if at_speed(master, plays["baud"]):
            os.write(master, bytes.fromhex(plays["says"]))


class Kernel:
    """All devices."""

    def __init__(self) -> None:
        self._testbed = UMockdev.Testbed.new()
        self._playing: dict[str, tuple[threading.Event, threading.Thread]] = {}
        say(root=self._testbed.get_root_dir())

    def do(self, command: dict[str, Any]) -> None:
        """Carry out one command."""
        if "add" in command:
            if command.get("ioctl"):  # before the node is announced: the other process opens it at once
                self._testbed.load_ioctl(None, command["ioctl"])
            began_ns = boot_ns()
            self._testbed.add_from_string(command["add"])
            if command.get("plays"):
                self._play(command["node"], command["plays"])
            say(at_ns=began_ns)
            return
        if "pull" in command:
            self._pull(command["pull"], command["remove"])
        else:
            os.write(self._testbed.get_dev_fd(command["node"]), _packed(command))
        say(done=True)

    def _play(self, node: str, plays: dict[str, Any]) -> None:
        pulled = threading.Event()
        how = answer if "question" in plays else repeat
        thread = threading.Thread(target=how, args=(self._testbed.get_dev_fd(node), plays, pulled), daemon=True)
        thread.start()
        self._playing[node] = pulled, thread

    def _pull(self, node: str, parts: list[str]) -> None:
        if node in self._playing:
            pulled, _ = self._playing.pop(node)
            pulled.set()
        master = self._testbed.get_dev_fd(node)
        # umockdev aborts when the kernel gives the number of a pulled terminal again: it never becomes free.
        fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
        os.close(master)
        self._testbed.uevent(parts[-1], "remove")
        for part in reversed(parts):  # all of it, or its socket stays taken
            self._testbed.remove_device(part)


def _packed(command: dict[str, Any]) -> bytes:
    """What the device sends."""
    if "bytes" in command:
        return bytes.fromhex(command["bytes"])
    sec, nsec = divmod(boot_ns(), NS)
    return b"".join(struct.pack("@llHHi", sec, nsec // 1000, *event) for event in command["events"])


def main() -> None:
    """Serve until standard input ends."""
    kernel = Kernel()
    for line in sys.stdin:
        kernel.do(json.loads(line))


if __name__ == "__main__":
    main()
