"""A card of our own making, mounted with FUSE: `python fuse_card.py MOUNT`, told what to do in JSON lines on stdin.

It dies at the moment it is told (`cut`, or at the nth operation), lies about flushing, is slow, fails once, is full, or
forgets names. One lock stands around every operation and every order, so that a cut is one moment for all files.
"""

# ruff: noqa: ARG002 - FUSE hands every operation all that the kernel said

import errno
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mfusepy

from tests.faults.medium import File, Folder, Medium, Survivors

BLOCK = 4096
ROOMY = 16 * 1024 * 1024  # too small for ballast, which only costs time here


class Card(mfusepy.Operations):  # type: ignore[misc]  # mfusepy's base class is untyped
    """The file system. `counted` operations are those that change something: a cut at the nth of them is repeatable."""

    use_ns = True

    def __init__(self) -> None:
        self.moment = threading.Lock()
        self.medium = Medium()
        self.survivors: Survivors | None = None
        self.cut_boot_ns = 0
        self.reset()

    def reset(self) -> None:
        """A new card without faults."""
        self.medium, self.survivors, self.cut_boot_ns = Medium(), None, 0
        self.counted, self.cut_at, self.cut_on = 0, 0, ""
        self.refused, self.failed = 0, 0
        self.seed, self.torn = 0, False
        self.lies, self.forgets_names = False, False
        self.fail_once, self.delay_s, self.capacity = "", 0.0, ROOMY

    def die(self) -> None:
        """The power goes: nothing after this moment reaches the medium."""
        if self.survivors is None:
            self.survivors = self.medium.cut(self.seed, torn=self.torn)
            self.cut_boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def _do(self, path: str, change: Callable[[], Any], *, flush: bool = False) -> Any:
        """Make a change under the lock; the one that is chosen for the cut is made (a flush is not), then the power goes."""
        with self.moment:
            self._alive()
            mine = path.endswith(self.cut_on) and not path.endswith(("-shm", ".lock"))
            self.counted += mine
            chosen = mine and self.cut_at == self.counted
            if not (chosen and flush):
                done = self._answer(change)
            if chosen:
                self.die()
                raise mfusepy.FuseOSError(errno.EIO)
            return done

    def _alive(self) -> None:
        if self.survivors is not None:
            raise mfusepy.FuseOSError(errno.EIO)

    def _answer(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except FileNotFoundError as error:
            raise mfusepy.FuseOSError(errno.ENOENT) from error
        except IsADirectoryError as error:
            raise mfusepy.FuseOSError(errno.EISDIR) from error
        except NotADirectoryError as error:
            raise mfusepy.FuseOSError(errno.ENOTDIR) from error

    def _ask(self, question: Callable[[], Any]) -> Any:
        with self.moment:
            self._alive()
            return self._answer(question)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = self._ask(lambda: self.medium.find(path))
        if isinstance(found, Folder):
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, "st_uid": os.getuid(), "st_gid": os.getgid()}
        size = len(found.seen)
        mode = stat.S_IFREG | 0o644
        return {"st_mode": mode, "st_nlink": 1, "st_size": size, "st_uid": os.getuid(), "st_gid": os.getgid()}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self._ask(lambda: list(self.medium.folder(path).seen))]

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self._do(path, lambda: self.medium.create(path))
        return 0

    def open(self, path: str, flags: int) -> int:
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        self._do(path, lambda: self.medium.make_folder(path))
        return 0

    def unlink(self, path: str) -> int:
        self._do(path, lambda: self.medium.remove(path))
        return 0

    def rmdir(self, path: str) -> int:
        self._do(path, lambda: self.medium.remove(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        self._do(new, lambda: self.medium.rename(old, new))
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return self._ask(lambda: bytes(self.medium.file(path).seen[offset : offset + size]))

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        def change() -> int:
            grown = offset + len(data) - len(self.medium.file(path).seen)
            if grown > 0 and self.medium.size() + grown > self.capacity:
                self.refused += 1
                raise mfusepy.FuseOSError(errno.ENOSPC)
            return self.medium.write(path, data, offset)

        return self._do(path, change)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self._do(path, lambda: self.medium.file(path).resize(length))
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        if self.delay_s and not path.endswith("-shm"):
            time.sleep(self.delay_s)

        def change() -> None:
            file: File = self.medium.file(path)
            if self.fail_once and path.endswith(self.fail_once):
                # As Linux does: the pages count as clean from now on, and are not on the medium.
                self.fail_once = ""
                self.failed += 1
                file.dirty.clear()
                raise mfusepy.FuseOSError(errno.EIO)
            if not self.lies:
                file.flush()

        self._do(path, change, flush=True)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._do(path, lambda: None if self.forgets_names else self.medium.fsync_folder(path), flush=True)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        free = max(self.capacity - self.medium.size(), 0) // BLOCK
        blocks = self.capacity // BLOCK
        return {
            "f_bsize": BLOCK,
            "f_frsize": BLOCK,
            "f_blocks": blocks,
            "f_bfree": free,
            "f_bavail": free,
            "f_namemax": 255,
        }

    def chmod(self, path: str, mode: int) -> int:
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        return 0

    def order(self, what: str, **told: Any) -> dict[str, Any]:
        """Carry out one order of the test."""
        with self.moment:
            if what == "reset":
                self.reset()
            elif what == "set":
                vars(self).update(told)
            elif what == "cut":
                self.die()
            elif what == "load":
                self._load(Path(told["folder"]))
            elif what == "image":
                self._image(Path(told["folder"]))
            pages = self.survivors.unsynced_pages if self.survivors else 0
            counts = {"counted": self.counted, "refused": self.refused, "failed": self.failed}
            return {"boot_ns": self.cut_boot_ns, "unsynced_pages": pages, **counts}

    def _load(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            name = f"/{path.relative_to(folder)}"
            if path.is_dir():
                self.medium.make_folder(name)
            else:
                self.medium.create(name)
                self.medium.write(name, path.read_bytes(), 0)
                self.medium.fsync(name)
            self.medium.fsync_folder(name.rpartition("/")[0])

    def _image(self, folder: Path) -> None:
        self.die()
        assert self.survivors is not None
        for name, content in self.survivors.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def obey(card: Card) -> None:
    """Carry out the orders on stdin, one JSON line each, and answer each; the end of stdin ends nothing."""
    for line in sys.stdin:
        print(json.dumps(card.order(**json.loads(line))), flush=True)


if __name__ == "__main__":
    mounted = Card()
    threading.Thread(target=obey, args=(mounted,), daemon=True).start()
    options = {"attr_timeout": 0, "entry_timeout": 0, "negative_timeout": 0, "fsname": "wipline-card"}
    mfusepy.FUSE(mounted, sys.argv[1], foreground=True, nothreads=True, **options)
