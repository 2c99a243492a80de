"""Page recovery: read events from the raw pages of a damaged journal without SQLite, which rejects a page for one wrong bit.

A row proves its event: it holds the event's bytes, the previous hash and the hash of both. If the hash is correct, the
event was recorded, wherever its bytes are: in a page of the database, in a frame of the write-ahead log with a wrong
checksum, or in a page that no pointer leads to. A row is searched for in two ways: by the head of its record, and by its
JSON text.

Source of the layout: https://www.sqlite.org/fileformat2.html sections 1.6, 2.1 and 4.1.

>>> list(carve(b"no journal at all"))
[]
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from station.core.event import MAX_SALVAGE_BYTES
from station.core.hash_chain import HASH_BYTES, link
from station.journal.schema import PAGE_BYTES as PAGE
from station.journal.wal import FRAME_HEAD, WAL_HEAD

MOST_LOCAL = PAGE - 35  # a longer record continues in overflow pages
LEAST_LOCAL = (PAGE - 12) * 32 // 255 - 23
OVERFLOW = PAGE - 4
MOST_TRIED = 20_000  # pages tried for a lost overflow pointer

# The head of a row (seq, bytes, prev, hash): its own length, NULL for the row id, a blob, two blobs of 32 bytes.
_HEAD = re.compile(
    rb"[\x05-\x07]\x00(?:[\x0c-\x7f]|[\x80-\xff][\x00-\x7f]|[\x80-\xff]{2}[\x00-\x7f])\x4c\x4c", re.DOTALL
)
_TEXT = re.compile(rb'\{"v":')
_JSON = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class RecoveredRow:
    """A recovered row: `whole` where its hash is correct, `seq` where its row id could be read."""

    seq: int | None
    encoded: bytes
    prev: bytes
    hash: bytes
    whole: bool


def carve(database: bytes, wal: bytes = b"", above: int = 0) -> Iterator[RecoveredRow]:
    """Every row in these bytes, the newest version of a page last; rows with a number up to `above` are left out."""
    pages = _Pages(database, wal)
    for start in pages.starts():
        page = pages.at(start, PAGE)
        explained: list[range] = []
        for head in _HEAD.finditer(page):
            size = (_varint(page, head.start() + 2)[0] - 12) // 2
            if not 0 < size <= MAX_SALVAGE_BYTES or page[head.start()] != head.end() - head.start():
                continue
            seq = _row_id(page, head.start(), head.end() - head.start() + size + 2 * HASH_BYTES)
            known = seq is not None and seq <= above
            row = None if known else _row_by_head(pages, page, head.start(), head.end(), seq, size)
            if row is not None:
                yield row
            if known or (row is not None and row.whole):
                explained.append(range(head.start(), head.end() + size))
        for text in _TEXT.finditer(page):
            if not any(text.start() in known for known in explained):
                row = _row_by_text(page, text.start())
                if row is not None:
                    yield row


class _Pages:
    """The pages of both files, addressed as one after the other, and the start of each version of each page number."""

    def __init__(self, database: bytes, wal: bytes) -> None:
        self._database, self._wal = database, wal
        self.versions: dict[int, list[int]] = {}
        for number, start in enumerate(range(0, len(database), PAGE), 1):
            self.versions.setdefault(number, []).append(start)
        for start in range(len(database) + WAL_HEAD, len(database) + len(wal), FRAME_HEAD + PAGE):
            number = int.from_bytes(self.at(start, 4), "big")
            self.versions.setdefault(number, []).append(start + FRAME_HEAD)

    def at(self, start: int, size: int) -> bytes:
        """`size` bytes from `start`."""
        behind = start - len(self._database)
        return self._database[start : start + size] if behind < 0 else self._wal[behind : behind + size]

    def starts(self) -> Iterator[int]:
        """The starts of all pages, those of the database first."""
        yield from sorted(start for starts in self.versions.values() for start in starts)

    def chain(self, first: int, length: int, version: int) -> bytes:
        """`length` bytes from the chain of overflow pages at `first`; `version` 0 is the oldest, -1 the newest."""
        out = bytearray()
        number = first
        while len(out) < length and number in self.versions and len(out) <= MAX_SALVAGE_BYTES:
            start = self.versions[number][version]
            number = int.from_bytes(self.at(start, 4), "big")
            out += self.at(start + 4, OVERFLOW)
        return bytes(out[:length])

    def runs(self, length: int) -> Iterator[bytes]:
        """`length` bytes from each run of neighbouring pages, for a record whose overflow pointer is damaged."""
        for first in list(self.versions)[:MOST_TRIED]:
            number, out = first, bytearray()
            while len(out) < length and number in self.versions:
                start = self.versions[number][-1]
                out += self.at(start + 4, OVERFLOW)
                number += 1
            yield bytes(out[:length])


def _row_by_head(pages: _Pages, page: bytes, start: int, end: int, seq: int | None, size: int) -> RecoveredRow | None:
    """A row whose record head is at `start` to `end` in the page and whose event has `size` bytes."""
    payload = end - start + size + 2 * HASH_BYTES
    if payload <= MOST_LOCAL:
        return _row(seq, page[end : start + payload], size)
    spare = LEAST_LOCAL + (payload - LEAST_LOCAL) % OVERFLOW
    local = spare if spare <= MOST_LOCAL else LEAST_LOCAL
    pointer = int.from_bytes(page[start + local : start + local + 4], "big")
    here, rest = page[end : start + local], payload - local
    chained = [_row(seq, here + pages.chain(pointer, rest, version), size) for version in (-1, 0)]
    best = next((row for row in chained if row and row.whole), None)
    if best is None:
        tried = (_row(seq, here + run, size) for run in pages.runs(rest))
        best = next((row for row in tried if row and row.whole), None)
    return best or chained[0]


def _row_by_text(page: bytes, start: int) -> RecoveredRow | None:
    """A row by its JSON text alone. Decoded as latin-1, because only the ends of strings and braces matter here."""
    try:
        _, end = _JSON.raw_decode(page[start:].decode("latin-1"))
    except (ValueError, RecursionError):
        return None
    return _row(None, page[start : start + end + 2 * HASH_BYTES], end)


def _row(seq: int | None, content: bytes, size: int) -> RecoveredRow | None:
    if len(content) != size + 2 * HASH_BYTES:
        return None
    encoded, prev, digest = content[:size], content[size : size + HASH_BYTES], content[size + HASH_BYTES :]
    return RecoveredRow(seq, encoded, prev, digest, whole=link(prev, encoded) == digest)


def _row_id(page: bytes, start: int, payload: int) -> int | None:
    """The row id in front of a record: it is between the record's length and the record."""
    length = _as_varint(payload)
    for width in range(1, 10):
        begin = start - width
        if begin < len(length):
            return None
        seq, end = _varint(page, begin)
        if end == start and seq > 0 and page[begin - len(length) : begin] == length:
            return seq
    return None


def _varint(page: bytes, start: int) -> tuple[int, int]:
    """The big-endian variable-length integer at `start`, and where it ends."""
    value = 0
    for offset in range(8):
        byte = page[start + offset] if start + offset < len(page) else 0
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, start + offset + 1
    last = page[start + 8] if start + 8 < len(page) else 0
    return value << 8 | last, start + 9


def _as_varint(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))
