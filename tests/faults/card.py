"""The test's end of the card: start it, give it orders, cut the power, take the image; it is always unmounted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MOUNT_S = 10.0


class Cut(NamedTuple):
    """The moment the power went (CLOCK_BOOTTIME ns, 0: it did not), the pages not flushed then, the operations counted.

    `refused`: how often the card was full, `failed`: how often a flush failed.
    """

    boot_ns: int
    unsynced_pages: int
    counted: int
    refused: int
    failed: int


class Card:
    """A mounted card and the process behind it."""

    def __init__(self, mount: Path, process: "subprocess.Popen[str]") -> None:
        self.mount = mount
        self._process = process

    def _order(self, what: str, **told: Any) -> Cut:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **told}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Cut(**answer)

    def reset(self, **faults: Any) -> None:
        """A new, empty card with these faults."""
        self._order("reset")
        self.fault(**faults)

    def fault(self, **faults: Any) -> Cut:
        """Faults from now on: torn, seed, lies, forgets_names, fail_once, delay_s, capacity, cut_at, cut_on."""
        return self._order("set", **faults)

    def look(self) -> Cut:
        """Whether the power went by itself (`cut_at`), and how much was done."""
        return self._order("look")

    def cut(self) -> Cut:
        """The power goes now, if it has not gone before."""
        return self._order("cut")

    def load(self, folder: Path) -> None:
        """Put the files of a folder on the card, flushed."""
        self._order("load", folder=str(folder))

    def image(self, folder: Path) -> Path:
        """What is on the medium after the cut, as real files in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._order("image", folder=str(folder))
        return folder


@contextmanager
def mounted(mount: Path) -> Iterator[Card]:
    """A card mounted at `mount`."""
    mount.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.faults.fuse_card", str(mount)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        deadline = time.monotonic() + MOUNT_S
        while not os.path.ismount(mount):
            if process.poll() is not None or time.monotonic() > deadline:
                msg = f"The card was not mounted at {mount}: is /dev/fuse there and fuse3 installed?"
                raise RuntimeError(msg)
            time.sleep(0.01)
        yield Card(mount, process)
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(mount)], check=False, capture_output=True)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
