"""Removal of the prefix and suffix that a scanner adds to each scan; the prefix is before or after the AIM identifier.

>>> stripped(b"]C1S1-WO-1042-X", ScannerProfile(prefix="S1-", suffix="-X"))
b']C1WO-1042'
>>> stripped(b"WO-1042", ScannerProfile(prefix="S1-", suffix="-X"))  # without affixes
b'WO-1042'
"""

from drivers.decode.keyboard.profile import ScannerProfile
from drivers.decode.scan import Scan, ScanBuffer, aim_identifier

_AIM_BYTES = 3
_TAIL_HELD_BYTES = 1024
"""Bytes held back at the end of a scan, in which the suffix may be."""


def stripped(raw: bytes, profile: ScannerProfile) -> bytes:
    """A complete scan without its prefix and suffix, as far as it has them."""
    text = _without_prefix(raw, profile.prefix.encode())
    return text.removesuffix(profile.suffix.encode()) or text


def _without_prefix(head: bytes, prefix: bytes) -> bytes:
    # A scan that consists of the prefix alone is kept as it is.
    if head.startswith(prefix) and head != prefix:
        return head[len(prefix) :]
    identifier = (aim_identifier(head) or "").encode()
    rest = head[len(identifier) :]
    return identifier + (rest.removeprefix(prefix) or rest)


class AffixStripper:
    """A `ScanBuffer` that removes prefix and suffix; length and digest are of the remaining bytes.

    Only the head and the tail of a scan are held back. So the memory is bounded, and a label of the greatest length is not
    cut because of its affixes.
    """

    def __init__(self, prefix: bytes, suffix: bytes) -> None:
        self._prefix, self._suffix = prefix, suffix
        self._scan = ScanBuffer()
        self._head: bytes | None = b""
        self._tail = bytearray()

    def __len__(self) -> int:
        """Bytes received since the last `pop_scan`, without a prefix that was removed."""
        return len(self._head or b"") + len(self._tail) + len(self._scan)

    def add(self, data: bytes) -> None:
        """Add the next bytes of this scan."""
        if self._head is None:
            self._add_tail(data)
            return
        self._head += data
        if len(self._head) > _AIM_BYTES + len(self._prefix):
            self._strip_prefix(self._head)

    def pop_scan(self) -> Scan | None:
        """The scan so far, None if it is empty; the buffer is then empty."""
        if self._head is not None:
            self._strip_prefix(self._head)
        text = bytes(self._tail)
        rest = text.removesuffix(self._suffix)
        self._scan.add(rest if rest or self._scan else text)
        scan = self._scan.pop_scan()
        self.clear()
        return scan

    def clear(self) -> None:
        """Discard the bytes received."""
        self._scan.clear()
        self._head = b""
        self._tail.clear()

    def _strip_prefix(self, head: bytes) -> None:
        self._head = None
        self._add_tail(_without_prefix(head, self._prefix))

    def _add_tail(self, data: bytes) -> None:
        """Add bytes, and move those on that can no longer be part of the suffix."""
        self._tail += data
        if len(self._tail) > _TAIL_HELD_BYTES + len(self._suffix):
            count = len(self._tail) - len(self._suffix)
            self._scan.add(bytes(self._tail[:count]))
            del self._tail[:count]


def scan_buffer(profile: ScannerProfile) -> ScanBuffer | AffixStripper:
    """The buffer for the scans of this scanner."""
    if profile.prefix or profile.suffix:
        return AffixStripper(profile.prefix.encode(), profile.suffix.encode())
    return ScanBuffer()
