"""Exclusive locks (flock) on files, held by a descriptor until it is closed or the process ends.

On Linux flock does not interfere with the POSIX locks with which SQLite locks the same file.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RETRY_S = 0.02


def lock_file(path: Path, flags: int, mode: int, *, deadline: float = 0) -> int:
    """Open `path` and lock the file that is there now; the descriptor.

    Retries until `deadline` (time.monotonic, s). Raises BlockingIOError while another process holds the lock, OSError
    where the file cannot be opened.
    """
    while True:
        descriptor = os.open(path, flags | os.O_CLOEXEC, mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between open and flock the file may have been deleted or replaced: that lock would guard nothing.
            if is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise
            time.sleep(RETRY_S)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def unlock(descriptor: int) -> None:
    """Release the lock and keep the descriptor open."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one at `path` now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Wait for the folder's lock and hold it; afterwards flush the folder, so that renamed files last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
