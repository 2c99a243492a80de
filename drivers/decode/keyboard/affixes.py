"""One scan without what its scanner was set to put round it: a prefix before or behind the AIM identifier, and a suffix.

>>> stripped(b"]C1S1-WO-1042-X", ScannerProfile(prefix="S1-", suffix="-X"))
b']C1WO-1042'
>>> stripped(b"WO-1042", ScannerProfile(prefix="S1-", suffix="-X"))  # it came without
b'WO-1042'
"""

from drivers.decode.keyboard.profile import ScannerProfile
from drivers.decode.scan import Scan, ScanBuffer, aim_identifier

_AIM_BYTES = 3
_TAIL_HELD_BYTES = 1024
"""What may collect at the end before it is handed on; the suffix is looked for in the last of it."""


def stripped(raw: bytes, profile: ScannerProfile) -> bytes:
    """A whole scan without prefix and suffix, where it has them."""
    text = _without_prefix(raw, profile.prefix.encode())
    return text.removesuffix(profile.suffix.encode()) or text


def _without_prefix(head: bytes, prefix: bytes) -> bytes:
    # A scan of nothing but a prefix is what came, not nothing.
    if head.startswith(prefix) and head != prefix:
        return head[len(prefix) :]
    identifier = (aim_identifier(head) or "").encode()
    rest = head[len(identifier) :]
    return identifier + (rest.removeprefix(prefix) or rest)


class AffixStripper:
    """The bytes of the scan that is coming in, without prefix and suffix; length and fingerprint are of what is left.

    Only head and tail wait to be judged, so the memory is bounded, and a label of the greatest length stays whole.
    """

    def __init__(self, prefix: bytes, suffix: bytes) -> None:
        self._prefix, self._suffix = prefix, suffix
        self._gathered = ScanBuffer()
        self._head: bytes | None = b""
        self._tail = bytearray()

    def __len__(self) -> int:
        """Bytes that came since the last `take`, as far as they count."""
        return len(self._head or b"") + len(self._tail) + len(self._gathered)

    def add(self, data: bytes) -> None:
        """Take the next bytes of this scan."""
        if self._head is None:
            self._pass(data)
            return
        self._head += data
        if len(self._head) > _AIM_BYTES + len(self._prefix):
            self._judge_head(self._head)

    def pop_scan(self) -> Scan | None:
        """The scan as it stands, None where nothing came; the next one begins empty."""
        if self._head is not None:
            self._judge_head(self._head)
        text = bytes(self._tail)
        rest = text.removesuffix(self._suffix)
        self._gathered.add(rest if rest or self._gathered else text)
        scan = self._gathered.pop_scan()
        self.clear()
        return scan

    def clear(self) -> None:
        """Throw away what came."""
        self._gathered.clear()
        self._head = b""
        self._tail.clear()

    def _judge_head(self, head: bytes) -> None:
        self._head = None
        self._pass(_without_prefix(head, self._prefix))

    def _pass(self, data: bytes) -> None:
        """Hand on what can be no part of the suffix any more."""
        self._tail += data
        if len(self._tail) > _TAIL_HELD_BYTES + len(self._suffix):
            sure = len(self._tail) - len(self._suffix)
            self._gathered.add(bytes(self._tail[:sure]))
            del self._tail[:sure]


def gathered(profile: ScannerProfile) -> ScanBuffer | AffixStripper:
    """What gathers a scan of this scanner."""
    if profile.prefix or profile.suffix:
        return AffixStripper(profile.prefix.encode(), profile.suffix.encode())
    return ScanBuffer()
