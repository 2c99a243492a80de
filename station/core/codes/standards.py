"""Published codes: GS1 element strings, Digital Links, article numbers, EPC, ISO/IEC 15434; what decides whose a scan is.

An AIM identifier says it outright: then a broken rule makes the scan unread, and the reason names the rule. Without one only
a key with a good check digit speaks for GS1, and what breaks a rule is a text like any other. Where two readings are
possible the code is ambiguous: its fields name them, and nobody guesses.

The tables behind this are loaded at the first scan that looks as if it needed them.

>>> from station.core.codes.parser import read_code
>>> read_code(b"]d20109506000134353", None, ()).unread
'(01) has a wrong check digit'
>>> read_code(b"010950600013435210A21B", None, ()).fields["reading 2"]
'(01)09506000134352(10)A(21)B'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from station.core.codes.code import Code, CodeType, Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station.core.codes.gs1.elements import ElementString
    from station.core.codes.parse_context import ParseContext

GS1_SYMBOLS = frozenset({"]C1", "]e0", "]d2", "]Q3", "]J1"})
ARTICLE_SYMBOLS = frozenset({"]E0", "]E4"})
_COMPOSITE = "]e0"  # opens what stands in the second part of a composite symbol; some readers set a bar before it
_KEYS = frozenset({"00", "01", "253", "255", "402", "414", "417", "8003", "8004", "8006", "8013", "8017", "8018"})
_SHORTEST = 8  # 8004 and the four digits of a company prefix
_HEX = frozenset("0123456789ABCDEFabcdef")
_EPC_CHARACTERS = frozenset({24, 28, 32, 50, 52, 56})  # 96 bits or 198, alone, behind a PC word, behind a checksum too
_ONE_THING = frozenset({"00", "10", "21", "235", "250", "8003", "8004", "8010", "8017", "8018", "253", "402"})
_OF_PRODUCTS = frozenset({"01", "02", "03", "8006"})


def published(scanned: ParseContext) -> Code | None:
    """The code by a published system that this scan is; None where it is none."""
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


def _gs1(scanned: ParseContext, fields: Mapping[str, str], scheme: Scheme = Scheme.GS1) -> Code:
    """A code read; one that names a product, and no lot, serial or load of it, names no single thing."""
    product = not _OF_PRODUCTS.isdisjoint(fields) and _ONE_THING.isdisjoint(fields)
    as_ = CodeType.PRODUCT if product else CodeType.ITEM
    return Code(scanned.raw, scanned.sym, scheme, scanned.text, scanned.text, fields, as_)


def _unread(scanned: ParseContext, why: str) -> Code:
    return Code(scanned.raw, scanned.sym, None, scanned.text, unread=why)


def _ambiguous(scanned: ParseContext, readings: list[str]) -> Code:
    fields = {f"reading {number}": reading for number, reading in enumerate(readings, 1)}
    return Code(scanned.raw, scanned.sym, Scheme.AMBIGUOUS, scanned.text, scanned.text, fields)


def _content(scanned: ParseContext) -> str:
    """The content a character a byte: what is not ASCII is in no character set of these systems."""
    return scanned.content.decode("latin-1")


def _announced(scanned: ParseContext) -> Code | None:
    """A symbol that says it holds GS1 element strings; a shop's own text in one, that opens with none, is left to it."""
    from station.core.codes.gs1.elements import GS, read_elements
    from station.core.codes.gs1.identifiers import find

    text = _content(scanned)
    if find(text, int(text.startswith(GS))) is None:
        return None
    reading = read_elements(text, scanned.year)
    return _gs1(scanned, reading.fields) if reading.refused is None else _mended(scanned, text, reading.refused)


def _mended(scanned: ParseContext, text: str, refused: str) -> Code:
    """Read with the separators that a scanner may have lost; unread for the first reason where that does not help."""
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
        return _ambiguous(scanned, [str(each) for each in likeliest_first(text, scanned.year, readings, keys)])
    return _gs1(scanned, {**readings[0].fields, "recovered": "separator"})


def _keyed(scanned: ParseContext) -> Code | None:
    """Element strings that nothing announces: a key with a good check digit, and everything else in order too."""
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
        # Such a scanner may lose separators, and then a lot may have swallowed the serial number behind it.
        others = readings_without_separators(text, scanned.year, USUAL_NEXT) or ()
        if len(others) > 1:
            return _ambiguous(scanned, [str(each) for each in others])
    return _gs1(scanned, reading.fields)


def _article(scanned: ParseContext) -> Code | None:
    """An article number, alone or with the second message of a composite symbol behind it (ISO/IEC 24723)."""
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
    return _ambiguous(scanned, [str(each) for each in readings])


def _envelope(scanned: ParseContext) -> Code | None:
    from station.core.codes.iso15434 import opens, read_envelope

    text = _content(scanned)
    if not opens(text):
        return None
    reading = read_envelope(text, scanned.year)
    return (
        _gs1(scanned, reading.fields, Scheme.ISO15434) if reading.refused is None else _unread(scanned, reading.refused)
    )


def _link(scanned: ParseContext) -> Code | None:
    from station.core.codes.gs1.digital_link import read_link

    reading = read_link(scanned.text, scanned.year)
    return _gs1(scanned, reading.fields) if reading is not None else None


def _typed_epc(scanned: ParseContext) -> Code | None:
    """A tag's number as a reader that plays a keyboard types it, in hex; any other hex is a text."""
    text = scanned.text
    if len(text) not in _EPC_CHARACTERS or not _HEX.issuperset(text):
        return None
    from station.core.codes.tag_memory import read_tag

    code = read_tag(bytes.fromhex(text), scanned.raw)
    return code if code.scheme is Scheme.EPC else None
