"""Folders: flush their names to the medium, and find the file system that they are on."""

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable: without it a new or renamed file may be missing after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_system(folder: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that a folder is on, from the kernel's table of mounts."""
    best, kind = -1, ""
    for row in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, name, *_ = row.split()
        mount = Path(point.encode().decode("unicode_escape"))
        if (folder == mount or mount in folder.parents) and len(mount.parts) >= best:
            best, kind = len(mount.parts), name
    return kind


def nearest_folder(folder: Path) -> Path:
    """The folder, or the nearest parent that exists and that this user may see."""
    return next((parent for parent in (folder, *folder.parents) if os.path.isdir(parent)), Path("/"))  # noqa: PTH112
