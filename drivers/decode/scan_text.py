"""The text notation of scans: one scan a line, with control characters as names in braces.

`{GS}` `{RS}` `{EOT}` are the separators of GS1 and ISO/IEC 15434. `{FNC1}` is the byte that a scanner sends for a later
function character, a GS. `{XX}` is any byte in two upper-case hex digits, so a literal `{` is `{7B}`. A brace that begins
none of these stands for itself, so every line is a valid scan.

>>> plain(b"]C10104012345678901{GS}10A{7B}7")
b']C10104012345678901\\x1d10A{7'
>>> plain(b"{gs} {FNC2} {")
b'{gs} {FNC2} {'
"""

import re
from collections.abc import Iterator

from drivers.decode.scan import Scan, ScanBuffer

_NAMES = {b"GS": b"\x1d", b"FNC1": b"\x1d", b"RS": b"\x1e", b"EOT": b"\x04"}
_TOKEN = re.compile(rb"\{(GS|RS|EOT|FNC1|[0-9A-F]{2})\}")
# The start of a token or of a CR LF that more bytes may complete.
_UNDECIDED = re.compile(rb"(?:\{[0-9A-Z]{0,4}|\r)\Z")


def plain(written: bytes) -> bytes:
    """The bytes of a scan in this notation."""
    return _TOKEN.sub(_byte, written)


def _byte(token: re.Match[bytes]) -> bytes:
    name = token[1]
    return _NAMES[name] if name in _NAMES else bytes.fromhex(name.decode("ascii"))


class ScanTextReader:
    """Parses scans in this notation from chunks of any size; keeps one bounded scan, not the line."""

    def __init__(self) -> None:
        self._scan = ScanBuffer()
        self._undecided = b""

    def feed(self, data: bytes) -> Iterator[Scan]:
        """Parse the next bytes; yield the scan of each complete line. Empty lines are no scans."""
        *complete, rest = data.split(b"\n")
        for part in complete:
            self._add(part)
            yield from self.end()
        self._add(rest)

    def end(self) -> Iterator[Scan]:
        """The line ends, by its newline or because the writer has closed the pipe: yield its scan."""
        self._scan.add(plain(self._undecided.removesuffix(b"\r")))
        self._undecided = b""
        scan = self._scan.pop_scan()
        if scan is not None:
            yield scan

    def _add(self, part: bytes) -> None:
        part = self._undecided + part
        undecided = _UNDECIDED.search(part)
        decided = undecided.start() if undecided else len(part)
        self._undecided = part[decided:]
        self._scan.add(plain(part[:decided]))
