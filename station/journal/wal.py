"""The write-ahead log's own bytes: did anything stand behind the place where SQLite stopped believing it?

SQLite ends the log at the first frame whose checksum is wrong, and says nothing of the rest. After a power cut that is
right: with synchronous=FULL only the last commit can be torn. More than one commit behind the end is damage.

Source of the layout: https://www.sqlite.org/fileformat2.html section 4 and https://www.sqlite.org/walformat.html section 2.

>>> commits_behind(b"", 0)
0
"""

import sys
from pathlib import Path

from station.journal.schema import PAGE_BYTES

WAL_HEAD = 32
FRAME_HEAD = 24
_SALT = slice(16, 24)  # in the head of the log
_FRAME_SALT = slice(8, 16)
_PAGES_AFTER_COMMIT = slice(4, 8)  # 0 in a frame that ends no commit
_LAST_FRAME = slice(16, 20)  # in the index of the log


def wal_of(journal: Path) -> Path:
    """The write-ahead log of this journal."""
    return journal.with_name(journal.name + "-wal")


def read_wal(journal: Path) -> bytes:
    """The bytes of the write-ahead log; none where there is no file."""
    path = wal_of(journal)
    return path.read_bytes() if path.exists() else b""


def believed_frames(journal: Path) -> int:
    """How many frames SQLite believed when it last opened this journal: it writes that into the index of the log."""
    index = journal.with_name(journal.name + "-shm")
    if not index.exists():
        return 0
    with index.open("rb") as file:
        return int.from_bytes(file.read(_LAST_FRAME.stop)[_LAST_FRAME], sys.byteorder)


def commits_behind(wal: bytes, believed: int) -> int:
    """How many commits of the present log stand behind its first `believed` frames, whatever their checksums say."""
    frames = [
        wal[start : start + FRAME_HEAD]
        for start in range(WAL_HEAD, len(wal) - PAGE_BYTES - FRAME_HEAD + 1, PAGE_BYTES + FRAME_HEAD)
    ]
    # Either of the two may be damaged; frames of earlier logs in the same file have other salts.
    salts = {wal[_SALT], *(frame[_FRAME_SALT] for frame in frames[:1])}
    return sum(frame[_FRAME_SALT] in salts and any(frame[_PAGES_AFTER_COMMIT]) for frame in frames[believed:])
