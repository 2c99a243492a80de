"""Codes of published systems: GS1 element strings, Digital Links, article numbers, EPC, ISO/IEC 15434.

With an AIM identifier the system is known: a violated rule makes the scan unread, and the reason names the rule. Without
one, a scan is GS1 only if it has a key with a correct check digit; a scan that violates a rule is plain text. Where two
parses are possible, the code is ambiguous, and its fields contain them.

The tables are loaded at the first scan that may need them.

>>> from station.core.codes.parser import read_code
>>> read_code(b"]d20109506000134353", None, ()).unread
'(01) has a wrong check digit'
>>> read_code(b"010950600013435210A21B", None, ()).fields["reading 2"]
'(01)09506000134352(10)A(21)B'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from station.core.codes.canonical import plain_braces
from station.core.codes.code import Code, CodeType, Scheme
from station.core.codes.keys import envelope_key, published_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station.core.codes.gs1.elements import ElementString
    from station.core.codes.parse_context import ParseContext

GS1_SYMBOLS = frozenset({"]C1", "]e0", "]d2", "]d5", "]Q3", "]Q4", "]J1"})  # ]d5 and ]Q4: with the ECI protocol
ARTICLE_SYMBOLS = frozenset({"]E0", "]E4"})
_COMPOSITE = "]e0"  # begins the second part of a composite symbol; some readers put a bar before it
_KEYS = frozenset({"00", "01", "253", "255", "402", "414", "417", "8003", "8004", "8006", "8013", "8017", "8018"})
_SHORTEST = 8  # 8004 and the four digits of a company prefix
_HEX = frozenset("0123456789ABCDEFabcdef")
_EPC_CHARACTERS = frozenset({24, 28, 32, 50, 52, 56})  # 96 or 198 bits: alone, with PC word, with checksum and PC word
_ONE_THING = frozenset({"00", "10", "21", "235", "250", "8003", "8004", "8010", "8017", "8018", "253", "402"})
_OF_PRODUCTS = frozenset({"01", "02", "03", "8006"})


def published(scanned: ParseContext) -> Code | None:
    """The code of a published system; None where this scan is none."""
    text, sym = scanned.text, scanned.sym
    opening = text[:1]
    if sym in GS1_SYMBOLS and (announced := _announced(scanned)) is not None:
        return announced
    if sym in ARTICLE_SYMBOLS:
        return _article(scanned)
    if opening in "[>":
        return _envelope(scanned)
    if opening in "hH":
        return _link(scanned) if text[:4].lower() == "http" else None
    if len(text) < _SHORTEST or not (opening.isdigit() or opening == "{" or len(text) in _EPC_CHARACTERS):
        return None
    return _keyed(scanned) or _typed_epc(scanned)


def _gs1(scanned: ParseContext, fields: Mapping[str, str], scheme: Scheme = Scheme.GS1, key: str = "") -> Code:
    """A parsed code; `key`: its key, by default that of its fields. One that identifies neither a single thing nor a lot,
    but a product, is a product code.
    """
    product = not _OF_PRODUCTS.isdisjoint(fields) and _ONE_THING.isdisjoint(fields)
    as_ = CodeType.PRODUCT if product else CodeType.ITEM
    key = key or published_key(fields)
    return Code(scanned.raw, scanned.sym, scheme, scanned.text, key, fields, as_, key=key)


def _unread(scanned: ParseContext, why: str) -> Code:
    return Code(scanned.raw, scanned.sym, None, scanned.text, unread=why)


def _ambiguous(scanned: ParseContext, readings: list[str]) -> Code:
    fields = {f"reading {number}": reading for number, reading in enumerate(readings, 1)}
    return Code(scanned.raw, scanned.sym, Scheme.AMBIGUOUS, scanned.text, plain_braces(scanned.text), fields)


def _content(scanned: ParseContext) -> str:
    """The content with one character for each byte: these systems have no character beyond ASCII."""
    return scanned.content.decode("latin-1")


def _announced(scanned: ParseContext) -> Code | None:
    """A symbol with a GS1 AIM identifier; None for a shop's own text in it, which begins with no application identifier."""
    from station.core.codes.gs1.elements import GS, read_elements
    from station.core.codes.gs1.identifiers import find

    text = _content(scanned)
    if find(text, int(text.startswith(GS))) is None:
        return None
    reading = read_elements(text, scanned.year)
    return _gs1(scanned, reading.fields) if reading.refused is None else _mended(scanned, text, reading.refused)


