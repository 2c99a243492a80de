"""Faults that need the machine's own tools: a network that goes away, a file system that turns read-only, another board."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from missing import not_here

CLONE_NEWNET = 0x40000000
DISK_MIB = 64


def needs_root(what: str) -> None:
    """End the test where this process may not do it."""
    if os.geteuid():
        not_here(f"{what} needs root: sudo ./wipline test 2")


def run(*command: str) -> str:
    """Run a tool of the system to its end; what it printed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class Network:
    """The network of this thread and of what it starts: loopback alone, which a test takes away and gives back.

    Taken away, no packet passes and no connection ends: each side learns of it by its own time-out, as with a radio that
    is out of range.
    """

    def up(self) -> None:
        """Packets pass."""
        run("ip", "link", "set", "lo", "up")

    def down(self) -> None:
        """No packet passes."""
        run("ip", "link", "set", "lo", "down")


@contextmanager
def own_network() -> Iterator[Network]:
    """A network for the current thread, its children and the threads it starts; the machine's own is untouched."""
    needs_root("a network of its own")
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET):
            not_here(f"a network of its own cannot be made here: {os.strerror(ctypes.get_errno())}")
        network = Network()
        network.up()
        yield network
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        os.close(before)


class Disk:
    """An ext4 file system in a file, mounted at `mount`."""

    def __init__(self, image: Path, mount: Path) -> None:
        self.image, self.mount = image, mount

    def attach(self) -> None:
        """Check it as a start of the machine does, and mount it; it turns read-only at the first error."""
        subprocess.run(["e2fsck", "-p", str(self.image)], capture_output=True, check=False)
        run("mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.mount))

    def detach(self) -> None:
        """Unmount it."""
        run("umount", str(self.mount))

    def fail(self) -> None:
        """The kernel meets an error in the file system, and remounts it read-only with all files open.

        `mount -o remount,ro` itself is refused (busy) while a file is open for writing, and a station has one.
        """
        device = Path(run("findmnt", "--noheadings", "--output", "SOURCE", str(self.mount))).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("planted by a test")


@contextmanager
def ext4_disk(folder: Path) -> Iterator[Disk]:
    """A disk of 64 MiB below `folder`."""
    needs_root("a file system on a loop device")
    disk = Disk(folder / "disk.img", folder / "disk")
    disk.mount.mkdir()
    with disk.image.open("wb") as image:
        image.truncate(DISK_MIB << 20)
    run("mkfs.ext4", "-q", "-F", str(disk.image))
    disk.attach()
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk.mount)], capture_output=True, check=False)
        disk.image.unlink()


def on_board(number: int, folder: Path) -> tuple[str, ...]:
    """A command in front of a station's: it then runs on the board of this number, as far as the machine's ids say."""
    needs_root("another machine id")
    machine_id = folder / f"machine-id-{number}"
    machine_id.write_text(f"{number:032x}\n")
    hidden = "[ ! -e /sys/class/dmi/id ] || mount -t tmpfs none /sys/class/dmi/id; "
    script = f'mount --bind "$0" /etc/machine-id && {{ {hidden}exec "$@"; }}'
    return "unshare", "--mount", "sh", "-c", script, str(machine_id)
