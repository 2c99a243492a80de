"""The high-water mark: how the hub finds out that somebody put an old database in the place of the new one.

A hub that was rolled back would acknowledge what it no longer has. So a small file beside the database says how far the
ledger had come, and the database remembers the file and the machine in which it lived. Where these disagree, a new epoch
begins: stations then resume from what the hub really has. A needless epoch costs one handshake, so doubt counts as a yes.

>>> here = DatabaseLocation(inode=7, machine="m")
>>> moved(here, here, ledger_pos=40, high=(3, 40), epoch=3) is None
True
>>> moved(here, here, ledger_pos=12, high=(3, 40), epoch=3)
'the ledger ends at 12 and had reached 40'
"""

import os
from dataclasses import dataclass
from pathlib import Path

RECORD_BYTES = 64  # within one sector: it is written whole or not at all


@dataclass(frozen=True, slots=True)
class DatabaseLocation:
    """Where a database lives: the inode of its file and the id of the machine."""

    inode: int
    machine: str


def home_of(db: Path) -> DatabaseLocation:
    """Where this database lives now."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        machine = ""
    return DatabaseLocation(db.stat().st_ino, machine)


def moved(
    recorded: DatabaseLocation, now: DatabaseLocation, *, ledger_pos: int, high: tuple[int, int] | None, epoch: int
) -> str | None:
    """Why a new epoch must begin, as half a sentence; None where the database is the one we left."""
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


class RollbackGuard:
    """The file `<db>.high`: the epoch and the last committed position, written after each commit."""

    def __init__(self, db: Path) -> None:
        self.path = db.with_name(db.name + ".high")
        self._fd: int | None = None

    def read(self) -> tuple[int, int] | None:
        """(epoch, pos) as written last; None where the file is missing or says nothing readable."""
        try:
            epoch, pos = self.path.read_text(encoding="ascii").split()
            return int(epoch), int(pos)
        except (OSError, ValueError):
            return None

    def write(self, epoch: int, pos: int) -> None:
        """Remember this position. Not flushed: after a power cut the file may lag behind, which is the safe side."""
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(self._fd, f"{epoch} {pos}".ljust(RECORD_BYTES - 1).encode() + b"\n", 0)

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
