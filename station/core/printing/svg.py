"""SVG writer: a page as an SVG document, black on white, in millimetres.

It contains no styles and no scripts, so the strictest content security policy allows it. A browser prints it in its true
size.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from station.core.printing.page import Page, RuledLine, Shape, Symbol, TextLine

_FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
_DASHES = "1.5 1.5"


def write_svg(page: Page) -> str:
    """The whole document."""
    width, height = _mm(page.paper.width_mm), _mm(page.paper.height_mm)
    size = f'width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FONT}">',
            f"<title>{escape(page.title)}</title>",
            f'<rect width="{width}" height="{height}" fill="white"/>',
            '<g stroke="black">',
            *map(_line, page.lines),
            "</g>",
            '<g shape-rendering="crispEdges">',
            *map(_symbol, page.symbols),
            "</g>",
            *map(_shape, page.shapes),
            *map(_words, page.words),
            "</svg>\n",
        )
    )


def _line(line: RuledLine) -> str:
    dashes = f' stroke-dasharray="{_DASHES}"' if line.dashed else ""
    ends = f'x1="{_mm(line.x_mm)}" y1="{_mm(line.y_mm)}" x2="{_mm(line.to_x_mm)}" y2="{_mm(line.to_y_mm)}"'
    return f'<line {ends} stroke-width="{_mm(line.width_mm)}"{dashes}/>'


def _symbol(symbol: Symbol) -> str:
    """A symbol as one path in whole modules, with a transform to its position and size."""
    place = f"translate({_mm(symbol.x_mm)} {_mm(symbol.y_mm)}) scale({_mm(symbol.module_mm)} {_mm(symbol.row_mm)})"
    return f'<path transform="{place}" d="{"".join(_boxes(symbol))}"/>'


def _shape(shape: Shape) -> str:
    steps = (letter + " ".join(map(_mm, numbers)) for outline in shape.outlines for letter, *numbers in outline)
    return f'<path fill-rule="evenodd" d="{"".join(steps)}"/>'


def _boxes(symbol: Symbol) -> Iterator[str]:
    for x, y, width, height in symbol.modules.dark:
        yield f"M{x} {y}h{width}v{height}h-{width}z"


def _words(words: TextLine) -> str:
    weight = ' font-weight="bold"' if words.bold else ""
    anchor = ' text-anchor="middle"' if words.middle else ""
    place = f'x="{_mm(words.x_mm)}" y="{_mm(words.y_mm)}" font-size="{_mm(words.size_mm)}"'
    return f"<text {place}{weight}{anchor}>{escape(words.text)}</text>"


def _mm(value: float) -> str:
    """A length to a ten-thousandth of a millimetre."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
