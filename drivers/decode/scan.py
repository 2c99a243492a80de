"""One scan: the bytes that a reader sent for one label, collected in bounded memory.

The longest text of a printed symbol is a QR code of 4,296 characters. Longer data cannot be one label, but it is recorded
all the same: the first bytes, the length, and the digest of all bytes.

>>> buffer = ScanBuffer()
>>> buffer.add(b"WO-")
>>> buffer.add(b"1042")
>>> buffer.pop_scan()
Scan(raw=b'WO-1042', raw_len=7, sha256=None)
>>> buffer.pop_scan() is None
True
"""

import hashlib
import re
from dataclasses import dataclass

MAX_RAW_BYTES = 4296
"""Bytes of one scan that are kept."""

# ISO/IEC 15424: the flag "]", a letter for the symbology, a modifier 0-9 or A-F; then the text of the symbol.
_AIM = re.compile(rb"\][A-Za-z][0-9A-F](?=.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scan:
    """A complete scan: at most `MAX_RAW_BYTES` of `raw`, the true length, and the SHA-256 (hex) of all bytes if cut."""

    raw: bytes
    raw_len: int
    sha256: str | None


class ScanBuffer:
    """The bytes of a scan that is being received, in bounded memory."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._length = 0
        self._digest = hashlib.sha256()

    def __len__(self) -> int:
        """Bytes received since the last `pop_scan`, kept or not."""
        return self._length

    def add(self, data: bytes) -> None:
        """Add the next bytes of this scan."""
        self._length += len(data)
        self._digest.update(data)
        self._kept += data[: MAX_RAW_BYTES - len(self._kept)]

    def pop_scan(self) -> Scan | None:
        """The scan so far, None if it is empty; the buffer is then empty."""
        scan = Scan(bytes(self._kept), self._length, self._digest.hexdigest() if self._length > MAX_RAW_BYTES else None)
        self.clear()
        return scan if scan.raw_len else None

    def clear(self) -> None:
        """Discard the bytes received."""
        self._kept.clear()
        self._length = 0
        self._digest = hashlib.sha256()


def aim_identifier(raw: bytes) -> str | None:
    """The AIM symbology identifier at the start of the scan (ISO/IEC 15424), None if there is none.

    >>> aim_identifier(b"]C10104012345678901")
    ']C1'
    >>> aim_identifier(b"]C1") is None  # an identifier without data is text
    True
    """
    match = _AIM.match(raw)
    return match[0].decode("ascii") if match else None
