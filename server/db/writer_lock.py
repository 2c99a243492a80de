"""Writer lock: exclude a second process from writing a hub's database.

SQLite before 3.51.3 can lose data when two connections write or checkpoint at once, so on SQLite only one process writes. It
holds `flock` on two files:

- `<db>.lock`, beside the database's real path, with the process id. A symbolic link leads to the same file.
- the database file itself, under any name: a hard link, a bind mount or a deleted lock file changes the name and not the
  file. On Linux flock does not interact with the POSIX locks with which SQLite locks the same file.

Closing any descriptor of a file releases the POSIX locks that the process has on it. So the database is opened here only
after `<db>.lock` is held, and closed only after the store is closed.
"""

import os
import time
from pathlib import Path

from station.system.file_lock import is_at, lock_file


class HubLocked(RuntimeError):
    """Another process holds the database; the message has its process id."""


class WriterLock:
    """The held locks, released by `release()` or the end of the process. A forked worker shares them with its parent."""

    def __init__(self, db: Path, *, wait_s: float = 0) -> None:
        """Acquire both locks within `wait_s`. Raises `HubLocked`. For a database that does not exist yet, see `hold`."""
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
        """Lock this database file in place of the previous one: a file that was just created or restored."""
        if self._file is not None and is_at(self._file, file):
            return
        try:
            descriptor = self._locked(file, os.O_RDONLY, deadline)
        except FileNotFoundError:
            return
        if self._file is not None:
            os.close(self._file)
        self._file = descriptor

    def _locked(self, path: Path, flags: int, deadline: float) -> int:
        """A descriptor that holds the lock of the file that is at `path` now."""
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
            f"{self._db} is in use by process {holder or 'unknown'}: only one process writes a hub's database."
            " Stop that process first, or use a command that works while the hub runs."
        )
        return HubLocked(msg)

    def release(self) -> None:
        """Release both locks. Close the store first."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        os.close(self._fd)
