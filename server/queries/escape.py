r"""Scanned text made visible: what a label holds is shown, never obeyed.

Control characters become their pictures, marks that turn or hide text become their numbers, so that two codes that differ
look different. What remains is still data: a page escapes it as it escapes everything.

>>> visible("0112\x1d10\u202eABC")
'0112␝10⟨U+202E⟩ABC'
>>> visible_bytes(b"WO-1\r\xff")
'WO-1␍ÿ'
"""

import unicodedata

_PICTURES = {**{point: chr(0x2400 + point) for point in range(0x20)}, 0x7F: "\u2421"}
_HIDING = frozenset({"Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """A text in which every character can be seen."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def visible_bytes(raw: bytes) -> str:
    """What a device sent: UTF-8 where it is, else Latin-1, made visible."""
    try:
        return visible(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return visible(raw.decode("latin-1"))


def short(text: str, most: int = 60) -> str:
    """A text for a list: its beginning and its end where it is too long.

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
