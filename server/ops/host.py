"""Host: what the hub reads from the machine that it runs on. A test or a simulator passes its own.

- `clock`: both clocks, the boot id and whether UTC is synchronised.
- `random_bytes(n)`: ids of hubs and logs, and their keys.
- `home_of(db)`: inode and machine id, by which a moved database is noticed.
- `off_disk(backup, db)`: whether a backup survives the loss of the database's disk.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from server.clock.readings import HubClock, SystemClock
from server.db.rollback_guard import DatabaseLocation, home_of


def _off_disk(backup: Path, db: Path) -> bool:
    """Two file systems count as two disks."""
    return backup.stat().st_dev != db.stat().st_dev


@dataclass(frozen=True, slots=True)
class Host:
    """The ports to one machine; the default is the machine that this process runs on."""

    clock: HubClock = field(default_factory=SystemClock)
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    home_of: Callable[[Path], DatabaseLocation] = home_of
    off_disk: Callable[[Path, Path], bool] = _off_disk
