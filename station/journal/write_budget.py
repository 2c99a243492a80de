"""Write budget: the bytes that the journal may write before it must check the disk or checkpoint its write-ahead log.

A check of the disk at each commit would be too slow. After a check, half of the reserve may be written without another one.
So the disk is at most half a reserve fuller than the last check showed when a commit is refused.

>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     budget = WriteBudget(Path(folder, "journal.db"))
...     budget.is_spent
True
"""

from pathlib import Path

from station.journal import disk_space
from station.journal.disk_space import DiskLevel, DiskSpace
from station.journal.schema import PAGE_BYTES

HARD_WAL = 16 * disk_space.MIB  # readers that never pause: checkpoint even between two scans
ROW_BYTES = 512  # a little more than an event takes in the database beside its bytes
COMMIT_PAGES = 3  # a little more than one commit usually writes


class WriteBudget:
    """The budget of one open journal. It is spent until the first `check`."""

    def __init__(self, journal: Path, most_ballast_bytes: int = disk_space.MOST_BALLAST) -> None:
        self._journal, self._most_ballast_bytes = journal, most_ballast_bytes
        self._level, self._space = DiskLevel.FULL, DiskSpace(0, 0, 0)
        self._unchecked_bytes = 0  # that may still be written before the next check
        self._unfolded_bytes = 0  # in the write-ahead log since the last checkpoint
        self._to_fold_bytes = 0  # that the next checkpoint adds to the database

    @property
    def level(self) -> DiskLevel:
        """The level of the last check."""
        return self._level

    @property
    def space(self) -> DiskSpace:
        """The file system at the last check."""
        return self._space

    @property
    def is_spent(self) -> bool:
        """Whether the disk must be checked before the next commit."""
        return self._unchecked_bytes <= 0

    @property
    def must_checkpoint(self) -> bool:
        """Whether the write-ahead log is so long that it must be checkpointed before the next commit."""
        return self._unfolded_bytes > HARD_WAL

    @property
    def has_unfolded(self) -> bool:
        """Whether the write-ahead log holds anything that no checkpoint has folded in."""
        return self._unfolded_bytes > 0

    @property
    def has_events_to_fold(self) -> bool:
        """Whether a checkpoint would fold events in, which frees their room in the write-ahead log."""
        return self._to_fold_bytes > 0

    def check(self) -> DiskLevel:
        """Check the disk, and start a new budget unless it is full. Bytes that are still to be folded in count as used."""
        self._space = disk_space.room(self._journal, self._to_fold_bytes, self._most_ballast_bytes)
        self._level = disk_space.level_of(self._space)
        full = self._level is DiskLevel.FULL
        self._unchecked_bytes = 0 if full else disk_space.reserve_bytes(self._space.size_bytes) // 2
        return self._level

    def spend(self) -> None:
        """End the budget: the disk is checked before the next commit."""
        self._unchecked_bytes = 0

    def add_commit(self, event_bytes: int) -> None:
        """Count a committed event."""
        written = event_bytes + COMMIT_PAGES * PAGE_BYTES
        self._unchecked_bytes -= written
        self._unfolded_bytes += written
        self._to_fold_bytes += event_bytes + ROW_BYTES

    def add_change(self) -> None:
        """Count a change beside the events."""
        self._unfolded_bytes += PAGE_BYTES

    def add_checkpoint(self) -> None:
        """Count a complete checkpoint."""
        self._unfolded_bytes = self._to_fold_bytes = 0
