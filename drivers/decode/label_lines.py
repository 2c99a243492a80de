"""Lines of one label: whether the label whose line just ended has more lines.

A scanner sends the line breaks in a label like its terminator. A line that opens a document (a contact, a calendar entry, a
payment) is therefore complete only with the line that closes it, or after silence. Every other line is a scan of its own at
once, so that no code is delayed and the codes that a memory scanner uploads in one burst stay separate.

>>> lines = LabelLines()
>>> [lines.end_line(line) for line in (b"WO-1042", b"BEGIN:VCARD", b"N:X", b"END:VCARD", b"WO-1042")]
[False, True, True, False, False]
"""

import re

DOCUMENT_S = 0.5
"""The silence that ends a document; slow cordless scanners pause for less."""
MAX_LINE_BYTES = 256  # that are kept of a line
# ISO/IEC 15424 at the start of a scan; then the first line of iCalendar and vCard (RFC 5545, RFC 6350), of a certificate
# (RFC 7468), of a Swiss QR bill, an EPC QR (EPC069-12), a Slovenian and a Croatian payment, and of XML. A form of one
# character would join a spoiled scan with the next one.
_OPENING = re.compile(
    rb"(?:\][A-Za-z][0-9A-F])?"
    rb"(?:BEGIN:([A-Za-z0-9-]+)|-----BEGIN ([A-Z0-9 ]+)-----|SPC|BCD|UPNQR|HRVHUB30|<\?xml\b.*)"
)


class LabelLines:
    """Follows the lines of one scan, in bounded memory."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._is_open, self._closing = False, b""

    @property
    def is_open(self) -> bool:
        """Whether a document has begun whose end has not been seen."""
        return self._is_open

    def reset(self) -> None:
        """The next byte is the first of a scan."""
        self._line.clear()
        self._is_open, self._closing = False, b""

    def add(self, data: bytes) -> None:
        """The next bytes of a line."""
        self._line += data[: MAX_LINE_BYTES - len(self._line)]

    def end_line(self, rest: bytes = b"") -> bool:
        """The line has ended, with these last bytes; returns whether its label has more lines."""
        self.add(rest)
        line = bytes(self._line).strip()
        self._line.clear()
        if self._is_open:
            self._is_open = not self._closing or line.upper() != self._closing
        elif (opening := _OPENING.fullmatch(line)) is not None:
            self._is_open = True
            name, certificate = opening.groups()
            self._closing = (
                b"END:" + name.upper() if name else b"-----END %b-----" % certificate if certificate else b""
            )
        return self._is_open
