"""Printed code: the symbol for a thing of the shop, checked with the station's own parser before it is printed.

A paper is useless if its scan names another thing: an order `WIP:SCRAP` is a command card, and one that a badge pattern
matches signs a person in. So the content is parsed as a scanner returns it, with and without an AIM identifier, and must
name the same thing; otherwise `CodeRefused` contains the reason. The symbology follows from the content: GS1-128 or GS1 Data
Matrix for an element string, Code 128 for other ASCII text that fits, else Data Matrix.

>>> shop = ShopCodes((Pattern("badges", "B[0-9]+", "badge"),))
>>> printed_code(Thing(CodeType.ITEM, "WO-1042"), shop).symbologies
(<Symbology.BARS: 'bars'>, <Symbology.MATRIX: 'matrix'>)
>>> printed_code(Thing(CodeType.ITEM, "010950600013435210AB"), shop).symbologies
(<Symbology.GS1_BARS: 'gs1-bars'>, <Symbology.GS1_MATRIX: 'gs1-matrix'>)
>>> try:
...     printed_code(Thing(CodeType.ITEM, "B7"), shop)
... except CodeRefused as error:
...     print(error)
The code 'B7' scans as the badge 'B7'. Expected the item 'B7'. Give it another code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

from station.core.codes import (
    Code,
    CodeBinding,
    CodeType,
    Pattern,
    Scheme,
    apply_binding,
    identity_of_written,
    read_code,
)
from station.core.codes.canonical import unescaped
from station.core.codes.card_labels import shown
from station.core.codes.gs1.elements import read_elements
from station.core.codes.identity import PUBLISHED
from station.core.codes.setup_sheet import Symbology
from station.core.printing.page import DOT_MM, QUIET_MODULES, PaperError, Symbol
from station.core.printing.symbols import Encode, Modules, TooLongError

AIM = {
    Symbology.SQUARE: "]Q1", Symbology.BARS: "]C0", Symbology.MATRIX: "]d1", Symbology.GS1_BARS: "]C1",
    Symbology.GS1_MATRIX: "]d2",
}  # fmt: skip
NAMES = {
    Symbology.SQUARE: "QR Code", Symbology.BARS: "Code 128", Symbology.MATRIX: "Data Matrix",
    Symbology.GS1_BARS: "GS1-128", Symbology.GS1_MATRIX: "GS1 Data Matrix",
}  # fmt: skip
MAX_CONTENT_BYTES = 1_000  # far more than any name needs; larger symbols are hard to read
_SHOWN = 60
_TYPES = {
    CodeType.ITEM: "item", CodeType.PRODUCT: "product", CodeType.BADGE: "badge", CodeType.COMMAND: "card",
    CodeType.CARRIER: "carrier",
}  # fmt: skip


class CodeRefused(PaperError):
    """A code that must not be printed: its scan would name another thing, or it does not fit."""


class Thing(NamedTuple):
    """What a code must identify: an item, a product or a carrier by its name, a badge by its id, a card by its text."""

    as_: CodeType
    name: str


@dataclass(frozen=True, slots=True)
class ShopCodes:
    """How the shop's stations read codes: its patterns, and its bindings by their keys."""

    patterns: Sequence[Pattern] = ()
    bound: Mapping[str, CodeBinding] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PrintedCode:
    """A checked code: `text` for people, the `content` that a scanner returns, and symbologies, the preferred one first."""

    text: str
    content: bytes
    symbologies: tuple[Symbology, ...]


class Room(NamedTuple):
    """The room of a symbol with its quiet zones, and its smallest and largest modules, all in mm.

    `bar_mm`: the height of bars, at most that of the room. `dot_mm`: a dot of the printer; a module has whole dots.
    """

    width_mm: float
    height_mm: float
    bar_mm: float
    least_bar_module_mm: float
    least_module_mm: float
    most_module_mm: float = 0.6
    dot_mm: float = DOT_MM


class Placed(NamedTuple):
    """A symbol of a certain size, without a position. Widths and heights contain the quiet zones."""

    code: PrintedCode
    symbology: Symbology
    modules: Modules
    module_mm: float
    bar_mm: float

    @property
    def quiet_mm(self) -> float:
        """The quiet zone: on all sides, of bars left and right."""
        return QUIET_MODULES[self.symbology] * self.module_mm

    @property
    def width_mm(self) -> float:
        """The width of the symbol with its quiet zones."""
        return self.modules.width * self.module_mm + 2 * self.quiet_mm

    @property
    def height_mm(self) -> float:
        """The height of the symbol with its quiet zones."""
        return self.bar_mm or self.modules.height * self.module_mm + 2 * self.quiet_mm

    def at(self, left_mm: float, top_mm: float) -> Symbol:
        """The symbol with the upper left corner of its quiet zones at this position."""
        upper_mm = 0 if self.bar_mm else self.quiet_mm
        x_mm, y_mm, text = left_mm + self.quiet_mm, top_mm + upper_mm, self.code.text
        return Symbol(text, self.symbology, self.modules, x_mm, y_mm, self.module_mm, self.bar_mm, self.code.content)


