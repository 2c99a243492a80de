"""Host: the ports to the machine of the hub. Tests and the simulator pass their own.

- `clock`: both clocks, the boot id and whether UTC is synchronised.
- `random_bytes(n)`: ids of hubs and logs, and their keys.
- `location_of(db)`: inode and machine id, which identify a moved database.
- `state_folder()`: the folder of the hub's service, for the high-water file of a database server.
- `off_disk(backup, db)`: whether a backup survives the loss of the database's disk.
- `free_bytes(folder)`: what this user may still write on the file system of a folder.
"""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from server.clock.readings import HubClock, SystemClock
from server.db.rollback_guard import DatabaseLocation, location_of, state_folder


def _off_disk(backup: Path, db: Path) -> bool:
    """Whether both files are on different file systems, which count as different disks."""
    return backup.stat().st_dev != db.stat().st_dev


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Host:
    """The ports to one machine; the default is the machine that this process runs on."""

    clock: HubClock = field(default_factory=SystemClock)
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    location_of: Callable[[Path], DatabaseLocation] = location_of
    state_folder: Callable[[], Path | None] = state_folder
    off_disk: Callable[[Path, Path], bool] = _off_disk
    free_bytes: Callable[[Path], int] = _free_bytes
