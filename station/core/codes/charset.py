r"""Character set of a scan: the marks of an encoding are removed, so that one label has one text at every scanner.

Four kinds of marks are removed. Extended channel interpretations (ECI, AIM ITS/04-001): a reader sends a backslash and six
digits before the text that has this character set, and doubles each backslash of the text itself. A byte order mark. UTF-16
without a mark, as a wide string that a label program printed. NUL characters at the end, which terminated a string.

The result is UTF-8. Bytes that are invalid in the stated character set, or in one without a codec here, stay as they are.

>>> plain_content(b"\\000026WO-1042", None), plain_content(b"\\000026A\\\\B", "]Q2")
(b'WO-1042', b'A\\B')
>>> plain_content(b"\xef\xbb\xbfWO-7\x00", None), plain_content("WO-7".encode("utf-16"), None)
(b'WO-7', b'WO-7')
"""

import codecs
import re

# ISO/IEC 15424: the modifiers that report the ECI protocol; then a backslash of the text is doubled.
ECI_SYMBOLS = frozenset(
    {
        "]Q2", "]Q4", "]Q6",  # QR Code
        "]d4", "]d5", "]d6",  # Data Matrix ECC 200
        "]z3", "]z4", "]z5", "]z9", "]zA", "]zB",  # Aztec Code
        "]L1",  # PDF417
        "]U2", "]U3",  # MaxiCode
        "]h1",  # Han Xin Code
    }
)  # fmt: skip
_CODECS = {
    0: "cp437", 1: "latin-1", 2: "cp437", 3: "latin-1", 13: "iso8859-11", 15: "iso8859-13", 16: "iso8859-14",
    17: "iso8859-15", 18: "iso8859-16", 20: "shift_jis", 21: "cp1250", 22: "cp1251", 23: "cp1252", 24: "cp1256",
    25: "utf-16-be", 26: "utf-8", 27: "ascii", 28: "big5", 29: "gb18030", 30: "euc_kr", 31: "gbk", 32: "gb18030",
    33: "utf-16-le", 34: "utf-32-be", 35: "utf-32-le", 170: "ascii",
    **{number: f"iso8859-{number - 2}" for number in range(4, 13)},
}  # fmt: skip
_DESIGNATOR = re.compile(rb"\\[0-9]{6}")
_BACKSLASHES = re.compile(rb"\\\\|\\([0-9]{6})")  # a doubled backslash begins no designator
# The longer mark first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_WIDE_LE = re.compile(rb"(?:[\x01-\x7e]\x00){2,}(?:\x00\x00)*")
_WIDE_BE = re.compile(rb"(?:\x00[\x01-\x7e]){2,}(?:\x00\x00)*")


def plain_content(content: bytes, sym: str | None) -> bytes:
    """The content behind the AIM identifier `sym` as UTF-8 without marks; unchanged where it has none.

    A scan without AIM identifier that begins with an ECI designator follows the ECI protocol too.
    """
    if sym in ECI_SYMBOLS or _DESIGNATOR.match(content):
        content = b"".join(_segments(content))
    return _without_marks(content).rstrip(b"\0")


def _segments(content: bytes) -> list[bytes]:
    """The text of each ECI as UTF-8. What precedes the first designator has no stated character set."""
    segments, codec, after = [], "", 0
    for found in _BACKSLASHES.finditer(content):
        if found[1] is not None:
            segments.append(_text(content[after : found.start()], codec))
            codec, after = _CODECS.get(int(found[1]), ""), found.end()
    segments.append(_text(content[after:], codec))
    return segments


def _text(segment: bytes, codec: str) -> bytes:
    return _utf8(segment.replace(b"\\\\", b"\\"), codec)


def _without_marks(content: bytes) -> bytes:
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return _utf8(content.removeprefix(mark), codec)
    if _WIDE_LE.fullmatch(content):
        return _utf8(content, "utf-16-le")
    if _WIDE_BE.fullmatch(content):
        return _utf8(content, "utf-16-be")
    return content


def _utf8(content: bytes, codec: str) -> bytes:
    if not codec:
        return content
    try:
        return content.decode(codec).encode("utf-8")
    except UnicodeError:
        return content