def _mended(scanned: ParseContext, text: str, refused: str) -> Code:
    """Parse again, assuming lost separators; unread for the first reason where that fails too."""
    from station.core.codes.gs1.elements import readings_without_separators

    readings = readings_without_separators(text, scanned.year)
    if readings is None or not readings:
        return _unread(scanned, refused)
    return _found(scanned, text, readings)


def _found(
    scanned: ParseContext, text: str, readings: Sequence[ElementString], keys: frozenset[str] = frozenset()
) -> Code:
    from station.core.codes.gs1.elements import likeliest_first

    if len(readings) > 1:
        return _ambiguous(scanned, [str(reading) for reading in likeliest_first(text, scanned.year, readings, keys)])
    return _gs1(scanned, {**readings[0].fields, "recovered": "separator"})


def _keyed(scanned: ParseContext) -> Code | None:
    """Element strings without AIM identifier: a key with a correct check digit, and no violated rule."""
    from station.core.codes.gs1.elements import GS, USUAL_NEXT, read_elements, readings_without_separators
    from station.core.codes.gs1.identifiers import find

    text = _content(scanned)
    if find(text, int(text.startswith(GS))) is None:
        return None
    reading = read_elements(text, scanned.year)
    if reading.refused is not None:
        readings = readings_without_separators(text, scanned.year, keys=_KEYS)
        return _found(scanned, text, readings, _KEYS) if readings else None
    if _KEYS.isdisjoint(reading.fields):
        return None
    if scanned.sym is None and GS not in text:
        # Such a scanner may lose separators, and then a lot may contain the serial number that follows it.
        others = readings_without_separators(text, scanned.year, USUAL_NEXT) or ()
        if len(others) > 1:
            return _ambiguous(scanned, [str(other) for other in others])
    return _gs1(scanned, reading.fields)


def _article(scanned: ParseContext) -> Code | None:
    """An article number, alone or followed by the second message of a composite symbol (ISO/IEC 24723)."""
    from station.core.codes.gs1.elements import read_elements
    from station.core.codes.gs1.gtin import read_article

    assert scanned.sym is not None
    text = _content(scanned)
    digits, _, behind = text.partition(_COMPOSITE)
    numbers = read_article(scanned.sym, digits.removesuffix("|") if behind else text)
    if not numbers:
        return _unread(scanned, "no article number: its digits or its check digit are wrong")
    readings = [read_elements(f"01{number}{behind}", scanned.year) for number in numbers]
    if readings[0].refused is not None:
        return _unread(scanned, readings[0].refused)
    if len(readings) == 1:
        return _gs1(scanned, readings[0].fields)
    return _ambiguous(scanned, [str(reading) for reading in readings])


def _envelope(scanned: ParseContext) -> Code | None:
    from station.core.codes.iso15434 import complete_envelope, opens, read_envelope

    text = _content(scanned)
    if not opens(text):
        return None
    reading = read_envelope(text, scanned.year)
    if reading.refused is not None:
        return _unread(scanned, reading.refused)
    key = envelope_key(reading.fields, complete_envelope(text))
    return _gs1(scanned, reading.fields, Scheme.ISO15434, key)


def _link(scanned: ParseContext) -> Code | None:
    from station.core.codes.gs1.digital_link import read_link

    reading = read_link(scanned.text, scanned.year)
    return _gs1(scanned, reading.fields) if reading is not None else None


def _typed_epc(scanned: ParseContext) -> Code | None:
    """A tag's EPC in hex, as a keyboard-emulating reader types it; any other hex is plain text."""
    text = scanned.text
    if len(text) not in _EPC_CHARACTERS or not _HEX.issuperset(text):
        return None
    from station.core.codes.tag_memory import read_tag

    code = read_tag(bytes.fromhex(text), scanned.raw)
    return code if code.scheme is Scheme.EPC else None
