"""Write-ahead log (WAL) as bytes: find commits behind the frame at which SQLite stops reading it.

SQLite ends the log at the first frame with a wrong checksum and does not report the rest. After a power cut that is
correct: with synchronous=FULL only the last commit can be incomplete. More than one commit behind the end is damage.

Source of the layout: https://www.sqlite.org/fileformat2.html section 4 and https://www.sqlite.org/walformat.html section 2.

>>> commits_behind(b"", 0)
0
"""

import os
import struct
import sys
from pathlib import Path

from station.journal.schema import PAGE_BYTES

WAL_HEAD = 32
FRAME_HEAD = 24
_MAGIC = 0x377F0682  # its last bit is the byte order of the checksums
_SALT, _CHECKSUM = slice(16, 24), slice(24, 32)  # in the head of the log
_FRAME_SALT = slice(8, 16)
_PAGES_AFTER_COMMIT = slice(4, 8)  # 0 except in the last frame of a commit
_LAST_FRAME = slice(16, 20)  # in the index of the log


def wal_of(journal: Path) -> Path:
    """The path of this journal's write-ahead log."""
    return journal.with_name(journal.name + "-wal")


def read_wal(journal: Path) -> bytes:
    """The bytes of the write-ahead log; empty where there is no file."""
    path = wal_of(journal)
    return path.read_bytes() if path.exists() else b""


def believed_frames(journal: Path) -> int:
    """How many frames SQLite accepted when it last opened this journal, from the log's index (`-shm`)."""
    index = journal.with_name(journal.name + "-shm")
    if not index.exists():
        return 0
    with index.open("rb") as file:
        return int.from_bytes(file.read(_LAST_FRAME.stop)[_LAST_FRAME], sys.byteorder)


def commits_behind(wal: bytes, believed: int) -> int:
    """How many commits of the present log follow its first `believed` frames, whatever their checksums."""
    frames = [
        wal[start : start + FRAME_HEAD]
        for start in range(WAL_HEAD, len(wal) - PAGE_BYTES - FRAME_HEAD + 1, PAGE_BYTES + FRAME_HEAD)
    ]
    # Frames of earlier logs in the same file have other salts. After a restart of the log, a power cut before the flush of
    # its first frame leaves a new head in front of frames that were folded in long ago. The salt of a damaged head is
    # unreliable.
    salts = {wal[_SALT]} if head_is_whole(wal) else {wal[_SALT], *(frame[_FRAME_SALT] for frame in frames[:1])}
    return sum(frame[_FRAME_SALT] in salts and any(frame[_PAGES_AFTER_COMMIT]) for frame in frames[believed:])


def cut_refused(journal: Path) -> None:
    """Truncate the log behind its last commit and flush it, so that no start recovers the frames of a refused commit.

    Only for the process that writes the journal, between two commits, if none of them has failed in its flush: then the
    last frame of every answered commit is in front of the cut, and no connection reads behind it. Raises `OSError`.
    """
    raw = read_wal(journal)
    if not head_is_whole(raw):
        return
    end = WAL_HEAD
    for start in range(WAL_HEAD, len(raw) - PAGE_BYTES - FRAME_HEAD + 1, PAGE_BYTES + FRAME_HEAD):
        frame = raw[start : start + FRAME_HEAD]
        if frame[_FRAME_SALT] != raw[_SALT]:
            break  # a frame of an earlier log in the same file
        if any(frame[_PAGES_AFTER_COMMIT]):
            end = start + FRAME_HEAD + PAGE_BYTES
    if end == len(raw):
        return
    with wal_of(journal).open("r+b") as file:
        file.truncate(end)
        os.fsync(file.fileno())


def head_is_whole(wal: bytes) -> bool:
    r"""Whether the checksum of the log's head is correct (fileformat2, section 4.2).

    >>> head = bytes.fromhex("377f0682002de218000010000000000200000002958a36a4d8e703133705654d")
    >>> head_is_whole(head), head_is_whole(b"\x00" + head[1:])
    (True, False)
    """
    if len(wal) < WAL_HEAD or int.from_bytes(wal[:4], "big") & ~1 != _MAGIC:
        return False
    words = struct.unpack(">6I" if wal[3] & 1 else "<6I", wal[: _CHECKSUM.start])
    first = second = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFF_FFFF
        second = (second + odd + first) & 0xFFFF_FFFF
    return wal[_CHECKSUM] == struct.pack(">2I", first, second)
