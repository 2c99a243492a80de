"""How full the disk is, and the ballast: a file of nothing, thrown out so that a full card can still prune.

Deleting needs room too: the write-ahead log of the deletion. Without ballast a card that is full to the brim stays full.

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
RESERVE = 2 * MIB  # what red keeps free: one write-ahead log between two looks
SHARE = 20  # ballast and reserve are at most one in twenty of the file system
WARN, PRUNE, NEARLY = 0.70, 0.85, 0.95
PLANNED_SCANS_A_DAY = 5_000  # where the journal does not know better yet
LEAST_FREE = MIB // 4  # SQLite's own files, and one more page of each table
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskLevel(StrEnum):
    """What the fill of the disk asks for; scans stay green until `FULL`."""

    FINE = "fine"
    WARN = "warn"
    PRUNE = "prune"
    NEARLY_FULL = "nearly full"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """The file system under the journal: its size, what is free for us, and the ballast that lies on it."""

    size_bytes: int
    free_bytes: int
    ballast_bytes: int


def ballast_path(journal: Path) -> Path:
    """Where the ballast of this journal lies."""
    return journal.with_name(journal.name + ".ballast")


def room(journal: Path, to_fold_bytes: int = 0) -> DiskSpace:
    """Look at the file system that this journal lies on; what is still to be folded in counts as taken."""
    found = os.statvfs(journal.parent)
    ballast = ballast_path(journal)
    size = ballast.stat().st_size if ballast.exists() else 0
    return DiskSpace(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize - to_fold_bytes, size)


def reserve_bytes(size_bytes: int) -> int:
    """What must stay free on a file system of this size: below it an answer is red."""
    return min(RESERVE, size_bytes // SHARE)


def level_of(here: DiskSpace) -> DiskLevel:
    """What the fill of the disk asks for."""
    if usable_bytes(here) <= 0:
        return DiskLevel.FULL
    used = 1 - here.free_bytes / here.size_bytes if here.size_bytes else 1.0
    steps = ((NEARLY, DiskLevel.NEARLY_FULL), (PRUNE, DiskLevel.PRUNE), (WARN, DiskLevel.WARN))
    return next((level for share, level in steps if used >= share), DiskLevel.FINE)


def usable_bytes(here: DiskSpace) -> int:
    """What events may still take: not the reserve, and not the ballast's place while the ballast is out for pruning."""
    missing = max(ballast_wanted(here.size_bytes) - here.ballast_bytes, 0)
    return here.free_bytes - missing - reserve_bytes(here.size_bytes)


def days_left(here: DiskSpace, bytes_per_event: float, events_per_day: float) -> float:
    """For how many days without the hub the disk lasts before an answer is red."""
    return max(usable_bytes(here), 0) / max(bytes_per_event * events_per_day, 1.0)


def ballast_wanted(size_bytes: int) -> int:
    """How large the ballast on a file system of this size is; 0 where it would be too small to help."""
    wanted = min(MOST_BALLAST, size_bytes // SHARE)
    return wanted if wanted >= LEAST_BALLAST else 0


def lay_ballast(journal: Path) -> int:
    """Lay the ballast where there is room for it, in real blocks; returns its size in bytes."""
    here = room(journal)
    wanted = ballast_wanted(here.size_bytes)
    if here.ballast_bytes >= wanted or here.free_bytes + here.ballast_bytes < wanted + 2 * reserve_bytes(
        here.size_bytes
    ):
        return here.ballast_bytes
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
    """Throw the ballast out; returns how many bytes that freed."""
    path = ballast_path(journal)
    size = path.stat().st_size if path.exists() else 0
    path.unlink(missing_ok=True)
    return size


def has_least(journal: Path) -> bool:
    """Whether SQLite's own files fit on the disk: its write-ahead log, and the index that it shares through memory.

    To be asked before a journal is opened. The index is written through a mapping, and where ext4 finds no block for such a
    page, the process ends with SIGBUS instead of an error.
    """
    found = os.statvfs(journal.parent)
    return found.f_bavail * found.f_frsize >= LEAST_FREE and (not found.f_files or found.f_favail > 0)


def lacks_room(error: BaseException, journal: Path) -> bool:
    """Whether an error says that the disk under this journal is full, and nothing worse.

    A write that finds no room (`SQLITE_FULL`) is refused before any byte of it counts, and nothing written earlier is
    lost by it. An fsync that fails is another matter, whatever its errno: SQLite reports it as `SQLITE_IOERR_FSYNC`, and
    it is never a lack of room here. The shared index (`SQLITE_IOERR_SHM...`) holds nothing durable. SQLite reports a file
    that it could not create as `SQLITE_CANTOPEN`, so there the free space decides.
    """
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    name = getattr(error, "sqlite_errorname", "") if isinstance(error, sqlite3.Error) else ""
    if name == "SQLITE_CANTOPEN":
        return not has_least(journal)
    return name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR_SHM")
