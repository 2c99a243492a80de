"""Runs inside the guest, in a service's place: tries what the service must not do and prints the tries that succeeded.

`walls.py NODE ADDRESS` writes walls.json into the service's state directory: try -> "done" or the error's name. NODE is a
person's keyboard, ADDRESS the hub's.
"""

import ctypes
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

node, address = sys.argv[1:]
state = Path(os.environ["STATE_DIRECTORY"])
libc = ctypes.CDLL(None, use_errno=True)


def called(result: int) -> None:
    """Raise what a call of the C library failed with."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def listen() -> None:
    """Open a port on which anybody could call."""
    with socket.socket() as door:
        door.bind(("0.0.0.0", 5050))  # noqa: S104 - that is the try
        door.listen()


def call_the_hub() -> None:
    """What every station must do."""
    host, _, port = address.partition(":")
    socket.create_connection((host, int(port)), timeout=4).close()


TRIES: dict[str, Callable[[], object]] = {
    "write to its state": lambda: (state / "wall").write_text("x"),
    "call the hub": call_the_hub,
    "write to its settings": lambda: Path("/etc/wipline/wall").write_text("x"),
    "write to the system": lambda: Path("/usr/local/wall").write_text("x"),
    "read a person's keyboard": lambda: os.open(node, os.O_RDONLY),
    "type on a person's keyboard": lambda: os.open(node, os.O_WRONLY),
    "read the disk": lambda: os.open("/dev/vda", os.O_RDONLY),
    "read the kernel's memory": lambda: os.open("/dev/mem", os.O_RDONLY),
    "read the password hashes": lambda: Path("/etc/shadow").read_text(),
    "look into root's home": lambda: list(Path("/root").iterdir()),
    "see other people's processes": lambda: Path("/proc/1/cmdline").read_text(),
    "become root": lambda: os.setuid(0),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time() + 1),
    "mount": lambda: called(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "make a namespace": lambda: called(libc.unshare(0x10000000)),
    "run written memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "listen on a port": listen,
    "open a raw socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "end another service": lambda: os.kill(1, signal.SIGHUP),
    "gain rights by a program": lambda: subprocess.run(["/usr/bin/su", "-c", "true"], check=True, capture_output=True),
}


def came_of(attempt: Callable[[], object]) -> str:
    """What comes of a try, made in a process of its own: some of them change the process that makes them."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            attempt()
            came = "done"
        except (OSError, subprocess.CalledProcessError) as error:
            came = type(error).__name__
        os.write(write, came.encode())
        os._exit(0)
    os.close(write)
    os.wait()
    with os.fdopen(read) as pipe:
        return pipe.read()


results = {name: came_of(attempt) for name, attempt in TRIES.items()}
found = state / "walls.part"
found.write_text(json.dumps(results))
found.rename(state / "walls.json")
time.sleep(3600)
