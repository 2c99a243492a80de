"""Page model: texts, lines and symbols, with positions in mm from the upper left corner of the paper.

>>> PAPERS["letter"].width_mm
215.9
>>> square = Symbol("x", Symbology.SQUARE, Modules(21, 21, ()), 20, 30, DOT_MM * 10)
>>> round(square.width_mm, 2), round(square.quiet_mm, 2)
(17.78, 3.39)
"""

from dataclasses import dataclass

from station.core.codes.setup_sheet import Symbology
from station.core.printing.symbols import Modules

DOT_MM = 25.4 / 300  # a module is a whole number of dots of a 300 dpi printer, so that all are printed equally wide
# ISO/IEC 18004 and 15417: all around; left and right. ISO/IEC 16022 asks for 1, and inexact cutting takes the other.
QUIET_MODULES = {
    Symbology.SQUARE: 4, Symbology.BARS: 10, Symbology.GS1_BARS: 10, Symbology.MATRIX: 2, Symbology.GS1_MATRIX: 2,
}  # fmt: skip
# Smaller modules fail with cheap and worn scanners.
MIN_MODULE_MM = {
    Symbology.SQUARE: 0.5, Symbology.BARS: 0.25, Symbology.GS1_BARS: 0.25, Symbology.MATRIX: 0.33,
    Symbology.GS1_MATRIX: 0.33,
}  # fmt: skip


class PaperError(Exception):
    """A page cannot be printed: what came, what was expected and what to do, a sentence each."""

    def __init__(self, came: str, expected: str, do: str) -> None:
        super().__init__(came, expected, do)
        self.came, self.expected, self.do = came, expected, do

    def __str__(self) -> str:
        return f"{self.came} {self.expected} {self.do}"


def not_installed(package: str, do: str) -> PaperError:
    """The error for a missing drawing library."""
    came = f"The Python package {package!r} is not installed here."
    return PaperError(came, "Sheets and cards are drawn with it.", do)


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper size."""

    name: str
    title: str
    width_mm: float
    height_mm: float


PAPERS = {"a4": Paper("a4", "A4", 210, 297), "letter": Paper("letter", "US Letter", 215.9, 279.4)}


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text: `x_mm` is its left end, or its middle; `y_mm` its baseline; `size_mm` the font size."""

    text: str
    x_mm: float
    y_mm: float
    size_mm: float
    bold: bool = False
    middle: bool = False


@dataclass(frozen=True, slots=True)
class RuledLine:
    """A straight line."""

    x_mm: float
    y_mm: float
    to_x_mm: float
    to_y_mm: float
    width_mm: float = 0.2
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Symbol:
    """A drawn code: its first dark module is at (`x_mm`, `y_mm`), each is `module_mm` wide; bars are `bar_mm` high.

    `content`: what a scanner returns, where it is not `text`.
    """

    text: str
    symbology: Symbology
    modules: Modules
    x_mm: float
    y_mm: float
    module_mm: float
    bar_mm: float = 0.0
    content: bytes | None = None

    @property
    def width_mm(self) -> float:
        """From the first dark module to the last, without the quiet zones."""
        return self.modules.width * self.module_mm

    @property
    def height_mm(self) -> float:
        """From the top to the bottom, without the quiet zones."""
        return self.modules.height * self.row_mm

    @property
    def row_mm(self) -> float:
        """The height of one row of modules."""
        return self.bar_mm or self.module_mm

    @property
    def quiet_mm(self) -> float:
        """The width of the quiet zone: on all sides of a square or a matrix, left and right of bars."""
        return QUIET_MODULES[self.symbology] * self.module_mm


Outline = tuple[tuple[str, *tuple[float, ...]], ...]
"""A closed outline in mm: steps `M`, `L`, `C` with absolute positions, and `Z` at the end."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A picture that is filled black by the even-odd rule."""

    outlines: tuple[Outline, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One sheet of paper and its content, all of it inside `margin_mm`."""

    paper: Paper
    title: str
    margin_mm: float
    words: tuple[TextLine, ...]
    lines: tuple[RuledLine, ...]
    symbols: tuple[Symbol, ...]
    shapes: tuple[Shape, ...] = ()
