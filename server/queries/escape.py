r"""Visible text: replace every character of a scanned text that a page would hide or interpret.

Control characters become their Unicode pictures; invisible and direction characters become their code points, so that two
different codes look different. The result is still untrusted data: pages escape it as HTML like all other text.

>>> visible("0112\x1d10\u202eABC")
'0112␝10⟨U+202E⟩ABC'
>>> visible_bytes(b"WO-1\r\xff")
'WO-1␍ÿ'
"""

import unicodedata

_PICTURES = {**{point: chr(0x2400 + point) for point in range(0x20)}, 0x7F: "\u2421"}
_HIDING = frozenset({"Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """The text with every character visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def visible_bytes(raw: bytes) -> str:
    """The bytes of a device as visible text, decoded as UTF-8 or else as Latin-1."""
    try:
        return visible(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return visible(raw.decode("latin-1"))


def short(text: str, most: int = 60) -> str:
    """Shorten a text for a list: a text above `most` characters keeps its beginning and its end.

    >>> short("A" * 40 + "B" * 40, most=11)
    'AAAAA…BBBBB'
    """
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def _shown(character: str) -> str:
    picture = _PICTURES.get(ord(character))
    if picture is not None:
        return picture
    if unicodedata.category(character) in _HIDING:
        return f"⟨U+{ord(character):04X}⟩"
    return character