def printed_code(thing: Thing, shop: ShopCodes, link: str | None = None, written: str | None = None) -> PrintedCode:
    """The checked code of a thing: its name, or another code `written` that the shop has bound to it.

    `link`: the address of a resolver; an element string then becomes a QR Code with a link.

    Raises `CodeRefused` with the reason where a scan of the code would not name the thing.
    """
    name = thing.name if written is None else written
    text = unescaped(name)
    content = text.encode("utf-8", "replace")
    if len(content) > MAX_CONTENT_BYTES:
        raise _refused(thing, f"has {len(content)} bytes", f"at most {MAX_CONTENT_BYTES}", "Give it a shorter code.")
    plain = read_code(content, None, shop.patterns)
    controls = [char for char in text if not char.isprintable() and char.isascii()]
    if controls and plain.scheme not in PUBLISHED:
        control = f"{{{ord(controls[0]):02X}}}"
        raise _refused(
            thing, f"has the control character {control}", "text that every scanner can type", "Give it another code."
        )
    symbologies: tuple[Symbology, ...]
    if plain.scheme is Scheme.GS1 and read_elements(text, None).refused is None:
        symbologies = (Symbology.GS1_BARS, Symbology.GS1_MATRIX)
        if link is not None:
            symbologies, content = (Symbology.SQUARE,), digital_link(text, link).encode()
    elif link is not None:
        raise _refused(
            thing, "is no GS1 key", "a GTIN, a lot, a serial or an SSCC for a GS1 Digital Link", "Leave --link."
        )
    elif text.isascii() and not controls:
        symbologies = (Symbology.BARS, Symbology.MATRIX)
    else:
        symbologies = (Symbology.MATRIX,)
    for symbology in symbologies:
        for raw in (content, AIM[symbology].encode() + content):
            _check(thing, apply_binding(read_code(raw, None, shop.patterns), shop.bound))
    return PrintedCode(shown(name), content, symbologies)


def digital_link(elements: str, resolver: str) -> str:
    """The GS1 Digital Link of an element string under the address of a resolver.

    >>> digital_link("010950600013435210A/1", "https://id.example.com")
    'https://id.example.com/01/09506000134352/10/A%2F1'
    """
    fields = read_elements(elements, None).fields
    return resolver.rstrip("/") + "".join(f"/{ai}/{quote(value, safe='')}" for ai, value in fields.items())


def place(code: PrintedCode, room: Room, encode: Encode) -> Placed:
    """The first symbology of the code that fits into the room, with the largest modules that fit.

    Raises `CodeRefused` with the smallest size that each symbology needs.
    """
    needed = []
    for symbology in code.symbologies:
        try:
            modules = encode(code.content, symbology)
        except TooLongError:
            needed.append(f"{NAMES[symbology]} holds less")
            continue
        least_mm = room.least_bar_module_mm if symbology.is_bars else room.least_module_mm
        across = modules.width + 2 * QUIET_MODULES[symbology]
        for dots in range(int(room.most_module_mm / room.dot_mm + 0.001), 0, -1):
            module_mm = dots * room.dot_mm
            if module_mm < least_mm - 0.0005:
                break
            height_mm = room.bar_mm if symbology.is_bars else across * module_mm
            if across * module_mm <= room.width_mm + 0.0005 and height_mm <= room.height_mm + 0.0005:
                return Placed(code, symbology, modules, module_mm, room.bar_mm if symbology.is_bars else 0.0)
        module_mm = -int(-(least_mm - 0.0005) // room.dot_mm) * room.dot_mm
        height_mm = room.bar_mm if symbology.is_bars else across * module_mm
        needed.append(f"{NAMES[symbology]} needs {across * module_mm:.1f} x {height_mm:.1f} mm")
    raise CodeRefused(
        came=f"The code {_short(code.text)!r} ({len(code.content)} bytes) does not fit into"
        f" {room.width_mm:.1f} x {room.height_mm:.1f} mm: {', '.join(needed)}.",
        expected="Expected modules that a worn scanner reads.",
        do="Take a larger form, or give it a shorter code.",
    )


def _check(thing: Thing, code: Code) -> None:
    """Compare a scan of the code with the thing. Raises `CodeRefused` where it is something else."""
    if code.unread is not None:
        came = f"scans as nothing: {code.unread}"
    elif code.scheme is Scheme.AMBIGUOUS:
        came = f"is ambiguous: {' or '.join(map(str, list(code.fields.values())[:2]))}"
    elif thing.as_ is CodeType.COMMAND and code.card is not None:
        read = f"WIP:{code.card}" + (f":{code.argument}" if code.argument else "")
        came = "" if thing.name.upper() == code.code.upper() else f"scans as the card {read!r}"
    elif code.card is not None:
        came = f"scans as the card WIP:{code.card}"
    elif code.badge is not None:
        same = thing.as_ is CodeType.BADGE and thing.name in (code.badge, f"WIP:BADGE:{code.badge}")
        came = "" if same else f"scans as the badge {_short(code.badge)!r}"
    else:
        came = _difference(thing, code)
    if came:
        raise _refused(thing, came, f"the {_TYPES[thing.as_]} {_short(thing.name)!r}", "Give it another code.")


def _difference(thing: Thing, code: Code) -> str:
    """What a scan names that is neither a card nor a badge, where it is another thing; empty where it is the same."""
    as_ = CodeType.ITEM if code.as_ is CodeType.PRODUCT and code.is_counted else code.as_
    wanted = CodeType.ITEM if thing.as_ is CodeType.PRODUCT and code.is_counted and code.key else thing.as_
    item = code.item or ""
    if as_ is wanted and identity_of_written(item) == identity_of_written(thing.name):
        return ""
    return f"scans as the {_TYPES[as_]} {_short(item)!r}"


def _refused(thing: Thing, came: str, expected: str, do: str) -> CodeRefused:
    return CodeRefused(f"The code {_short(thing.name)!r} {came}.", f"Expected {expected}.", do)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
