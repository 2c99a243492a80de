"""Journal: the durable, hash-chained log of one station.

An event's bytes are written once and never changed. `Journal.commit()` returns when they are on the medium; a green answer
needs its receipt. The file is an SQLite database that common tools can read, and its triggers refuse changes.

>>> from pathlib import Path; from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     with Journal.open(Path(folder, "journal.db"), station="saw-1", sw="0.1.0", boot="b", now_ns=lambda: 5) as journal:
...         receipt = journal.commit(b'{"v":1,"kind":"scan","station":"saw-1","sw":"0.1.0"}')
...         (receipt.seq, receipt.committed_boot_ns, journal.tip.hash == receipt.hash)
(1, 5, True)
"""

from station.journal.board_id import hardware_id
from station.journal.disk_space import DiskLevel
from station.journal.other_file import NotAJournal
from station.journal.reader import JournalReader
from station.journal.records import (
    ChainBreak,
    HubMark,
    JournalDenied,
    JournalError,
    JournalFull,
    JournalLocked,
    JournalLost,
    LogChanged,
    LogState,
    OpenItems,
    PreviousLog,
    Receipt,
    StoredEvent,
    Tip,
)
from station.journal.writer import Journal

__all__ = [
    "ChainBreak",
    "DiskLevel",
    "HubMark",
    "Journal",
    "JournalDenied",
    "JournalError",
    "JournalFull",
    "JournalLocked",
    "JournalLost",
    "JournalReader",
    "LogChanged",
    "LogState",
    "NotAJournal",
    "OpenItems",
    "PreviousLog",
    "Receipt",
    "StoredEvent",
    "Tip",
    "hardware_id",
]
