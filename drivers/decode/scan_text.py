"""The written form of scans: one scan a line, with names in braces for what no text editor shows.

`{GS}` `{RS}` `{EOT}` are the separators of GS1 and ISO 15434, `{FNC1}` is what a scanner sends for a later function
character (a GS), `{XX}` is any byte in two upper-case hex digits, so a literal `{` is `{7B}`. A brace that begins none
of these stands for itself: a scan that somebody wrote is never refused.

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
# What may still become a token, or the carriage return of a line end, when more bytes follow.
_UNDECIDED = re.compile(rb"(?:\{[0-9A-Z]{0,4}|\r)\Z")


def plain(written: bytes) -> bytes:
    """The bytes that the notation stands for."""
    return _TOKEN.sub(_byte, written)


def _byte(token: re.Match[bytes]) -> bytes:
    name = token[1]
    return _NAMES[name] if name in _NAMES else bytes.fromhex(name.decode("ascii"))


class ScanTextReader:
    """Reads written scans from a stream that is cut anywhere; holds one bounded scan and no line."""

    def __init__(self) -> None:
        self._gathered = ScanBuffer()
        self._undecided = b""

    def feed(self, data: bytes) -> Iterator[Scan]:
        """Take bytes as they arrive; yield each line that is now complete. Empty lines are no scans."""
        *ended, begun = data.split(b"\n")
        for piece in ended:
            self._take(piece)
            yield from self.end()
        self._take(begun)

    def end(self) -> Iterator[Scan]:
        """The line ends here, by its newline or because the writer left: yield what it held."""
        self._gathered.add(plain(self._undecided.removesuffix(b"\r")))
        self._undecided = b""
        scan = self._gathered.pop_scan()
        if scan is not None:
            yield scan

    def _take(self, piece: bytes) -> None:
        piece = self._undecided + piece
        undecided = _UNDECIDED.search(piece)
        decided = undecided.start() if undecided else len(piece)
        self._undecided = piece[decided:]
        self._gathered.add(plain(piece[:decided]))
