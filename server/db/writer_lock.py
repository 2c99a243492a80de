"""One writer: the locks that keep a second process from writing a hub's database.

SQLite before 3.51.3 can lose data when two connections write or checkpoint at once, so on SQLite one process writes. It
holds `flock` on two files:

- `<db>.lock`, beside the database's real path. It names the process. A symbolic link leads to the same one.
- the database file itself, by whatever name it was opened: a hard link, a bind mount or a deleted lock file changes the
  name and not the file. On Linux flock does not meet the POSIX locks with which SQLite locks the same file.

Closing any descriptor of a file ends the POSIX locks that the same process has on it. So the database is opened here only
behind `<db>.lock`, and closed again only when the store is.
"""

import os
import time
from pathlib import Path

from station.system.file_lock import is_at, lock_file


class HubLocked(RuntimeError):
    """Another process holds the database; the message names it."""


class WriterLock:
    """The held locks; they end with `release()` or with the process. A forked worker shares them with its parent."""

    def __init__(self, db: Path, *, wait_s: float = 0) -> None:
        """Take both locks, waiting at most `wait_s`. Raises `HubLocked`. A database that does not exist yet: see `hold`."""
        self._db = db.resolve()
        self.path = self._db.with_name(self._db.name + ".lock")
        self._file: int | None = None
        deadline = time.monotonic() + wait_s
        self._fd = self._locked(self.path, os.O_RDWR | os.O_CREAT, deadline)
        try:
            self.hold(self._db, deadline)
        except BaseException:
            os.close(self._fd)
            raise
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def hold(self, file: Path, deadline: float = 0) -> None:
        """Hold this database file instead of the one before: one that was just made, or is about to take its place."""
        if self._file is not None and is_at(self._file, file):
            return
        try:
            taken = self._locked(file, os.O_RDONLY, deadline)
        except FileNotFoundError:
            return
        if self._file is not None:
            os.close(self._file)
        self._file = taken

    def _locked(self, path: Path, flags: int, deadline: float) -> int:
        """A descriptor with the lock of the file that is at `path` now."""
        try:
            return lock_file(path, flags, 0o600, deadline=deadline)
        except BlockingIOError:
            raise self._refusal() from None

    def _refusal(self) -> HubLocked:
        try:
            holder = self.path.read_text(encoding="ascii", errors="replace")[:32].strip()
        except OSError:
            holder = ""
        msg = (
            f"{self._db} is in use by process {holder or 'unknown'}: one process at a time writes a hub's database."
            " Stop that one first, or use the command that works beside it."
        )
        return HubLocked(msg)

    def release(self) -> None:
        """Let the next process write. Close the store first."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        os.close(self._fd)
