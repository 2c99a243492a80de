r"""Visible text: replace every character of a scanned text that a page would hide or interpret.

Control characters become their Unicode pictures; invisible and direction characters become their code points, so that two
different codes look different. The result is still untrusted data: pages escape it as HTML like all other text.

>>> visible("0112\x1d10\u202eABC")
'0112␝10⟨U+202E⟩ABC'
>>> visible_bytes(b"WO-1\r\xff")
'WO-1␍ÿ'
"""

import re
import unicodedata

_PICTURES = {**{point: chr(0x2400 + point) for point in range(0x20)}, 0x7F: "\u2421"}
_RTL = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_LTR = "A-Za-z\u00aa-\u058f\u0900-\u1fff\u2c00-\ud7ff\u2068\u2069"
_RUN = re.compile(f"(?<!\u2068)[{_RTL}](?:[^{_LTR}]*[{_RTL}])?")
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


def isolated(text: str) -> str:
    """The text with each run of right-to-left letters isolated, so that it does not reorder the numbers and words beside it.

    A run reaches from its first to its last right-to-left letter, across digits and signs; other letters end it.

    >>> isolated("40 \u05d9\u05d7\u05d9\u05d3\u05d4 + 3 m") == "40 \u2068\u05d9\u05d7\u05d9\u05d3\u05d4\u2069 + 3 m"
    True
    """
    return text if text.isascii() else _RUN.sub("\u2068\\g<0>\u2069", text)


def _shown(character: str) -> str:
    picture = _PICTURES.get(ord(character))
    if picture is not None:
        return picture
    if unicodedata.category(character) in _HIDING:
        return f"⟨U+{ord(character):04X}⟩"
    return character
