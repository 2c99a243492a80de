r"""Identity: the thing that a code identifies, the same for each spelling of the code.

Separators at the ends, the order of the fields, the carrier (a GS1 symbol, a Digital Link, an EPC, an article number of 8,
12 or 13 digits) and fields that only describe the thing make another spelling of the same code. The recorded code stays as
it is; its identity is the name of its item, and under it bindings are looked up. A text identifies itself.

>>> identity_of_written("01095060001343521727013110AB{GS}")
'010950600013435210AB'
>>> identity_of_written("https://id.example.com/01/09506000134352/10/AB?17=270131")
'010950600013435210AB'
>>> identity_of_written("(01)80614141123458(21)6789") == identity_of_written("3034257BF7194E4000001A85")
True
>>> identity_of_written("WO-1042")
'WO-1042'
"""

import re
from functools import lru_cache

from station.core.codes.canonical import canonical, canonical_written, plain_braces, split_aim, unescaped
from station.core.codes.code import Scheme
from station.core.codes.keys import published_key
from station.core.codes.parse_context import ParseContext
from station.core.codes.standards import ARTICLE_SYMBOLS, published

PUBLISHED = frozenset({Scheme.GS1, Scheme.EPC, Scheme.ISO15434})
MOST_CACHED = 20_000
_SHORTEST = 8
_OPENINGS = frozenset("0123456789{[]>hH(")
_EPC_CHARACTERS = frozenset({24, 28, 32, 50, 52, 56})
_GTIN_LENGTHS = (8, 12, 13, 14)
_GTIN_KEY = re.compile(r"01[0-9]{14}")
# What is printed below a symbol. A value with a parenthesis cannot be told from two fields.
_PRINTED = re.compile(r"(?:\([0-9]{2,4}\)[^()]+)+")
_PRINTED_FIELD = re.compile(r"\(([0-9]{2,4})\)([^()]+)")


def identity_of_recorded(code: str, scheme: str | None, sym: str | None = None) -> str:
    """The identity of a recorded scan, from its canonical text, its scheme and its AIM identifier. Never raises.

    >>> identity_of_recorded("9506000134352", "gs1", "]E0"), identity_of_recorded("9506000134352", "text")
    ('0109506000134352', '9506000134352')
    """
    return _identity_of_recorded(code, scheme, sym) if scheme in PUBLISHED else plain_braces(code)


@lru_cache(maxsize=MOST_CACHED)
def _identity_of_recorded(code: str, scheme: str, sym: str | None) -> str:
    if scheme == Scheme.EPC:
        from station.core.codes.tag_memory import read_tag

        try:
            return read_tag(bytes.fromhex(code)).identity
        except ValueError:
            return plain_braces(code)
    if scheme == Scheme.GS1 and sym not in ARTICLE_SYMBOLS and code[:4].lower() != "http":
        from station.core.codes.gs1.elements import read_elements

        # The scan was unambiguous when it was recorded, so the search for other readings is not repeated.
        reading = read_elements(unescaped(code), None)
        if reading.refused is None:
            return published_key(reading.fields)
    return _read(code, sym) or plain_braces(code)


def identity_of_written(text: str) -> str:
    """The identity of a code or a name that was typed, or that a table or an entry contains. Never raises.

    A published code is read where a scan of the text would be one, where an AIM identifier precedes it, and where it is
    written as printed below a symbol, with its identifiers in parentheses.
    """
    if len(text) >= _SHORTEST and (text[0] in _OPENINGS or len(text) in _EPC_CHARACTERS):
        return _identity_of_written(text)
    is_plain = "{" not in text and text.isascii() and text.isprintable()
    return text if is_plain else plain_braces(canonical_written(text))


@lru_cache(maxsize=MOST_CACHED)
def _identity_of_written(text: str) -> str:
    code = canonical_written(text)
    if _PRINTED.fullmatch(code):
        return _printed_key(code) or plain_braces(code)
    sym, content = split_aim(unescaped(code).encode("utf-8", "replace"), None)
    return _read(code if sym is None else canonical(content), sym) or plain_braces(code)


def is_published(text: str) -> bool:
    """Whether a text that was typed is a code of a published system: its letters are then exact, in upper and lower case.

    >>> is_published("(01)09506000134352(21)a7"), is_published("WO-1042")
    (True, False)
    """
    return _read(identity_of_written(text), None) is not None


def binding_key(code: str) -> str:
    """The key under which the binding of a written code holds: its identity; of the digits of a GTIN, that GTIN.

    A number of 8, 12, 13 or 14 digits that is not bound remains a text, because the numbers of a shop look the same.

    >>> binding_key("9506000134352"), binding_key("9506000134353")
    ('0109506000134352', '9506000134353')
    """
    key = identity_of_written(code)
    return (gtin_key(code) or key) if key == code else key


def gtin_key(code: str) -> str | None:
    """The key of the product whose GTIN these 8, 12, 13 or 14 digits are; None where they are none, or could be two."""
    if len(code) not in _GTIN_LENGTHS or not (code.isascii() and code.isdigit()):
        return None
    from station.core.codes.gs1.checks import check_digit
    from station.core.codes.gs1.gtin import GTIN_DIGITS, read_article

    numbers = ([code] if check_digit(code) else []) if len(code) == GTIN_DIGITS else read_article("]E0", code)
    return f"01{numbers[0]}" if len(numbers) == 1 else None


def gtin_texts(key: str) -> list[str]:
    """The numbers of 8, 12, 13 and 14 digits that are the GTIN of a key; none for the key of anything else.

    >>> gtin_texts("0109506000134352"), gtin_texts("010950600013435210AB")
    (['9506000134352', '09506000134352'], [])
    """
    if _GTIN_KEY.fullmatch(key) is None:
        return []
    number = key[2:]
    return [number[-digits:] for digits in _GTIN_LENGTHS if not number[:-digits].strip("0")]


def _read(code: str, sym: str | None) -> str | None:
    """The key of a canonical text that is a published code; None for any other text."""
    content = unescaped(code).encode("utf-8", "replace")
    read = published(ParseContext(content, sym, content, code, ()))
    return read.item if read is not None and read.scheme in PUBLISHED else None


def _printed_key(code: str) -> str | None:
    """The key of fields that are written with their identifiers in parentheses; None where they violate a rule."""
    from station.core.codes.gs1.elements import GS, read_elements

    fields = _PRINTED_FIELD.findall(code)
    text = GS.join(ai + (value.zfill(14) if ai == "01" else value) for ai, value in fields)
    reading = read_elements(text, None)
    is_so = reading.refused is None and list(reading.fields) == [ai for ai, _ in fields]
    return published_key(reading.fields) if is_so else None
