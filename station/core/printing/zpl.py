r"""ZPL writer: a label page for a thermal printer that speaks ZPL II, at 203, 300 or 600 dpi.

Symbols are graphics (`^GFA`) of whole device dots, not the printer's own bar codes (`^BC`, `^BX`, `^BQ`): the printed
modules are then those that were checked, with the same width, quiet zone and content in every model and firmware, whereas
the printer's encoders have their own escapes (`>` in Code 128), their own choice of sizes and no common way for control
characters and UTF-8. Bars cost one row: its repetitions are a colon each.

Text is the printer's font 0 in UTF-8 (`^CI28`). Each character that could begin a command is a hex escape (`^FH_`), so a
text can never be a command. A text with a letter that this font may lack is a graphic too.

>>> escaped("^XZ~JA_")
'_5EXZ_7EJA_5F'
>>> packed([b"\xff\xf0", b"\xff\xf0", b"\x00\x00"])
'IF,:,'
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from station.core.printing.page import Page, PaperError, RuledLine, Shape, Symbol, TextLine

DOTS_MM = {203: 8.0, 300: 300 / 25.4, 600: 600 / 25.4}
"""Dots in a millimetre: printers of 203 dpi have 8."""
_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;-+/()=*#!?@&%$'\"[]{}|<>")
_LETTERS_OF_20 = " ghijklmnopqrstuvwxyz"  # 20 to 400 repetitions, in twenties
_LETTERS_OF_1 = " GHIJKLMNOPQRSTUVWXY"  # 1 to 19 repetitions
_MOST_REPEATED = 400
_TOLERANCE = 0.02


class Bitmap(NamedTuple):
    """A black and white picture: rows of packed bits, 1 is black, and its place in dots from the point it belongs to."""

    left: int
    top: int
    width: int
    rows: Sequence[bytes]


DrawText = Callable[[TextLine, float], Bitmap]
"""Draws a text with a font of this machine, at so many dots in a mm; the place is relative to its x and baseline."""
DrawShape = Callable[[Shape, float], Bitmap]
"""Draws a shape; the place is that on the page."""


def write_zpl(page: Page, dpi: int, draw_text: DrawText, draw_shape: DrawShape) -> bytes:
    """One label. Raises `PaperError` for another resolution than those of DOTS_MM, and from `draw_text`."""
    if dpi not in DOTS_MM:
        came, expected = f"The resolution is {dpi} dpi.", f"Expected one of {', '.join(map(str, DOTS_MM))}."
        raise PaperError(came, expected, "Look it up on the printer.")
    dots_mm = DOTS_MM[dpi]
    width, height = round(page.paper.width_mm * dots_mm), round(page.paper.height_mm * dots_mm)
    parts = [f"^XA^CI28^LH0,0^PW{width}^LL{height}"]
    parts += (_line(line, dots_mm) for line in page.lines)
    parts += (_graphic(_symbol(symbol, dots_mm), 0, 0) for symbol in page.symbols)
    parts += (_graphic(draw_shape(shape, dots_mm), 0, 0) for shape in page.shapes)
    parts += (_words(words, dots_mm, draw_text) for words in page.words if words.text.strip())
    return "\n".join([*parts, "^PQ1^XZ\n"]).encode("ascii")


def escaped(text: str) -> str:
    """A text for `^FD` behind `^FH_`: only characters without a meaning in ZPL stay, all others are hex of their UTF-8."""
    return "".join(
        letter if letter in _SAFE else "".join(f"_{byte:02X}" for byte in letter.encode("utf-8", "replace"))
        for letter in text
    )


def packed(rows: Iterable[bytes]) -> str:
    """Rows of a graphic in the compressed hex of `^GFA`: letters repeat a digit, `,` ends a row in white, `:` repeats it."""
    parts: list[str] = []
    before: bytes | None = None
    for row in rows:
        if row == before:
            parts.append(":")
            continue
        digits = row.hex().upper()
        shortened = digits.rstrip("0")
        parts.append("".join(_runs(shortened)) + ("," if len(shortened) < len(digits) else ""))
        before = row
    return "".join(parts)


def _runs(digits: str) -> Iterator[str]:
    at = 0
    while at < len(digits):
        end = at
        while end < len(digits) and digits[end] == digits[at] and end - at < _MOST_REPEATED:
            end += 1
        count = end - at
        twenties, ones = divmod(count, 20)
        letters = (_LETTERS_OF_20[twenties] + _LETTERS_OF_1[ones]).replace(" ", "")
        yield (letters if count > 1 else "") + digits[at]
        at = end


def _graphic(bitmap: Bitmap, x: int, y: int) -> str:
    """A picture at a point. A part left of or above the paper is not drawn by a printer, so the place is at least 0."""
    across = (bitmap.width + 7) // 8
    total = across * len(bitmap.rows)
    place = f"^FO{max(0, x + bitmap.left)},{max(0, y + bitmap.top)}"
    return f"{place}^GFA,{total},{total},{across},{packed(bitmap.rows)}^FS"


def _symbol(symbol: Symbol, dots_mm: float) -> Bitmap:
    """The dots of a symbol: each module has the same whole number of them."""
    dots = symbol.module_mm * dots_mm
    module = round(dots)
    assert abs(dots - module) < _TOLERANCE * dots, "the modules were placed for another resolution"
    width = symbol.modules.width * module
    lines = [0] * symbol.modules.height
    for x, y, across, down in symbol.modules.dark:
        bits = ((1 << across * module) - 1) << (width - (x + across) * module)
        for row in range(y, y + down):
            lines[row] |= bits
    padding = -width % 8
    rows = [(line << padding).to_bytes((width + padding) // 8, "big") for line in lines]
    repeat = round(symbol.bar_mm * dots_mm) if symbol.bar_mm else module
    drawn = [row for row in rows for _ in range(repeat)]
    return Bitmap(round(symbol.x_mm * dots_mm), round(symbol.y_mm * dots_mm), width, drawn)


def _words(words: TextLine, dots_mm: float, draw_text: DrawText) -> str:
    x, y = round(words.x_mm * dots_mm), round(words.y_mm * dots_mm)
    if words.middle or not _in_font(words.text):
        return _graphic(draw_text(words, dots_mm), x, y)
    size = max(10, round(words.size_mm * dots_mm))
    return f"^FT{x},{y}^A0N,{size},{round(size * 0.9)}^FH_^FD{escaped(words.text)}^FS"


def _in_font(text: str) -> bool:
    """Whether the printer's font 0 has every letter: those of Latin-1 in every model and country."""
    return text.isprintable() and all(ord(letter) < 0x100 for letter in text)


def _line(line: RuledLine, dots_mm: float) -> str:
    x, y = round(min(line.x_mm, line.to_x_mm) * dots_mm), round(min(line.y_mm, line.to_y_mm) * dots_mm)
    width, height = (round(abs(mm) * dots_mm) for mm in (line.to_x_mm - line.x_mm, line.to_y_mm - line.y_mm))
    thick = max(1, round(line.width_mm * dots_mm))
    return f"^FO{x},{y}^GB{max(width, thick)},{max(height, thick)},{thick}^FS"
