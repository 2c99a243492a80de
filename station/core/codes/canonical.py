"""Canonical text: the normal form of a label's content, the same at every station and on every page.

A label may contain control characters, text in an old character set, and accents in two encodings. Canonical text is
printable, complete and unambiguous: a control character becomes its name in braces, and a brace is escaped too.

>>> canonical(b"WO-1042")
'WO-1042'
>>> canonical(b"0112\\x1d{a}\\xe9")
'0112{GS}{7B}a}é'
"""

import re
import unicodedata

_NAMED = {0x04: "{EOT}", 0x1D: "{GS}", 0x1E: "{RS}"}
_ESCAPES = {point: _NAMED.get(point, f"{{{point:02X}}}") for point in (*range(0x20), *range(0x7F, 0xA0), ord("{"))}
_CONTROLS = {point: escape for point, escape in _ESCAPES.items() if point != ord("{")}
_LOOSE_BRACE = re.compile(r"\{(?!(?:GS|RS|EOT|[0-9A-F]{2})\})")
_ESCAPED_BRACE = re.compile(r"\{7B\}(?!(?:GS|RS|EOT|[0-9A-F]{2})\})")
_ESCAPE = re.compile(r"\{(GS|RS|EOT|[0-9A-F]{2})\}")
_POINTS = {escape[1:-1]: point for point, escape in _NAMED.items()}
# ISO/IEC 15424: a bracket, the symbology's letter, and a modifier for the way in which the symbol was read.
_AIM = re.compile(rb"\](?:[A-Za-z][0-9A-Za-z])")
AIM_BYTES = 3


def split_aim(raw: bytes, sym: str | None) -> tuple[str | None, bytes]:
    """The AIM identifier of a scan and the content behind it; (`sym`, everything) where the scan begins with none.

    >>> split_aim(b"]C1WO-7", None)
    (']C1', b'WO-7')
    """
    if sym:
        return sym, raw.removeprefix(sym.encode("utf-8", "replace"))
    if _AIM.match(raw):
        return raw[:AIM_BYTES].decode("ascii"), raw[AIM_BYTES:]
    return None, raw


def canonical(content: bytes) -> str:
    """Canonical text of a scan's bytes without AIM identifier: UTF-8, Latin-1 where they are not, escaped, then NFC."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if text.isascii() and text.isprintable() and "{" not in text:
        return text
    return unicodedata.normalize("NFC", text.translate(_ESCAPES))


def canonical_written(text: str) -> str:
    """Canonical text of a code that was typed by a user: a brace that begins no escape is a literal brace.

    >>> canonical_written('{"wo": 7}'), canonical_written("0112{GS}10A")
    ('{7B}"wo": 7}', '0112{GS}10A')
    """
    escaped = _LOOSE_BRACE.sub("{7B}", text).translate(_CONTROLS)
    return unicodedata.normalize("NFC", escaped)


def plain_braces(code: str) -> str:
    """Canonical text with its braces as they are printed, except where one would look like an escape.

    It is the name of a thing that a text identifies; `canonical_written` gives the canonical text back.

    >>> plain_braces('{7B}"wo": 7}'), plain_braces("0112{GS}10A"), plain_braces("{7B}GS}")
    ('{"wo": 7}', '0112{GS}10A', '{7B}GS}')
    """
    return _ESCAPED_BRACE.sub("{", code) if "{7B}" in code else code


def unescaped(code: str) -> str:
    """The scanned text behind a canonical text, with the characters that it escapes.

    >>> unescaped('{7B}"wo": 7}'), unescaped("0112{GS}10A")
    ('{"wo": 7}', '0112\\x1d10A')
    """
    return _ESCAPE.sub(lambda match: chr(_POINTS.get(match[1]) or int(match[1], 16)), code) if "{" in code else code


def written_code(code: str, raw: bytes) -> str | None:
    """The event's `code` field: absent where the raw bytes are the same printable ASCII text.

    >>> written_code("WO-1042", b"WO-1042"), written_code("WIP:IN", b"wip:in")
    (None, 'WIP:IN')
    """
    return None if code.isascii() and code.isprintable() and code.encode() == raw else code
