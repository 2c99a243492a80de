"""One writer: the lock beside the hub's database.

SQLite before 3.51.3 can lose data when two connections write or checkpoint at once, so on SQLite one process writes: the one
that holds `flock` on `<db>.lock`. The file names it.
"""

import fcntl
import os
import time
from pathlib import Path


class HubRuns(RuntimeError):
    """Another process holds the database; the message names it."""


class Lock:
    """The held lock; it ends with `release()` or with the process. A forked worker shares it with its parent."""

    def __init__(self, db: Path, *, wait_s: float = 0) -> None:
        self.path = db.with_name(db.name + ".lock")
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_s
        while not self._taken():
            if time.monotonic() >= deadline:
                holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(self._fd)
                msg = (
                    f"{db} is in use by process {holder}: one process at a time writes a hub's database."
                    " Stop that one first, or use the command that works beside it."
                )
                raise HubRuns(msg)
            time.sleep(0.02)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let the next one write."""
        os.close(self._fd)


def held(db: Path) -> bool:
    """Whether a process holds the lock of this database at this moment."""
    try:
        Lock(db).release()
    except HubRuns:
        return True
    return False
