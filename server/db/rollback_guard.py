"""Rollback guard: detect that the database was replaced by an older copy.

A rolled-back hub would claim to have events that it no longer has. Therefore a small file beside the database records the
last ledger position, and the database records its inode and machine. Where these differ, a new epoch begins, in which
stations resume from what the hub has. When unsure, a new epoch begins: it costs one handshake.

On PostgreSQL the file is in the state folder of the hub's service. There may be several, one for each machine with a worker,
or none at all; so a missing or lagging file proves nothing there, and only one that is ahead of the ledger counts.

>>> location = DatabaseLocation(inode=7, machine="m")
>>> moved(location, location, ledger_pos=40, high=(3, 40), epoch=3) is None
True
>>> moved(location, location, ledger_pos=12, high=(3, 40), epoch=3)
'the ledger ends at 12 and had reached 40'
"""

import os
from dataclasses import dataclass
from pathlib import Path

RECORD_BYTES = 64  # within one sector, so that a write is atomic


@dataclass(frozen=True, slots=True)
class DatabaseLocation:
    """The location of a database: the inode of its file and the id of the machine."""

    inode: int
    machine: str


def location_of(db: Path) -> DatabaseLocation:
    """The present location of a database."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        machine = ""
    return DatabaseLocation(db.stat().st_ino, machine)


def moved(
    recorded: DatabaseLocation, now: DatabaseLocation, *, ledger_pos: int, high: tuple[int, int] | None, epoch: int
) -> str | None:
    """The cause of a new epoch, as a clause; None where the database is the one of the last run."""
    if high is None:
        return "the high-water file beside the database is missing"
    if recorded.machine != now.machine:
        return "the database came from another machine"
    if recorded.inode != now.inode:
        return "the database is another file than before"
    if high[0] != epoch:
        return f"the database is of epoch {epoch} and the high-water file of epoch {high[0]}"
    if ledger_pos < high[1]:
        return f"the ledger ends at {ledger_pos} and had reached {high[1]}"
    return None


def set_back(*, ledger_pos: int, high: tuple[int, int] | None, epoch: int) -> str | None:
    """The cause of a new epoch on a database server, as a clause; None where no file of this machine is ahead of it.

    >>> set_back(ledger_pos=12, high=(3, 40), epoch=3), set_back(ledger_pos=40, high=(2, 90), epoch=3)
    ('the ledger ends at 12 and had reached 40', None)
    """
    if high is None or high[0] < epoch:
        return None
    if high[0] > epoch:
        return f"the database is of epoch {epoch} and the high-water file of epoch {high[0]}"
    return f"the ledger ends at {ledger_pos} and had reached {high[1]}" if ledger_pos < high[1] else None


def state_folder() -> Path | None:
    """The state folder of the service, from systemd's `STATE_DIRECTORY`; None for a hub that runs without a unit."""
    first = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(first) if first else None


class RollbackGuard:
    """The file `<db>.high`: the epoch and the last committed position, written after each commit."""

    def __init__(self, db: Path) -> None:
        self.path = db.with_name(db.name + ".high")
        self._fd: int | None = None

    def read(self) -> tuple[int, int] | None:
        """The last written (epoch, pos); None where the file is missing or malformed."""
        try:
            epoch, pos = self.path.read_text(encoding="ascii").split()
            return int(epoch), int(pos)
        except (OSError, ValueError):
            return None

    def write(self, epoch: int, pos: int) -> None:
        """Record a position. It is not flushed: after a power cut the file may lag, which never hides a rollback."""
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(self._fd, f"{epoch} {pos}".ljust(RECORD_BYTES - 1).encode() + b"\n", 0)

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
