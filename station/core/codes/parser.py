"""Code parser: try each kind of code in order; the first parser that accepts the scan returns its code.

>>> read_code(b"wip:badge:7", None, ()).badge
'7'
>>> read_code(b"]C0WO-1042", None, (Pattern("order", "WO-(?P<id>[0-9]+)", "item"),)).item
'1042'
>>> read_code(b"WIP:QTY:x", None, ()).unread
'no quantity: expected 0.001 to 1000000000, at most three digits behind a point'
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from station.core.codes.canonical import canonical, plain_braces, split_aim
from station.core.codes.charset import plain_content
from station.core.codes.code import Code, CodeType, Scheme
from station.core.codes.command_cards import HEAD, Card, CardText, read_card
from station.core.codes.documents import unread_text
from station.core.codes.parse_context import ParseContext
from station.core.codes.patterns import Pattern
from station.core.codes.setup_codes import made_for
from station.core.codes.standards import published
from station.core.event import MAX_RAW_BYTES

TOO_LONG = "too long"
EMPTY = "nothing behind the AIM identifier"
NO_TEXT = "no text: only the marks of a character set"


def of_card(raw: bytes, sym: str | None, read: CardText) -> Code:
    """The code of a parsed card or badge."""
    if read.unread is not None:
        return Code(raw, sym, None, read.text, unread=read.unread)
    if read.card is Card.BADGE:
        fields = {"badge": read.argument or ""}
        return Code(raw, sym, Scheme.BADGE, read.text, fields=fields, as_=CodeType.BADGE, badge=read.argument)
    fields = {"card": read.card or ""} | ({"argument": read.argument} if read.argument else {})
    return Code(
        raw, sym, Scheme.COMMAND, read.text, fields=fields, as_=CodeType.COMMAND,
        card=read.card, argument=read.argument, qty_milli=read.qty_milli,
    )  # fmt: skip


def card(scanned: ParseContext) -> Code | None:
    """A printed card or badge, the same at every site: `WIP:…`."""
    read = read_card(scanned.text)
    return None if read is None else of_card(scanned.raw, scanned.sym, read)


def own(scanned: ParseContext) -> Code | None:
    """A code of the shop's patterns. It is ambiguous if two patterns parse it differently."""
    matches = [(pattern, *match) for pattern in scanned.patterns if (match := pattern.match(scanned.text)) is not None]
    if not matches:
        return None
    pattern, named, fields = matches[0]
    if any((other.as_, name) != (pattern.as_, named) for other, name, _ in matches[1:]):
        readings = {match.name: name for match, name, _ in matches}
        return Code(scanned.raw, scanned.sym, Scheme.AMBIGUOUS, scanned.text, plain_braces(scanned.text), readings)
    as_ = CodeType(pattern.as_)
    if as_ is CodeType.BADGE:
        return Code(scanned.raw, scanned.sym, Scheme.BADGE, scanned.text, fields=fields, as_=as_, badge=named)
    if as_ is CodeType.COMMAND:
        read = read_card(named if named[: len(HEAD)].upper() == HEAD else HEAD + named)
        # The pattern only selects the card; the code stays the text that is printed on the shop's own card.
        if read is None:
            return None
        text = CardText(read.card, scanned.text, read.argument, read.qty_milli, read.unread)
        return of_card(scanned.raw, scanned.sym, text)
    return Code(scanned.raw, scanned.sym, Scheme.OWN, scanned.text, named, fields, as_)


def setup_code(scanned: ParseContext) -> Code | None:
    """A label that sets up the scanners of a maker. It is no code of the shop, and the scanner should be checked."""
    maker = made_for(scanned.text)
    if maker is None:
        return None
    unread = f"a set-up code of {maker} scanners; did your scanner change?"
    return Code(scanned.raw, scanned.sym, None, scanned.text, unread=unread)


def text(scanned: ParseContext) -> Code:
    """Any other text identifies itself, except a document and a text of several lines."""
    if (why := unread_text(scanned.text)) is not None:
        return Code(scanned.raw, scanned.sym, None, scanned.text, unread=why)
    return Code(scanned.raw, scanned.sym, Scheme.TEXT, scanned.text, plain_braces(scanned.text))


# A parser for a new kind of code belongs behind the shop's own patterns. What none of them accepts is a text.
READERS: tuple[Callable[[ParseContext], Code | None], ...] = (card, own, setup_code, published)


def read_tag_code(raw: bytes, patterns: Sequence[Pattern]) -> Code:
    """The code of a tag, from the part of its memory that the reader returned, in hex.

    The shop's patterns are applied to its number first; else it is an EPC, else a number that only identifies the tag.

    >>> read_tag_code(b"3A76340030751FEB705C5904E3D50D70", ()).code
    '30751FEB705C5904E3D50D70'
    >>> read_tag_code(b"04A1B2C3", (Pattern("badges", "04A1B2C3", "badge"),)).badge
    '04A1B2C3'
    """
    from station.core.codes.tag_memory import read_tag

    try:
        memory = bytes.fromhex(raw.decode("ascii"))
    except ValueError:
        return read_code(raw, None, patterns)  # no tag reader returns this, but the scan is recorded
    code = read_tag(memory, raw)
    if code.unread is not None:
        return code
    number = code.code.encode("ascii")
    named = own(ParseContext(number, None, number, code.code, patterns))
    return code if named is None else replace(named, raw=raw)


def read_code(raw: bytes, sym: str | None, patterns: Sequence[Pattern], year: int | None = None) -> Code:
    """The code of a scan. `raw`: as the device sent it, with AIM identifier; `sym`: where the device reports it separately.

    `year`: the year of the scan, where it is known. Accepts any bytes and never raises: a code that cannot be parsed has
    `unread` and no scheme.
    """
    if len(raw) > MAX_RAW_BYTES:
        return Code(raw, sym, None, canonical(raw[:MAX_RAW_BYTES]), unread=TOO_LONG)
    symbology, received = split_aim(raw, sym)
    content = plain_content(received, symbology)
    if not content:
        return Code(raw, symbology, None, "", unread=NO_TEXT if received else EMPTY)
    scanned = ParseContext(raw, symbology, content, canonical(content), patterns, year)
    for reader in READERS:
        code = reader(scanned)
        if code is not None:
            return code
    return text(scanned)
