"""Dead keys: an accent that types nothing until the next key says what it stands on.

>>> composed("\\u0302")["e"], composed("\\u0302")[" "]
('ê', '^')
"""

import unicodedata
from collections.abc import Mapping
from functools import cache

_RING = "\u25cc"  # the circle that stands for the letter under an accent

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
"""The combining marks of dead keys, each with the sign it makes before the space bar, as X11's compose table has them."""

LETTERS = tuple(map(chr, range(0x21, 0x400)))
"""What a dead key may stand on: Latin and Greek."""


def name_of(mark: str) -> str:
    """The name that a layout gives the dead key of a combining mark."""
    return _RING + mark


MARK_OF_SIGN: Mapping[str, str] = {sign: mark for mark, sign in SIGNS.items()}


@cache
def composed(mark: str) -> Mapping[str, str]:
    """What a mark makes of each character, by Unicode's canonical composition; before a space, its sign."""
    made = {char: unicodedata.normalize("NFC", char + mark) for char in LETTERS}
    sign = SIGNS[mark]
    return {**{char: whole for char, whole in made.items() if len(whole) == 1}, " ": sign, name_of(mark): sign}
