"""Disk space under the journal, and the ballast: a file without content that is deleted so that a full card can prune.

A deletion needs room for its write-ahead log. Without ballast a completely full card would stay full.

>>> level_of(DiskSpace(size_bytes=1_000_000_000, free_bytes=40_000_000, ballast_bytes=16_777_216))
<DiskLevel.NEARLY_FULL: 'nearly full'>
"""

import errno
import os
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MIB = 1024 * 1024
MOST_BALLAST = 16 * MIB
LEAST_BALLAST = 1 * MIB
RESERVE = 2 * MIB  # stays free when answers are red: one write-ahead log between two checks
SHARE = 20  # ballast and reserve are at most one in twenty of the file system
WARN, PRUNE, NEARLY = 0.70, 0.85, 0.95
PLANNED_SCANS_A_DAY = 5_000  # until the journal has measured it
LEAST_FREE = MIB // 4  # SQLite's own files, and one more page of each table
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskLevel(StrEnum):
    """The level of the disk; scans are recorded until `FULL`."""

    FINE = "fine"
    WARN = "warn"
    PRUNE = "prune"
    NEARLY_FULL = "nearly full"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """The file system under the journal: its size, the bytes free for this user, and the size of the ballast.

    `most_ballast_bytes`: the size that the ballast has on a file system that is large enough.
    """

    size_bytes: int
    free_bytes: int
    ballast_bytes: int
    most_ballast_bytes: int = MOST_BALLAST


def ballast_path(journal: Path) -> Path:
    """The path of this journal's ballast."""
    return journal.with_name(journal.name + ".ballast")


def room(journal: Path, to_fold_bytes: int = 0, most_ballast_bytes: int = MOST_BALLAST) -> DiskSpace:
    """Check the file system of this journal; bytes that the next checkpoint will add count as used."""
    fs = os.statvfs(journal.parent)
    ballast = ballast_path(journal)
    size = ballast.stat().st_size if ballast.exists() else 0
    return DiskSpace(fs.f_blocks * fs.f_frsize, fs.f_bavail * fs.f_frsize - to_fold_bytes, size, most_ballast_bytes)


def reserve_bytes(size_bytes: int) -> int:
    """The bytes that must stay free on a file system of this size: below them answers are red."""
    return min(RESERVE, size_bytes // SHARE)


def level_of(space: DiskSpace) -> DiskLevel:
    """The level of a file system."""
    if usable_bytes(space) <= 0:
        return DiskLevel.FULL
    used = 1 - space.free_bytes / space.size_bytes if space.size_bytes else 1.0
    steps = ((NEARLY, DiskLevel.NEARLY_FULL), (PRUNE, DiskLevel.PRUNE), (WARN, DiskLevel.WARN))
    return next((level for share, level in steps if used >= share), DiskLevel.FINE)


def usable_bytes(space: DiskSpace) -> int:
    """The bytes that events may still use: without the reserve, and without the ballast's room while it is freed."""
    missing = max(ballast_wanted(space.size_bytes, space.most_ballast_bytes) - space.ballast_bytes, 0)
    return space.free_bytes - missing - reserve_bytes(space.size_bytes)


def days_left(space: DiskSpace, bytes_per_event: float, events_per_day: float) -> float:
    """How many days the disk lasts without the hub before answers are red."""
    return max(usable_bytes(space), 0) / max(bytes_per_event * events_per_day, 1.0)


def ballast_wanted(size_bytes: int, most_bytes: int = MOST_BALLAST) -> int:
    """The size of the ballast on a file system of this size; 0 where it would be too small to help."""
    wanted = min(most_bytes, size_bytes // SHARE)
    return wanted if wanted >= LEAST_BALLAST else 0


def lay_ballast(journal: Path, most_bytes: int = MOST_BALLAST) -> int:
    """Create the ballast if there is room for it, with allocated blocks; returns its size in bytes."""
    space = room(journal)
    wanted = ballast_wanted(space.size_bytes, most_bytes)
    needed = wanted + 2 * reserve_bytes(space.size_bytes)
    if space.ballast_bytes >= wanted or space.free_bytes + space.ballast_bytes < needed:
        return space.ballast_bytes
    try:
        descriptor = os.open(ballast_path(journal), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return 0
    try:
        os.posix_fallocate(descriptor, 0, wanted)
        os.fsync(descriptor)
    except OSError:
        free_ballast(journal)
        return 0
    finally:
        os.close(descriptor)
    return wanted


def free_ballast(journal: Path) -> int:
    """Delete the ballast; returns its size in bytes."""
    path = ballast_path(journal)
    size = path.stat().st_size if path.exists() else 0
    path.unlink(missing_ok=True)
    return size


def has_least(journal: Path) -> bool:
    """Whether SQLite's own files fit on the disk: its write-ahead log and the shared-memory index (`-shm`).

    Call it before a journal is opened. The index is written through a memory mapping: if ext4 has no free block for a page,
    the process ends with SIGBUS instead of an error.
    """
    fs = os.statvfs(journal.parent)
    return fs.f_bavail * fs.f_frsize >= LEAST_FREE and (not fs.f_files or fs.f_favail > 0)


def lacks_room(error: BaseException, journal: Path) -> bool:
    """Whether an error means that the disk under this journal is full, and nothing worse.

    A write that finds no room (`SQLITE_FULL`) is refused before any byte of it takes effect, and loses nothing that was
    written earlier. A failed fsync (`SQLITE_IOERR_FSYNC`) is never treated as lack of room, whatever its errno. The
    shared-memory index (`SQLITE_IOERR_SHM...`) holds nothing durable. SQLite reports a file that it could not create as
    `SQLITE_CANTOPEN`; there the free space decides.
    """
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    name = getattr(error, "sqlite_errorname", "") if isinstance(error, sqlite3.Error) else ""
    if name == "SQLITE_CANTOPEN":
        return not has_least(journal)
    return name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR_SHM")
