"""PDF writer: draw pages on a reportlab canvas that is passed in.

Texts that reportlab's built-in Helvetica cannot encode (Czech, Greek, Cyrillic) are set in DejaVu if this machine has it.
If no typeface has a letter, an error is raised, because a wrong label is worse than none.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from station.core.printing.page import Page, PaperError, RuledLine, Symbol, TextLine

POINT_MM = 25.4 / 72
_OWN = "cp1252"  # the encoding of the built-in Helvetica
_BUILT_IN = ("Helvetica", "Helvetica-Bold")
_EMBEDDED = ("DejaVuSans", "DejaVuSans-Bold")
_DASHES = (4, 4)  # points

Typeface = Callable[[str], Container[int]]
"""Registers the typeface of this name and returns its code points; none where it is not installed."""


def write_pdf(pages: Sequence[Page], canvas: Any, typeface: Typeface) -> bytes:
    """A file with these pages. Raises `PaperError` where no typeface has a letter."""
    canvas.setTitle(pages[0].title)
    canvas.setCreator("wipline")
    for page in pages:
        canvas.setPageSize((_points(page.paper.width_mm), _points(page.paper.height_mm)))
        for line in page.lines:
            _line(canvas, page, line)
        for symbol in page.symbols:
            _symbol(canvas, page, symbol)
        for words in page.words:
            _words(canvas, page, words, typeface)
        canvas.showPage()
    return bytes(canvas.getpdfdata())


def typefaces(ttfonts: Any, register: Callable[[Any], None]) -> Typeface:
    """The typefaces of this machine, from reportlab's module `ttfonts` and its `registerFont`."""

    def load(name: str) -> Container[int]:
        try:
            font = ttfonts.TTFont(name, f"{name}.ttf")
        except ttfonts.TTFError:
            return ()
        register(font)
        return font.face.charToGlyph  # type: ignore[no-any-return]

    return load


def _points(mm: float) -> float:
    return mm / POINT_MM


def _up(page: Page, y_mm: float) -> float:
    """A height from the upper edge in mm, as points from the lower one."""
    return _points(page.paper.height_mm - y_mm)


def _line(canvas: Any, page: Page, line: RuledLine) -> None:
    canvas.setLineWidth(_points(line.width_mm))
    canvas.setDash(*_DASHES) if line.dashed else canvas.setDash()
    canvas.line(_points(line.x_mm), _up(page, line.y_mm), _points(line.to_x_mm), _up(page, line.to_y_mm))


def _symbol(canvas: Any, page: Page, symbol: Symbol) -> None:
    """All dark modules as one shape, so that no viewer draws seams between them."""
    path = canvas.beginPath()
    for x, y, width, height in symbol.modules.dark:
        left_mm, bottom_mm = symbol.x_mm + x * symbol.module_mm, symbol.y_mm + (y + height) * symbol.row_mm
        size = _points(width * symbol.module_mm), _points(height * symbol.row_mm)
        path.rect(_points(left_mm), _up(page, bottom_mm), *size)
    canvas.drawPath(path, stroke=0, fill=1)


def without_typeface(texts: Iterable[str], typeface: Typeface) -> list[str]:
    """The texts that have a letter which no typeface here has."""
    lacking = []
    for text in texts:
        try:
            _font(TextLine(text, 0, 0, 1, bold=True), typeface)
        except PaperError:
            lacking.append(text)
    return lacking


def _words(canvas: Any, page: Page, words: TextLine, typeface: Typeface) -> None:
    canvas.setFont(_font(words, typeface), _points(words.size_mm))
    draw = canvas.drawCentredString if words.middle else canvas.drawString
    draw(_points(words.x_mm), _up(page, words.y_mm), words.text)


def _font(words: TextLine, typeface: Typeface) -> str:
    try:
        words.text.encode(_OWN)
    except UnicodeEncodeError:
        name = _EMBEDDED[words.bold]
        points = typeface(name)
        if all(ord(letter) in points for letter in words.text):
            return name
        raise PaperError(
            came=f"No typeface here has every letter of {words.text!r}.",
            expected="Expected letters that Helvetica or DejaVu Sans has.",
            do="Install it: sudo apt-get install fonts-dejavu-core. Or print the drawing (SVG) from a browser.",
        ) from None
    return _BUILT_IN[words.bold]
