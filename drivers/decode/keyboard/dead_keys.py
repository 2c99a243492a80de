"""Dead keys: a key that types nothing by itself, and puts an accent on the next character.

>>> composed("\\u0302")["e"], composed("\\u0302")[" "]
('ê', '^')
"""

import unicodedata
from collections.abc import Mapping
from functools import cache

_RING = "\u25cc"  # DOTTED CIRCLE, the placeholder for the letter under an accent

SIGNS: Mapping[str, str] = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0308": '"',
    "\u0304": "\u00af",
    "\u0306": "\u02d8",
    "\u0307": "\u02d9",
    "\u030a": "\u00b0",
    "\u030b": "\u02dd",
    "\u030c": "\u02c7",
    "\u0327": "\u00b8",
    "\u0328": "\u02db",
    "\u0323": ".",
    "\u0326": ",",
}
"""The combining marks of dead keys, each with the sign it types before the space bar, as in X11's compose table."""

LETTERS = tuple(map(chr, range(0x21, 0x400)))
"""The characters that a dead key may put an accent on: Latin and Greek."""


def name_of(mark: str) -> str:
    """The name of the dead key of a combining mark in a `KeyLayout`."""
    return _RING + mark


MARK_OF_SIGN: Mapping[str, str] = {sign: mark for mark, sign in SIGNS.items()}


@cache
def composed(mark: str) -> Mapping[str, str]:
    """The accented form of each character, by Unicode's canonical composition; for a space, the sign of the mark."""
    composites = {char: unicodedata.normalize("NFC", char + mark) for char in LETTERS}
    sign = SIGNS[mark]
    single = {char: composite for char, composite in composites.items() if len(composite) == 1}
    return {**single, " ": sign, name_of(mark): sign}
