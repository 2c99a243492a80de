"""Journal lock: keep a second process from writing the same journal.

The daemon holds `flock` on two files:

- `<journal>.lock`, beside the journal's real path. Its text holds the process id, and the log id for a salvage that finds it
  nowhere else.
- the journal file itself. A hard link, a bind mount or a deleted lock file changes the name, but not this file. On Linux
flock
  does not interfere with the POSIX locks with which SQLite locks the same file.

The kernel releases an flock when the process ends, however it ends.
"""

import os
import re
from pathlib import Path

from station.journal.disk_space import NO_ROOM
from station.journal.records import JournalLocked
from station.system.file_lock import is_at, lock_file, unlock

_LOG = re.compile(r"^log ([0-9a-f]{32})$", re.MULTILINE)
_PID = re.compile(r"^pid (\d+)$", re.MULTILINE)
_MOST_BYTES = 200


def lock_path(journal: Path) -> Path:
    """The path of this journal's lock file; a symbolic link to the journal leads to the same one."""
    real = journal.resolve()
    return real.with_name(real.name + ".lock")


def log_in_lock_file(journal: Path) -> bytes | None:
    """The log id in the lock file of a journal, without a lock; None where there is none."""
    try:
        with lock_path(journal).open("rb") as file:
            match = _LOG.search(file.read(_MOST_BYTES).decode("ascii", "replace"))
    except OSError:
        return None
    return bytes.fromhex(match[1]) if match else None


class JournalLock:
    """The held locks of one journal, until `release()`."""

    def __init__(self, journal: Path) -> None:
        """Acquire both locks. Raises `JournalLocked`, which names the process that holds them."""
        self._journal = journal
        self._file: int | None = None
        self._fd = self._acquire(lock_path(journal), os.O_RDWR | os.O_CREAT)
        try:
            self.hold()
        except BaseException:
            os.close(self._fd)
            raise

    def hold(self) -> None:
        """Lock the file that is the journal now: a new log is another file."""
        if self._file is not None and is_at(self._file, self._journal):
            return
        before = self._file
        try:
            self._file = self._acquire(self._journal, os.O_RDONLY)
        except FileNotFoundError:
            return
        if before is not None:
            os.close(before)

    def write(self, log_id: bytes | None) -> None:
        """Write the process id and the log id into the lock file; None keeps the log id.

        On a full disk the file stays as it was, because the flock does not depend on it.
        """
        log_id = log_id or self.named_log()
        text = (f"pid {os.getpid()}\n" + (f"log {log_id.hex()}\n" if log_id else "")).encode()
        try:
            os.pwrite(self._fd, text, 0)
            os.ftruncate(self._fd, len(text))  # after the write: a full disk must not remove the log id
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise

    def named_log(self) -> bytes | None:
        """The log id in the lock file, or None."""
        match = _LOG.search(_text(self._fd))
        return bytes.fromhex(match[1]) if match else None

    def release(self, *, closed: bool = True) -> None:
        """Release both locks. `closed`: no connection of this process has the journal open.

        Closing any descriptor of a file releases this process's POSIX locks on it, which an open connection needs.
        """
        if self._file is not None:
            unlock(self._file)
            if closed:
                os.close(self._file)
            self._file = None
        os.close(self._fd)

    def _acquire(self, path: Path, flags: int) -> int:
        """A descriptor with the lock of the file that is at `path` now."""
        try:
            return lock_file(path, flags, 0o644)
        except BlockingIOError as error:
            raise self._refusal() from error

    def _refusal(self) -> JournalLocked:
        try:
            match = _PID.search(lock_path(self._journal).read_text(encoding="ascii", errors="replace")[:_MOST_BYTES])
        except OSError:
            match = None
        pid = int(match[1]) if match else 0
        msg = (
            f"The journal {self._journal} is being written by process {pid or 'unknown'}; one daemon a journal."
            " Stop it first."
        )
        return JournalLocked(msg, pid)


def _text(lock: int) -> str:
    return os.pread(lock, _MOST_BYTES, 0).decode("ascii", "replace")
