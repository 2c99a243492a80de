"""PDF writer: draw pages on a reportlab canvas that is passed in.

Texts that reportlab's built-in Helvetica cannot encode (Czech, Greek, Cyrillic) are set in DejaVu if this machine has it.
reportlab neither joins Arabic letters nor reads the outlines of most East Asian fonts, so any other text is drawn as a
picture by the port `Letters`. If no typeface has a letter, an error is raised, because a wrong label is worse than none.
"""

import unicodedata
from collections.abc import Callable, Container, Iterable
from typing import Any, NamedTuple

from station.core.printing.page import Page, PaperError, RuledLine, Shape, Symbol, TextLine

POINT_MM = 25.4 / 72
_OWN = "cp1252"  # the encoding of the built-in Helvetica
_BUILT_IN = ("Helvetica", "Helvetica-Bold")
_EMBEDDED = ("DejaVuSans", "DejaVuSans-Bold")
_DASHES = (4, 4)  # points
_FROM_RIGHT = frozenset({"R", "AL", "AN"})
_COMBINED = frozenset({"Mn", "Mc", "Me"})
_COMPLEX = (
    (0x0900, 0x109F),
    (0x1780, 0x18AF),
    (0x1900, 0x1CFF),
    (0xA800, 0xABFF),
)  # scripts of South and South-East Asia

Typeface = Callable[[str], Container[int]]
"""Registers the typeface of this name and returns its code points; none where it is not installed."""


_EVEN_ODD = 0  # reportlab.pdfgen.canvas.FILL_EVEN_ODD


class LetterPicture(NamedTuple):
    """A text as a picture: what reportlab draws, and its left, upper, right and lower edges in mm from x and baseline."""

    picture: Any
    left_mm: float
    top_mm: float
    right_mm: float
    bottom_mm: float


Letters = Callable[[TextLine], LetterPicture]
"""Draws a text with a font of this machine. Raises `PaperError` with the letters that no font has."""


def write_pdf(pages: Iterable[Page], canvas: Any, typeface: Typeface, letters: Letters | None = None) -> bytes:
    """A file with these pages, at least one, which are drawn one at a time; its title is that of the first page.

    `letters`: draws the texts that reportlab cannot set. Raises `PaperError` where no typeface has a letter.
    """
    canvas.setCreator("wipline")
    for number, page in enumerate(pages):
        if number == 0:
            canvas.setTitle(page.title)
        canvas.setPageSize((_points(page.paper.width_mm), _points(page.paper.height_mm)))
        for line in page.lines:
            _line(canvas, page, line)
        for symbol in page.symbols:
            _symbol(canvas, page, symbol)
        for shape in page.shapes:
            _shape(canvas, page, shape)
        for words in page.words:
            _words(canvas, page, words, typeface, letters)
        canvas.showPage()
    return bytes(canvas.getpdfdata())


def check_letters(texts: Iterable[TextLine], typeface: Typeface, letters: Letters | None) -> None:
    """Raise `PaperError` for the first text that `write_pdf` cannot set."""
    for words in texts:
        _font(words, typeface, letters)


def typefaces(ttfonts: Any, register: Callable[[Any], None]) -> Typeface:
    """The typefaces of this machine, from reportlab's module `ttfonts` and its `registerFont`."""

    loaded: dict[str, Container[int]] = {}

    def load(name: str) -> Container[int]:
        if name not in loaded:
            try:
                font = ttfonts.TTFont(name, f"{name}.ttf")
            except ttfonts.TTFError:
                loaded[name] = ()
            else:
                register(font)
                loaded[name] = font.face.charToGlyph
        return loaded[name]

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


def _shape(canvas: Any, page: Page, shape: Shape) -> None:
    path = canvas.beginPath()
    draw = {"M": path.moveTo, "L": path.lineTo, "C": path.curveTo, "Z": path.close}
    for outline in shape.outlines:
        for letter, *numbers in outline:
            points = zip(numbers[::2], numbers[1::2], strict=True)
            draw[letter](*(edge for x_mm, y_mm in points for edge in (_points(x_mm), _up(page, y_mm))))
    canvas.drawPath(path, stroke=0, fill=1, fillMode=_EVEN_ODD)


def is_simple(text: str) -> bool:
    """Whether each character is one glyph, from left to right: no joined, reordered or combined letters.

    >>> is_simple("\u0158ezání"), is_simple("\u0634\u0631\u0643\u0629"), is_simple("\u0e01\u0e33")
    (True, False, False)
    """
    return text.isascii() or not any(_is_complex(letter) for letter in text)


def _is_complex(letter: str) -> bool:
    point = ord(letter)
    in_range = any(first <= point <= last for first, last in _COMPLEX)
    return in_range or unicodedata.bidirectional(letter) in _FROM_RIGHT or unicodedata.category(letter) in _COMBINED


def _words(canvas: Any, page: Page, words: TextLine, typeface: Typeface, letters: Letters | None) -> None:
    font = _font(words, typeface, letters)
    if isinstance(font, str):
        canvas.setFont(font, _points(words.size_mm))
        draw = canvas.drawCentredString if words.middle else canvas.drawString
        draw(_points(words.x_mm), _up(page, words.y_mm), words.text)
        return
    width_mm, height_mm = font.right_mm - font.left_mm, font.bottom_mm - font.top_mm
    left_mm = words.x_mm - width_mm / 2 if words.middle else words.x_mm + font.left_mm
    bottom = _up(page, words.y_mm + font.bottom_mm)
    canvas.drawImage(font.picture, _points(left_mm), bottom, _points(width_mm), _points(height_mm))


def _font(words: TextLine, typeface: Typeface, letters: Letters | None = None) -> str | LetterPicture:
    """The name of a typeface that has every letter, or a picture of the text. Raises `PaperError`."""
    try:
        words.text.encode(_OWN)
    except UnicodeEncodeError:
        name = _EMBEDDED[words.bold]
        if letters is None or is_simple(words.text):
            points = typeface(name)
            if all(ord(letter) in points for letter in words.text):
                return name
        if letters is not None:
            return letters(words)
        raise PaperError(
            came=f"No typeface here has every letter of {words.text!r}.",
            expected="Expected letters that Helvetica or DejaVu Sans has.",
            do="Install it: sudo apt-get install fonts-dejavu-core. Or print the drawing (SVG) from a browser.",
        ) from None
    return _BUILT_IN[words.bold]
