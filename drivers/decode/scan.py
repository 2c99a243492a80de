"""One scan: the bytes a reader sent for one label, gathered as they come and never held beyond the limit.

The longest text a printed symbol can carry is a QR code of 4,296 characters. What is longer was not one label, yet it
happened: the first bytes are kept, with the length and the fingerprint of the whole.

>>> gathered = ScanBuffer()
>>> gathered.add(b"WO-")
>>> gathered.add(b"1042")
>>> gathered.pop_scan()
Scan(raw=b'WO-1042', raw_len=7, sha256=None)
>>> gathered.pop_scan() is None
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
    """A whole scan: at most `MAX_RAW_BYTES` of `raw`, the true length, and the SHA-256 (hex) of the whole if cut."""

    raw: bytes
    raw_len: int
    sha256: str | None


class ScanBuffer:
    """The bytes of the scan that is coming in; its memory is bounded, whatever comes."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._length = 0
        self._digest = hashlib.sha256()

    def __len__(self) -> int:
        """Bytes that came since the last `take`, kept or not."""
        return self._length

    def add(self, data: bytes) -> None:
        """Take the next bytes of this scan."""
        self._length += len(data)
        self._digest.update(data)
        self._kept += data[: MAX_RAW_BYTES - len(self._kept)]

    def pop_scan(self) -> Scan | None:
        """The scan as it stands, None where nothing came; the next one begins empty."""
        scan = Scan(bytes(self._kept), self._length, self._digest.hexdigest() if self._length > MAX_RAW_BYTES else None)
        self.clear()
        return scan if scan.raw_len else None

    def clear(self) -> None:
        """Throw away what came."""
        self._kept.clear()
        self._length = 0
        self._digest = hashlib.sha256()


def aim_identifier(raw: bytes) -> str | None:
    """The AIM symbology identifier that leads the scan (ISO/IEC 15424), None where there is none.

    >>> aim_identifier(b"]C10104012345678901")
    ']C1'
    >>> aim_identifier(b"]C1") is None  # an identifier of nothing is a text
    True
    """
    found = _AIM.match(raw)
    return found[0].decode("ascii") if found else None
