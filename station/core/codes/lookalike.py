r"""Look-alikes: codes that a person takes for each other, because they differ only in what is hard to see.

Two codes are look-alikes where they are equal without regard to case, blanks at their ends, doubled blanks and invisible
characters, with every dash as a hyphen and every full-width or ligature form as its letters.

>>> folded("  wo\u201333\u200b ") == folded("WO-33"), folded("W0-33") == folded("WO-33")
(True, False)
>>> shown_code("WO-33"), shown_code("WO-33 "), shown_code("WO\u201333")
('WO-33', '"WO-33 "', '"WO[U+2013]33"')
"""

import re
import unicodedata

from station.core.codes.canonical import unescaped

# Hyphens and dashes (U+2010..2015), the minus sign, small and modifier dashes; a soft hyphen is shown as one, or not at all.
_DASHES = re.compile("[\u00ad\u2010-\u2015\u2043\u2212\u02d7\ufe58\ufe63\uff0d]")
_INVISIBLE = re.compile("[\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]")
DIFFERENT = "a name that differs in more than blanks, case, dashes or invisible characters"
_BLANKS = re.compile(r"\s+")
_ODD = re.compile(f"{_DASHES.pattern[:-1]}{_INVISIBLE.pattern[1:-1]}\u00a0\u2000-\u200a\u202f\u205f\u3000]")


def cleaned(text: str) -> str:
    """A code as it was meant: the letters keep their case.

    >>> cleaned("WO\u00a0 33\u200b{0D}{0A}"), cleaned("\uff37\uff2f\uff0d\uff13\uff13")
    ('WO 33', 'WO-33')
    """
    if "{" in text:
        text = unescaped(text)
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", _DASHES.sub("-", text)))
    return _BLANKS.sub(" ", text).strip()


def folded(text: str) -> str:
    """The form that all look-alikes of a code have in common."""
    return cleaned(text).casefold()


def shown_code(text: str) -> str:
    """A code for the operator, in quotes where a blank or a look-alike character matters, which is named by its number."""
    shown = text if text.isascii() else _ODD.sub(lambda odd: f"[U+{ord(odd[0]):04X}]", text)
    return f'"{shown}"' if shown != text or text != text.strip() or "  " in text else text
