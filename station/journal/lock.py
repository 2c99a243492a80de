"""One daemon a journal: an flock on `<journal>.lock`, which also names who holds it and which log it is.

The kernel lets go of an flock when the process ends, however it ends; the text in the file is for people, and for a
salvage that finds the log's id nowhere else.
"""

import fcntl
import os
import re
from pathlib import Path

from station.journal.disk import NO_ROOM
from station.journal.records import JournalLocked

_LOG = re.compile(r"^log ([0-9a-f]{32})$", re.MULTILINE)
_PID = re.compile(r"^pid (\d+)$", re.MULTILINE)
_MOST_BYTES = 200


def lock_path(journal: Path) -> Path:
    """Where the lock of this journal lies."""
    return journal.with_name(journal.name + ".lock")


def take(journal: Path) -> int:
    """The open lock of this journal; raises `JournalLocked`, naming the process that has it."""
    path = lock_path(journal)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = int(found[1]) if (found := _PID.search(_text(lock))) else 0
        os.close(lock)
        msg = f"The journal {journal} is being written by process {pid or 'unknown'}; one daemon a journal. Stop it first."
        raise JournalLocked(msg, pid) from error
    return lock


def write(lock: int, log_id: bytes | None) -> None:
    """Say in the lock file who holds it, and which log it guards (kept as it was where `log_id` is None).

    On a full disk the file stays as it was: the flock holds without it.
    """
    log_id = log_id or named_log(lock)
    text = (f"pid {os.getpid()}\n" + (f"log {log_id.hex()}\n" if log_id else "")).encode()
    try:
        os.pwrite(lock, text, 0)
        os.ftruncate(lock, len(text))  # behind the write: a full disk must not take the log's name
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise


def named_log(lock: int) -> bytes | None:
    """The log that the lock file names, or None."""
    found = _LOG.search(_text(lock))
    return bytes.fromhex(found[1]) if found else None


def _text(lock: int) -> str:
    return os.pread(lock, _MOST_BYTES, 0).decode("ascii", "replace")
